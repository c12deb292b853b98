// The reports view: the report of a run, or of an evaluation whose JSON is dropped here.

import { button, clear, download, fill, h } from "./dom.js";
import { fileArea } from "./label-upload.js";
import { runFigures, stateMark, when } from "./runs.js";

/** Returns the reports view. */
export function view(context) {
    return new Reports(context);
}

class Reports {
    keys = [];

    constructor(context) {
        this.context = context;
        this.element = h("div", { class: "stack" });
    }

    async show(params) {
        const run = params.run ?? null;
        if (run && run === this.shown) return;
        this.shown = run;
        if (run) await this.ofRun(run);
        else await this.list();
    }

    hide() {}

    async list() {
        const { api, page } = this.context;
        const runs = h("div", { class: "stack" });
        const hint = ["The file that ", h("code", {}, "magistrate eval --json"), " writes. Nothing of it is stored."];
        fill(this.element, h("h1", {}, "Reports"), fileArea({ label: "Drop the JSON of an evaluation here", hint, accept: ".json,application/json", take: file => this.ofFile(file) }), runs);
        if (!page.workspace) return fill(runs, h("p", { class: "muted" }, "Reports of runs need a workspace: ", h("code", {}, "magistrate serve --workspace FOLDER")));
        const answer = await api.get("/v1/runs");
        const judged = answer.runs.filter(run => run.done > 0);
        if (judged.length === 0) return clear(runs);
        fill(runs, h("h2", {}, "Runs"), h("ul", { class: "panel run-list" }, judged.map(run => h("li", { class: "cluster" },
            h("a", { href: `#reports?run=${encodeURIComponent(run.id)}` }, run.name), stateMark(run), h("span", { class: "muted n" }, runFigures(run)), h("span", { class: "muted small push" }, when(run.created))))));
    }

    async ofRun(id) {
        fill(this.element, this.back(), h("div", { class: "empty" }, "The report is made…"));
        const path = `/v1/runs/${encodeURIComponent(id)}`;
        try {
            const [run, response] = await Promise.all([this.context.api.get(path), this.context.api.send(`${path}/report`)]);
            const html = await response.text();
            if (this.shown === id) this.open(run.name, html);
        } catch (error) {
            this.shown = null;
            fill(this.element, this.back(), h("div", { class: "notice warn" }, error.status === 404 ? "This run is not here any more." : "The report could not be made."));
            if (error.status !== 404) throw error;
        }
    }

    async ofFile(file) {
        const { api, report } = this.context;
        try {
            const response = await api.send("/v1/reports", { method: "POST", headers: { "content-type": "application/json" }, body: file });
            this.open(file.name, await response.text());
        } catch (error) { report(error); }
    }

    /** Shows a page in a frame of its own origin: its script can reach neither this page nor the server. */
    open(name, html) {
        const file = `${name.replace(/\.[^.]*$/, "")}.report.html`;
        const frame = h("iframe", { sandbox: "allow-scripts", title: `Report of ${name}`, class: "report", srcdoc: html });
        fill(this.element, h("div", { class: "cluster" }, this.back(), h("h1", { class: "text" }, name), button("Download the page", () => download(file, html, "text/html"), { class: "push" })), frame);
        this.context.announce(`The report of ${name} is open`);
    }

    back() {
        return button("← All reports", () => { this.shown = null; this.context.navigate("reports"); }, { class: "quiet small" });
    }
}
