// One item of the review queue, as a card: its text, what the model said, and the reasons why it is here.

import { bar, button, count, excerpt, h, number, verdictMark } from "./dom.js";
import { when } from "./runs.js";

const SHOWN = 20_000, BLURRED = 400;

/** The reasons of the queue, in words. */
export const REASONS = { unresolved: "no verdict", review: "marked for review", near: "near the threshold", sample: "random sample", flip: "shadow policy differs", disagreement: "disagreement" };

/** Returns the parts of an item's card. `reveal()` shows a text that is blurred. */
export function itemCard(item, { isBlind, isBlurred, reveal, reviewer }) {
	return [
		item.failure && h("p.notice.bad", h("b", "This decision was not kept: "), decisionWords(item.failure, item), ". Decide it once more."),
		h("div.cluster", h("b", item.title ?? item.policy), !isBlind && item.reasons.map(reason => h("span.badge", REASONS[reason] ?? reason)),
			item.severe && h("span.badge.warn", "severe"), h("span.muted.small.push", when(item.time))),
		isBlurred ? veil(item, reveal) : longText(item.text),
		h("div.review-model.stack", isBlind ? h("p.muted", "Blind: the model’s verdict is shown after your decision.") : opinions(item, isBlurred, reviewer)),
	];
}

/** Returns a decision in words, such as `Violation: SP3.b Bait`. */
export function decisionWords({ verdict, category }, { categories }) {
	const title = categories.find(({ code }) => code === category)?.title ?? "", word = verdict === "safe" ? "Safe" : "Violation";
	return category ? `${word}: ${category} ${title}` : word;
}

/** Returns a text in parts: a browser lays a very long one out for seconds. */
function longText(text, from = 0) {
	const to = from + SHOWN - /[\ud800-\udbff]/.test(text[from + SHOWN - 1] ?? "");
	const more = text.length > to && button(`Show more of ${number(text.length)} characters`, () => more.replaceWith(...longText(text, to).filter(Boolean)), "small");
	return [h("div.text.review-text", { dir: "auto" }, text.slice(from, to)), more];
}

function veil({ text }, reveal) {
	return h("div.review-veil", h("div.text.review-text", { "aria-hidden": "true" }, excerpt(text, BLURRED)),
		h("div.review-cover", h("p", `Severe: a text of ${count(text.length, "character")}.`), button(["Show the text ", h("kbd", "r")], reveal, { class: "primary", "aria-keyshortcuts": "r" })));
}

function opinions(item, isBlurred, reviewer) {
	const { rationale, shadow, threshold, decision, expected } = item;
	const opinion = (who, { verdict, category, probability }) => h("div.cluster", h("span.muted.review-who", who), verdictMark(verdict),
		probability !== null && bar(probability, threshold), category && [h("code", category), item.categories.find(({ code }) => code === category)?.title]);
	return [
		opinion("Model", item),
		rationale && h("p.muted.text", { dir: "auto" }, isBlurred ? "The rationale is hidden with the text." : `“${excerpt(rationale, 2000)}”`),
		shadow && opinion("Shadow policy", shadow),
		expected && h("p", h("span.muted", "Expected: "), expected),
		decision && h("p", h("span.muted", `${decision.reviewer === reviewer ? "You" : decision.reviewer} decided: `), decisionWords(decision, item), decision.note && h("bdi", ` (${decision.note})`)),
	];
}
