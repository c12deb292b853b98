// Plots in SVG, with axes and sizes, and the same in words for readers of screens.

import { count, h, number, svg } from "./dom.js";

/** Returns a figure of the distribution of probabilities, with a line at the threshold. */
export function histogram(values, { threshold = null, bins = 20, title = "P(violation)" } = {}) {
	const known = values.filter(value => value >= 0 && value <= 1 && value !== null), counts = new Array(bins).fill(0);
	for (const value of known) counts[Math.min(bins - 1, Math.floor(value * bins))]++;
	const above = known.filter(value => value >= threshold).length, missing = values.length - known.length;
	const caption = [count(known.length, "text"), threshold !== null && `${number(above)} at or above ${threshold.toFixed(2)}, ${number(known.length - above)} below`, missing && `${number(missing)} without a probability`].filter(Boolean).join("; ");
	const parts = counts.map((value, bin) => value && `${value} from ${(bin / bins).toFixed(2)} to ${((bin + 1) / bins).toFixed(2)}`).filter(Boolean).join(", ");
	return figure(`Histogram of ${title}: ${parts || "empty"}.`, caption, width => columns(width, counts, threshold, title));
}

/** Returns a figure with a bar for each entry `{label, value, kind}`; the kind is violation, safe, undecided or left out. */
export function bars(entries, { title = "texts" } = {}) {
	return figure(`Bars: ${entries.map(({ label, value }) => `${label} ${number(value)}`).join(", ")}.`, null, width => lanes(width, entries, title));
}

function columns(width, counts, threshold, title) {
	const left = 40, right = width - 12, top = 24, base = 154, bins = counts.length;
	const ticks = niceTicks(Math.max(1, ...counts), 4), x = share => left + share * (right - left), y = value => base - value / ticks.at(-1) * (base - top);
	const rect = (value, bin) => {
		const kind = threshold === null ? "plain" : (bin + .5) / bins >= threshold ? "violation" : "safe";
		return value > 0 && svg("rect", { class: `plot-${kind}`, x: x(bin / bins) + .75, width: (right - left) / bins - 1.5, y: y(value), height: base - y(value) });
	};
	const isLate = threshold > .6;
	return picture(width, 190,
		ticks.map(tick => [line("grid", left, y(tick), right, y(tick)), words("tick plot-end", left - 6, y(tick) + 4, number(tick))]), counts.map(rect), line("axis", left, base, right, base),
		(width < 340 ? [0, .5, 1] : [0, .2, .4, .6, .8, 1]).map(tick => [line("axis", x(tick), base, x(tick), base + 4), words("tick plot-middle", x(tick), base + 16, tick)]),
		words("name plot-middle", (left + right) / 2, 186, title), words("name", 4, 11, "texts"),
		threshold !== null && [line("threshold", x(threshold), top - 4, x(threshold), base), words(`tick${isLate ? " plot-end" : ""}`, x(threshold) + (isLate ? -5 : 5), 11, `threshold ${threshold.toFixed(2)}`)]);
}

function lanes(width, entries, title) {
	const step = 26, base = 4 + entries.length * step, right = width - 44, left = Math.min(width * .42, 52 + Math.max(0, ...entries.map(({ label }) => label.length * 7 - 40)));
	const ticks = niceTicks(Math.max(1, ...entries.map(({ value }) => value)), width < 400 ? 2 : 4), x = value => left + value / ticks.at(-1) * (right - left), room = Math.floor((left - 12) / 6.8);
	const lane = ({ label, value, kind = "plain" }, place) => {
		const middle = 4 + (place + .5) * step;
		return [words("label plot-end", left - 8, middle + 4, label.length > room ? `${label.slice(0, room - 1)}…` : label),
			svg("rect", { class: `plot-${kind}`, x: left, width: x(value) - left, y: middle - 8, height: 16 }), words("label", x(value) + 6, middle + 4, number(value))];
	};
	return picture(width, base + 36, ticks.map(tick => [line("grid", x(tick), 4, x(tick), base), words("tick plot-middle", x(tick), base + 15, number(tick))]),
		entries.map(lane), line("axis", left, 4, left, base), words("name plot-middle", (left + right) / 2, base + 32, title));
}

const picture = (width, height, ...parts) => svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height }, parts);
const line = (kind, x1, y1, x2, y2) => svg("line", { class: `plot-${kind}`, x1, y1, x2, y2 });
const words = (kind, x, y, text) => svg("text", { class: `plot-${kind}`, x, y }, text);

/** Draws at the width that there is, again when that changes, so that letters keep their size. */
function figure(label, caption, draw) {
	const place = h("div", { role: "img", "aria-label": label }, draw(480));
	new ResizeObserver(([{ contentRect }]) => { if (contentRect.width) place.replaceChildren(draw(Math.max(260, Math.round(contentRect.width)))); }).observe(place);
	return h("figure.plot", place, caption && h("figcaption", caption));
}

/** Returns round numbers from 0 to at least `most`, in about `wanted` steps. */
function niceTicks(most, wanted) {
	const power = 10 ** Math.floor(Math.log10(most / wanted)), step = Math.max(1, [1, 2, 5, 10].map(factor => factor * power).find(size => size * wanted >= most * .999));
	return Array.from({ length: Math.ceil(most / step) + 1 }, (_, place) => place * step);
}
