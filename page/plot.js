// Plots in SVG, with axes, ticks and sizes, and the same in words for readers of screens.

import { count, h, svg } from "./dom.js";

const NARROWEST = 260;

/** Returns a figure with the distribution of numbers from 0 to 1, in 20 bins, with a line at the threshold. */
export function histogram(values, { threshold = null, bins = 20, title = "P(violation)" } = {}) {
    const known = values.filter(value => typeof value === "number" && value >= 0 && value <= 1);
    const counts = new Array(bins).fill(0);
    for (const value of known) counts[Math.min(bins - 1, Math.floor(value * bins))]++;
    const above = threshold === null ? null : known.filter(value => value >= threshold).length;
    const words = `Histogram of ${title} of ${count(known.length, "text")}. ${spoken(counts)}`
        + (above === null ? "" : ` ${above} at or above the threshold ${threshold.toFixed(2)}.`);
    return figure(words, caption(known.length, values.length, above, threshold), width => histogramPicture(width, counts, threshold, title));
}

/** Returns a figure with one horizontal bar for each entry `{label, value, kind?}`; a kind is violation, safe or undecided. */
export function bars(entries, { title = "texts" } = {}) {
    const words = `Bars: ${entries.map(entry => `${entry.label} ${short(entry.value)}`).join(", ")}.`;
    return figure(words, null, width => barsPicture(width, entries, title));
}

function histogramPicture(width, counts, threshold, title) {
    const left = 40, right = 12, top = 18, bottom = 36, height = 190;
    const ticks = niceTicks(Math.max(1, ...counts), 4), most = ticks.at(-1);
    const x = value => left + value * (width - left - right), y = value => height - bottom - value / most * (height - top - bottom);
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height });
    for (const tick of ticks) picture.append(
        svg("line", { class: "plot-grid", x1: left, x2: width - right, y1: y(tick), y2: y(tick) }),
        svg("text", { class: "plot-tick plot-end", x: left - 6, y: y(tick) + 4 }, short(tick)));
    counts.forEach((value, bin) => {
        const middle = (bin + .5) / counts.length, from = x(bin / counts.length) + .75, to = x((bin + 1) / counts.length) - .75;
        const kind = threshold === null ? "plain" : middle >= threshold ? "violation" : "safe";
        if (value) picture.append(svg("rect", { class: `plot-${kind}`, x: from, width: to - from, y: y(value), height: y(0) - y(value) },
            svg("title", {}, `${(bin / counts.length).toFixed(2)} to ${((bin + 1) / counts.length).toFixed(2)}: ${value}`)));
    });
    picture.append(svg("line", { class: "plot-axis", x1: left, x2: width - right, y1: y(0), y2: y(0) }));
    for (const tick of width < 340 ? [0, .5, 1] : [0, .2, .4, .6, .8, 1]) picture.append(
        svg("line", { class: "plot-axis", x1: x(tick), x2: x(tick), y1: y(0), y2: y(0) + 4 }),
        svg("text", { class: "plot-tick plot-middle", x: x(tick), y: y(0) + 16 }, String(tick)));
    picture.append(svg("text", { class: "plot-name plot-middle", x: (left + width - right) / 2, y: height - 4 }, title),
        svg("text", { class: "plot-name", x: 4, y: 11 }, "texts"));
    if (threshold !== null) {
        const late = threshold > .6;
        picture.append(svg("line", { class: "plot-threshold", x1: x(threshold), x2: x(threshold), y1: top - 4, y2: y(0) }),
            svg("text", { class: `plot-tick ${late ? "plot-end" : ""}`, x: x(threshold) + (late ? -5 : 5), y: 11 }, `threshold ${threshold.toFixed(2)}`));
    }
    return picture;
}

function barsPicture(width, entries, title) {
    const right = 44, step = 26, top = 4, bottom = 36, height = top + entries.length * step + bottom;
    const left = Math.min(width * .42, 12 + Math.max(40, ...entries.map(entry => entry.label.length * 7)));
    const room = Math.floor((left - 12) / 6.8);
    const ticks = niceTicks(Math.max(1, ...entries.map(entry => entry.value)), width < 400 ? 2 : 4), most = ticks.at(-1);
    const x = value => left + value / most * (width - left - right);
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height });
    for (const tick of ticks) picture.append(
        svg("line", { class: "plot-grid", x1: x(tick), x2: x(tick), y1: top, y2: height - bottom }),
        svg("text", { class: "plot-tick plot-middle", x: x(tick), y: height - bottom + 15 }, short(tick)));
    entries.forEach((entry, place) => {
        const middle = top + place * step + step / 2;
        const name = entry.label.length > room ? `${entry.label.slice(0, room - 1)}…` : entry.label;
        picture.append(svg("text", { class: "plot-label plot-end", x: left - 8, y: middle + 4 }, name, svg("title", {}, entry.label)),
            svg("rect", { class: `plot-${entry.kind ?? "plain"}`, x: left, width: Math.max(entry.value ? 1.5 : 0, x(entry.value) - left), y: middle - 8, height: 16 }),
            svg("text", { class: "plot-label", x: x(entry.value) + 6, y: middle + 4 }, short(entry.value)));
    });
    picture.append(svg("line", { class: "plot-axis", x1: left, x2: left, y1: top, y2: height - bottom }),
        svg("text", { class: "plot-name plot-middle", x: (left + width - right) / 2, y: height - 4 }, title));
    return picture;
}

/** Draws a picture at the width that it has, again when that changes, so that letters keep their size. */
function figure(words, below, picture) {
    const place = h("div", { class: "plot-place", role: "img", "aria-label": words });
    const element = h("figure", { class: "plot" }, place, ...(below ? [h("figcaption", {}, below)] : []));
    let drawn = 0;
    const draw = width => {
        const next = Math.max(NARROWEST, Math.round(width));
        if (next === drawn) return;
        drawn = next;
        place.replaceChildren(picture(next));
    };
    draw(480);
    new ResizeObserver(entries => { if (entries[0].contentRect.width > 0) draw(entries[0].contentRect.width); }).observe(place);
    return element;
}

/** Returns round numbers from 0 to at least `most`, about `wanted` steps. */
export function niceTicks(most, wanted) {
    const rough = most / wanted, power = 10 ** Math.floor(Math.log10(rough));
    const step = Math.max(1, [1, 2, 5, 10].map(factor => factor * power).find(value => value >= rough * .999));
    const ticks = [];
    for (let tick = 0; tick < most + step * .999; tick += step) ticks.push(tick);
    return ticks;
}

function spoken(counts) {
    const tenths = counts.map((value, bin) => [value, bin / counts.length, (bin + 1) / counts.length]).filter(([value]) => value);
    return tenths.map(([value, from, to]) => `${value} from ${from.toFixed(2)} to ${to.toFixed(2)}`).join(", ") + ".";
}

function caption(known, all, above, threshold) {
    const parts = [count(known, "text")];
    if (above !== null) parts.push(`${short(above)} at or above ${threshold.toFixed(2)}, ${short(known - above)} below`);
    if (all > known) parts.push(`${short(all - known)} without a probability`);
    return parts.join("; ");
}

function short(number) {
    return Number.isInteger(number) ? number.toLocaleString("en") : number.toLocaleString("en", { maximumFractionDigits: 2 });
}
