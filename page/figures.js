// Counts and figures of labeled texts, the strip of their probabilities, and the lists of what needs a look.

import { asFlag } from "./judge.js";
import { bar, button, count, debounce, excerpt, fill, h, percent, probability, svg, verdictMark } from "./dom.js";

const SURE = 0.9;

/** Returns the counts of labeled rows, and the figures over those that are decided. */
export function tally(rows) {
    const of = (expected, given) => rows.filter(row => row.expectedFlag === expected && asFlag(row.given) === given && row.given !== null).length;
    const [tp, fp, fn, tn] = [of(true, true), of(false, true), of(true, false), of(false, false)];
    const share = (part, whole) => whole ? part / whole : null;
    return {
        right: tp + tn, missed: fn, false_alarms: fp, undecided: of(true, null) + of(false, null),
        precision: share(tp, tp + fp), recall: share(tp, tp + fn), f1: share(2 * tp, 2 * tp + fp + fn), accuracy: share(tp + tn, tp + fp + fn + tn),
    };
}

function share(value) {
    return percent(value, value === 1 ? 0 : 1);
}

/** Returns the figures' panel: `update(rows)` counts at once, and asks the server for intervals once changes pause. */
export function figuresPanel(api, onCompared) {
    const element = h("div", { class: "figures compact", role: "group", "aria-label": "Figures over the labeled texts" });
    let abort = null, asked = "", answer = null;
    const ask = debounce(async (body, key) => {
        abort?.abort();
        abort = new AbortController();
        try {
            answer = { ...await api.post("/v1/figures", { rows: body }, { signal: abort.signal }), key };
        } catch {
            answer = { figures: {}, comparison: null, key };
        }
        if (key === asked) { draw(latest); onCompared(answer.comparison); }
    }, 250);
    let latest = [];

    function draw(rows) {
        const counts = tally(rows);
        const known = answer?.key === asked ? answer.figures : {};
        const figure = (name, word) => h("div", {}, h("b", {}, share(known[name]?.value ?? counts[name])), h("span", {}, word),
            h("span", {}, known[name] ? `${(known[name].low * 100).toFixed(0)}–${percent(known[name].high, 0)}` : "\u00a0"));
        const plain = (value, word) => h("div", {}, h("b", {}, String(value)), h("span", {}, word));
        fill(element, plain(counts.right, "right"), plain(counts.missed, "missed"), plain(counts.false_alarms, counts.false_alarms === 1 ? "false alarm" : "false alarms"),
            plain(counts.undecided, "undecided"), figure("precision", "precision"), figure("recall", "recall"), figure("f1", "F1"), figure("accuracy", "accuracy"));
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
        draw(latest);
    }
    return { element, update };
}

/** Returns a strip that shows each text at its probability: those expected to be violations above the line, safe ones below. */
export function strip(rows, threshold) {
    const marks = rows.filter(row => typeof row.result?.probability === "number").slice(0, 1000).map(row => {
        const [kind, y] = row.expectedFlag === true ? ["violation", 2] : row.expectedFlag === false ? ["safe", 16] : ["none", 9];
        return svg("rect", { class: kind, x: 1 + row.result.probability * 996, y, width: 3, height: 10, rx: 1 });
    });
    const line = threshold === null ? null : svg("line", { x1: 1 + threshold * 998, x2: 1 + threshold * 998, y1: 0, y2: 28, class: "tick" });
    return svg("svg", { class: "strip", viewBox: "0 0 1000 28", preserveAspectRatio: "none", role: "img",
        "aria-label": `Probabilities of ${count(marks.length, "text")}: violations above, safe ones below` }, svg("line", { x1: 0, x2: 1000, y1: 14, y2: 14, class: "axis" }), marks, line);
}

