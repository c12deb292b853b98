// A run in words, as several views show it.

import { count, duration, h, number, percent } from "./dom.js";

const STATES = { uploaded: ["mark", "ready to start"], running: ["mark", "running"], stopped: ["warn", "stopped"], done: ["good", "done"], failed: ["bad", "failed"] };

/** Returns the word for a run's state. */
export function stateWord(run) {
    return STATES[run.state]?.[1] ?? run.state;
}

/** Returns the mark of a run's state. */
export function stateMark(run) {
    return h("span", { class: `badge ${STATES[run.state]?.[0] ?? ""}` }, stateWord(run));
}

/** Returns the counts of a run in a line. */
export function runFigures(run) {
    const total = run.rows ?? run.done;
    if (run.state === "uploaded") return count(total, "row");
    const share = run.done ? `, ${percent(run.violation / run.done)} violation` : "";
    const rows = run.done === total ? count(total, "row") : `${number(run.done)} of ${count(total, "row")}`;
    return `${rows}${share}${run.seconds_left ? `, ${duration(run.seconds_left)} left` : ""}`;
}

/** Returns a time as the reader's clock shows it. */
export function when(time) {
    const date = new Date(time);
    return Number.isNaN(date.getTime()) ? "" : date.toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
}

/** Returns a view that says that the server needs a workspace for it. */
export function off(title) {
    const element = h("section", { class: "panel" }, h("div", { class: "empty" }, h("h1", {}, title), h("p", {}, "Start the server with a folder for runs. It keeps the files and their verdicts."),
        h("p", {}, h("code", {}, "magistrate serve --workspace FOLDER"))));
    return { element, show() {}, hide() {}, keys: [] };
}
