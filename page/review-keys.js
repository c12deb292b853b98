// The keys of the review view, the bar that always shows them, and the categories that the digits stand for.

import { button, h, isTyping } from "./dom.js";

const KEYS = [
	["v", "Violation", "decides: violation, without a category"],
	["s", "Safe", "decides: safe"],
	["u", "Skip", "puts the text aside until the others are done"],
	["z", "Undo", "takes the last decision or skip back"],
	["g", "Golden set", "marks the decision for the golden set"],
	["n", "Note", "writes a note to the decision (Enter keeps it)"],
	["r", "Reveal", "shows or hides a severe text"],
	["b", "Blind", "hides the model’s verdict until you have decided"],
];

/** The rows of the dialog of keys. */
export const HELP = [["1 – 9", "decides by this category"], ...KEYS.map(([key, , meaning]) => [key, meaning]), ["Esc", "returns from a field to the text"]];

/** Returns a listener of key presses, which calls `act(key)` for a digit or a letter of `KEYS`. */
export function keyListener(act) {
	return event => {
		if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event) || document.querySelector("dialog[open]")) return;
		const letter = event.key.toLowerCase(), digit = !event.shiftKey && /^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1];
		const key = digit || ([..."123456789", ...KEYS.map(([name]) => name)].includes(letter) ? letter : null);
		if (!key) return;
		event.preventDefault();
		// A key that is held down decides one text, not many.
		if (!event.repeat) act(key);
	};
}

const sign = key => h("kbd", { "aria-hidden": "true" }, key);

/** Returns the bar of all keys; `set(key, attribute, value)` changes a button. */
export function keyBar(act) {
	const buttons = new Map(KEYS.map(([key, name, title]) => [key, button([sign(key), name], () => act(key), { class: "quiet small", title, "aria-keyshortcuts": key })]));
	const all = button([sign("?"), "Keys"], () => document.getElementById("keys").click(), "quiet small");
	const element = h("div.review-bar", { role: "group", "aria-label": "Keys" }, h("span.muted.small", sign("1"), "–", sign("9"), " category"), [...buttons.values()], all);
	return { element, set: (key, attribute, value) => buttons.get(key).setAttribute(attribute, value) };
}

/** Returns the categories of an item as buttons; the first nine have their digit. */
export function categoryList(categories, decide) {
	return categories.map((category, place) => {
		const kind = category.verdict === "safe" ? "safe" : "violation";
		const mark = h(`span.verdict ${kind}`, h("span.sign", { role: "img", "aria-label": kind }, kind === "safe" ? "✓" : "✕"));
		return h("li", button([sign(place < 9 ? place + 1 : "·"), h("span", category.title, " ", h("code.muted", category.code)), mark], () => decide(category), { class: "review-category", "aria-keyshortcuts": place < 9 && place + 1 }));
	});
}
