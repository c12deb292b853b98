// The review view: one text after the other, decided by keyboard alone.

import { button, count, debounce, excerpt, field, fill, h, number, percent, select, verdictMark } from "./dom.js";
import { REASONS, decisionWords, itemCard } from "./review-card.js";
import { HELP, categoryList, keyBar, keyListener } from "./review-keys.js";
import { again, connect, decide, queue, skip, start, undo, unskip } from "./review-queue.js";
import { off } from "./runs.js";

const KEPT = "magistrate.review";
const STATES = [["open", "open"], ["decided", "decided"], ["all", "open and decided"]];
const measure = debounce(agreement, 1200), press = keyListener(act);
let context, kept, filters, mark = {}, drawn, toolsKey, isMouse;

const tools = h("div.cluster.review-tools", { on: { pointerdown: () => { isMouse = true; }, keydown: () => { isMouse = false; } } });
const counts = h("span.n"), agree = h("p.muted.small"), last = h("div.review-last");
const progress = h("progress", { "aria-label": "Share of decided texts" });
const card = h("article.panel.review-card", { tabindex: -1, "aria-label": "Text to decide" });
const list = h("ol.review-categories", { "aria-label": "Categories" });
const note = h("textarea", { rows: 2, maxlength: 2000, on: { keydown: leaveNote, input: () => { mark.note = note.value; } } });
const noteField = field("Note", note, "Enter keeps it.");
const golden = h("p.good", "★ goes into the golden set");
const side = h("aside.panel.review-side", { "aria-label": "Decision" }, list, golden, noteField, last);
const desk = h("div.review-desk", card, side), bar = keyBar(act);
const element = h("div.review.stack", { on: { keydown: event => { if (event.key === "Escape" && event.target.matches("select")) focusCard(true); } } },
	h("div.review-head.stack", h("div.cluster", tools, h("span.push", counts)), progress, agree),
	desk, bar.element);

/** Returns the review view. */
export function view(shell) {
	context = shell;
	filters = null;
	if (!shell.page.review) return off("Review is off", "Start the server with a folder for the queue. It keeps texts that are in doubt.", "--review FOLDER --sample 1%");
	kept = { isBlind: false, isOpen: false, reviewer: "", ...JSON.parse(sessionStorage.getItem(KEPT) ?? "{}") };
	connect(shell.api, () => render(), (error, words) => {
		shell.report(new Error(`${words}: ${error.message}`));
		shell.announce(words);
	});
	return { element, show, hide: () => document.removeEventListener("keydown", press), keys: HELP };
}

async function show({ policy = "", reason = "", state = "open" }) {
	document.addEventListener("keydown", press);
	const wanted = { policy, reason: REASONS[reason] ? reason : "", state };
	const isSame = JSON.stringify(wanted) === JSON.stringify(filters);
	filters = wanted;
	agreement();
	await (isSame ? again() : start(filters));
	focusCard();
}

const reviewer = () => context.page.reviewer ?? kept.reviewer;

function act(key) {
	const item = queue.current;
	if (key === "b") toggleBlind();
	else if (!reviewer()) focusCard();
	else if (key === "z") takeBack();
	else if (item) ({ v: () => settle("violation"), s: () => settle("safe"), u: putAside, g: markGolden, n: openNote, r: reveal }[key] ?? (() => byDigit(item, key)))();
}

function toggleBlind() {
	keep({ isBlind: !kept.isBlind });
	context.announce(`Blind mode is ${kept.isBlind ? "on" : "off"}`);
}

function byDigit(item, digit) {
	const category = item.categories[digit - 1];
	if (category) settle(category.verdict, category.code);
	else context.announce(`There is no category ${digit}`);
}

function settle(verdict, category = null) {
	const item = queue.current, { note, golden } = mark;
	const decision = { verdict, category, note: note.trim() || null, golden, blind: kept.isBlind, ...(!context.page.reviewer && { reviewer: kept.reviewer }) };
	decide(decision);
	say(decisionWords(decision, item));
	measure();
}

function putAside() {
	skip();
	say("Skipped");
}

function takeBack() {
	const entry = undo();
	if (!entry) return context.announce("There is nothing to undo");
	if (entry.decision) Object.assign(mark, { golden: entry.decision.golden, note: entry.decision.note ?? "" });
	render();
	say("Taken back");
	measure();
}

function markGolden() {
	mark.golden = !mark.golden;
	render();
	context.announce(`${mark.golden ? "In" : "Not in"} the golden set`);
}

function openNote() {
	noteField.hidden = false;
	note.focus();
}

function leaveNote(event) {
	if (event.isComposing || event.key !== "Escape" && (event.key !== "Enter" || event.shiftKey)) return;
	event.preventDefault();
	noteField.hidden = !mark.note;
	focusCard(true);
}

function reveal() {
	if (!queue.current.severe) return;
	mark.isRevealed = !mark.isRevealed;
	render(true);
	say(mark.isRevealed ? "Shown" : "Hidden");
}

function keep(changes) {
	Object.assign(kept, changes);
	sessionStorage.setItem(KEPT, JSON.stringify(kept));
	render(true);
}

const isBlurred = item => item.severe && !mark.isRevealed && !kept.isOpen;

/** Says what was done, and the text that is in sight now. */
function say(words) {
	const item = queue.current;
	context.announce(`${words}. ${!item ? "No text is left" : isBlurred(item) ? "A severe text, hidden" : excerpt(item.text, 300)}`);
}

