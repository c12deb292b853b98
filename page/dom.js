// Elements of the page. Text of users becomes text nodes only; nothing here reads markup.

const PROPERTIES = ["value", "checked", "disabled", "hidden", "readOnly"];

/** Returns an element: `h("p.muted", {id: "a", on: {click}}, "text")`. The attributes may be left out; null and false leave one out. */
export function h(spec, ...rest) {
	const [tag, ...classes] = spec.split(".");
	return build(document.createElement(tag), classes, rest);
}

/** Returns an element of SVG, with the same arguments as `h`. */
export function svg(spec, ...rest) {
	const [tag, ...classes] = spec.split(".");
	return build(document.createElementNS("http://www.w3.org/2000/svg", tag), classes, rest);
}

function build(node, classes, rest) {
	const given = rest[0] && Object.getPrototypeOf(rest[0]) === Object.prototype ? rest.shift() : {};
	if (classes.length) node.setAttribute("class", classes.join(" "));
	append(node, rest);
	for (const [name, value] of Object.entries(given)) {
		if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
		else if (name === "style") for (const [property, text] of Object.entries(value)) node.style.setProperty(property, text);
		else if (PROPERTIES.includes(name) && name in node) node[name] = value;
		else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
	}
	return node;
}

/** Appends nodes and texts, and lists of them; null and false are left out. */
export function append(node, children) {
	node.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false));
	return node;
}

/** Removes all children of a node, and returns it. */
export function clear(node) {
	node.replaceChildren();
	return node;
}

/** Replaces the children of a node, and returns it. */
export function fill(node, ...children) {
	return append(clear(node), children);
}

/** Returns a share as a percentage, such as 98.2%. */
export function percent(share, digits = 1) {
	return share === null || share === undefined || Number.isNaN(share) ? "–" : `${(share * 100).toFixed(digits)}%`;
}

/** Returns a probability with three digits; the ends are never rounded to 0 or 1. */
export function probability(p) {
	if (p === null || p === undefined) return "–";
	return p < 0.001 && p > 0 ? "<0.001" : p > 0.999 && p < 1 ? ">0.999" : p.toFixed(3);
}

/** Returns a number with its thousands apart. */
export function number(n) {
	return n?.toLocaleString("en-US") ?? "–";
}

/** Returns a count with its noun, such as `1 text` or `2 texts`. */
export function count(n, one, many = `${one}s`) {
	return `${number(n)} ${n === 1 ? one : many}`;
}

/** Returns a time in words, such as 40 ms, 2.5 s or 3 min. */
export function duration(seconds) {
	if (seconds === null || seconds === undefined) return "–";
	if (seconds < 1) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
	if (seconds < 120) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
	return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** Returns the mark of a verdict: a sign and a word, never color alone. */
export function verdictMark(verdict) {
	const [kind, sign] = { violation: ["violation", "✕"], safe: ["safe", "✓"], review: ["unresolved", "?"] }[verdict] ?? ["unresolved", "–"];
	return h(`span.verdict.${kind}`, h("span.sign", { "aria-hidden": "true" }, sign), verdict === "review" ? verdict : kind);
}

/** Returns a bar of P(violation) with its number, and a tick at the threshold. */
export function bar(p, threshold = null) {
	const known = p !== null && p !== undefined;
	const place = (name, property, share) => h(`span.${name}`, { style: { [property]: `${share * 100}%` } });
	return h(`span.bar${known && p >= (threshold ?? 0.5) ? ".violation" : ""}`,
		h("span.track", { "aria-hidden": "true" }, known && place("part", "width", p), threshold !== null && place("tick", "left", threshold)),
		h("span.n", { title: known && `P(violation) ${p}` }, probability(p)));
}

/** Returns a button. Its attributes may be a class alone. */
export function button(text, click, attributes = {}) {
	return h("button", { type: "button", ...(typeof attributes === "string" ? { class: attributes } : attributes), on: { click } }, text);
}

let fields = 0;

/** Returns a control with its label, and a hint below it. */
export function field(label, control, hint) {
	control.id ||= `field-${++fields}`;
	if (hint) control.setAttribute("aria-describedby", `${control.id}-hint`);
	return h("div.field", h("label", { for: control.id }, label), control, hint && h("span.hint", { id: `${control.id}-hint` }, hint));
}

/** Returns a list to choose from, of `[value, text]` pairs. Its attributes may be a class alone. */
export function select(options, value, listener, attributes = {}) {
	const items = options.map(([name, text]) => h("option", { value: name }, text));
	return h("select", { ...(typeof attributes === "string" ? { class: attributes } : attributes), value, on: { change: event => listener(event.target.value) } }, items);
}

/** Returns a text of users: isolated, wrapped, cut after `limit` characters with a button for the rest. */
export function userText(text, limit = 600) {
	const words = document.createTextNode(excerpt(text, limit));
	const node = h("span.text", { dir: "auto" }, words);
	if (text.length <= limit) return node;
	const more = button(`Show all ${number(text.length)} characters`, () => { words.data = text; more.remove(); }, "link");
	return h("span", node, " ", more);
}

/** Returns the first characters of a text; a pair of surrogates is never cut. */
export function excerpt(text, limit) {
	return text.length <= limit ? text : `${text.slice(0, limit).replace(/[\ud800-\udbff]$/, "")}…`;
}

/** Opens a dialog with a heading, and returns it; it is removed when it closes. */
export function dialog(title, ...children) {
	const node = h("dialog", { "aria-label": title, on: { close: () => node.remove() } },
		h("header", h("h2", title), button("Close", () => node.close(), "quiet small")), h("div.body", children));
	document.body.append(node);
	node.showModal();
	return node;
}

/** Saves a text as a file of the browser's user. */
export function download(name, text, type = "text/plain") {
	const link = h("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
	link.click();
	setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** Returns a function that runs `work` once its calls have paused for some milliseconds. */
export function debounce(work, milliseconds) {
	let timer;
	const later = (...values) => {
		clearTimeout(timer);
		timer = setTimeout(work, milliseconds, ...values);
	};
	later.cancel = () => clearTimeout(timer);
	return later;
}

/** Reports whether a key press belongs to a field that takes text. */
export function isTyping({ target }) {
	return target.matches?.("textarea, select, input:not([type=checkbox], [type=radio], [type=range])") ?? false;
}
