// The keys of the review view, the bar that always shows them, and the categories that the digits stand for.

import { button, fill, h, isTyping } from "./dom.js";

/** The keys besides the digits: key, name on the bar, meaning. */
export const KEYS = [
    ["v", "Violation", "decides: violation, without a category"],
    ["s", "Safe", "decides: safe"],
    ["u", "Skip", "puts the text aside until the others are done"],
    ["z", "Undo", "takes the last decision or skip back"],
    ["g", "Golden set", "marks the decision for the golden set"],
    ["n", "Note", "writes a note to the decision (Enter keeps it, Escape leaves)"],
    ["r", "Reveal", "shows or hides a severe text"],
    ["b", "Blind", "hides the model’s verdict until you have decided"],
];

/** The rows of the dialog of keys. */
export const HELP = [["1 – 9", "decides by this category"], ...KEYS.map(([key, , meaning]) => [key, meaning]), ["Esc", "returns from a field to the text"]];

/** Returns a listener of key presses, which calls `act(key)` for a digit or a letter of `KEYS`. */
export function keyListener(act) {
    const known = new Set(KEYS.map(([key]) => key));
    return event => {
        if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event) || document.querySelector("dialog[open]")) return;
        const letter = event.key.length === 1 ? event.key.toLowerCase() : "";
        const digit = /^[1-9]$/.test(letter) ? letter : !event.shiftKey && /^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1];
        const key = digit || (known.has(letter) ? letter : null);
        if (!key) return;
        event.preventDefault();
        // A key that is held down decides one text, not many.
        if (!event.repeat) act(key);
    };
}

/** Returns the bar of all keys; `press(key, isOn)` shows a switch as on or off. */
export function keyBar(act, showAll) {
    const buttons = new Map(KEYS.map(([key, name, meaning]) => [key, button([h("kbd", { "aria-hidden": "true" }, key), name], () => act(key), { class: "quiet small", title: meaning, "aria-keyshortcuts": key })]));
    const digits = h("span", { class: "muted small review-digits" }, h("kbd", {}, "1"), "–", h("kbd", {}, "9"), " category");
    const all = button([h("kbd", { "aria-hidden": "true" }, "?"), "Keys"], showAll, { class: "quiet small", "aria-keyshortcuts": "?" });
    const element = h("div", { class: "review-bar", role: "group", "aria-label": "Keys" }, digits, [...buttons.values()], all);
    return { element, press: (key, isOn) => buttons.get(key).setAttribute("aria-pressed", String(isOn)), dim: (key, isDim) => buttons.get(key).setAttribute("aria-disabled", String(isDim)) };
}

/** Fills a list with the categories of an item as buttons; the first nine have their digit. */
export function fillCategories(list, categories, decide) {
    fill(list, categories.map((category, place) => {
        const isSafe = category.verdict === "safe", key = place < 9 ? String(place + 1) : "";
        const sign = h("span", { class: "sign", "aria-hidden": "true" }, isSafe ? "✓" : "✕");
        return h("li", {}, button([h("kbd", { "aria-hidden": "true" }, key || "·"), h("span", { class: "review-title" }, category.title, " ", h("code", {}, category.code)),
            h("span", { class: `verdict ${isSafe ? "safe" : "violation"}` }, sign, h("span", { class: "visually-hidden" }, isSafe ? "safe" : "violation"))],
        () => decide(category), { class: "review-category", "aria-keyshortcuts": key || null }));
    }));
}
