// Placeholder of plot.js.
