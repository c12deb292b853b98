// One item of the review queue, as a card: its text, what the model said, and the reasons why it is here.

import { bar, button, count, excerpt, h, number, verdictMark } from "./dom.js";
import { when } from "./runs.js";

const SHOWN = 20_000;
const BLURRED = 400;
const UNSEEN = /[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

/** The reasons of the queue, in words. */
export const REASONS = {
    unresolved: "no verdict",
    review: "marked for review",
    near: "near the threshold",
    sample: "random sample",
    flip: "shadow policy differs",
    disagreement: "disagreement",
};

/** Returns the card of an item. `options`: `blind`, `blurred`, `reveal()`, `reviewer`. */
export function itemCard(item, options) {
    const { blind, blurred } = options;
    const meta = h("div", { class: "cluster review-meta" },
        h("b", {}, item.title ?? item.policy),
        blind ? null : item.reasons.map(reason => h("span", { class: "badge" }, REASONS[reason] ?? reason)),
        item.severe && h("span", { class: "badge warn" }, "severe"),
        h("span", { class: "muted small push" }, when(item.time)));
    return [item.failure && failure(item), meta, blurred ? veil(item, options) : words(item), blind ? blindNote() : opinions(item, blurred, options)];
}

/** Returns a decision in words, such as `Violation: SP3.b Bait`. */
export function decisionWords({ verdict, category }, categories) {
    const known = categories.find(each => each.code === category);
    const verb = verdict === "safe" ? "Safe" : "Violation";
    return category ? `${verb}: ${category}${known ? ` ${known.title}` : ""}` : verb;
}

function failure(item) {
    return h("p", { class: "notice bad" }, h("b", {}, "This decision was not kept: "), decisionWords(item.failure, item.categories), ". Decide it once more.");
}

function words(item) {
    return h("div", { class: "review-words" },
        (item.context ?? []).map(turn => h("div", { class: "review-turn" }, h("span", { class: "muted small" }, turn.role), longText(turn.text ?? turn.content ?? "", "text"))),
        longText(item.text, "text review-text"), unseen(item.text));
}

function longText(text, kind) {
    const node = document.createTextNode(excerpt(text, SHOWN));
    const place = h("div", { class: kind, dir: "auto" }, node);
    if (text.length <= SHOWN) return place;
    const more = button(`Show all ${number(text.length)} characters`, () => { node.data = text; more.remove(); }, { class: "small" });
    return [place, more];
}

function unseen(text) {
    const marks = text.slice(0, SHOWN).match(UNSEEN)?.length;
    return marks ? h("p", { class: "muted small" }, `The text has ${count(marks, "character")} that cannot be seen, such as marks of direction.`) : null;
}

function veil(item, { reveal }) {
    return h("div", { class: "review-words review-veil" },
        h("div", { class: "text review-text", "aria-hidden": "true" }, excerpt(item.text, BLURRED)),
        h("div", { class: "review-cover" }, h("p", {}, `This policy is marked severe. The text of ${count(item.text.length, "character")} is hidden.`),
            button(["Show the text ", h("kbd", {}, "r")], reveal, { class: "primary", "aria-keyshortcuts": "r" })));
}

function blindNote() {
    return h("p", { class: "muted review-model" }, "Blind: the model’s verdict and the reasons are shown after your decision.");
}

function opinions(item, blurred, { reviewer }) {
    const category = item.categories.find(each => each.code === item.category);
    const before = item.decision;
    return h("div", { class: "review-model stack" },
        opinion("Model", item, category),
        item.rationale && h("p", { class: "muted" }, blurred ? "The rationale is hidden with the text." : ["“", h("span", { class: "text", dir: "auto" }, excerpt(item.rationale, 2000)), "”"]),
        item.shadow && opinion("Shadow policy", { ...item.shadow, threshold: item.threshold }, item.categories.find(each => each.code === item.shadow.category)),
        before && h("p", {}, h("span", { class: "muted" }, before.reviewer === reviewer ? "You decided: " : `${before.reviewer} decided: `), decisionWords(before, item.categories),
            before.note && [" (", h("span", { class: "text", dir: "auto" }, before.note), ")"]));
}

function opinion(who, { verdict, category, probability, threshold }, known) {
    return h("div", { class: "cluster" },
        h("span", { class: "muted review-who" }, who), verdictMark(verdict), bar(probability, threshold),
        category && h("span", {}, h("code", {}, category), known && ` ${known.title}`));
}
