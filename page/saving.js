// Saving a policy, its history, and its address for others.

import { button, dialog, download, field, fill, h, select } from "./dom.js";
import { diffView } from "./diff.js";
import { tagOf } from "./document.js";
import { idIn } from "./draft.js";
import { pack } from "./session.js";

const pathOf = id => `/v1/policies/${encodeURIComponent(id)}`;

/** Returns the id under which a document is saved. */
export function idOfDocument(doc) {
	return doc.notation === "yaml" ? idIn(doc.text) ?? doc.id : doc.id;
}

/** Saves a document and its golden set. Returns the server's answer, or null if its author took the other version. */
export async function save({ api, doc, cases, take }) {
	const id = idOfDocument(doc);
	const body = { [doc.notation]: doc.text, golden: cases };
	const put = tag => api.put(pathOf(id), body, { headers: tag ? { "if-match": `"${tag}"` } : { "if-none-match": "*" } });
	try {
		return await put(doc.base && doc.base.id === id ? doc.base.tag : null);
	} catch (error) {
		if (error.status !== 412) throw error;
		return conflict({ api, doc, id, put, take });
	}
}

// Shows the version of somebody else beside the draft, and lets the author choose.
async function conflict({ api, doc, id, put, take }) {
	const theirs = await api.get(`${pathOf(id)}/source`).catch(error => { if (error.status !== 404) throw error; });
	if (!theirs) return put(null);
	const newest = await api.get(`${pathOf(id)}/history`).then(({ versions }) => versions[0], () => null);
	const who = newest ? `${newest.by ?? "Somebody"} saved version ${newest.number} on ${time(newest.time)}.` : "A policy of the server has this id.";
	return new Promise((resolve, reject) => {
		const keepMine = () => put(tagOf(theirs)).then(resolve, reject).finally(() => box.close());
		const takeTheirs = () => { take(theirs); resolve(null); box.close(); };
		const box = dialog(newest ? `${id} was changed elsewhere` : `There is a policy ${id} already`, h("p", who, " Below: from their version to your draft."), diffView(theirs.text, doc.text),
			h("div.cluster", button("Keep mine", keepMine, "primary"), button("Take theirs", takeTheirs), h("span.muted.small", "Their version stays in the history.")));
		box.addEventListener("close", () => resolve(null));
	});
}

// Returns a time in words. The server counts seconds since 1970.
function time(seconds) {
	return new Date(seconds * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** Opens the history of a policy: the lines that changed between any two versions. */
export async function historyDialog({ api, report, doc, restore }) {
	try {
		const id = doc.base?.id ?? doc.id;
		const { versions } = await api.get(`${pathOf(id)}/history`);
		showHistory({ api, report, doc, restore, id, versions });
	} catch (error) { report(error); }
}

function showHistory({ api, report, doc, restore, id, versions }) {
	const texts = new Map([["draft", doc.text], ["saved", doc.base?.text ?? ""]]);
	const options = [["draft", "the draft of this tab"], ["saved", "the version that was opened"],
		...versions.map(({ number, time: when, by }) => [String(number), `version ${number}, ${time(when)}${by ? `, ${by}` : ""}`])];
	const textOf = async name => {
		if (!texts.has(name)) texts.set(name, (await api.get(`${pathOf(id)}/history/${name}`)).text);
		return texts.get(name);
	};
	const isChanged = doc.text !== (doc.base?.text ?? "");
	let from = isChanged || versions.length < 2 ? "saved" : String(versions[1].number);
	let to = isChanged || versions.length < 2 ? "draft" : String(versions[0].number);
	const result = h("div");
	const show = async () => {
		try { fill(result, diffView(await textOf(from), await textOf(to))); } catch (error) { report(error); }
	};
	const back = button("Take the first into the editor", async () => {
		try { restore(await textOf(from)); box.close(); } catch (error) { report(error); }
	});
	const box = dialog(`History of ${id}`,
		h("div.cluster", field("From", select(options, from, value => { from = value; show(); })), field("To", select(options, to, value => { to = value; show(); }))),
		result, h("div.cluster", back));
	show();
}

/** Opens the address of this state. It names the policy and settings; a draft travels in it, texts never do. */
export async function shareDialog({ doc, isSame, params, announce, report }) {
	try {
		const shared = { ...params, ...(isSame ? {} : { draft: await pack(doc.text), notation: doc.notation === "yaml" ? null : doc.notation }) };
		const query = new URLSearchParams(Object.entries(shared).filter(([, value]) => value !== null && value !== undefined));
		const address = `${location.origin}${location.pathname}#write?${query}`;
		const input = h("input", { readOnly: true, value: address, "aria-label": "Address", on: { focus: event => event.target.select() } });
		const copied = h("span.good", { role: "status" });
		const copy = button("Copy", async () => {
			try { await navigator.clipboard.writeText(address); fill(copied, "Copied."); } catch { input.focus(); input.select(); fill(copied, "Press Ctrl+C."); }
			announce("Copied");
		}, "primary");
		dialog("Share this view", h("div.address", input, copy), copied,
			h("p.muted", isSame ? "The address names the policy, the threshold, the effort and the tab. No text is in it." : "The draft travels in the address itself, packed. No text of the list is in it."),
			address.length > 8000 && h("p.notice.warn", "This address is long. Some programs cut it: send the exported file instead."));
	} catch (error) { report(error); }
}

/** Saves the policy's text as a file of the browser's user. */
export function exportPolicy(doc) {
	const isYaml = doc.notation === "yaml";
	download(`${idOfDocument(doc) ?? "policy"}.${isYaml ? "yaml" : "md"}`, doc.text, isYaml ? "application/yaml" : "text/markdown");
}
