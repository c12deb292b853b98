// Placeholder of table.js.
