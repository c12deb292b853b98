// A run in words, as several views show it.

import { count, duration, h, number, percent } from "./dom.js";

const STATES = { uploaded: ["mark", "ready to start"], running: ["mark", "running"], stopped: ["warn", "stopped"], done: ["good", "done"], failed: ["bad", "failed"] };

/** Returns the path of a run. */
export const pathOf = id => `/v1/runs/${encodeURIComponent(id)}`;

/** Returns the mark of a run's state. */
export function stateMark({ state }) {
	const [kind, word] = STATES[state] ?? ["", state];
	return h(`span.badge ${kind}`, word);
}

/** Returns runs as a list of links to a view; `extra(run)` ends a line. */
export function runList(runs, view, extra) {
	return h("ul.panel.run-list", runs.map(run => h("li.cluster", h("a", { href: `#${view}?run=${encodeURIComponent(run.id)}` }, run.name), stateMark(run),
		h("span.muted.n", figures(run)), h("span.muted.small.push", when(run.created)), extra?.(run))));
}

function figures({ state, rows, done, violation, seconds_left }) {
	const total = count(rows ?? done, "row");
	if (state === "uploaded") return total;
	return [state === "done" ? total : `${number(done)} of ${total}`, done > 0 && `${percent(violation / done)} violation`, seconds_left > 0 && `${duration(seconds_left)} left`].filter(Boolean).join(", ");
}

/** Returns a time, in seconds since 1970, as the reader's clock shows it. */
export function when(time) {
	return new Date(time * 1000).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
}

/** Returns a view that is off, with the flags that switch it on. */
export function off(title, words, flags) {
	const element = h("section.panel", h("div.empty", h("h2", title), h("p", words), h("p", h("code", `magistrate serve ${flags}`))));
	return { element, show() {}, hide() {}, keys: [] };
}
