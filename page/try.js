// Placeholder of try.js.
