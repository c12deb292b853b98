// A run that was started: its progress, its rows in a table, and one row in detail.

import { bar, button, count, debounce, duration, excerpt, fill, h, number, percent, select, verdictMark } from "./dom.js";
import { rowDetail } from "./label-row.js";
import { stateMark } from "./runs.js";
import { virtualTable } from "./table.js";

const VERDICTS = [["all", "all verdicts"], ["violation", "violation"], ["safe", "safe"], ["undecided", "undecided"]];
const SORTS = [["row", "in order of the file"], ["probability", "by P(violation)"]];
const FORMATS = ["csv", "jsonl", "parquet", "xlsx"];
const CELL = 240;

/** The panel of a run; `acts` has `stop()`, `resume()`, `remove()` and the element `back`. */
export class RunPanel {
    constructor(run, context, acts) {
        this.run = run;
        this.context = context;
        this.acts = acts;
        this.filters = { verdict: "all", min: 0, max: 1, sort: "row" };
        this.total = run.done;
        this.build();
    }

    get path() {
        return `/v1/runs/${encodeURIComponent(this.run.id)}`;
    }

    get isFiltered() {
        const { verdict, min, max } = this.filters;
        return verdict !== "all" || min > 0 || max < 1;
    }

    build() {
        const { acts } = this;
        this.state = h("span");
        this.words = h("p", { class: "n run-words" });
        this.progress = h("progress", { max: 1, value: 0, "aria-label": "Judged rows" });
        this.shares = h("div", { class: "shares", "aria-hidden": "true" });
        this.figures = h("div", { class: "figures" });
        this.problem = h("div", { class: "stack" });
        this.stop = button("Stop", () => acts.stop());
        this.resume = button("Resume", () => acts.resume(), { class: "primary" });
        this.outputs = h("div", { class: "cluster" }, h("span", { class: "muted" }, "Download"), FORMATS.map(format => this.output(format)),
            button("Open the report", () => this.context.navigate("reports", { run: this.run.id })));
        this.table = virtualTable({ columns: this.columns(), count: this.total, fetchRows: (offset, limit) => this.rows(offset, limit), rowHeight: 36, onSelect: row => this.select(row), onError: this.context.report, label: "Rows of the run" });
        this.detail = h("aside", { class: "panel run-detail", "aria-label": "The row" }, h("p", { class: "empty" }, "Choose a row to read it whole."));
        this.found = h("span", { class: "muted n push", role: "status" });
        this.element = h("div", { class: "stack" }, acts.back,
            h("section", { class: "panel", "aria-label": "Progress" },
                h("header", {}, h("h1", { class: "text" }, this.run.name), this.state, h("span", { class: "cluster push" }, this.stop, this.resume, button("Delete", () => acts.remove(), { class: "quiet danger" }))),
                h("div", { class: "body stack" }, this.problem, this.words, this.progress, this.figures, this.shares, this.outputs)),
            this.tools(), h("div", { class: "run-rows" }, this.table.element, this.detail));
    }

    columns() {
        const several = this.run.policies.length > 1;
        return [
            { title: "Row", size: "5.2rem", number: true, wide: true, cell: row => number(row.number) },
            ...(several ? [{ title: "Policy", size: "8rem", wide: true, cell: row => row.policy }] : []),
            { title: "Verdict", size: "7.6rem", cell: row => verdictMark(row.verdict) },
            { title: "P(violation)", size: "11rem", wide: true, cell: row => bar(row.probability, null) },
            { title: "Category", size: "minmax(6rem, 12rem)", wide: true, cell: row => row.category ? `${row.category} ${row.category_title ?? ""}` : "" },
            { title: "Text", size: "minmax(0, 1fr)", cell: row => h("bdi", {}, row.text ? excerpt(row.text, CELL) : row.error ?? "") },
        ];
    }

