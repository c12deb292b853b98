// One row of a run in detail, and the way into the review queue.

import { bar, button, fill, h, number, userText, verdictMark } from "./dom.js";

/** Returns the details of a row; `step(by)` selects a neighbour. */
export function rowDetail(row, context, step) {
    const body = h("div", { class: "body stack" },
        h("div", { class: "cluster" }, verdictMark(row.verdict), bar(row.probability, null)),
        row.category && h("p", {}, h("code", {}, row.category), " ", row.category_title ?? "", h("span", { class: "muted" }, ` (${row.policy})`)),
        row.text && h("p", { class: "run-text" }, userText(row.text, 5000)),
        row.rationale && h("p", { class: "muted" }, "“", userText(row.rationale, 2000), "”"),
        row.error && h("p", { class: "notice warn" }, row.error),
        row.text && toReview(row, context));
    const move = (text, by, label) => button(text, () => step(by), { class: "small", "aria-label": label });
    return [h("header", {}, h("h2", {}, `Row ${number(row.number)}`), h("span", { class: "cluster push" }, move("←", -1, "Row before"), move("→", 1, "Row after"))), body];
}

function toReview(row, context) {
    if (!context.page.review) return h("p", { class: "hint" }, "With --review FOLDER a row can be sent to the review queue.");
    const place = h("div", { class: "cluster" });
    const send = async expected => {
        try {
            await context.api.post("/v1/review", { policy: row.policy, text: row.text, expected, verdict: row.verdict, category: row.category, probability: row.probability });
            row.sent = expected;
            fill(place, sentWords(expected));
            context.announce("The row is in the review queue");
        } catch (error) { context.report(error); }
    };
    if (row.sent) return fill(place, sentWords(row.sent));
    return fill(place, h("span", { class: "muted" }, "To the review queue, as it should be:"), button("✕ violation", () => send("violation"), { class: "small" }), button("✓ safe", () => send("safe"), { class: "small" }));
}

function sentWords(expected) {
    return h("span", { class: "badge good" }, `in the review queue, expected ${expected}`);
}
