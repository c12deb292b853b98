// The review view: one text after the other, decided by keyboard alone.

import { button, clear, count, debounce, excerpt, field, fill, h, number, percent, select, verdictMark } from "./dom.js";
import { REASONS, decisionWords, itemCard } from "./review-card.js";
import { HELP, fillCategories, keyBar, keyListener } from "./review-keys.js";
import { ReviewQueue } from "./review-queue.js";

const KEPT = "magistrate.review";
const STATES = [["open", "open"], ["decided", "decided"], ["all", "open and decided"]];

/** Returns the review view. */
export function view(context) {
    if (!context.page.review) return off();
    return new Review(context);
}

function off() {
    const element = h("section", { class: "panel" }, h("div", { class: "empty" }, h("h1", {}, "Review is off"),
        h("p", {}, "Start the server with a folder for the queue. It keeps the texts that are in doubt."), h("p", {}, h("code", {}, "magistrate serve --review FOLDER --sample 1%"))));
    return { element, show() {}, hide() {}, keys: [] };
}

class Review {
    keys = HELP;

    constructor(context) {
        this.context = context;
        this.queue = new ReviewQueue(context.api);
        this.kept = { blind: false, unblurred: false, reviewer: "", ...JSON.parse(sessionStorage.getItem(KEPT) ?? "{}") };
        this.mark = { golden: false, note: "", isRevealed: false };
        this.shown = null;
        this.build();
        this.press = keyListener(key => this.act(key));
        this.queue.addEventListener("change", () => this.render());
        this.queue.addEventListener("failure", event => this.failed(event.detail));
        this.measure = debounce(() => this.agreement(), 1200);
    }

    get reviewer() {
        return this.context.page.reviewer ?? this.kept.reviewer;
    }

    build() {
        const byMouse = is => () => { this.byMouse = is; };
        this.tools = h("div", { class: "cluster", on: { pointerdown: byMouse(true), keydown: byMouse(false) } });
        this.counts = h("span", { class: "n", "aria-live": "off" });
        this.agree = h("div", { class: "cluster muted small review-agreement" });
        this.progress = h("progress", { max: 1, value: 0, "aria-label": "Share of decided texts" });
        this.card = h("article", { class: "panel review-card", tabindex: "-1", "aria-label": "Text to decide" });
        this.list = h("ol", { class: "review-categories", "aria-label": "Categories" });
        this.note = h("textarea", { rows: "2", maxlength: "2000", on: { keydown: event => this.noteKey(event), input: () => { this.mark.note = this.note.value; } } });
        this.noteField = field("Note", this.note, "Enter keeps it, Escape returns to the text.");
        this.golden = h("p", { class: "badge good" }, "★ goes into the golden set");
        this.last = h("div", { class: "review-last" });
        this.side = h("aside", { class: "panel review-side", "aria-label": "Decision" }, this.list, this.golden, this.noteField, this.last);
        this.bar = keyBar(key => this.act(key), () => document.getElementById("keys").click());
        this.desk = h("div", { class: "review-desk" }, this.card, this.side);
        this.element = h("div", { class: "review stack" },
            h("div", { class: "review-head stack" }, h("div", { class: "cluster" }, h("h1", {}, "Review"), this.tools, h("span", { class: "push" }, this.counts)), this.progress, this.agree),
            this.desk, this.bar.element);
        this.element.addEventListener("keydown", event => { if (event.key === "Escape" && event.target.matches("select, input")) this.card.focus(); });
        this.noteField.hidden = true;
    }

    async show(params) {
        document.removeEventListener("keydown", this.press);
        document.addEventListener("keydown", this.press);
        const filters = { policy: params.policy ?? "", reason: params.reason in REASONS ? params.reason : "", state: STATES.some(([name]) => name === params.state) ? params.state : "open" };
        const isSame = this.started && JSON.stringify(filters) === JSON.stringify(this.queue.filters);
        this.started = true;
        this.agreement();
        this.render();
        await (isSame ? this.queue.again() : this.queue.start(filters));
        this.focusCard();
    }

    hide() {
        document.removeEventListener("keydown", this.press);
    }

    act(key) {
        if (!this.reviewer && "123456789vsuz".includes(key)) return;
        if (/[1-9]/.test(key)) return this.byDigit(Number(key));
        const acts = { v: () => this.decide("violation"), s: () => this.decide("safe"), u: () => this.skip(), z: () => this.undo(), g: () => this.toggleGolden(), n: () => this.openNote(), r: () => this.reveal(), b: () => this.keep({ blind: !this.kept.blind }, this.kept.blind ? "Blind mode is off" : "Blind mode is on") };
        acts[key]();
    }

    byDigit(digit) {
        const category = this.queue.current?.categories[digit - 1];
        if (category) this.decide(category.verdict, category.code);
        else this.context.announce(`There is no category ${digit}`);
    }