/** Returns the list of flips from the saved version to the draft, with McNemar's test. */
export function flipsList(rows, comparison, isSame, open) {
    if (isSame) return h("p", { class: "empty" }, "The draft is as it was saved. Change the policy, and the texts whose verdict flips appear here.");
    const flips = rows.filter(row => row.flip);
    const kinds = { fixed: [], broken: [], other: [] };
    for (const row of flips) kinds[row.expectedFlag === null || asFlag(row.given) === null && asFlag(row.before) === null ? "other" : row.outcome === "right" ? "fixed" : asFlag(row.before) === row.expectedFlag ? "broken" : "other"].push(row);
    const p = comparison?.p_value;
    const chance = typeof p !== "number" || !flips.length ? "" : ` McNemar's test over texts that both versions decide: p = ${p < 0.001 ? "<0.001" : p.toFixed(3)}${p < 0.05 ? ", hardly by chance." : ", may be chance."}`;
    if (!flips.length) return h("p", { class: "empty" }, "No verdict flips against the saved version.");
    const head = h("p", {}, h("b", {}, `${count(flips.length, "flip")}`), ` against the saved version: ${kinds.fixed.length} fixed, ${kinds.broken.length} broken, ${kinds.other.length} other.${chance}`);
    const line = (row, word, kind) => entry(row, open, h("span", { class: `badge ${kind}` }, word), verdictMark(row.before), h("span", { "aria-label": "becomes" }, "→"), verdictMark(row.given));
    return h("div", { class: "stack" }, head, h("ul", { class: "entries" }, kinds.broken.map(row => line(row, "broken", "bad")),
        kinds.fixed.map(row => line(row, "fixed", "good")), kinds.other.map(row => line(row, "changed", "mark"))));
}

/** Returns the labeled rows about which the model is sure, against the label; the surest first. */
export function suspicious(rows) {
    const distance = row => Math.abs(row.result.probability - (row.expectedFlag ? 1 : 0));
    return rows.filter(row => row.expectedFlag !== null && typeof row.result?.probability === "number" && asFlag(row.given) !== null && asFlag(row.given) !== row.expectedFlag && distance(row) >= SURE)
        .sort((a, b) => distance(b) - distance(a));
}

/** Returns the list of suspicious labels, with a button that turns each. */
export function suspiciousList(rows, open, turn) {
    const found = suspicious(rows);
    if (!found.length) return h("p", { class: "empty" }, `No label stands against a sure verdict (${SURE} or more).`);
    return h("div", { class: "stack" }, h("p", { class: "muted" }, "The model is sure, and the label says otherwise. Either the label is wrong, or the policy does not say what you mean."),
        h("ul", { class: "entries" }, found.map(row => entry(row, open, h("span", { class: "n" }, `P ${probability(row.result.probability)}`),
            h("span", { class: "muted" }, `expected ${row.expected}`), button(`Label it ${row.given}`, () => turn(row, row.given), { class: "small" })))));
}

/** Returns the list of texts whose verdict depends on the effort. `byEffort` is `[effort, row => {result, given}]` pairs. */
export function unstableList(rows, byEffort, open) {
    const differ = rows.filter(row => new Set(byEffort.map(([, of]) => of(row).given)).size > 1);
    if (!differ.length) return h("p", { class: "empty" }, `All ${count(rows.length, "text")} keep their verdict with effort ${byEffort.map(([effort]) => effort).join(", ")}.`);
    return h("div", { class: "stack" }, h("p", { class: "muted" }, `${count(differ.length, "verdict")} of ${rows.length} ${differ.length === 1 ? "depends" : "depend"} on the effort. Such texts show where the policy is unclear.`),
        h("ul", { class: "entries" }, differ.map(row => entry(row, open, byEffort.map(([effort, of]) => {
            const { result, given } = of(row);
            return h("span", { class: "cluster" }, h("span", { class: "muted small" }, effort), verdictMark(given), bar(result?.probability));
        })))));
}

function entry(row, open, ...parts) {
    return h("li", {}, h("div", { class: "cluster" }, parts), button(excerpt(row.text, 160), () => open(row), { class: "link text", title: "Go to the text" }));
}
