// Placeholder of figures.js.
