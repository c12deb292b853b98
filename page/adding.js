// The field for a new text, which is judged while it is typed.

import { bar, button, debounce, fill, h, verdictMark } from "./dom.js";
import { given } from "./judge.js";
import { pasteDialog } from "./opening.js";
import { newRow } from "./rows.js";

/** Returns the field. `draft()` is the version that judges, `isLive()` reports whether it may judge while typing. */
export function adding({ judge, draft, threshold, isLive, codes, add }) {
	const preview = h("div.cluster", { role: "status" });
	let asked = null;
	const probe = debounce(async () => {
		asked?.abort();
		const abort = asked = new AbortController();
		const text = input.value.trim();
		if (!text || !isLive()) { fill(preview); return; }
		try {
			await judge.run(draft(), [text], { signal: abort.signal, progress: () => {} });
			const row = judge.row(draft(), text);
			if (row && !abort.signal.aborted) fill(preview, bar(row.probability, threshold()), verdictMark(given(row, threshold())), row.category && h("span", h("code", row.category), " ", row.category_title));
		} catch (error) {
			if (error.name !== "AbortError") fill(preview, h("span.muted", error.message));
		}
	}, 300);
	const keydown = event => {
		if (event.key !== "Enter" || event.shiftKey || event.ctrlKey || event.metaKey || event.isComposing) return;
		event.preventDefault();
		take();
	};
	const input = h("textarea", { rows: "1", placeholder: "Type a text. Enter adds it.", "aria-label": "A new text", on: { input: probe, keydown } });

	function take() {
		probe.cancel();
		asked?.abort();
		if (!input.value.trim()) return;
		add([newRow(input.value.trim())]);
		input.value = "";
		fill(preview);
		input.focus();
	}
	return h("div.adding", h("div.cluster", input, button("Add", take), button("Paste or open…", () => pasteDialog({ codes, add }))), preview);
}
