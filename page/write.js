// The view Write: a policy beside labeled texts, judged while it changes.

import { adding } from "./adding.js";
import { button, count, debounce, download, duration, fill, h, select } from "./dom.js";
import { baseOf, compute, goldenOf, policyOf, tagOf } from "./document.js";
import { categoriesOf, idIn } from "./draft.js";
import { editor } from "./editor.js";
import { figuresPanel } from "./figures.js";
import { head } from "./head.js";
import { Judge, version } from "./judge.js";
import { startPanel } from "./opening.js";
import { resultsPanel } from "./results.js";
import { casesOf, rowOfCase } from "./rows.js";
import { idOfDocument, save } from "./saving.js";
import { Session, unpack } from "./session.js";
import { textsList } from "./texts.js";
import { thresholdControl } from "./threshold.js";

const EFFORTS = [["none", "none (fast)"], ["own", "the policy's own"], ["low", "low"], ["medium", "medium"], ["high", "high"]];
const KEYS = [
	["Ctrl+Enter", "judges the texts now"], ["Ctrl+S", "saves the policy"], ["↑ ↓", "moves between texts"], ["v", "expected: violation, for the text with the focus"],
	["s", "expected: safe"], ["x", "no expected label"], ["Enter", "opens the details of a text"], ["Delete", "removes the text"],
];

