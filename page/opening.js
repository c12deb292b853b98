// The ways to begin: a new policy from three answers, a policy of the server, a file; and texts that are pasted.

import { append, button, count, debounce, dialog, excerpt, field, fill, h } from "./dom.js";
import { draftYaml, idIn, idOf } from "./draft.js";
import { readTexts } from "./rows.js";

const LARGEST_TEXTS = 20 << 20;

/** Returns the panel of a view without a policy. `open(id)` opens one of the server, `begin(doc)` starts a draft. */
export function startPanel({ api, report, page, session, open, begin }) {
	const found = h("ul.picks");
	const search = h("input", { type: "search", placeholder: "Find a policy", "aria-label": "Find a policy", on: { input: debounce(() => show(), 80) } });
	let policies = [];
	const show = () => {
		const words = search.value.toLowerCase();
		const matching = policies.filter(({ id, title, summary }) => `${id} ${title} ${summary ?? ""}`.toLowerCase().includes(words));
		fill(found, matching.map(policy => choice(policy, page, open)), !matching.length && h("li.muted", "No policy matches."));
	};
	api.get("/v1/policies").then(answer => { policies = answer.policies; show(); }, report);
	const drafts = session.ids();
	const kept = drafts.length > 0 && h("p.notice.info.cluster", "Drafts of this tab: ", drafts.map(id => button(id, () => { const kept = session.read(id); if (kept?.base) open(id); else begin(kept); }, "small")));
	return h("div.start.stack", kept, h("div.start-columns",
		h("section.panel", h("header", h("h2", "New policy")), h("div.body", newForm(begin))),
		h("section.panel", h("header", h("h2", "Open a policy"), search), h("div.body.stack", found, filePart(begin, report)))));
}

function choice({ id, title, summary }, page, open) {
	const isKnown = page.model.trained_for?.includes(id);
	return h("li", h("button", { type: "button", class: "pick", on: { click: () => open(id) } }, h("b", title), h("code.muted", id),
		isKnown && h("span.badge.good", "the model knows it"), h("span.muted.summary", summary)));
}

function newForm(begin) {
	const title = h("input", { required: true, maxlength: "80", placeholder: "Begging" });
	const violation = h("textarea", { required: true, rows: "4", placeholder: "Begging: Asks readers to send money to the author.\nFraudulent appeal: Asks for money with a false story." });
	const fine = h("textarea", { rows: "3", placeholder: "Prices: States a price or a fee.\nCharity: Names a registered charity." });
	const hint = h("span.hint");
	title.addEventListener("input", () => fill(hint, title.value.trim() && `id: ${idOf(title.value)}`));
	const submit = event => {
		event.preventDefault();
		const name = title.value.trim().replace(/\s+/g, " ");
		begin({ id: idOf(name), notation: "yaml", text: draftYaml(name, violation.value, fine.value), base: null, rows: [] });
	};
	return h("form.stack", { on: { submit } }, append(field("Title", title), [hint]),
		field("What is a violation?", violation, "A rule in each line, the mildest first: say what a text does. A name before a colon is its title."),
		field("What is fine?", fine, "What looks like a violation and is allowed, a rule in each line."),
		h("div", h("button.primary", "Write the policy")));
}

function filePart(begin, report) {
	const input = h("input", { type: "file", accept: ".yaml,.yml,.md,.txt,text/*", on: { change: () => input.files[0] && read(input.files[0]) } });
	async function read(file) {
		if (file.size > 1 << 20) { report(new Error("a policy may have 1 MiB at most")); return; }
		const text = (await file.text()).replace(/^\ufeff/, "").replaceAll("\r\n", "\n");
		const isYaml = /\.ya?ml$/i.test(file.name) || (/^id:\s/m.test(text) && /^categories:/m.test(text));
		const name = idOf(file.name.replace(/\.[^.]*$/, ""));
		begin({ id: (isYaml && idIn(text)) || name, notation: isYaml ? "yaml" : "markdown", text, base: null, rows: [] });
	}
	return field("Or a file of this machine, YAML or prose", input);
}

/** Opens the dialog for many texts: pasted, or from a file. */
export function pasteDialog({ codes, add }) {
	const about = h("p.small.muted", { role: "status" }, "Lines of text, CSV with a heading, or JSON Lines. Labels are read from columns such as expected or label.");
	const sample = h("ul.entries.small");
	const area = h("textarea", { rows: "9", "aria-label": "Texts", spellcheck: "false", on: { input: debounce(() => look(), 150) } });
	const input = h("input", { type: "file", accept: ".csv,.tsv,.jsonl,.json,.txt,text/*", "aria-label": "File of texts", on: { change: async () => {
		const [file] = input.files;
		if (file && file.size > LARGEST_TEXTS) { fill(about, "This file is large: use the view Label for it."); return; }
		if (file) { area.value = await file.text(); look(); }
	} } });
	const take = button("Add", () => { add(read.rows); box.close(); }, { class: "primary", disabled: true });
	let read = { rows: [], about: "" };
	function look() {
		read = readTexts(area.value, codes());
		fill(about, `${count(read.rows.length, "text")}. ${read.about}`);
		fill(sample, read.rows.slice(0, 4).map(({ text, expected }) => h("li.cluster", h("span.badge", expected ?? "no label"), h("span.text", excerpt(text, 120)))));
		fill(take, `Add ${count(read.rows.length, "text")}`);
		take.disabled = read.rows.length === 0;
	}
	const box = dialog("Paste or open texts", area, input, about, sample, h("div.cluster", take));
	area.focus();
}
