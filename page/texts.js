// The list of texts beside a policy: probability, verdict, rule and expected label of each.

import { bar, button, count, excerpt, field, fill, h, isTyping, select, userText, verdictMark } from "./dom.js";

const PAGE = 100;
const OUTCOMES = { right: ["good", "right"], missed: ["bad", "missed"], false_alarm: ["bad", "false alarm"], undecided: ["warn", "undecided"] };
const FILTERS = [
    ["all", "all texts"], ["wrong", "wrong"], ["flips", "flips"], ["unlabeled", "without a label"], ["violation", "violations"], ["undecided", "undecided"],
];
const SORTS = [["added", "as added"], ["high", "highest P first"], ["low", "lowest P first"], ["doubt", "nearest the threshold"]];

/** Returns the list. `actions`: `label(row, expected)`, `edit(row, text)`, `remove(row)`, `explain(row)`, `codes()`, `exportAll()`. */
export function textsList(actions) {
    const list = h("div", { class: "rows", role: "list", "aria-label": "Texts" });
    const more = button("", () => { shown += PAGE; draw(); }, { class: "quiet", hidden: true });
    const found = h("span", { class: "small muted" });
    const nodes = new Map();
    let [filter, sort, shown, all, threshold, order] = ["all", "added", PAGE, [], null, ""];
    const reset = () => { shown = PAGE; draw(); };
    const tools = h("div", { class: "cluster tools" },
        select(FILTERS, filter, value => { filter = value; reset(); }, { class: "small", "aria-label": "Texts to show" }),
        select(SORTS, sort, value => { sort = value; reset(); }, { class: "small", "aria-label": "Order" }), found, button("Export", actions.exportAll, { class: "small quiet push", title: "The texts and their labels, as JSON Lines for magistrate eval", "aria-label": "Export the texts" }));

    function draw() {
        const matching = sorted(all.filter(row => matches(row, filter)), sort, threshold);
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
        fill(found, filter === "all" ? "" : count(matching.length, "text"));
    }

    list.addEventListener("keydown", event => move(event, list));
    return {
        element: h("div", {}, tools, list, more),
        update(rows, at) {
            [all, threshold] = [rows, at];
            const ids = new Set(rows.map(row => row.id));
            for (const id of nodes.keys()) if (!ids.has(id)) nodes.delete(id);
            tools.hidden = rows.length === 0;
            draw();
        },
        focus(row) {
            if (!matches(row, filter)) { filter = "all"; tools.querySelector("select").value = "all"; }
            shown = Math.max(shown, all.indexOf(row) + 1);
            if (!nodes.get(row.id)?.element.isConnected) shown = Math.max(shown, all.length);
            draw();
            const node = nodes.get(row.id)?.element;
            node?.scrollIntoView({ block: "center" });
            node?.focus({ preventScroll: true });
        },
    };
}

// Puts nodes into their order without moving the one that has the focus.
function place(list, elements) {
    const wanted = new Set(elements);
    for (const node of [...list.children]) if (!wanted.has(node)) node.remove();
    elements.forEach((node, index) => { if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null); });
}

function matches(row, filter) {
    if (filter === "wrong") return row.outcome === "missed" || row.outcome === "false_alarm";
    if (filter === "flips") return row.flip;
    if (filter === "unlabeled") return row.expected === null;
    if (filter === "violation") return row.given === "violation";
    if (filter === "undecided") return row.given !== null && row.given !== "violation" && row.given !== "safe";
    return true;
}

function sorted(rows, sort, threshold) {
    const p = row => row.result?.probability ?? -1;
    const doubt = row => p(row) < 0 ? 2 : Math.abs(p(row) - (threshold ?? 0.5));
    if (sort === "high") return rows.toSorted((a, b) => p(b) - p(a));
    if (sort === "low") return rows.toSorted((a, b) => p(a) - p(b));
    return sort === "doubt" ? rows.toSorted((a, b) => doubt(a) - doubt(b)) : rows;
}

// Moves between rows by keyboard.
function move(event, list) {
    const row = event.target.closest(".row");
    if (!row || event.target !== row) return;
    const next = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling, Home: list.firstChild, End: list.lastChild }[event.key];
    if (!next) return;
    event.preventDefault();
    next.focus();
}

