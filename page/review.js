// Placeholder of review.js.
