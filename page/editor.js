// Placeholder of editor.js.