function rowNode(row, actions) {
    const label = (expected, sign, word) => button(sign, () => actions.label(row, verdictOf(row) === expected ? null : expected),
        { class: `toggle ${expected}`, title: `Expected: ${word}`, "aria-label": `Expected: ${word}` });
    const [yes, no] = [label("violation", "✕", "violation"), label("safe", "✓", "safe")];
    const text = h("div", { class: "words" });
    const meta = h("div", { class: "cluster meta" });
    const details = h("div", { class: "details", hidden: true });
    const more = button("⋯", () => toggle(), { class: "quiet small", "aria-label": "Details", "aria-expanded": "false" });
    const element = h("div", { class: "row", role: "listitem", tabindex: "0", on: { keydown: keys } },
        h("div", { class: "toggles", role: "group", "aria-label": "Expected label" }, yes, no), h("div", { class: "middle" }, text, meta), more, details);
    let before = "";

    function toggle() {
        details.hidden = !details.hidden;
        more.setAttribute("aria-expanded", String(!details.hidden));
        if (details.hidden) return;
        fill(details, rowDetails(row, actions, () => { toggle(); element.focus(); }));
        details.querySelector("textarea").focus();
    }

    function keys(event) {
        if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
        const action = { v: () => actions.label(row, "violation"), s: () => actions.label(row, "safe"), x: () => actions.label(row, null),
            Delete: () => removeRow(), Enter: event.target === element ? toggle : null }[event.key];
        if (!action) return;
        event.preventDefault();
        action();
    }

    function removeRow() {
        (element.nextElementSibling ?? element.previousElementSibling)?.focus();
        actions.remove(row);
    }

    function update(threshold) {
        const now = JSON.stringify([row.text.length, excerpt(row.text, 600), row.expected, row.given, row.outcome, row.flip, row.before, row.isOld, row.result, threshold]);
        if (now === before) return;
        before = now;
        yes.setAttribute("aria-pressed", String(verdictOf(row) === "violation"));
        no.setAttribute("aria-pressed", String(verdictOf(row) === "safe"));
        element.className = `row ${row.outcome ?? ""}${row.isOld ? " old" : ""}`;
        fill(text, userText(row.text));
        fill(meta, rowMeta(row, threshold));
    }
    return { element, update };
}

function verdictOf(row) {
    return row.expectedVerdict;
}

function rowMeta(row, threshold) {
    const { result, expected } = row;
    if (!result) return h("span", { class: "muted small" }, "not judged yet");
    const parts = [bar(result.probability, threshold), verdictMark(row.given)];
    if (result.category) parts.push(h("span", { class: "rule" }, h("code", {}, result.category), " ", result.category_title ?? ""));
    if (result.error) parts.push(h("span", { class: "muted" }, result.error.message));
    const [kind, word] = row.isOld ? ["", "before the edit"] : OUTCOMES[row.outcome] ?? [];
    if (word) parts.push(h("span", { class: `badge ${kind}` }, word));
    const isCode = expected !== null && expected !== "violation" && expected !== "safe";
    if (isCode && expected !== result.category) parts.push(h("span", { class: "badge" }, `expected ${expected}`));
    if (row.flip) parts.push(h("span", { class: "badge mark" }, `flip: was ${row.before}`));
    return parts;
}

function rowDetails(row, actions, close) {
    const area = h("textarea", { rows: "4", value: row.text });
    const codes = actions.codes().map(({ code, title }) => [code, `${code} ${title}`]);
    const known = ["violation", "safe", ...codes.map(([code]) => code)];
    const other = row.expected && !known.includes(row.expected) ? [[row.expected, row.expected]] : [];
    const label = select([["", "no label"], ["violation", "violation"], ["safe", "safe"], ...codes, ...other], row.expected ?? "", value => actions.label(row, value || null));
    const note = h("input", { value: row.note ?? "", on: { change: event => { row.note = event.target.value || null; actions.edit(row, row.text); } } });
    const reason = h("p", { class: "small", role: "status" });
    const why = button("Ask for the rationale", async () => {
        fill(reason, "Judging…");
        fill(reason, await actions.explain(row));
    }, { class: "small" });
    return [
        field("Text", area), h("div", { class: "pair" }, field("Expected", label), field("Note", note)), reason,
        h("div", { class: "cluster" }, button("Apply", () => { if (area.value.trim()) actions.edit(row, area.value); close(); }, { class: "small primary" }),
            why, button("Remove", () => actions.remove(row), { class: "small danger" }), button("Close", close, { class: "small quiet" })),
    ];
}
