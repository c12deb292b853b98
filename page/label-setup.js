// The settings of a run before its start: the column, the policies, and the plan.

import { button, count, debounce, duration, excerpt, field, fill, h, number, select } from "./dom.js";

const EFFORTS = [["", "as the server"], ["none", "none: no reasoning, fastest"], ["low", "low"], ["medium", "medium"], ["high", "high: slowest"]];
const SEPARATORS = { ",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars" };
let groups = 0;

/** Returns the form of a run's settings; `start(settings)` begins it. */
export async function setup(run, context, start, remove) {
    const { policies } = await context.api.get("/v1/policies");
    const group = `column-${++groups}`;
    const likely = run.text_column ?? (run.columns.find(column => column.is_likely) ?? run.columns[0])?.name ?? null;
    const columns = run.columns.map(column => columnChoice(group, column, column.name === likely));
    const choices = policies.map(policy => policyChoice(policy, policies.length === 1 || run.policies.includes(policy.id)));
    const effort = select(EFFORTS, "", () => {}), threshold = h("input", { type: "number", min: "0", max: "1", step: "any", placeholder: "as the policy", inputmode: "decimal" });
    const plan = h("p", { class: "plan", role: "status" });
    const go = button("Start", begin, { class: "primary" });

    function settings() {
        const policy = choices.filter(({ box }) => box.checked).map(({ box }) => box.value);
        const column = columns.find(({ radio }) => radio.checked)?.radio.value ?? null;
        return { policy, text_column: column, ...(effort.value && { effort: effort.value }) };
    }
    function missing() {
        const { policy } = settings();
        if (policy.length === 0) return "Choose a policy.";
        if (!threshold.checkValidity()) return "The threshold is a number from 0 to 1.";
        return null;
    }
    async function estimate() {
        const problem = missing();
        go.disabled = problem !== null;
        if (problem) return fill(plan, problem);
        try {
            const found = await context.api.post(`/v1/runs/${encodeURIComponent(run.id)}/plan`, settings());
            fill(plan, h("b", { class: "n" }, count(found.rows, "row")), found.seconds === null ? "" : [", about ", h("b", { class: "n" }, duration(found.seconds))], found.basis && h("span", { class: "muted small" }, ` (${found.basis})`));
        } catch (error) {
            fill(plan, "");
            context.report(error);
        }
    }
    async function begin() {
        go.disabled = true;
        await start({ ...settings(), ...(threshold.value !== "" && { threshold: Number(threshold.value) }) });
        go.disabled = false;
    }
    const later = debounce(estimate, 200);
    const form = h("div", { class: "stack setup", on: { change: later, input: later } },
        h("div", { class: "cluster" }, h("h1", { class: "text" }, run.name), h("span", { class: "muted" }, about(run)), button("Delete", remove, { class: "small quiet danger push" })),
        run.notes.map(note => h("p", { class: "notice info" }, note)),
        h("div", { class: "setup-parts" },
            h("fieldset", { class: "panel" }, h("legend", { class: "visually-hidden" }, "Which column has the text?"), h("header", { "aria-hidden": "true" }, h("h2", {}, "Which column has the text?")),
                columns.length ? h("div", { class: "choices" }, columns.map(({ node }) => node)) : h("p", { class: "empty" }, "Each line is a text.")),
            h("div", { class: "panel" }, h("fieldset", {}, h("legend", { class: "visually-hidden" }, "Policies"), h("header", { class: "setup-head", "aria-hidden": "true" }, h("h2", {}, "Policies")), h("div", { class: "choices" }, choices.map(({ node }) => node))),
                h("div", { class: "body setup-fields" }, field("Effort", effort, "How much the model reasons."), field("Threshold", threshold, "P(violation) from which a text is a violation.")))),
        h("div", { class: "panel setup-start" }, plan, go));
    estimate();
    return form;
}

function about(run) {
    const parts = [run.rows === null ? null : count(run.rows, "row"), run.format && run.format.toUpperCase(), run.separator && `separated by ${SEPARATORS[run.separator] ?? run.separator}`, run.encoding && run.encoding.toUpperCase()];
    return parts.filter(Boolean).join(", ");
}

function columnChoice(group, { name, samples, is_likely }, isChosen) {
    const radio = h("input", { type: "radio", name: group, value: name, checked: isChosen });
    const node = h("label", { class: "choice" }, radio, h("span", {}, h("span", { class: "cluster" }, h("b", { class: "text" }, name), is_likely && h("span", { class: "badge good" }, "likely")),
        samples.map(sample => h("span", { class: "sample text muted small", dir: "auto" }, excerpt(sample, 200)))));
    return { node, radio };
}

function policyChoice(policy, isChosen) {
    const box = h("input", { type: "checkbox", value: policy.id, checked: isChosen });
    return { box, node: h("label", { class: "choice" }, box, h("span", {}, h("b", {}, policy.title ?? policy.id), " ", h("code", { class: "muted" }, policy.id))) };
}
