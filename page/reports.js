// Placeholder of reports.js.