/** Returns the view. */
export function view(context) {
	const { api, state, announce, report, page } = context;
	const judge = new Judge(api, page.max_texts);
	const session = new Session();
	const doc = { id: null, notation: "yaml", text: "", base: null, rows: [], findings: [], loads: true };
	let [effortName, judging, linting, frame, isStopped] = ["none", null, null, 0, false];
	const threshold = thresholdControl(() => { state.write({ threshold: threshold.value }); soon(); });

	// ---- The versions that judge
	const draft = () => version(policyOf(doc), effortName);
	const saved = () => doc.base && version(policyOf(doc.base), effortName);
	const isSame = () => doc.base !== null && doc.base.text === doc.text;
	const hasSameGolden = () => goldenOf(doc.rows) === (doc.base?.golden ?? "[]");
	const isPristine = () => isSame() && hasSameGolden() && doc.rows.every(row => row.expected !== null);
	const textsOf = () => doc.rows.map(row => row.text);

	// Shows what depends on verdicts, labels and threshold.
	function refresh() {
		compute({ doc, judge, threshold: threshold.value, now: draft(), before: isSame() ? null : saved() });
		list.update(doc.rows, threshold.value);
		figures.update(doc.rows);
		threshold.draw(doc.rows);
		fill(parts.count, `${count(doc.rows.length, "text")}, ${doc.rows.filter(row => row.expected !== null).length} labeled`);
		parts.none.hidden = doc.rows.length > 0;
		results.draw();
		top.draw({ isSame: isSame(), hasSameGolden: hasSameGolden(), isPristine: isPristine() });
		drawPace();
	}

	// Draws once a frame at most, because replies come faster.
	function soon() {
		frame ||= requestAnimationFrame(() => { frame = 0; refresh(); });
	}

	// ---- Judging
	async function run(isForced) {
		judging?.abort();
		const abort = judging = new AbortController();
		const texts = textsOf();
		const versions = [draft(), isSame() ? null : saved()].filter(Boolean);
		const isWanted = doc.loads && doc.isLinted && doc.text.trim() && versions.some(version => judge.missing(version, texts).length);
		if (!isWanted || !(isForced || isLiveNow())) { judging = null; soon(); return; }
		try {
			for (const [index, version] of versions.entries()) {
				await judge.run(version, texts, { signal: abort.signal, progress: (done, all) => { drawProgress(done, all, index); soon(); } });
			}
			parts.failure.hidden = true;
			if (isForced) announce(`${count(texts.length, "text")} judged`);
		} catch (error) {
			if (abort === judging && error.name !== "AbortError" && error.code !== "offline") { parts.failure.hidden = false; fill(parts.failure, error.message); }
		}
		if (abort === judging) { judging = null; soon(); }
	}
	const runSoon = debounce(() => run(false), 400);

	// Reports whether judging may start by itself. Before anything was measured, one text is tried.
	function isLiveNow() {
		const isNew = judge.missing(draft(), textsOf()).length === new Set(textsOf()).size;
		return judge.pace(effortName).each === null ? page.model.is_demonstration : judge.isLive(effortName, isNew);
	}

	// Keeps the draft and its texts in this tab, unless they are as on the server.
	function keepNow() {
		if (doc.id === null) return;
		if (isPristine()) session.forget(doc.id);
		parts.full.hidden = isPristine() || session.keep(doc);
	}
	const keep = debounce(keepNow, 300);
	addEventListener("pagehide", keepNow);

	function changed() {
		isStopped = false;
		keep();
		soon();
		runSoon();
	}

	function drawProgress(done, all, index) {
		fill(parts.pace, h("progress", { max: String(all), value: done, "aria-label": "Judged" }), ` ${done} of ${all}${index ? " by the saved version" : ""} `,
			button("Stop", () => { isStopped = true; judging?.abort(); }, "small"));
	}

	function drawPace() {
		if (judging) return;
		const missing = judge.missing(draft(), textsOf()).length;
		const { each } = judge.pace(effortName);
		const isLive = isLiveNow();
		const seconds = judge.estimate(draft(), textsOf());
		const word = each === null ? "" : isLive ? `Live: ${duration(each)} a text.` : `Not live: a text takes ${duration(each)}.`;
		const about = seconds === null ? "" : ` (about ${duration(seconds)})`;
		fill(parts.pace, !doc.loads && missing ? h("span.muted.small", "Judged once the errors are fixed.") : h("span.muted.small", word),
			doc.loads && missing > 0 && (isStopped || !isLive) && button(`Judge${about}`, () => run(true), { class: "primary small", title: "Ctrl+Enter", "aria-keyshortcuts": "Control+Enter" }));
	}

	// ---- The linter
	const lint = debounce(async () => {
		linting?.abort();
		const abort = linting = new AbortController();
		if (doc.id === null || !doc.text.trim()) return;
		try {
			const { findings, loads } = await api.post("/v1/policies/lint", policyOf(doc), { signal: abort.signal });
			Object.assign(doc, { findings, loads, isLinted: true });
			const of = level => count(findings.filter(finding => finding.level === level).length, level);
			edit.setFindings(findings, findings.length ? `${of("error")}, ${of("warning")}, ${of("note")}` : "No findings.");
			soon();
			run(false);
		} catch (error) { report(error); }
	}, 300);

	// ---- Parts
	const parts = {
		pace: h("div.cluster.push"), count: h("span.muted.small"), 
		failure: h("div.notice.bad", { role: "alert", hidden: true }),
		none: h("div.empty", h("p", "No texts yet. Type one above, or paste a list with labels."), h("p.small", "Ten texts near the boundary show more than a hundred easy ones.")),
		full: h("p.notice.warn", { hidden: true }, "The draft and its texts are too large to be kept over a reload: save or export."),
	};
	const edit = editor(text => { Object.assign(doc, { text, isLinted: false }); changed(); lint(); });
	const label = (row, expected) => { row.expected = expected; announce(`Expected: ${expected ?? "no label"}`); changed(); };
	const list = textsList({
		codes: () => categoriesOf(doc.text),
		label,
		edit(row, text) { row.text = text; changed(); },
		remove(row) { doc.rows = doc.rows.filter(other => other !== row); changed(); },
		exportAll() {
			const lines = doc.rows.map(({ text, expected, note }) => JSON.stringify({ text, expected, ...(note ? { note } : {}) }));
			download(`${idOfDocument(doc) ?? "policy"}-texts.jsonl`, `${lines.join("\n")}\n`, "application/jsonl");
		},
		async explain(row) {
			try {
				const { rationale, error } = await judge.explain(draft(), row.text);
				return rationale ?? error?.message ?? "This policy asks for no rationale.";
			} catch (error) { return error.message; }
		},
	});
	const field = adding({ judge, draft, threshold: () => threshold.value, isLive: () => doc.loads && doc.isLinted && isLiveNow(), codes: () => categoriesOf(doc.text), add: addRows });
	const textsTab = h("div", field, list.element, parts.none);
	const openRow = row => { results.choose("texts"); list.focus(row); };
	const results = resultsPanel({
		judge,
		source: () => ({ rows: doc.rows, threshold: threshold.value, policy: policyOf(doc), isSame: isSame() || !doc.base }),
		texts: textsTab,
		actions: { open: openRow, label, announce, report, chosen: name => state.write({ tab: name === "texts" ? null : name }) },
	});
	const figures = figuresPanel(api, comparison => { results.comparison = comparison; });
	const top = head({ api, page, doc, state, announce, report, save: saveNow, restore, close, clear: clearAll });
	const effort = select(EFFORTS, "none", value => { effortName = value; state.write({ effort: value === "none" ? null : value }); changed(); }, "small");

	function addRows(rows) {
		const known = new Set(textsOf());
		const fresh = rows.filter(row => !known.has(row.text) && known.add(row.text));
		doc.rows = [...doc.rows, ...fresh];
		announce(`${count(fresh.length, "text")} added${fresh.length < rows.length ? `, ${rows.length - fresh.length} were there already` : ""}`);
		changed();
	}

	// ---- Saving, opening, closing
	async function saveNow() {
		if (!page.workspace) { report(new Error("saving is off. Start magistrate serve --workspace FOLDER, or export the policy.")); return; }
		const [text, rows] = [doc.text, doc.rows];
		try {
			const answer = await save({ api, doc, cases: casesOf(rows), take: source => { doc.base = baseOf(source.id, source); restore(source.text); } });
			if (!answer) return;
			session.forget(doc.id);
			doc.id = session.last = answer.id;
			doc.base = { id: answer.id, text, notation: doc.notation, tag: tagOf(answer), editable: true, golden: goldenOf(rows) };
			state.write({ policy: doc.id });
			announce(`Saved as version ${answer.history}`);
			changed();
		} catch (error) { report(error); }
	}

	function restore(text) {
		Object.assign(doc, { text, isLinted: false });
		edit.value = text;
		changed();
		lint();
	}

	function clearAll() {
		session.forget(doc.id);
		doc.id = null;
		if (doc.base) open(doc.base.id).catch(report);
		else close();
		announce("The draft and its texts are cleared");
	}

	function load({ id, notation = "yaml", text, base = null, rows = [] }) {
		judging?.abort();
		keepNow();
		Object.assign(doc, { id, notation, text, base, rows, findings: [], loads: true, isLinted: false });
		edit.value = text;
		session.last = id;
		fill(element, workbench);
		state.write({ policy: id });
		keep();
		refresh();
		lint();
	}

	async function open(id) {
		const source = await api.get(`/v1/policies/${encodeURIComponent(id)}/source`);
		const base = baseOf(id, source);
		const kept = session.read(id);
		if (!kept) { load({ ...base, base, rows: source.golden.map(rowOfCase) }); return; }
		const isDraft = kept.base === null || kept.text !== kept.base.text;
		if (isDraft && kept.base?.tag !== base.tag) report(new Error("this policy was saved elsewhere meanwhile. Your draft is kept; Save shows the difference."));
		const isOwnGolden = goldenOf(kept.rows) !== kept.base?.golden;
		const rows = isOwnGolden ? kept.rows : [...source.golden.map(rowOfCase), ...kept.rows.filter(row => row.expected === null)];
		load(isDraft ? { ...kept, base: kept.base ?? base } : { ...base, base, rows });
	}

	function close() {
		judging?.abort();
		keepNow();
		Object.assign(doc, { id: null, base: null, rows: [] });
		session.last = null;
		state.write({ policy: null, threshold: null, tab: null });
		start();
	}

	function start() {
		fill(element, startPanel({ api, report, page, session, open: id => open(id).catch(report), begin: load }));
	}

	const panel = (name, title, ...children) => h("section", { class: `panel ${name}`, "aria-label": title }, children);
	const workbench = h("div.workbench", panel("head", "Policy and actions", top.element, parts.full), panel("policy", "Policy", edit.element),
		panel("texts", "Texts", h("header", h("h2", "Verdicts"), parts.count, parts.pace), parts.failure,
			h("div.threshold", h("div.cluster", h("span", "Threshold: ", threshold.shown), threshold.reset, h("label.check.push.small", "Effort", effort)), threshold.marks, threshold.slider, figures.element),
			results.tabs, results.pane));
	const element = h("div.write");
	element.addEventListener("keydown", event => {
		const action = (event.ctrlKey || event.metaKey) && doc.id !== null && { Enter: () => run(true), s: saveNow }[event.key];
		if (!action) return;
		event.preventDefault();
		action();
	});

	// Takes the state of the address: a shared draft, the policy that it names, or the last one of this tab.
	async function show(params) {
		effortName = EFFORTS.some(([name]) => name === params.effort) ? params.effort : "none";
		effort.value = effortName;
		results.tab = params.tab;
		const wanted = Number.parseFloat(params.threshold);
		threshold.set(wanted >= 0 && wanted <= 1 ? wanted : null);
		try {
			await showPolicy(params);
		} catch (error) {
			report(error);
			if (doc.id === null) start();
		}
	}

	async function showPolicy({ draft, notation, policy }) {
		const id = policy ?? session.last;
		if (draft) return openShared(draft, notation);
		if (!id) return start();
		if (id === doc.id) return lint();
		const kept = session.read(id);
		return kept && !kept.base ? load(kept) : open(id);
	}

	async function openShared(packed, notation = "yaml") {
		state.write({ draft: null, notation: null });
		const text = await unpack(packed);
		const id = idIn(text) ?? "shared";
		const source = await api.get(`/v1/policies/${encodeURIComponent(id)}/source`).catch(() => null);
		load({ id, text, notation, base: source && baseOf(id, source), rows: source ? source.golden.map(rowOfCase) : [] });
		announce("A shared draft is open");
	}

	function hide() {
		judging?.abort();
		results.stop();
	}
	return { element, show, hide, keys: KEYS };
}
