// A run that was started: its progress, its rows in a table, and one row in detail.

import { bar, button, count, debounce, duration, excerpt, fill, h, number, percent, select, userText, verdictMark } from "./dom.js";
import { pathOf, stateMark } from "./runs.js";
import { virtualTable } from "./table.js";

const VERDICTS = ["violation", "review", "safe", "undecided"];
const SORTS = [["row", "in order of the file"], ["probability", "by P(violation)"]];
// The server shortens longer texts of rows.
const CUT = 2000;
const FORMATS = ["csv", "jsonl", "parquet", "xlsx"];

/** Returns the panel of a run: its `element`, and `update(run)`. */
export function runPanel(run, context, acts) {
	const progress = progressPanel(run, context, acts), rows = rowsPanel(run, context);
	return { element: h("div.stack", progress.element, rows.element), update: next => { progress.update(next); rows.update(next); } };
}

function progressPanel(run, context, acts) {
	const state = h("span"), words = h("p.n"), progress = h("progress", { "aria-label": "Judged rows" }), shares = h("div.shares", { "aria-hidden": "true" }), figures = h("div.figures"), notes = h("div.stack");
	const stop = button("Stop", acts.stop), resume = button("Resume", acts.resume, "primary");
	const outputs = h("div.cluster", h("span.muted", "Download"), FORMATS.map(format => button(format.toUpperCase(), () => save(run, format, context), "small")),
		button("Open the report", () => context.navigate("reports", { run: run.id }), "small"));
	const element = h("section.panel", { "aria-label": "Progress" },
		h("header", h("h2.text", run.name), state, h("span.cluster.push", stop, resume, button("Delete", acts.remove, "quiet danger"))),
		h("div.body.stack", notes, words, progress, figures, shares, outputs));
	const update = next => {
		const { done, rate, seconds_left, error } = next, total = next.rows ?? done, isRunning = next.state === "running", verdicts = VERDICTS.filter(name => name !== "review" || next.review > 0);
		fill(state, stateMark(next));
		fill(notes, error && h("p.notice.bad", error), next.notes.map(note => h("p.notice.info", note)));
		fill(words, h("b", number(done)), ` of ${count(total, "row")}`, isRunning && [rate && `, ${number(Math.round(rate))} rows/s`, seconds_left !== null && `, about ${duration(seconds_left)} left`, ". This tab may be closed; the run goes on."]);
		progress.hidden = next.state === "done";
		progress.value = done / Math.max(1, total);
		fill(figures, verdicts.map(name => h("div", h("b", number(next[name])), h("span", name, done > 0 && `, ${percent(next[name] / done)}`))));
		fill(shares, verdicts.map(name => h("span", { class: `share-${name}`, style: { "flex-grow": String(next[name]) } })));
		stop.hidden = !isRunning;
		resume.hidden = !["stopped", "failed"].includes(next.state);
		outputs.hidden = !done;
	};
	return { element, update };
}

/** Saves an output. Without a key the browser streams it to the disk; a link cannot carry a key. */
async function save({ id, name }, format, { api, report }) {
	try {
		const path = `${pathOf(id)}/output?format=${format}`, href = api.key ? URL.createObjectURL(await (await api.send(path)).blob()) : path;
		h("a", { href, download: `${name.replace(/\.[^.]*$/, "")}.verdicts.${format}` }).click();
		if (href !== path) setTimeout(() => URL.revokeObjectURL(href), 60_000);
	} catch (error) { report(error); }
}

