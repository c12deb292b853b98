// Placeholder of label.js.
