// Placeholder of texts.js.