function rowsPanel(run, context) {
	const usual = { verdict: "all", min: "0", max: "1", sort: "row" }, filters = { ...usual }, found = h("span.muted.n.push");
	const detail = h("aside.panel.run-detail", { "aria-label": "The row" }, h("p.empty", "Choose a row to read it."));
	const table = virtualTable({ columns: columnsOf(run), count: run.done, fetchRows: async (...range) => (await ask(...range)).rows, onError: context.report, label: "Rows of the run",
		onSelect: row => { detail.scrollTop = 0; fill(detail, rowDetail(row, context, table.step)); } });

	async function ask(offset, limit) {
		const answer = await context.api.get(`${pathOf(run.id)}/rows?${new URLSearchParams({ offset, limit, ...filters })}`);
		fill(found, count(answer.total, "row"));
		return answer;
	}
	async function filter() {
		const asked = JSON.stringify(filters);
		try {
			const { total } = await ask(0, 1);
			if (asked !== JSON.stringify(filters)) return;
			table.reset(total);
			context.announce(count(total, "row"));
		} catch (error) { context.report(error); }
	}
	const later = debounce(filter, 250);
	const pick = (options, name, label) => select(options, filters[name], value => { filters[name] = value; filter(); }, { class: "small", "aria-label": label });
	const bound = (name, label) => {
		const change = () => { if (input.value && input.checkValidity()) { filters[name] = input.value; later(); } };
		const input = h("input", { type: "number", min: 0, max: 1, step: "any", value: filters[name], class: "small bound", "aria-label": label, on: { input: change } });
		return input;
	};
	const tools = h("div.cluster", { role: "group", "aria-label": "Filters" }, h("h2", "Rows"), pick([["all", "all verdicts"], ...VERDICTS.map(name => [name, name])], "verdict", "Verdict"),
		h("span.cluster.small", "P(violation) from", bound("min", "Lowest P(violation)"), "to", bound("max", "Highest P(violation)")), pick(SORTS, "sort", "Order"), found);
	const update = next => {
		const hasEnded = run.state === "running" && next.state !== "running", isPlain = JSON.stringify(filters) === JSON.stringify(usual);
		if (isPlain && next.done !== run.done) table.resize(next.done);
		else if (hasEnded) filter();
		if (isPlain) fill(found, count(next.done, "row"));
		run = next;
	};
	return { element: h("div.stack", tools, h("div.run-rows", table.element, detail)), update };
}

function columnsOf({ policies }) {
	return [
		{ title: "Row", size: "5.2rem", number: true, wide: true, cell: row => number(row.number) },
		policies.length > 1 && { title: "Policy", size: "8rem", wide: true, cell: row => row.policy },
		{ title: "Verdict", size: "8.2rem", cell: row => verdictMark(row.verdict) },
		{ title: "P(violation)", size: "9rem", wide: true, cell: shareBar },
		{ title: "Category", size: "minmax(5rem, 9rem)", wide: true, cell: row => row.category ? `${row.category} ${row.category_title ?? ""}` : "" },
		{ title: "Text", size: "minmax(0, 1fr)", cell: row => h("bdi", row.text ? excerpt(row.text, 240) : row.error) },
	].filter(Boolean);
}

/** Returns the bar of P(violation), in the color of the verdict. */
function shareBar({ probability, verdict }) {
	return probability === null ? "" : Object.assign(bar(probability), { className: `bar ${verdict}` });
}

function rowDetail(row, context, step) {
	const move = (text, by, label) => button(text, () => step(by), { class: "small", "aria-label": label });
	return [h("header", h("h2", `Row ${number(row.number)}`), h("span.cluster.push", move("←", -1, "Row before"), move("→", 1, "Row after"))), h("div.body.stack",
		h("div.cluster", verdictMark(row.verdict), shareBar(row)),
		row.category && h("p", h("code", row.category), ` ${row.category_title ?? ""}`, h("span.muted", ` (${row.policy})`)),
		row.text && h("p", userText(row.text, 5000)), row.rationale && h("p.muted", "“", userText(row.rationale, 2000), "”"), row.error && h("p.notice.warn", row.error),
		row.text && row.policy && toReview(row, context))];
}

function toReview(row, { api, announce, report, page }) {
	if (!page.review) return h("p.hint", "With --review FOLDER a row can be sent to the review queue.");
	if (row.text.length >= CUT) return h("p.hint", "The text is longer than shown, so it cannot be sent to the review queue from here.");
	const place = h("div.cluster");
	const send = async expected => {
		const { policy, text, verdict, category, probability } = row;
		try {
			await api.post("/v1/review", { policy, text, expected, category, probability, verdict: verdict === "undecided" ? "unresolved" : verdict });
			row.sent = expected;
			show();
			announce("The row is in the review queue");
		} catch (error) { report(error); }
	};
	const show = () => fill(place, row.sent ? h("span.badge.good", `in the review queue, expected ${row.sent}`)
		: [h("span.muted", "Wrong? To the review queue as"), button("✕ violation", () => send("violation"), "small"), button("✓ safe", () => send("safe"), "small")]);
	return show();
}
