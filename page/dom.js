// Placeholder of dom.js.
