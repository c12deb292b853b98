// The reports view: the report of a run, or of an evaluation whose JSON is dropped here.

import { button, download, fill, h } from "./dom.js";
import { fileArea } from "./label-upload.js";
import { pathOf, runList } from "./runs.js";

const element = h("div.stack");
let context, shown;

/** Returns the reports view. */
export function view(shell) {
	context = shell;
	shown = undefined;
	return { element, show, hide() {}, keys: [] };
}

async function show({ run = null }) {
	if (run !== null && run === shown) return;
	shown = run;
	await (run ? ofRun(run) : list());
}

async function list() {
	const runs = h("div.stack"), hint = ["The file that ", h("code", "magistrate eval --json"), " writes. Nothing of it is stored."];
	fill(element, h("h2", "Reports"), fileArea("Drop the JSON of an evaluation here", hint, ".json", ofFile), runs);
	if (!context.page.workspace) return fill(runs, h("p.muted", "Reports of runs need ", h("code", "magistrate serve --workspace FOLDER")));
	const judged = (await context.api.get("/v1/runs")).runs.filter(({ done }) => done > 0);
	if (judged.length) fill(runs, h("h2", "Runs"), runList(judged, "reports"));
}

async function ofRun(id) {
	fill(element, back(), h("p.empty", "Making the report…"));
	try {
		const [{ name }, response] = await Promise.all([context.api.get(pathOf(id)), context.api.send(`${pathOf(id)}/report`)]);
		const html = await response.text();
		if (shown === id) open(name, html);
	} catch (error) {
		shown = undefined;
		fill(element, back(), h("p.notice.warn", `The report could not be made: ${error.message}`));
	}
}

async function ofFile(file) {
	try {
		const response = await context.api.send("/v1/reports", { method: "POST", headers: { "content-type": "application/json" }, body: file });
		open(file.name, await response.text());
	} catch (error) { context.report(error); }
}

/** Shows a page in a frame of its own origin: its script can reach neither this page nor the server. */
function open(name, html) {
	const save = button("Download the page", () => download(`${name.replace(/\.[^.]*$/, "")}.report.html`, html, "text/html"), "push");
	const frame = h("iframe", { sandbox: "allow-scripts", title: `Report of ${name}`, class: "report", srcdoc: html });
	fill(element, h("div.cluster", back(), h("h2.text", name), save), frame);
	context.announce(`The report of ${name} is open`);
}

const back = () => button("← All reports", () => context.navigate("reports"), "quiet small");