async function agreement() {
	const part = (name, figures) => figures?.rows > 0 && h("span.review-part", `${name} `, h("b.n", percent(figures.agree / figures.rows)), ` of ${number(figures.rows)}`, figures.kappa != null && `, κ ${figures.kappa.toFixed(2)}`);
	try {
		const found = await context.api.get(`/v1/review/agreement${filters.policy && `?policy=${encodeURIComponent(filters.policy)}`}`);
		const parts = [part("with the model", found.with_model), part("between reviewers", found.between_reviewers), part("random sample", found.sampled)].filter(Boolean);
		fill(agree, "Agreement ", parts.length ? parts : "is known after some decisions");
	} catch (error) { context.report(error); }
}

/** Shows the queue as it is; the card is made anew for another item, or if `isAgain`. */
function render(isAgain = false) {
	const item = queue.current, { open, decided, skipped } = queue;
	if (item !== mark.item) {
		mark = { item, golden: false, note: "", isRevealed: false };
		noteField.hidden = true;
	}
	renderTools();
	fill(counts, h("b", number(open)), " open, ", h("b", number(decided)), " decided", skipped.length > 0 && `, ${number(skipped.length)} skipped`);
	progress.value = decided / Math.max(1, open + decided);
	for (const [key, isOn] of [["g", mark.golden], ["b", kept.isBlind], ["r", mark.isRevealed]]) bar.set(key, "aria-pressed", isOn);
	bar.set("r", "aria-disabled", !item?.severe);
	golden.hidden = !mark.golden;
	if (note.value !== mark.note) note.value = mark.note;
	if (mark.note) noteField.hidden = false;
	fill(last, queue.last && lastDecision(queue.last));
	const key = !reviewer() ? "ask" : item ?? `${queue.isLoading} ${skipped.length}`;
	if (key === drawn && !isAgain) return;
	drawn = key;
	renderCard(item);
	// On a narrow screen the next text may be above what is in sight.
	if (!isAgain && card.getBoundingClientRect().top < 64) card.scrollIntoView();
}

function renderCard(item) {
	const hadFocus = desk.contains(document.activeElement) && document.activeElement !== note;
	side.hidden = !item || !reviewer();
	if (!reviewer()) fill(card, askName());
	else if (!item) fill(card, theEnd());
	else {
		fill(card, itemCard(item, { isBlind: kept.isBlind, isBlurred: isBlurred(item), reveal, reviewer: reviewer() }));
		fill(list, categoryList(item.categories, ({ verdict, code }) => settle(verdict, code)));
	}
	if (hadFocus) focusCard(true);
}

function theEnd() {
	if (queue.isLoading) return h("div.empty", "Fetching texts…");
	const skipped = queue.skipped.length;
	return h("div.empty", h("h2", skipped ? "Only skipped texts are left" : "No text is left to decide"), h("p", "New ones come as the server judges."),
		h("p", skipped > 0 && button(`Show ${count(skipped, "skipped text")}`, unskip, "primary"), " ", button("Look again", again)));
}

function askName() {
	const input = h("input", { required: true, maxlength: 80, autocomplete: "nickname", spellcheck: "false" });
	const submit = event => {
		event.preventDefault();
		keep({ reviewer: input.value.trim() });
		focusCard(true);
	};
	return h("form.stack", { on: { submit } }, h("h2", "Who reviews?"), field("Your name", input, "It stands beside each decision, and is kept in this tab."), h("div", h("button.primary", "Begin")));
}

function renderTools() {
	const key = JSON.stringify([filters, queue.policies, kept]);
	if (key === toolsKey || tools.contains(document.activeElement) && document.activeElement.matches("select")) return;
	toolsKey = key;
	const pick = (label, options, name) => select(options, filters[name], value => filter({ [name]: value }), { class: "small", "aria-label": label });
	const open = h("input", { type: "checkbox", checked: kept.isOpen, on: { change: () => keep({ isOpen: open.checked }) } });
	const policies = queue.policies.map(({ id, open }) => [id, `${id} (${number(open)})`]);
	fill(tools, pick("Policy", [["", "all policies"], ...policies], "policy"), pick("Reason", [["", "all reasons"], ...Object.entries(REASONS)], "reason"), pick("State", STATES, "state"),
		h("label.check.small", open, "Never hide severe texts"),
		reviewer() && h("span.muted.small", "You: ", h("b", reviewer()), " ", !context.page.reviewer && button("change", () => keep({ reviewer: "" }), "link")));
}

async function filter(changes) {
	filters = { ...filters, ...changes };
	context.state.write({ ...filters, state: filters.state === "open" ? null : filters.state });
	agreement();
	await start(filters);
	context.announce(`${count(queue.open, "text")} open`);
	// A list that was opened by mouse gives the keys back; one that is moved through by arrows keeps them.
	if (isMouse) focusCard(true);
}

function lastDecision({ item, decision }) {
	const isSame = item.verdict === decision.verdict;
	return [h("p.muted.small", "Your last decision"), h("div.cluster", verdictMark(decision.verdict), decision.category && h("code", decision.category),
		decision.golden && h("span.good", "★"), h("span", { class: isSame ? "muted" : "badge warn" }, isSame ? "as the model" : `the model: ${item.verdict}`))];
}

/** Puts the focus on the card, if it is nowhere or `isForced`. */
function focusCard(isForced = false) {
	const active = document.activeElement, ask = card.querySelector("input");
	if (ask) ask.focus({ preventScroll: true });
	else if (isForced || !active || active === document.body || active.id === "main") card.focus({ preventScroll: true });
}
