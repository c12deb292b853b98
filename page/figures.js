// Counts and figures of labeled texts, the strip of their probabilities, and the lists of what needs a look.

import { bar, button, count, debounce, excerpt, fill, h, percent, probability, svg, verdictMark } from "./dom.js";
import { asFlag } from "./judge.js";

const SURE = 0.9;

/** Returns the counts of labeled rows, and the figures over those that are decided. */
export function tally(rows) {
	const of = (expected, given) => rows.filter(row => row.expectedFlag === expected && asFlag(row.given) === given).length;
	const [tp, fp, fn, tn] = [of(true, true), of(false, true), of(true, false), of(false, false)];
	const share = (part, whole) => whole ? part / whole : null;
	return {
		right: tp + tn, missed: fn, "false alarms": fp, undecided: of(true, null) + of(false, null),
		precision: share(tp, tp + fp), recall: share(tp, tp + fn), f1: share(2 * tp, 2 * tp + fp + fn), accuracy: share(tp + tn, tp + fp + fn + tn),
	};
}

/** Returns the figures: `update(rows)` counts at once, and asks the server for intervals once changes pause. */
export function figuresPanel(api, onCompared) {
	const element = h("div.figures.compact", { role: "group", "aria-label": "Figures over the labeled texts" });
	let [abort, asked, answer, latest] = [null, "", null, []];
	const ask = debounce(async (rows, key) => {
		abort?.abort();
		abort = new AbortController();
		const found = await api.post("/v1/figures", { rows }, { signal: abort.signal }).catch(() => ({ figures: {}, comparison: null }));
		if (key !== asked) return;
		answer = { ...found, key };
		draw();
		onCompared(answer.comparison);
	}, 250);

	function draw() {
		const counts = tally(latest);
		const known = answer?.key === asked ? answer.figures : {};
		const plain = name => h("div", h("b", counts[name]), h("span", name));
		const figure = name => {
			const { value, low, high } = known[name] ?? { value: counts[name] };
			return h("div", h("b", percent(value, value === 1 ? 0 : 1)), h("span", name === "f1" ? "F1" : name), h("span", high === undefined ? "\u00a0" : `${(low * 100).toFixed(0)}–${percent(high, 0)}`));
		};
		fill(element, ["right", "missed", "false alarms", "undecided"].map(plain), ["precision", "recall", "f1", "accuracy"].map(figure));
	}

	function update(rows) {
		latest = rows.filter(row => row.expectedFlag !== null && row.given !== null);
		const body = latest.map(row => ({ expected: row.expectedFlag, given: asFlag(row.given), probability: row.result?.probability ?? null, before: asFlag(row.before) }));
		const key = JSON.stringify(body);
		if (key !== asked) {
			asked = key;
			if (body.length) ask(body, key);
			else { ask.cancel(); onCompared(null); }
		}
		element.classList.toggle("old", rows.some(row => row.isOld));
		draw();
	}
	return { element, update };
}

/** Returns a strip with each text at its probability: expected violations above the line, safe ones below. */
export function strip(rows, threshold) {
	const marks = rows.filter(row => typeof row.result?.probability === "number").slice(0, 1000).map(row => {
		const [kind, y] = row.expectedFlag === null ? ["none", 9] : row.expectedFlag ? ["violation", 2] : ["safe", 16];
		return svg(`rect.${kind}`, { x: 1 + row.result.probability * 996, y, width: 3, height: 10, rx: 1 });
	});
	const x = 1 + threshold * 998;
	return svg("svg.strip", { viewBox: "0 0 1000 28", preserveAspectRatio: "none", role: "img", "aria-label": `Probabilities of ${count(marks.length, "text")}: expected violations above, safe ones below` },
		svg("line.axis", { x1: 0, x2: 1000, y1: 14, y2: 14 }), marks, threshold !== null && svg("line.tick", { x1: x, x2: x, y1: 0, y2: 28 }));
}

/** Returns the list of flips from the saved version to the draft, with McNemar's test. */
export function flipsList(rows, comparison, isSame, open) {
	if (isSame) return h("p.empty", "The draft is as it was saved. Change the policy, and the texts whose verdict flips appear here.");
	const flips = rows.filter(row => row.flip);
	if (!flips.length) return h("p.empty", "No verdict flips against the saved version.");
	const kindOf = row => row.expectedFlag === null ? "other" : row.outcome === "right" ? "fixed" : asFlag(row.before) === row.expectedFlag ? "broken" : "other";
	const of = kind => flips.filter(row => kindOf(row) === kind);
	const p = comparison?.p_value;
	const chance = typeof p === "number" && ` McNemar's test over texts that both versions decide: p = ${probability(p)}, ${p < 0.05 ? "hardly" : "may be"} by chance.`;
	const line = (row, word, kind) => entry(row, open, h(`span.badge.${kind}`, word), verdictMark(row.before), h("span", { "aria-label": "becomes", role: "img" }, "→"), verdictMark(row.given));
	return h("div.stack", h("p", h("b", count(flips.length, "flip")), ` against the saved version: ${of("fixed").length} fixed, ${of("broken").length} broken, ${of("other").length} other.`, chance),
		h("ul.entries", of("broken").map(row => line(row, "broken", "bad")), of("fixed").map(row => line(row, "fixed", "good")), of("other").map(row => line(row, "changed", "mark"))));
}

/** Returns the labeled rows about which the model is sure, against the label; the surest first. */
export function suspicious(rows) {
	const distance = row => Math.abs(row.result.probability - row.expectedFlag);
	return rows.filter(row => ["missed", "false_alarm"].includes(row.outcome) && typeof row.result.probability === "number" && distance(row) >= SURE).sort((a, b) => distance(b) - distance(a));
}

/** Returns the list of suspicious labels, with a button that turns each. */
export function suspiciousList(rows, open, turn) {
	const found = suspicious(rows);
	if (!found.length) return h("p.empty", `No label stands against a sure verdict (${SURE} or more).`);
	return h("div.stack", h("p.muted", "The model is sure, and the label says otherwise. Either the label is wrong, or the policy does not say what you mean."),
		h("ul.entries", found.map(row => entry(row, open, h("span.n", `P ${probability(row.result.probability)}`), h("span.muted", `expected ${row.expected}`),
			button(`Label it ${row.given}`, () => turn(row, row.given), "small")))));
}

/** Returns the list of texts whose verdict depends on the effort. `byEffort` is `[effort, row => {result, given}]` pairs. */
export function unstableList(rows, byEffort, open) {
	const differ = rows.filter(row => new Set(byEffort.map(([, of]) => of(row).given)).size > 1);
	if (!differ.length) return h("p.empty", `All ${count(rows.length, "text")} keep their verdict with each effort.`);
	const one = (row, [effort, of]) => h("span.cluster", h("span.muted.small", effort), verdictMark(of(row).given), bar(of(row).result?.probability));
	return h("div.stack", h("p.muted", `${differ.length} of ${count(rows.length, "verdict")} change with the effort. Such texts show where the policy is unclear.`),
		h("ul.entries", differ.map(row => entry(row, open, byEffort.map(pair => one(row, pair))))));
}

function entry(row, open, ...parts) {
	return h("li", h("div.cluster", parts), button(excerpt(row.text, 160), () => open(row), { class: "link text", title: "Go to the text" }));
}