    decide(verdict, category = null) {
        const item = this.queue.current;
        if (!item) return;
        const { golden, note } = this.mark;
        const decision = { verdict, category, note: note.trim() || null, golden, blind: this.kept.blind };
        if (!this.context.page.reviewer) decision.reviewer = this.reviewer;
        const words = decisionWords(decision, item.categories);
        this.queue.decide(decision);
        this.context.announce(`${words}. ${this.nextWords()}`);
        this.measure();
    }

    skip() {
        if (!this.queue.current) return;
        this.queue.skip();
        this.context.announce(`Skipped. ${this.nextWords()}`);
    }

    undo() {
        const entry = this.queue.undo();
        if (!entry) return this.context.announce("There is nothing to undo");
        if (entry.decision) Object.assign(this.mark, { golden: entry.decision.golden, note: entry.decision.note ?? "" });
        this.render();
        this.context.announce(`Taken back. ${this.nextWords()}`);
        this.measure();
    }

    toggleGolden() {
        if (!this.queue.current) return;
        this.mark.golden = !this.mark.golden;
        this.render();
        this.context.announce(this.mark.golden ? "Marked for the golden set" : "Not marked for the golden set");
    }

    openNote() {
        if (!this.queue.current) return;
        this.noteField.hidden = false;
        this.note.focus();
    }

    noteKey(event) {
        if (event.key !== "Escape" && (event.key !== "Enter" || event.shiftKey || event.isComposing)) return;
        event.preventDefault();
        this.noteField.hidden = !this.mark.note.trim();
        this.focusCard(true);
    }

    reveal() {
        if (!this.queue.current?.severe || this.kept.unblurred) return;
        this.mark.isRevealed = !this.mark.isRevealed;
        this.render(true);
        this.context.announce(this.mark.isRevealed ? excerpt(this.queue.current.text, 300) : "The text is hidden");
    }

    unblur(unblurred) {
        this.keep({ unblurred }, unblurred ? "Severe texts are shown" : "Severe texts are hidden");
    }

    keep(changes, words) {
        Object.assign(this.kept, changes);
        sessionStorage.setItem(KEPT, JSON.stringify(this.kept));
        this.render(true);
        this.context.announce(words);
    }

    nextWords() {
        const item = this.queue.current;
        if (!item) return "No text is left";
        return item.severe && !this.kept.unblurred ? "Next: a severe text, hidden" : `Next: ${excerpt(item.text, 300)}`;
    }

    failed({ item, error, undo }) {
        const what = undo ? "The decision could not be taken back" : item ? "The last decision was not kept, and its text comes again" : "No further texts could be fetched";
        const message = `${what}: ${error.message}`;
        this.context.report(new Error(message));
        this.context.announce(message);
    }

    async agreement() {
        const policy = this.queue.filters.policy;
        try {
            const answer = await this.context.api.get(`/v1/review/agreement${policy ? `?policy=${encodeURIComponent(policy)}` : ""}`);
            const part = (name, figures) => figures?.rows ? h("span", {}, `${name} `, h("b", { class: "n" }, percent(figures.agree / figures.rows)), ` of ${number(figures.rows)}`, typeof figures.kappa === "number" && `, κ ${figures.kappa.toFixed(2)}`) : null;
            const parts = [part("With the model", answer.with_model), part("between reviewers", answer.between_reviewers), part("random sample", answer.sampled)].filter(Boolean);
            fill(this.agree, h("span", {}, "Agreement:"), parts.length ? parts : "nothing is decided yet");
        } catch (error) { this.context.report(error); }
    }

    /** Shows the queue as it is; the card is made anew for another item, or if `isAgain`. */
    render(isAgain = false) {
        const { queue, kept } = this, item = queue.current;
        if (item !== this.shown) {
            if (item) this.mark = { golden: false, note: "", isRevealed: false };
            this.noteField.hidden = true;
        }
        this.renderTools();
        fill(this.counts, h("b", {}, number(queue.open)), " open, ", h("b", {}, number(queue.decided)), " decided", queue.skipped > 0 && `, ${number(queue.skipped)} skipped`);
        this.progress.value = queue.decided / Math.max(1, queue.open + queue.decided);
        for (const [key, isOn] of [["g", this.mark.golden], ["b", kept.blind], ["r", this.mark.isRevealed]]) this.bar.press(key, isOn);
        this.bar.dim("z", !queue.canUndo);
        this.bar.dim("r", !item?.severe || kept.unblurred);
        this.golden.hidden = !this.mark.golden || !item;
        if (this.note.value !== this.mark.note) this.note.value = this.mark.note;
        if (this.mark.note) this.noteField.hidden = false;
        this.renderLast();
        const key = !this.reviewer ? "ask" : item ?? `end ${queue.loading} ${queue.skipped} ${queue.open}`;
        if (key === this.drawn && !isAgain) { this.shown = item; return; }
        this.drawn = key;
        this.shown = item;
        this.renderCard(item);
    }