    tools() {
        const { filters } = this;
        const later = debounce(() => this.filter(), 250);
        const bound = (name, label) => {
            const input = h("input", { type: "number", min: "0", max: "1", step: "0.05", value: String(filters[name]), class: "small bound", "aria-label": label });
            input.addEventListener("input", () => { if (input.value !== "" && input.checkValidity()) { filters[name] = Number(input.value); later(); } });
            return input;
        };
        const pick = (options, name, label) => select(options, filters[name], value => { filters[name] = value; this.filter(); }, { class: "small", "aria-label": label });
        return h("div", { class: "cluster", role: "group", "aria-label": "Filters" }, h("h2", {}, "Rows"), pick(VERDICTS, "verdict", "Verdict"),
            h("span", { class: "cluster small" }, "P(violation) from", bound("min", "Lowest P(violation)"), "to", bound("max", "Highest P(violation)")), pick(SORTS, "sort", "Order"), this.found);
    }

    async filter() {
        this.table.reset(0);
        try {
            const { total } = await this.fetch(0, 1);
            this.table.reset(total);
            this.context.announce(count(total, "row"));
        } catch (error) { this.context.report(error); }
    }

    async fetch(offset, limit) {
        const answer = await this.context.api.get(`${this.path}/rows?${new URLSearchParams({ offset, limit, ...this.filters })}`);
        this.total = answer.total;
        fill(this.found, this.isFiltered ? `${number(answer.total)} of ${count(this.run.done, "row")}` : count(answer.total, "row"));
        return answer;
    }

    async rows(offset, limit) {
        const { rows, total } = await this.fetch(offset, limit);
        if (total !== this.known && this.run.state === "running") { this.known = total; this.table.resize(total); }
        return rows;
    }

    select(row) {
        this.detail.scrollTop = 0;
        fill(this.detail, rowDetail(row, this.context, by => this.table.step(by)));
    }

    /** Shows a newer state of the run. */
    update(run) {
        const ended = this.run.state === "running" && run.state !== "running", grown = run.done !== this.run.done;
        this.run = run;
        const rows = run.rows ?? run.done, isRunning = run.state === "running";
        fill(this.state, stateMark(run));
        this.progress.value = rows ? run.done / rows : 0;
        this.progress.hidden = run.state === "done";
        fill(this.words, h("b", {}, number(run.done)), ` of ${count(rows, "row")}`, isRunning && run.rate && `, ${number(Math.round(run.rate))} rows/s`, isRunning && run.seconds_left !== null && `, about ${duration(run.seconds_left)} left`,
            isRunning && h("span", { class: "muted" }, ". This tab may be closed; the run goes on."));
        const part = (name, value) => h("div", {}, h("b", {}, number(value)), h("span", {}, `${name}${run.done ? `, ${percent(value / run.done)}` : ""}`));
        fill(this.figures, part("violation", run.violation), part("safe", run.safe), part("undecided", run.undecided));
        fill(this.shares, ["violation", "safe", "undecided"].map(name => h("span", { class: `share-${name}`, style: { "flex-grow": String(run[name]) } })));
        fill(this.problem, run.error && h("p", { class: "notice bad" }, run.error), run.notes.map(note => h("p", { class: "notice info" }, note)));
        this.stop.hidden = !isRunning;
        this.resume.hidden = run.state !== "stopped" && run.state !== "failed";
        this.outputs.hidden = run.done === 0;
        if (!this.started) { this.started = true; fill(this.found, count(run.done, "row")); this.table.reset(run.done); }
        else if (ended) this.filter();
        else if (grown && !this.isFiltered && this.filters.sort === "row") { fill(this.found, count(run.done, "row")); this.table.resize(run.done); }
    }

    output(format) {
        const path = () => `${this.path}/output?format=${format}`;
        const name = `${this.run.name.replace(/\.[^.]*$/, "")}.verdicts.${format}`;
        return button(format.toUpperCase(), () => this.save(path(), name), { class: "small" });
    }

    /** Saves an output. Without a key the browser streams it to the disk; a link cannot carry a key. */
    async save(path, name) {
        try {
            let href = path;
            if (this.context.api.key) href = URL.createObjectURL(await (await this.context.api.send(path)).blob());
            h("a", { href, download: name }).click();
            if (href !== path) setTimeout(() => URL.revokeObjectURL(href), 60_000);
        } catch (error) { this.context.report(error); }
    }
}
