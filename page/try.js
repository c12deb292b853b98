// The view Try: one text, a pair or a conversation, under several policies at once.

import { bar, button, count, duration, fill, h, field, select, userText, verdictMark } from "./dom.js";
import { given } from "./judge.js";

const FIELDS = ["status", "verdict", "category", "category_title", "severity", "probability", "rationale", "error", "effort", "usage"];
const EFFORTS = [["", "each policy's own"], ["none", "none"], ["low", "low"], ["medium", "medium"], ["high", "high"]];
const KINDS = [["text", "One text"], ["pair", "Question and answer"], ["turns", "Conversation"]];
const ROLES = ["user", "assistant", "system", "tool"].map(role => [role, role]);
const AT_ONCE = 4;
const WARNING = "For developers: may be wrong, or as harmful as the text.";

/** Returns the view. */
export function view({ api, state, report, page }) {
    const cards = new Map();
    const chosen = new Set();
    let [policies, kind, effort, judging] = [[], "text", "", null];
    const text = h("textarea", { rows: "7" });
    const answer = h("textarea", { rows: "5" });
    const turns = h("ol", { class: "stack turns" });
    const input = h("div", { class: "stack" });
    const list = h("div", { class: "checks" });
    const chosenCount = h("span", { class: "muted small" });
    const results = h("div", { class: "stack verdicts" });
    const summary = h("p", { class: "muted", role: "status" });
    const go = h("button", { class: "primary", title: "Ctrl+Enter" }, "Judge");
    const stop = button("Stop", () => judging?.abort(), { hidden: true });
    const kinds = h("div", { class: "cluster", role: "group", "aria-label": "What is judged" });
    const effortSelect = select(EFFORTS, "", value => { effort = value; state.write({ effort: value }); });

    function drawKind() {
        fill(kinds, KINDS.map(([name, word]) => button(word, () => { setKind(name); state.write({ kind: name === "text" ? null : name }); }, { class: "small", "aria-pressed": String(kind === name) })));
        fill(input, {
            text: () => field("Text", text),
            pair: () => [field("Question", text), field("Answer of a model", answer, "It is judged together with the question.")],
            turns: () => [turns, h("div", {}, button("Add a turn", () => addTurn(), { class: "small" })), h("p", { class: "hint" }, "The last turns are judged, with those before them as context. It ends with the user, or with an answer of the assistant.")],
        }[kind]());
        if (kind === "turns" && !turns.children.length) { addTurn("user"); addTurn("assistant"); addTurn("user"); }
    }

    function setKind(name) {
        kind = KINDS.some(([known]) => known === name) ? name : "text";
        drawKind();
    }

    function addTurn(role) {
        const last = turns.lastChild?.querySelector("select").value;
        const item = h("li", { class: "card turn" }, h("div", { class: "cluster" }, select(ROLES, role ?? (last === "user" ? "assistant" : "user"), () => {}, { class: "small", "aria-label": "Role" }),
            button("Remove", () => item.remove(), { class: "quiet small push" })), h("textarea", { rows: "2", "aria-label": "Words" }));
        turns.append(item);
        if (!role) item.querySelector("textarea").focus();
    }

    // Returns the part of a request that says what is judged.
    function content() {
        if (kind === "text") return { text: text.value };
        if (kind === "pair") return { text: text.value, answer: answer.value };
        const all = [...turns.children].map(item => ({ role: item.querySelector("select").value, text: item.querySelector("textarea").value })).filter(turn => turn.text.trim());
        const reply = all.at(-1)?.role === "assistant" ? all.pop().text : null;
        const last = all.pop();
        if (last?.role !== "user") throw new Error("a conversation ends with words of the user, or with those and an answer of the assistant");
        return { text: last.text, context: all, ...(reply === null ? {} : { answer: reply }) };
    }

    async function judge(event) {
        event?.preventDefault();
        judging?.abort();
        const abort = judging = new AbortController();
        const ids = policies.map(({ id }) => id).filter(id => chosen.has(id));
        try {
            const body = content();
            if (!body.text.trim() && !body.answer?.trim()) throw new Error("there is no text to judge");
            if (!ids.length) throw new Error("no policy is chosen");
            await judgeAll(ids, body, abort);
        } catch (error) { report(error); }
        if (abort === judging) { stop.hidden = true; judging = null; }
    }

    async function judgeAll(ids, body, abort) {
        cards.clear();
        for (const id of ids) cards.set(id, { id, element: h("article", { class: "card verdict-card", "aria-busy": "true" }, cardHead(id), h("p", { class: "muted" }, "Waiting…")), row: null });
        fill(results, [...cards.values()].map(({ element }) => element));
        stop.hidden = false;
        const start = performance.now();
        const waiting = [...ids];
        const work = async () => { while (waiting.length && !abort.signal.aborted) await judgeOne(waiting.shift(), body, abort.signal); };
        await Promise.all(Array.from({ length: AT_ONCE }, work));
        const rows = [...cards.values()].map(({ row }) => row);
        const of = verdict => rows.filter(row => row && given(row, null) === verdict).length;
        const words = `${count(of("violation"), "violation")}, ${of("safe")} safe, ${rows.length - of("violation") - of("safe")} undecided`;
        fill(summary, `${words}, in ${duration((performance.now() - start) / 1000)}`);
        order();
    }

    async function judgeOne(id, body, signal) {
        const card = cards.get(id);
        try {
            card.row = await api.post("/v1/check", { ...body, policy: id, ...(effort ? { effort } : {}), fields: FIELDS }, { signal });
            drawCard(card, body);
        } catch (error) {
            fill(card.element, cardHead(id), h("p", { class: "muted" }, error.name === "AbortError" ? "Stopped." : error.message));
        }
        card.element.removeAttribute("aria-busy");
    }

    // Puts violations first, the surest first. The order waits for the last verdict, so that nothing jumps meanwhile.
    function order() {
        const rank = ({ row }) => !row ? -2 : given(row, null) === "violation" ? 1 + (row.probability ?? 0) : row.status === "ok" ? row.probability ?? 0 : -1;
        for (const { element } of [...cards.values()].sort((a, b) => rank(b) - rank(a))) results.append(element);
    }

    function cardHead(id) {
        return h("h3", {}, policies.find(policy => policy.id === id)?.title ?? id, " ", h("code", { class: "muted" }, id));
    }

    function drawCard({ id, element, row }, body) {
        const verdict = given(row, null);
        element.className = `card verdict-card ${verdict}`;
        if (row.error && row.probability === null) {
            fill(element, h("div", { class: "cluster" }, cardHead(id), h("span", { class: "push" }, verdictMark(verdict))), h("p", { class: "muted small" }, row.error.message, row.error.hint && ` – ${row.error.hint}`));
            return;
        }
        const meta = h("div", { class: "cluster" }, verdictMark(verdict), bar(row.probability), row.category && h("span", {}, h("code", {}, row.category), " ", row.category_title ?? ""),
            row.severity && h("span", { class: "badge" }, `severity ${row.severity}`), h("span", { class: "muted small" }, `effort ${row.effort}`));
        const error = row.error && h("p", { class: "muted" }, row.error.message, row.error.hint && ` – ${row.error.hint}`);
        fill(element, h("div", { class: "cluster" }, cardHead(id), h("a", { class: "push small", href: `#write?policy=${encodeURIComponent(id)}` }, "Open in Write")), meta,
            row.rationale && h("p", {}, userText(row.rationale)), error, reasoningPart(id, body));
    }

    // Shows the raw reasoning once its reader has read the warning.
    function reasoningPart(id, body) {
        const box = h("div", { class: "stack" });
        const ask = async () => {
            const level = effort && effort !== "none" ? effort : "low";
            fill(box, h("p", { class: "muted", role: "status" }, "Judging again, with reasoning…"));
            try {
                const row = await api.post("/v1/check", { ...body, policy: id, effort: level, reasoning: true, fields: ["verdict", "status", "probability", "reasoning"] });
                fill(box, h("p", { class: "notice warn small" }, h("b", {}, WARNING), ` Effort ${level}: `, verdictMark(given(row, null))), h("p", { class: "reasoning" }, userText(row.reasoning ?? "There is no reasoning.", 4000)));
            } catch (error) { fill(box, h("p", { class: "bad" }, error.message)); }
        };
        const warn = () => fill(box, h("div", { class: "notice warn cluster" }, h("span", {}, WARNING), button("Show it", ask, { class: "small" }), button("Cancel", () => fill(box, start), { class: "small quiet" })));
        const start = button("Raw reasoning…", warn, { class: "link small" });
        fill(box, start);
        return box;
    }

    // ---- The choice of policies
    function drawPolicies() {
        fill(list, policies.map(({ id, title }) => {
            const isUnknown = page.model.trained_for && !page.model.trained_for.includes(id);
            const box = h("input", { type: "checkbox", checked: chosen.has(id), on: { change: () => { if (box.checked) chosen.add(id); else chosen.delete(id); remember(); } } });
            return h("label", { class: "check" }, box, title, isUnknown && h("span", { class: "muted" }, "*"));
        }));
        fill(chosenCount, `${chosen.size} of ${policies.length}`);
    }

    function remember() {
        fill(chosenCount, `${chosen.size} of ${policies.length}`);
        state.write({ policies: chosen.size === policies.length ? null : [...chosen].join(",") });
    }

    function choose(ids) {
        chosen.clear();
        for (const id of ids) chosen.add(id);
        drawPolicies();
        remember();
    }

    const all = h("span", { class: "cluster push" }, button("All", () => choose(policies.map(({ id }) => id)), { class: "small" }), button("None", () => choose([]), { class: "small" }),
        page.model.trained_for && button("Known to the model", () => choose(policies.map(({ id }) => id).filter(id => page.model.trained_for.includes(id))), { class: "small" }));
    const form = h("form", { class: "panel", on: { submit: judge } }, h("header", {}, kinds), h("div", { class: "body stack" }, input,
        h("fieldset", {}, h("legend", {}, "Policies"), h("div", { class: "cluster" }, chosenCount, all), list,
            page.model.trained_for && h("p", { class: "hint" }, "* The built-in model was not trained for it. Shipped ones then stay unresolved.")),
        h("div", { class: "cluster" }, go, stop, h("label", { class: "check push" }, "Effort", effortSelect))));
    const element = h("div", { class: "try" }, form, h("section", { class: "stack", "aria-label": "Verdicts" }, summary, results));
    element.addEventListener("keydown", event => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) judge(event);
    });
    fill(results, h("p", { class: "empty" }, "Write a text and judge it: the verdict of each policy appears here."));

    async function show(params) {
        setKind(params.kind);
        effort = EFFORTS.some(([name]) => name === params.effort) ? params.effort : "";
        effortSelect.value = effort;
        policies = (await api.get("/v1/policies")).policies;
        const wanted = params.policies?.split(",") ?? policies.map(({ id }) => id);
        chosen.clear();
        for (const { id } of policies) if (wanted.includes(id)) chosen.add(id);
        drawPolicies();
        text.focus();
    }
    return { element, show, hide: () => judging?.abort(), keys: [["Ctrl+Enter", "judges"]] };
}
