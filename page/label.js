// The label view: a file of texts becomes a run, which goes on when this tab is closed.

import { button, clear, count, dialog, fill, h } from "./dom.js";
import { runPanel } from "./label-run.js";
import { setup } from "./label-setup.js";
import { dropArea } from "./label-upload.js";
import { off, pathOf, runList } from "./runs.js";

const POLL_MS = 1000, HIDDEN_POLL_MS = 10_000;
const element = h("div.stack");
const keys = [["↑ ↓", "moves through the rows"], ["Page up, Page down, Home, End", "moves further"], ["Enter", "shows the row"]];
let context, id, run, panel, timer, isVisible;

/** Returns the label view. */
export function view(shell) {
	context = shell;
	panel = null;
	if (!shell.page.workspace) return off("Labeling files is off", "Start the server with a folder for runs. It keeps the files and their verdicts.", "--workspace FOLDER");
	return { element, show, hide, keys };
}

async function show(params) {
	isVisible = true;
	clearTimeout(timer);
	if (panel && id === params.run) return refresh();
	id = params.run;
	panel = null;
	if (!id) return list();
	fill(element, back());
	try {
		await refresh();
	} catch (error) {
		if (error.status !== 404) throw error;
		fill(element, back(), h("p.notice.warn", "This run is not here any more."));
	}
}

function hide() {
	isVisible = false;
	clearTimeout(timer);
}

const back = () => h("nav", { "aria-label": "Runs" }, button("← All runs", () => context.navigate("label"), "quiet small"));

async function list() {
	const made = ({ id, name, rows }) => {
		context.announce(`${name} is uploaded, ${count(rows ?? 0, "row")}`);
		context.navigate("label", { run: id });
	};
	const runs = h("div.stack");
	fill(element, h("h2", "Label a file"), dropArea(context, made), runs);
	await fillRuns(runs);
}

async function fillRuns(place) {
	const { runs } = await context.api.get("/v1/runs");
	const remover = run => button("Delete", () => remove(run), { class: "small quiet danger", "aria-label": `Delete ${run.name}` });
	if (!runs.length) return clear(place);
	fill(place, h("h2", "Earlier runs"), runList(runs, "label", remover));
	if (runs.some(({ state }) => state === "running")) poll(() => place.isConnected && fillRuns(place));
}

/** Shows a run: its settings before the start, else its progress and rows. */
async function take(next) {
	const before = run?.id === next.id && run.state;
	run = next;
	if (run.state === "uploaded") return fill(element, back(), await setup(run, context, settings => send("start", settings), () => remove(run)));
	if (!panel) {
		panel = runPanel(run, context, { stop: () => send("stop", {}), resume: () => send("start", settingsOf(run)), remove: () => remove(run) });
		fill(element, back(), panel.element);
	}
	panel.update(run);
	if (run.state === "running") poll(refresh);
	else if (before === "running") context.announce(`${run.name}: ${run.state}`);
}

function poll(work) {
	clearTimeout(timer);
	const again = () => Promise.resolve(work()).catch(error => {
		context.report(error);
		poll(work);
	});
	if (isVisible) timer = setTimeout(again, document.hidden ? HIDDEN_POLL_MS : POLL_MS);
}

async function refresh() {
	const wanted = id, found = await context.api.get(pathOf(wanted));
	if (id === wanted && isVisible) await take(found);
}

async function send(verb, body) {
	try {
		await take(await context.api.post(`${pathOf(run.id)}/${verb}`, body));
	} catch (error) { context.report(error); }
}

/** Returns the settings that a run was begun with; it goes on with the same ones only. */
function settingsOf({ policies, text_column, effort, threshold }) {
	return { policy: policies, text_column, effort, threshold };
}

function remove(run) {
	const go = async () => {
		box.close();
		try {
			await context.api.delete(pathOf(run.id));
			context.announce(`${run.name} is deleted`);
			await (id ? context.navigate("label") : list());
		} catch (error) { context.report(error); }
	};
	const box = dialog(`Delete ${run.name}?`, h("p", `Its copy of the file and ${count(run.done, "verdict")} are removed from the workspace.`),
		h("div.cluster", button("Delete", go, "danger"), button("Keep", () => box.close())));
}
