// The settings of a run before its start: the column, the policies, and the plan.

import { button, count, debounce, duration, excerpt, field, fill, h, select } from "./dom.js";
import { pathOf } from "./runs.js";

const EFFORTS = [["", "as the server"], ["none", "none, the fastest"], ["low", "low"], ["medium", "medium"], ["high", "high, the slowest"]];
const SEPARATORS = { ",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars" };

/** Returns the form of a run's settings; `start(settings)` begins it. */
export async function setup(run, context, start, remove) {
	const { policies } = await context.api.get("/v1/policies");
	const likely = run.text_column ?? (run.columns.find(({ is_likely }) => is_likely) ?? run.columns[0])?.name;
	const columns = run.columns.map(column => choice("radio", column.name, column.name === likely, [h("b.text", column.name), " ", column.is_likely && h("span.badge.good", "likely")],
		column.samples.map(sample => h("span.sample.muted.small", { dir: "auto" }, excerpt(sample, 200)))));
	const boxes = policies.map(({ id, title }) => choice("checkbox", id, policies.length === 1 || run.policies.includes(id), h("b", title ?? id), " ", h("code.muted", id)));
	const effort = select(EFFORTS, "", () => {}), threshold = h("input", { type: "number", min: 0, max: 1, step: "any", placeholder: "as the policy" });
	const plan = h("p", { role: "status" }), go = button("Start", () => start({ ...settings(), ...(threshold.value && { threshold: Number(threshold.value) }) }), "primary");

	const chosen = choices => choices.map(node => node.querySelector("input")).filter(({ checked }) => checked).map(({ value }) => value);
	const settings = () => ({ policy: chosen(boxes), text_column: chosen(columns)[0] ?? null, ...(effort.value && { effort: effort.value }) });
	const estimate = debounce(async () => {
		const problem = !chosen(boxes).length ? "Choose a policy." : !threshold.checkValidity() ? "The threshold is a number from 0 to 1." : null;
		go.disabled = problem !== null;
		if (problem) return fill(plan, problem);
		try {
			const { rows, seconds, basis } = await context.api.post(`${pathOf(run.id)}/plan`, settings());
			fill(plan, h("b.n", count(rows, "row")), seconds !== null && [", about ", h("b.n", duration(seconds))], basis && h("span.muted.small", ` (${basis})`));
		} catch (error) {
			fill(plan);
			context.report(error);
		}
	}, 150);
	estimate();
	const about = [count(run.rows ?? 0, "row"), run.format?.toUpperCase(), run.separator && `separated by ${SEPARATORS[run.separator] ?? run.separator}`, run.encoding?.toUpperCase()].filter(Boolean).join(", ");
	return h("div.stack", { on: { input: estimate } },
		h("div.cluster", h("h2.text", run.name), h("span.muted", about), button("Delete", remove, "small quiet danger push")),
		run.notes.map(note => h("p.notice.info", note)),
		h("div.setup", group("Which column has the text?", columns.length ? columns : h("p.empty", "Each line is a text.")),
			group("Policies", boxes), h("div.panel.setup-fields", field("Effort", effort, "How much the model reasons."), field("Threshold", threshold, "P(violation) from which a text is a violation."))),
		h("div.panel.setup-start", plan, go));
}

const choice = (type, value, checked, ...parts) => h("label.choice", h("input", { type, name: "column", value, checked }), h("span", parts));
const group = (title, parts) => h("fieldset.panel.choices", h("legend", h("h2", title)), parts);
