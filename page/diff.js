// The difference between two texts, line by line.

import { count, h } from "./dom.js";

const CONTEXT = 3;
const LARGEST = 4_000_000;

/** Returns the lines of two texts as `{sign, text}`: ` ` for both, `-` for the first alone, `+` for the second alone. */
export function lineDiff(before, after) {
	const a = before.split("\n"), b = after.split("\n");
	let start = 0;
	while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
	let end = 0;
	while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end += 1;
	const same = lines => lines.map(text => ({ sign: " ", text }));
	const middle = changed(a.slice(start, a.length - end), b.slice(start, b.length - end));
	return [...same(a.slice(0, start)), ...middle, ...same(a.slice(a.length - end))];
}

// Finds the longest common series of lines. Texts that are too large for its table are shown as replaced.
function changed(a, b) {
	const all = (lines, sign) => lines.map(text => ({ sign, text }));
	if (a.length * b.length > LARGEST) return [...all(a, "-"), ...all(b, "+")];
	const width = b.length + 1;
	const table = new Uint32Array((a.length + 1) * width);
	for (let i = a.length - 1; i >= 0; i -= 1) {
		for (let j = b.length - 1; j >= 0; j -= 1) {
			table[i * width + j] = a[i] === b[j] ? table[(i + 1) * width + j + 1] + 1 : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
		}
	}
	const lines = [];
	let i = 0, j = 0;
	while (i < a.length && j < b.length) {
		if (a[i] === b[j]) { lines.push({ sign: " ", text: a[i] }); i += 1; j += 1; }
		else if (table[(i + 1) * width + j] >= table[i * width + j + 1]) { lines.push({ sign: "-", text: a[i] }); i += 1; }
		else { lines.push({ sign: "+", text: b[j] }); j += 1; }
	}
	return [...lines, ...all(a.slice(i), "-"), ...all(b.slice(j), "+")];
}

/** Returns the difference between two texts as an element, with some lines around each change. */
export function diffView(before, after) {
	const lines = lineDiff(before, after);
	const changes = lines.map((line, index) => line.sign === " " ? -1 : index).filter(index => index >= 0);
	if (!changes.length) return h("p.empty", "No line differs.");
	const near = new Set(changes.flatMap(index => Array.from({ length: 2 * CONTEXT + 1 }, (_, step) => index - CONTEXT + step)));
	const rows = [];
	let hidden = 0;
	const gap = () => { if (hidden) rows.push(h("div.gap", `${count(hidden, "equal line")}`)); hidden = 0; };
	lines.forEach(({ sign, text }, index) => {
		if (!near.has(index)) { hidden += 1; return; }
		gap();
		const kind = { "+": "added", "-": "removed", " ": "same" }[sign];
		const word = sign === " " ? null : h("span.visually-hidden", `${kind}: `);
		rows.push(h("div", { class: kind }, h("span.sign", { "aria-hidden": "true" }, sign), word, h("span.text", text)));
	});
	gap();
	const of = sign => lines.filter(line => line.sign === sign).length;
	const head = h("p.small.muted", `${count(of("+"), "line")} added, ${count(of("-"), "line")} removed`);
	return h("div.stack", head, h("div.diff", { role: "group", "aria-label": "Changed lines" }, rows));
}
