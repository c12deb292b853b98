// The label view: a file of texts becomes a run, which goes on when this tab is closed.

import { button, clear, count, dialog, fill, h } from "./dom.js";
import { RunPanel } from "./label-run.js";
import { setup } from "./label-setup.js";
import { dropArea } from "./label-upload.js";
import { off, runFigures, stateMark, stateWord, when } from "./runs.js";

const POLL_MS = 1000;
const HIDDEN_POLL_MS = 10_000;

/** Returns the label view. */
export function view(context) {
    if (!context.page.workspace) return off("Labeling files is off");
    return new Label(context);
}

class Label {
    keys = [["↑ ↓", "moves through the rows of a table"], ["PgUp PgDn Home End", "moves further"], ["Enter", "shows the row"]];

    constructor(context) {
        this.context = context;
        this.element = h("div", { class: "stack label" });
        this.run = null;
        this.panel = null;
        this.poll = () => this.refresh();
    }

    async show(params) {
        this.visible = true;
        await this.open(params.run ?? null);
    }

    hide() {
        this.visible = false;
        clearTimeout(this.timer);
    }

    async open(id) {
        clearTimeout(this.timer);
        if (id && this.run?.id === id && this.panel) return this.refresh();
        this.panel = null;
        this.run = null;
        this.id = id;
        if (!id) return this.list();
        try {
            const run = await this.context.api.get(`/v1/runs/${encodeURIComponent(id)}`);
            if (this.id === id) await this.take(run);
        } catch (error) {
            if (error.status !== 404) throw error;
            fill(this.element, this.back(), h("div", { class: "notice warn" }, "This run is not here any more. It was deleted, or belongs to another server."));
        }
    }

    back() {
        return h("nav", { "aria-label": "Runs" }, button("← All runs", () => this.context.navigate("label"), { class: "quiet small" }));
    }

    async list() {
        const { api, announce, report } = this.context;
        const made = run => { announce(`${run.name} is uploaded, ${count(run.rows ?? 0, "row")}`); this.context.navigate("label", { run: run.id }); };
        const runs = h("div", { class: "stack" });
        fill(this.element, h("h1", {}, "Label a file"), dropArea({ api, made, announce, report }), runs);
        await this.fillRuns(runs);
    }

    async fillRuns(place) {
        const { runs } = await this.context.api.get("/v1/runs");
        if (runs.length === 0) return clear(place);
        fill(place, h("h2", {}, "Runs of before"), h("ul", { class: "panel run-list" }, runs.map(run => this.runLine(run))));
        if (runs.some(run => run.state === "running")) this.again(() => this.fillRuns(place));
    }

    runLine(run) {
        return h("li", { class: "cluster" }, h("a", { href: `#label?run=${encodeURIComponent(run.id)}` }, run.name), stateMark(run), h("span", { class: "muted n" }, runFigures(run)),
            h("span", { class: "muted small push" }, when(run.created)), button("Delete", () => this.remove(run), { class: "small quiet danger", "aria-label": `Delete ${run.name}` }));
    }

    /** Shows a run: its settings before the start, else its progress and rows. */
    async take(run) {
        const before = this.run?.state;
        this.run = run;
        if (run.state === "uploaded") {
            fill(this.element, this.back(), await setup(run, this.context, settings => this.start(settings), () => this.remove(run)));
        } else {
            if (!this.panel) {
                this.panel = new RunPanel(run, this.context, { stop: () => this.stop(), resume: () => this.resume(), remove: () => this.remove(this.run), back: this.back() });
                fill(this.element, this.panel.element);
            }
            this.panel.update(run);
            if (before === "running" && run.state !== "running") this.context.announce(`${run.name}: ${stateWord(run)}`);
            if (run.state === "running") this.again(this.poll);
        }
    }

    again(work) {
        clearTimeout(this.timer);
        if (!this.visible) return;
        this.timer = setTimeout(() => work().catch(error => { this.context.report(error); this.again(work); }), document.hidden ? HIDDEN_POLL_MS : POLL_MS);
    }

    async refresh() {
        const { id } = this;
        const run = await this.context.api.get(`/v1/runs/${encodeURIComponent(id)}`);
        if (this.id === id && this.visible) await this.take(run);
    }

    async start(settings) {
        sessionStorage.setItem(`magistrate.run.${this.run.id}`, JSON.stringify(settings));
        await this.send("start", settings);
        this.context.announce(`${this.run.name} is started`);
    }

    async resume() {
        const kept = JSON.parse(sessionStorage.getItem(`magistrate.run.${this.run.id}`) ?? "null");
        await this.send("start", kept ?? { policy: this.run.policies, text_column: this.run.text_column });
    }

    stop() {
        return this.send("stop", {});
    }

    async send(verb, body) {
        try {
            await this.take(await this.context.api.post(`/v1/runs/${encodeURIComponent(this.run.id)}/${verb}`, body));
        } catch (error) { this.context.report(error); }
    }

    remove(run) {
        const go = async () => {
            box.close();
            try {
                await this.context.api.delete(`/v1/runs/${encodeURIComponent(run.id)}`);
                this.context.announce(`${run.name} is deleted`);
                if (this.id) this.context.navigate("label");
                else await this.list();
            } catch (error) { this.context.report(error); }
        };
        const box = dialog(`Delete ${run.name}?`, h("p", {}, `Its copy of the file and ${count(run.done, "verdict")} are removed from the workspace.`),
            h("div", { class: "cluster" }, button("Delete", go, { class: "danger" }), button("Keep", () => box.close())));
    }
}
