// Elements of the page. Text of users becomes text nodes only; nothing here reads markup.

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["value", "checked", "selected", "indeterminate", "disabled", "hidden", "open", "readOnly", "scrollTop"]);

/** Returns an element. `on` has its listeners, `style` the properties of its style; null and false leave an attribute out. */
export function h(tag, attributes, ...children) {
    return filled(document.createElement(tag), attributes, children);
}

/** Returns an element of SVG, with the same arguments as `h`. */
export function svg(tag, attributes, ...children) {
    return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
    append(node, children);
    for (const [name, value] of Object.entries(attributes ?? {})) {
        if (name === "on") {
            for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
        } else if (name === "style") {
            for (const [property, text] of Object.entries(value)) node.style.setProperty(property, text);
        } else if (name === "data") {
            Object.assign(node.dataset, value);
        } else if (PROPERTIES.has(name) && name in node) {
            node[name] = value;
        } else if (value !== null && value !== undefined && value !== false) {
            node.setAttribute(name, value === true ? "" : String(value));
        }
    }
    return node;
}

/** Appends children: nodes, texts, numbers, and lists of them. */
export function append(node, children) {
    for (const child of children.flat(Infinity)) {
        if (child !== null && child !== undefined && child !== false) {
            node.append(child instanceof Node ? child : String(child));
        }
    }
    return node;
}

/** Removes all children of a node, and returns it. */
export function clear(node) {
    node.replaceChildren();
    return node;
}

/** Replaces the children of a node. */
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
    if (p < 0.001 && p > 0) return "<0.001";
    if (p > 0.999 && p < 1) return ">0.999";
    return p.toFixed(3);
}

/** Returns a number with its thousands apart. */
export function number(n) {
    return n === null || n === undefined ? "–" : n.toLocaleString("en-US");
}

/** Returns a count with its noun, such as `1 text` or `2 texts`. */
export function count(n, one, many = `${one}s`) {
    return `${number(n)} ${n === 1 ? one : many}`;
}

/** Returns a time in words, such as 40 ms, 2.5 s or 3 min. */
export function duration(seconds) {
    if (seconds === null || seconds === undefined) return "–";
    if (seconds < 1) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
    if (seconds < 10) return `${seconds.toFixed(1)} s`;
    if (seconds < 120) return `${Math.round(seconds)} s`;
    return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

const MARKS = {
    violation: ["violation", "✕", "violation"],
    safe: ["safe", "✓", "safe"],
    review: ["unresolved", "?", "review"],
    unresolved: ["unresolved", "–", "unresolved"],
};

/** Returns the mark of a verdict: a sign and a word, never color alone. */
export function verdictMark(verdict) {
    const [kind, sign, word] = MARKS[verdict] ?? MARKS.unresolved;
    return h("span", { class: `verdict ${kind}` }, h("span", { class: "sign", "aria-hidden": "true" }, sign), word);
}

/** Returns a bar of P(violation) with its number, and a tick at the threshold. */
export function bar(p, threshold = null) {
    const known = p !== null && p !== undefined;
    const kind = !known ? "" : p >= (threshold ?? 0.5) ? "violation" : "safe";
    return h("span", { class: `bar ${kind}` },
        h("span", { class: "track", "aria-hidden": "true" },
            known && h("span", { class: "part", style: { width: `${p * 100}%` } }),
            threshold !== null && h("span", { class: "tick", style: { left: `${threshold * 100}%` } })),
        h("span", { class: "n", title: known ? `P(violation) ${p}` : "no probability" }, probability(p)));
}

/** Returns a button. */
export function button(text, listener, attributes = {}) {
    return h("button", { type: "button", ...attributes, on: { click: listener } }, text);
}

let fields = 0;

/** Returns a control with its label, and a hint below it. */
export function field(label, control, hint) {
    control.id ||= `field-${++fields}`;
    const note = hint && h("span", { class: "hint", id: `${control.id}-hint` }, hint);
    if (note) control.setAttribute("aria-describedby", note.id);
    return h("div", { class: "field" }, h("label", { for: control.id }, label), control, note);
}

/** Returns a list to choose from, of `[value, text]` pairs. */
export function select(options, value, listener, attributes = {}) {
    const items = options.map(([name, text]) => h("option", { value: name }, text));
    return h("select", { ...attributes, value, on: { change: event => listener(event.target.value) } }, items);
}

/** Returns a text of users as an element: isolated, wrapped, cut after `limit` characters with a button for the rest. */
export function userText(text, limit = 600) {
    const words = document.createTextNode(excerpt(text, limit));
    const node = h("span", { class: "text", dir: "auto" }, words);
    if (text.length <= limit) return node;
    const more = button(`Show all ${number(text.length)} characters`, () => { words.data = text; more.remove(); }, { class: "link" });
    return h("span", {}, node, " ", more);
}

/** Returns the first characters of a text; a pair of surrogates is never cut. */
export function excerpt(text, limit) {
    if (text.length <= limit) return text;
    const end = /[\ud800-\udbff]/.test(text[limit - 1]) ? limit - 1 : limit;
    return `${text.slice(0, end)}…`;
}

/** Opens a dialog with a heading, and returns it; it is removed when it closes. */
export function dialog(title, ...children) {
    const close = button("Close", () => node.close(), { class: "quiet small" });
    const head = h("header", {}, h("h2", {}, title), close);
    const node = h("dialog", { "aria-label": title, on: { close: () => node.remove() } }, head, h("div", { class: "body" }, children));
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
        timer = setTimeout(() => work(...values), milliseconds);
    };
    later.cancel = () => clearTimeout(timer);
    return later;
}

/** Reports whether a key press belongs to a field that takes text. */
export function isTyping(event) {
    return event.target instanceof Element && event.target.matches("textarea, select, [contenteditable], input:not([type=checkbox], [type=radio], [type=range], [type=button])");
}
