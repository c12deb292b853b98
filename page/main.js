// Placeholder of main.js.