    renderCard(item) {
        const hadFocus = this.desk.contains(document.activeElement) && document.activeElement !== this.note;
        this.side.hidden = !item || !this.reviewer;
        if (!this.reviewer) fill(this.card, this.askName());
        else if (item) {
            const blurred = item.severe && !this.mark.isRevealed && !this.kept.unblurred;
            fill(this.card, itemCard(item, { blind: this.kept.blind, blurred, reveal: () => this.reveal(), reviewer: this.reviewer }));
            this.card.scrollTop = 0;
            fillCategories(this.list, item.categories, category => this.decide(category.verdict, category.code));
        } else fill(this.card, this.end());
        if (hadFocus) this.focusCard(true);
    }

    end() {
        const { queue } = this;
        if (queue.loading) return h("div", { class: "empty" }, "Fetching texts…");
        return h("div", { class: "empty" }, h("h2", {}, queue.skipped ? "Only skipped texts are left" : "No text is left to decide"),
            h("p", {}, queue.filters.policy || queue.filters.reason ? "Other texts may be under another policy or reason." : "New texts come here as the server judges."),
            h("div", { class: "cluster review-center" }, queue.skipped > 0 && button(`Show ${count(queue.skipped, "skipped text")}`, () => queue.unskip(), { class: "primary" }),
                button("Look again", () => queue.again().catch(this.context.report))));
    }

    askName() {
        const input = h("input", { required: true, maxlength: "80", autocomplete: "nickname", spellcheck: "false" });
        const submit = event => {
            event.preventDefault();
            const reviewer = input.value.trim();
            if (!reviewer) return;
            this.keep({ reviewer }, `You review as ${reviewer}. ${this.nextWords()}`);
            this.focusCard(true);
        };
        return h("form", { class: "stack review-ask", on: { submit } }, h("h2", {}, "Who reviews?"), field("Your name", input, "It stands beside each decision, and is kept in this tab."), h("div", {}, h("button", { class: "primary" }, "Begin")));
    }

    renderTools() {
        const { filters, policies } = this.queue;
        const key = JSON.stringify([filters, policies, this.kept, this.reviewer]);
        if (key === this.toolsKey || this.tools.contains(document.activeElement) && document.activeElement.matches("select") && this.toolsKey) return;
        this.toolsKey = key;
        const names = policies.some(each => each.id === filters.policy) || !filters.policy ? policies : [...policies, { id: filters.policy, open: 0 }];
        const set = name => value => this.filter({ [name]: value });
        const pick = (label, options, name) => select(options, filters[name], set(name), { class: "small", "aria-label": label });
        fill(this.tools, pick("Policy", [["", "all policies"], ...names.map(each => [each.id, `${each.id} (${number(each.open)})`])], "policy"),
            pick("Reason", [["", "all reasons"], ...Object.entries(REASONS)], "reason"), pick("State", STATES, "state"),
            h("label", { class: "check small" }, h("input", { type: "checkbox", checked: this.kept.unblurred, on: { change: event => this.unblur(event.target.checked) } }), "Never hide severe texts"),
            this.reviewer && h("span", { class: "muted small" }, "You: ", h("b", {}, this.reviewer), !this.context.page.reviewer && [" ", button("change", () => this.keep({ reviewer: "" }, "Who reviews?"), { class: "link" })]));
    }

    async filter(changes) {
        const filters = { ...this.queue.filters, ...changes };
        this.context.state.write({ ...filters, state: filters.state === "open" ? null : filters.state });
        this.agreement();
        try { await this.queue.start(filters); } catch (error) { this.context.report(error); }
        this.context.announce(`${count(this.queue.open, "text")} open`);
        // A list that was opened by mouse gives the keys back; one that is moved through by arrows keeps them.
        if (this.byMouse) this.focusCard(true);
    }

    renderLast() {
        const entry = this.queue.last;
        if (!entry) return clear(this.last);
        const { item, decision } = entry;
        fill(this.last, h("p", { class: "muted small" }, "Your last decision"),
            h("div", { class: "cluster" }, verdictMark(decision.verdict), decision.category && h("code", {}, decision.category), decision.golden && h("span", { class: "badge good" }, "★ golden set"),
                item.verdict === "unresolved" ? h("span", { class: "muted" }, "The model had no verdict") : item.verdict === decision.verdict ? h("span", { class: "muted" }, "as the model") : h("span", { class: "badge warn" }, `the model: ${item.verdict}`)));
    }

    focusCard(isForced = false) {
        const active = document.activeElement;
        const ask = this.card.querySelector("input");
        if (ask) ask.focus({ preventScroll: true });
        else if (isForced || !active || active === document.body || active.id === "main") this.card.focus({ preventScroll: true });
    }
}
