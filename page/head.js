// The head of the view Write: the policy's name, its state, and what can be done with it.

import { button, count, fill, h } from "./dom.js";
import { exportPolicy, historyDialog, idOfDocument, shareDialog } from "./saving.js";

const START = "magistrate serve --workspace FOLDER";

/** Returns the head. `draw({isSame, hasSameGolden, isPristine})` shows the state of the document. */
export function head({ api, page, doc, state, announce, report, save, restore, close, clear }) {
	let isSame = true;
	const name = h("h2");
	const badges = h("span.cluster");
	const saveButton = button("Save", save, { class: "primary", "aria-keyshortcuts": "Control+S", title: page.workspace ? "Ctrl+S" : START });
	const history = button("History", () => historyDialog({ api, report, doc, restore }));
	const note = h("p.hint.whole");
	const forget = button("Clear them", clear, "link");
	const element = h("div.cluster.policy-head", name, badges, note, h("span.cluster.push", saveButton, history,
		button("Export", () => exportPolicy(doc)), button("Share", () => shareDialog({ doc, isSame, params: state.read(), announce, report })), button("Close", close, "quiet")));
	fill(note, !page.workspace && ["Saving is off: start ", h("code", START), ". Export works. "], "Draft and texts stay in this tab until it is closed. ", forget);

	function draw(now) {
		isSame = now.isSame;
		const errors = doc.findings.filter(finding => finding.level === "error").length;
		const [kind, word] = errors ? ["bad", count(errors, "error")] : !doc.base ? ["warn", "not saved"] : !isSame ? ["warn", "changed"]
			: !now.hasSameGolden ? ["warn", "golden set changed"] : doc.base.editable ? ["good", "saved"] : ["", "shipped, not changed"];
		const isUnknown = page.model.trained_for && !page.model.trained_for.includes(doc.id) && isSame && !doc.base.editable;
		fill(name, idOfDocument(doc) ?? "policy");
		fill(badges, h("span", { class: `badge ${kind}` }, word),
			isUnknown && h("span.badge.warn", { title: "Its texts stay unresolved until you change it." }, "the built-in model does not know it"));
		saveButton.disabled = !page.workspace || errors > 0;
		history.disabled = !page.workspace || !doc.base?.editable;
		note.hidden = page.workspace && now.isPristine;
	}
	return { element, draw };
}
