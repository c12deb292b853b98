// The list of texts beside a policy: probability, verdict, rule and expected label of each.

import { bar, button, count, excerpt, field, fill, h, isTyping, select, userText, verdictMark } from "./dom.js";

const PAGE = 100;
const OUTCOMES = { right: ["good", "right"], missed: ["bad", "missed"], false_alarm: ["bad", "false alarm"], undecided: ["warn", "undecided"] };
const FILTERS = [["all", "all texts"], ["wrong", "wrong"], ["flips", "flips"], ["unlabeled", "without a label"], ["violation", "violations"], ["undecided", "undecided"]];
const MATCHES = {
	all: () => true, wrong: row => row.outcome === "missed" || row.outcome === "false_alarm", flips: row => row.flip, unlabeled: row => row.expected === null,
	violation: row => row.given === "violation", undecided: row => ![null, "violation", "safe"].includes(row.given),
};
const SORTS = [["added", "as added"], ["high", "highest P first"], ["low", "lowest P first"], ["doubt", "nearest the threshold"]];

/** Returns the list. `actions`: `label(row, expected)`, `edit(row, text)`, `remove(row)`, `explain(row)`, `codes()`, `exportAll()`. */
export function textsList(actions) {
	const list = h("div.rows", { role: "list", "aria-label": "Texts" });
	const more = button("", () => { shown += PAGE; draw(); }, { class: "quiet", hidden: true });
	const found = h("span.small.muted");
	const nodes = new Map();
	let [sort, shown, all, threshold, order] = ["added", PAGE, [], null, ""];
	const filter = select(FILTERS, "all", () => { shown = PAGE; draw(); }, { class: "small", "aria-label": "Texts to show" });
	const tools = h("div.cluster.tools", filter, select(SORTS, sort, value => { sort = value; draw(); }, { class: "small", "aria-label": "Order" }), found,
		button("Export", actions.exportAll, { class: "small quiet push", title: "The texts and their labels, as JSON Lines for magistrate eval", "aria-label": "Export the texts" }));

	function draw() {
		const matching = sorted(all.filter(MATCHES[filter.value]), sort, threshold);
		const visible = matching.slice(0, shown);
		for (const row of visible) {
			if (!nodes.has(row.id)) nodes.set(row.id, rowNode(row, actions));
			nodes.get(row.id).update(threshold);
		}
		const next = visible.map(row => row.id).join();
		if (next !== order) place(list, visible.map(row => nodes.get(row.id).element));
		order = next;
		more.hidden = matching.length <= shown;
		fill(more, `Show more (${matching.length - visible.length} left)`);
		fill(found, filter.value !== "all" && count(matching.length, "text"));
	}

	// Moves between rows by keyboard.
	list.addEventListener("keydown", event => {
		const row = event.target;
		const next = row.classList.contains("row") && { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling, Home: list.firstChild, End: list.lastChild }[event.key];
		if (!next) return;
		event.preventDefault();
		next.focus();
	});
	return {
		element: h("div", tools, list, more),
		update(rows, at) {
			[all, threshold] = [rows, at];
			const ids = new Set(rows.map(row => row.id));
			for (const id of nodes.keys()) if (!ids.has(id)) nodes.delete(id);
			tools.hidden = !rows.length;
			draw();
		},
		focus(row) {
			filter.value = "all";
			shown = Math.max(shown, sort === "added" ? all.indexOf(row) + 1 : all.length);
			draw();
			const { element } = nodes.get(row.id);
			element.scrollIntoView({ block: "center" });
			element.focus({ preventScroll: true });
		},
	};
}

// Puts nodes into their order without moving the one that has the focus.
function place(list, elements) {
	const wanted = new Set(elements);
	for (const node of [...list.children]) if (!wanted.has(node)) node.remove();
	elements.forEach((node, index) => { if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null); });
}

function sorted(rows, sort, threshold) {
	const p = row => row.result?.probability ?? -1;
	const key = { high: row => -p(row), low: p, doubt: row => p(row) < 0 ? 2 : Math.abs(p(row) - (threshold ?? 0.5)) }[sort];
	return key ? [...rows].sort((a, b) => key(a) - key(b)) : rows;
}

