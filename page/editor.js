// The editor of a policy: a textarea over a mirror of its lines, which draws numbers, markers and colors.
//
// The mirror and the textarea share a font and a box, so the lines wrap alike, and the box scrolls both at once.

import { button, clear, fill, h } from "./dom.js";

const SIGNS = { error: "✕", warning: "!", note: "i" };
const LONGEST_COLORED = 2000;
// Longer texts have neither numbers nor colors, so that typing stays fast.
const MOST_LINES = 3000;

/** Returns an editor: `{element, value, setFindings, goTo, focus}`. `changed(text)` is called after each edit. */
export function editor(changed) {
	const mirror = h("div.mirror", { "aria-hidden": "true" });
	const area = h("textarea", { spellcheck: "false", autocomplete: "off", autocapitalize: "off", "aria-label": "Policy", "aria-describedby": "findings-count", rows: "1" });
	const scroller = h("div.code", mirror, area);
	const summary = h("p", { id: "findings-count", class: "small muted", role: "status" });
	const list = h("ol.findings");
	let lines = [];
	let marks = new Map();

	const draw = () => {
		const next = area.value.split("\n");
		const isLong = next.length > MOST_LINES;
		scroller.classList.toggle("plain", isLong);
		if (isLong) clear(mirror);
		else drawLines(mirror, lines.length > MOST_LINES ? [] : lines, next, marks);
		lines = next;
	};
	area.addEventListener("input", () => { draw(); changed(area.value); });
	area.addEventListener("keydown", event => indent(event, area));

	function setFindings(findings, word) {
		const before = marks;
		marks = new Map();
		for (const { line, level } of [...findings].reverse()) if (line) marks.set(line - 1, level);
		for (const index of new Set([...before.keys(), ...marks.keys()])) mark(mirror.children[index], marks.get(index));
		fill(list, findings.map(finding => item(finding, goTo)));
		if (summary.textContent !== word) summary.textContent = word;
	}

	function goTo(line) {
		const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
		area.focus({ preventScroll: true });
		area.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
		mirror.children[line - 1]?.scrollIntoView({ block: "center" });
	}

	return {
		element: h("div.editor", scroller, summary, list),
		get value() { return area.value; },
		set value(text) {
			if (area.value !== text) area.value = text;
			marks = new Map();
			draw();
			setFindings([], "");
		},
		setFindings,
		goTo,
		focus: () => area.focus(),
	};
}

// Draws the lines that changed: those between the common start and the common end.
function drawLines(mirror, before, after, marks) {
	let start = 0;
	while (start < before.length && start < after.length && before[start] === after[start]) start += 1;
	let end = 0;
	while (end < before.length - start && end < after.length - start && before.at(-1 - end) === after.at(-1 - end)) end += 1;
	const old = document.createRange();
	old.setStart(mirror, start);
	old.setEnd(mirror, before.length - end);
	old.deleteContents();
	const fragment = document.createDocumentFragment();
	for (let index = start; index < after.length - end; index += 1) fragment.append(mark(colored(after[index]), marks.get(index)));
	mirror.insertBefore(fragment, mirror.childNodes[start] ?? null);
}

function mark(node, level) {
	if (!node) return node;
	node.className = level ? `line ${level}` : "line";
	if (level) node.dataset.sign = SIGNS[level];
	else delete node.dataset.sign;
	return node;
}

// Returns a line with the colors of YAML and Markdown: comments, keys and headings.
function colored(text) {
	const line = h("div.line");
	if (text.length > LONGEST_COLORED) line.append(text);
	else if (/^\s*#/.test(text)) line.append(h("span.comment", text));
	else {
		const [, key, rest] = /^(\s*(?:- )?[\w.-]+:(?=\s|$))?(.*)$/s.exec(text);
		if (key) line.append(h("span.key", key));
		line.append(rest);
	}
	if (!text) line.append("\u200b");
	return line;
}

function item({ line, level, message, hint, rule }, goTo) {
	const sign = h("span", { class: `sign ${level}`, "aria-hidden": "true" }, SIGNS[level]);
	const place = line ? button(`Line ${line}`, () => goTo(line), "link") : h("span", "File");
	return h("li", sign, h("span", place, ` ${level}: `, message, hint && h("span.muted", ` – ${hint}`), rule && h("code.muted", ` ${rule}`)));
}

// Tab leaves the editor, as everywhere. Enter keeps the indentation of the line.
function indent(event, area) {
	if (event.key !== "Enter" || event.ctrlKey || event.metaKey || event.shiftKey || event.isComposing) return;
	const line = area.value.slice(area.value.lastIndexOf("\n", area.selectionStart - 1) + 1, area.selectionStart);
	const space = /^\s*(?:- )?/.exec(line)[0].replace("- ", "  ");
	if (!space) return;
	event.preventDefault();
	// The only way that keeps the browser's undo.
	document.execCommand("insertText", false, `\n${space}`);
}
