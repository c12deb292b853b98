// Placeholder of api.js.