function rowNode(row, actions) {
	const toggle = (expected, sign) => button(sign, () => actions.label(row, row.expectedVerdict === expected ? null : expected), { class: `toggle ${expected}`, title: `Expected: ${expected}`, "aria-label": `Expected: ${expected}` });
	const toggles = { violation: toggle("violation", "✕"), safe: toggle("safe", "✓") };
	const [text, meta, details] = [h("div.words"), h("div.cluster.meta"), h("div.details", { hidden: true })];
	const more = button("⋯", open, { class: "quiet small", "aria-label": "Details", "aria-expanded": "false" });
	const element = h("div.row", { role: "listitem", tabindex: "0", on: { keydown: keys } },
		h("div.toggles", { role: "group", "aria-label": "Expected label" }, Object.values(toggles)), h("div.middle", text, meta), more, details);
	let before = "";

	function open() {
		details.hidden = !details.hidden;
		more.setAttribute("aria-expanded", !details.hidden);
		if (details.hidden) { element.focus(); return; }
		fill(details, rowDetails(row, actions, open));
		details.querySelector("textarea").focus();
	}

	function keys(event) {
		if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
		const label = { v: "violation", s: "safe", x: null }[event.key];
		if (label !== undefined) actions.label(row, label);
		else if (event.key === "Enter" && event.target === element) open();
		else if (event.key === "Delete") {
			(element.nextElementSibling ?? element.previousElementSibling)?.focus();
			actions.remove(row);
		} else return;
		event.preventDefault();
	}

	function update(threshold) {
		const now = JSON.stringify([row.text.length, excerpt(row.text, 600), row.expected, row.given, row.outcome, row.before, row.isOld, row.result, threshold]);
		if (now === before) return;
		before = now;
		for (const [name, node] of Object.entries(toggles)) node.setAttribute("aria-pressed", row.expectedVerdict === name);
		element.className = `row ${row.outcome ?? ""}${row.isOld ? " old" : ""}`;
		fill(text, userText(row.text));
		fill(meta, rowMeta(row, threshold));
	}
	return { element, update };
}

function rowMeta(row, threshold) {
	const { result, expected } = row;
	if (!result) return h("span.muted.small", "not judged yet");
	const [kind, word] = row.isOld ? ["wash", "before the edit"] : OUTCOMES[row.outcome] ?? [];
	const isOther = ![null, "violation", "safe", result.category].includes(expected);
	return [bar(result.probability, threshold), verdictMark(row.given), result.category && h("span", h("code", result.category), " ", result.category_title ?? ""),
		result.error && h("span.muted", result.error.message), word && h(`span.badge.${kind}`, word), isOther && h("span.badge", `expected ${expected}`),
		row.flip && h("span.badge.mark", `flip: was ${row.before}`)];
}

function rowDetails(row, actions, close) {
	const area = h("textarea", { rows: "4", value: row.text });
	const options = [["", "no label"], ["violation", "violation"], ["safe", "safe"], ...actions.codes().map(({ code, title }) => [code, `${code} ${title}`])];
	if (row.expected && !options.some(([name]) => name === row.expected)) options.push([row.expected, row.expected]);
	const note = h("input", { value: row.note ?? "" });
	const reason = h("p.small", { role: "status" });
	const why = async () => {
		fill(reason, "Judging…");
		fill(reason, await actions.explain(row));
	};
	const apply = () => {
		row.note = note.value || null;
		actions.edit(row, area.value.trim() || row.text);
		close();
	};
	return [field("Text", area), h("div.pair", field("Expected", select(options, row.expected ?? "", value => actions.label(row, value || null))), field("Note", note)), reason,
		h("div.cluster", button("Apply", apply, "small primary"), button("Ask for the rationale", why, "small"), button("Remove", () => actions.remove(row), "small danger"), button("Close", close, "small quiet"))];
}
