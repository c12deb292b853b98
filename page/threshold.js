// The threshold of P(violation): a slider over the strip of probabilities, or the policy's own rule.

import { button, fill, h } from "./dom.js";
import { strip } from "./figures.js";

const OWN = "the policy's own rule";

/** Returns the control. `value` is null for the policy's own rule; `changed()` is called after each change. */
export function thresholdControl(changed) {
	const [shown, marks] = [h("output.n"), h("div")];
	const slider = h("input", { type: "range", min: "0", max: "1", step: "0.01", "aria-label": "Threshold of P(violation)", on: { input: () => set(Number(slider.value)) } });
	const reset = button(`use ${OWN}`, () => set(null), "link small");
	let value = null;

	function set(next) {
		value = next;
		slider.value = value ?? 0.5;
		slider.setAttribute("aria-valuetext", value?.toFixed(2) ?? OWN);
		fill(shown, value?.toFixed(2) ?? OWN);
		reset.hidden = value === null;
		changed();
	}
	return { shown, reset, marks, slider, set, draw: rows => fill(marks, strip(rows, value)), get value() { return value; } };
}
