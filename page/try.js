// The view Try: one text, a pair or a conversation, under several policies at once.

import { bar, button, count, duration, field, fill, h, select, userText, verdictMark } from "./dom.js";
import { given } from "./judge.js";

const FIELDS = ["status", "verdict", "category", "category_title", "severity", "probability", "rationale", "error", "effort"];
const EFFORTS = [["", "each policy's own"], ...["none", "low", "medium", "high"].map(name => [name, name])];
const KINDS = { text: "One text", pair: "Question and answer", turns: "Conversation" };
const ROLES = ["user", "assistant", "system", "tool"].map(name => [name, name]);
const AT_ONCE = 4;
const WARNING = "For developers: may be wrong, or as harmful as the text.";

/** Returns the view. */
export function view({ api, state, report, page }) {
	const trained = page.model.trained_for;
	const chosen = new Set();
	let [policies, kind, judging] = [[], "text", null];
	const [text, answer] = [h("textarea", { rows: "7" }), h("textarea", { rows: "5" })];
	const turns = h("ol.stack");
	const [kinds, input, list, chosenCount] = [h("div.cluster", { role: "group", "aria-label": "What is judged" }), h("div.stack"), h("div.checks"), h("span.muted.small")];
	const [summary, results] = [h("p.muted", { role: "status" }), h("div.stack.verdicts", h("p.empty", "Write a text and judge it: the verdict of each policy appears here."))];
	const stop = button("Stop", () => judging?.abort(), { hidden: true });
	const effort = select(EFFORTS, "", value => state.write({ effort: value }));

	// ---- What is judged
	function setKind(name) {
		kind = name in KINDS ? name : "text";
		fill(kinds, Object.entries(KINDS).map(([name, word]) => button(word, () => { setKind(name); state.write({ kind: name === "text" ? null : name }); }, { class: "small", "aria-pressed": String(kind === name) })));
		if (kind === "text") fill(input, field("Text", text));
		if (kind === "pair") fill(input, field("Question", text), field("Answer of a model", answer, "It is judged together with the question."));
		if (kind === "turns") {
			fill(input, turns, button("Add a turn", () => addTurn().focus(), "small"), h("p.hint", "The last turn is judged, with those before it as context. It is the user's, or an answer of the assistant."));
			if (!turns.firstChild) ["user", "assistant", "user"].forEach(role => addTurn(role));
		}
	}

	function addTurn(role = turns.lastChild?.querySelector("select").value === "user" ? "assistant" : "user") {
		const words = h("textarea", { rows: "2", "aria-label": "Words" });
		const item = h("li.card.turn", h("div.cluster", select(ROLES, role, () => {}, { class: "small", "aria-label": "Role" }), button("Remove", () => item.remove(), "quiet small push")), words);
		turns.append(item);
		return words;
	}

	// Returns the part of a request that says what is judged.
	function content() {
		if (kind === "text") return { text: text.value };
		if (kind === "pair") return { text: text.value, answer: answer.value };
		const context = [...turns.children].map(item => ({ role: item.querySelector("select").value, text: item.querySelector("textarea").value })).filter(turn => turn.text.trim());
		const reply = context.at(-1)?.role === "assistant" ? { answer: context.pop().text } : {};
		const last = context.pop();
		if (last?.role !== "user") throw new Error("a conversation ends with words of the user, or with those and an answer of the assistant");
		return { text: last.text, context, ...reply };
	}

	// ---- Judging
	async function judge(event) {
		event.preventDefault();
		judging?.abort();
		const abort = judging = new AbortController();
		const asked = policies.filter(({ id }) => chosen.has(id));
		try {
			const body = content();
			if (!body.text.trim() && !body.answer?.trim()) throw new Error("there is no text to judge");
			if (!asked.length) throw new Error("no policy is chosen");
			stop.hidden = false;
			await judgeAll(asked, body, abort.signal);
		} catch (error) { report(error); }
		if (abort === judging) stop.hidden = true;
	}

	async function judgeAll(asked, body, signal) {
		const cards = asked.map(policy => ({ policy, row: null, element: h("article.card.verdict-card", heading(policy), h("p.muted", "Waiting…")) }));
		fill(results, cards.map(card => card.element));
		const [start, waiting] = [performance.now(), [...cards]];
		const work = async () => { while (waiting.length && !signal.aborted) await judgeOne(waiting.shift(), body, signal); };
		await Promise.all(Array.from({ length: AT_ONCE }, work));
		if (signal.aborted) return;
		const of = verdict => cards.filter(({ row }) => row && given(row, null) === verdict).length;
		fill(summary, `${count(of("violation"), "violation")}, ${of("safe")} safe, ${cards.length - of("violation") - of("safe")} undecided, in ${duration((performance.now() - start) / 1000)}`);
		// Violations come first, the surest first. The order waits for the last verdict, so that nothing jumps meanwhile.
		const rank = ({ row }) => row?.status === "ok" ? (row.probability ?? 0) + (given(row, null) === "violation") : -1;
		results.append(...cards.sort((a, b) => rank(b) - rank(a)).map(card => card.element));
	}

	async function judgeOne(card, body, signal) {
		try {
			card.row = await api.post("/v1/check", { ...body, policy: card.policy.id, ...(effort.value && { effort: effort.value }), fields: FIELDS }, { signal });
			draw(card, body);
		} catch (error) {
			fill(card.element, heading(card.policy), h("p.muted", error.name === "AbortError" ? "Stopped." : error.message));
		}
	}

	function heading({ title, id }) {
		return h("h2", title, " ", h("code.muted", id));
	}

	function draw({ policy, element, row }, body) {
		const verdict = given(row, null);
		const error = row.error && h("p.muted.small", row.error.message, row.error.hint && ` – ${row.error.hint}`);
		element.classList.add(verdict);
		if (error && row.probability === null) { fill(element, h("div.cluster", heading(policy), h("span.push", verdictMark(verdict))), error); return; }
		fill(element, h("div.cluster", heading(policy), h("a.push.small", { href: `#write?policy=${encodeURIComponent(policy.id)}` }, "Open in Write")),
			h("div.cluster", verdictMark(verdict), bar(row.probability), row.category && h("span", h("code", row.category), " ", row.category_title ?? ""), row.severity && h("span.badge", `severity ${row.severity}`), h("span.muted.small", `effort ${row.effort}`)),
			row.rationale && h("p", userText(row.rationale)), error, reasoning(policy.id, body));
	}

	// Shows the raw reasoning once its reader has read the warning.
	function reasoning(id, body) {
		const box = h("div.stack");
		const start = button("Raw reasoning…", () => fill(box, h("div.notice.warn.cluster", WARNING, button("Show it", ask, "small"), button("Cancel", () => fill(box, start), "small quiet"))), "link small");
		async function ask() {
			const level = effort.value && effort.value !== "none" ? effort.value : "low";
			fill(box, h("p.muted", { role: "status" }, "Judging again, with reasoning…"));
			try {
				const row = await api.post("/v1/check", { ...body, policy: id, effort: level, reasoning: true, fields: ["verdict", "status", "probability", "reasoning"] });
				fill(box, h("p.notice.warn.small", h("b", WARNING), ` Effort ${level}: `, verdictMark(given(row, null))), h("p.muted", userText(row.reasoning ?? "There is no reasoning.", 4000)));
			} catch (error) { fill(box, h("p.bad", error.message)); }
		}
		return fill(box, start);
	}

	// ---- The choice of policies
	function choose(ids) {
		chosen.clear();
		for (const { id } of policies) if (ids.includes(id)) chosen.add(id);
		fill(list, policies.map(({ id, title }) => {
			const box = h("input", { type: "checkbox", checked: chosen.has(id), on: { change: () => { chosen[box.checked ? "add" : "delete"](id); remember(); } } });
			return h("label.check", box, title, trained && !trained.includes(id) && h("span.muted", "*"));
		}));
		remember();
	}

	function remember() {
		fill(chosenCount, `${chosen.size} of ${policies.length}`);
		state.write({ policies: chosen.size === policies.length ? null : [...chosen].join() });
	}

	const all = () => policies.map(({ id }) => id);
	const form = h("form.panel", { on: { submit: judge } }, h("header", kinds), h("div.body.stack", input,
		h("fieldset", h("legend", "Policies"), h("div.cluster", chosenCount, h("span.cluster.push", button("All", () => choose(all()), "small"), button("None", () => choose([]), "small"), trained && button("Known to the model", () => choose(trained), "small"))), list,
			trained && h("p.hint", "* The built-in model was not trained for it. Shipped ones then stay unresolved.")),
		h("div.cluster", h("button.primary", { title: "Ctrl+Enter" }, "Judge"), stop, h("label.check.push", "Effort", effort))));
	const keydown = event => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) judge(event); };

	async function show(params) {
		setKind(params.kind);
		effort.value = EFFORTS.some(([name]) => name === params.effort) ? params.effort : "";
		({ policies } = await api.get("/v1/policies"));
		choose(params.policies?.split(",") ?? all());
		text.focus();
	}
	return { element: h("div.try", { on: { keydown } }, form, h("section.stack", { "aria-label": "Verdicts" }, summary, results)), show, hide: () => judging?.abort(), keys: [["Ctrl+Enter", "judges"]] };
}
