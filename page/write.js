// Placeholder of write.js.
