// Placeholder of diff.js.
