// The tabs of the texts: the texts themselves, flips against the saved version, suspicious labels, and instability.

import { button, count, duration, fill, h } from "./dom.js";
import { flipsList, suspicious, suspiciousList, unstableList } from "./figures.js";
import { given, version } from "./judge.js";

const TABS = ["texts", "flips", "labels", "stability"];
const EFFORTS = ["none", "low", "high"];

/** Returns the tabs and their pane. `source` has the rows, the threshold and the policy of the moment; `texts` is the first tab. */
export function resultsPanel({ judge, source, texts, actions }) {
	const tabs = h("div.tabs", { role: "tablist", "aria-label": "Texts, and those that need a look" });
	const body = h("div.body");
	const pane = h("div.pane", { role: "tabpanel", id: "results", "aria-label": "Texts" }, texts, body);
	let [tab, comparison, running, drawn] = ["texts", null, null, ""];

	function draw() {
		const { rows, isSame } = source();
		const words = { texts: `Texts (${rows.length})`, flips: `Flips (${rows.filter(row => row.flip).length})`, labels: `Suspicious (${suspicious(rows).length})`, stability: "Instability" };
		const now = JSON.stringify([words, tab]);
		if (now !== drawn) drawTabs(words);
		drawn = now;
		texts.hidden = tab !== "texts";
		body.hidden = tab === "texts";
		if (tab === "texts") return;
		const content = { flips: () => flipsList(rows, comparison, isSame, actions.open), labels: () => suspiciousList(rows, actions.open, actions.label), stability: stabilityPart }[tab]();
		fill(body, content);
	}

	function drawTabs(words) {
		const hasFocus = tabs.contains(document.activeElement);
		pane.setAttribute("aria-label", words[tab]);
		fill(tabs, TABS.map(name => button(words[name], () => choose(name), { role: "tab", "aria-selected": String(tab === name), "aria-controls": "results", tabindex: tab === name ? "0" : "-1" })));
		if (hasFocus) tabs.querySelector("[aria-selected=true]").focus();
	}

	function choose(name) {
		if (name === tab) return;
		tab = name;
		actions.chosen(name);
		draw();
	}
	tabs.addEventListener("keydown", event => {
		const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
		if (step) choose(TABS.at((TABS.indexOf(tab) + step) % TABS.length));
	});

	function stabilityPart() {
		const { rows, threshold, policy } = source();
		const words = rows.map(row => row.text);
		if (!words.length) return h("p.empty", "No texts yet.");
		if (running) {
			return h("div.cluster", h("progress", { max: String(running.all), value: running.done, "aria-label": "Judged with each effort" }),
				` ${running.done} of ${running.all} `, button("Stop", () => running.abort.abort(), "small"));
		}
		const versions = EFFORTS.map(effort => [effort, version(policy, effort)]);
		if (versions.every(([, version]) => !judge.missing(version, words).length)) {
			const of = version => row => ({ result: judge.row(version, row.text), given: given(judge.row(version, row.text), threshold) });
			return unstableList(rows, versions.map(([effort, version]) => [effort, of(version)]), actions.open);
		}
		const times = versions.map(([, version]) => judge.estimate(version, words));
		const about = times.includes(null) ? "" : ` (about ${duration(times.reduce((sum, seconds) => sum + seconds, 0))})`;
		return h("div.empty", h("p", "Judges each text with effort none, low and high. A verdict that changes shows where the policy is unclear."),
			button(`Judge ${count(words.length, "text")} with each effort${about}`, () => run(versions.map(([, version]) => version), words)));
	}

	async function run(versions, words) {
		running = { abort: new AbortController(), done: 0, all: versions.reduce((sum, version) => sum + judge.missing(version, words).length, 0) };
		let before = 0;
		try {
			for (const version of versions) {
				await judge.run(version, words, { signal: running.abort.signal, progress: done => { running.done = before + done; draw(); } });
				before = running.done;
			}
			actions.announce("Judged with each effort");
		} catch (error) { actions.report(error); }
		running = null;
		draw();
	}

	return {
		tabs, pane, draw, choose,
		get tab() { return tab; },
		set tab(name) { tab = TABS.includes(name) ? name : "texts"; },
		set comparison(found) { comparison = found; draw(); },
		stop: () => running?.abort.abort(),
	};
}
