// New policies: the YAML of one from three answers, and what a policy's text says about itself.

const RESERVED = /^(null|true|false|yes|no|on|off|y|n|nan|inf)$/i;

/** Returns a text as a YAML scalar, in quotes only where YAML would read the plain text differently. */
export function scalar(text) {
	const isPlain = /^\p{L}/u.test(text) && !RESERVED.test(text) && !/[\p{Cc}\u2028\u2029\ufeff"[\]{}]|: | #|[: ]$/u.test(text);
	return isPlain ? text : JSON.stringify(text);
}

/** Returns the id that a title becomes: lower-case letters, digits and hyphens. */
export function idOf(title) {
	return title.normalize("NFKD").toLowerCase().replace(/\p{M}/gu, "").replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 60) || "policy";
}

// Reads a rule of each line: `Title: sentence`, or a sentence, whose first words are the title then.
function rules(lines, fallback) {
	return lines.split("\n").map(line => line.replace(/^[-*\s]+/, "").trim()).filter(Boolean).map(line => {
		const [, title, rule] = /^([^:.]{2,60}):\s+(.+)$/.exec(line) ?? [null, null, line];
		const sentence = /[.!?]$/.test(rule) ? rule : `${rule}.`;
		return { title: title ?? (shortTitle(rule) || fallback), rule: sentence[0].toUpperCase() + sentence.slice(1) };
	});
}

function shortTitle(rule) {
	const words = rule.replace(/[.!?:;,"]/g, " ").split(/\s+/).filter(Boolean).slice(0, 4).join(" ");
	return words && words[0].toUpperCase() + words.slice(1);
}

/** Returns the YAML of a policy from a title, and from lines that say what is a violation and what is fine. */
export function draftYaml(title, violation, fine) {
	const id = idOf(title), topic = title.toLowerCase();
	const parts = id.split("-");
	const letters = (parts.length > 1 ? parts.map(part => part[0]).join("") : id.slice(0, 2)).toUpperCase().replace(/^[^A-Z]+/, "") || "P";
	const severities = ["low", "medium", "high", "critical"];
	const categories = rules(violation, title).map((rule, index) => {
		const level = Math.min(index, 3);
		return { ...rule, code: `${letters}${level + 1}.${letter(index - level)}`, verdict: "violation", severity: severities[level] };
	});
	const talk = { title: "Talk about it", rule: `Quotes, reports or explains ${topic}, or asks about it.` };
	const allowed = [...rules(fine, "Allowed"), talk].map((rule, index) => ({ ...rule, code: `${letters}0.${letter(index)}`, verdict: "safe" }));
	const worst = categories.at(-1)?.code ?? `${letters}1.a`;
	return [
		`id: ${id}`, `title: ${scalar(title)}`, 'version: "1.0"', `summary: ${scalar(`${title}, and what only looks like it.`)}`, "effort: low",
		"", "# The form of a reply: `label` is the label alone, `category` also names the rule, `rationale` also gives the reason.", "contract:", "  form: rationale",
		"", `instruction: ${scalar(`Decide whether the text itself is ${topic}, by the rules below.`)}`,
		"", "# Forbidden and allowed content. An answer names a category by its code.", "categories:", ...[...categories, ...allowed].flatMap(category),
		"", "# The order of rules where several apply.", "precedence:", "  - If several rules apply, the highest number decides, then the first letter.",
		"", "# Guidance for doubt.", "ambiguity:", "  - If no rule is met in full, the text is safe.",
		"", "# Cases that people decide.", "escalation:", `  - ${worst} goes to a moderator. A lower rule is never chosen out of leniency.`,
		"", "# Add four to six examples near the boundary (text, category, why), and delete the next line.", "# lint: allow(few-examples)",
		"", "source:", "  note: Written on the page of magistrate.", "",
	].join("\n");
}

function letter(index) {
	return String.fromCharCode(97 + Math.min(index, 25));
}

function category({ code, title, verdict, severity, rule }) {
	return [`  - code: ${code}`, `    title: ${scalar(title)}`, `    verdict: ${verdict}`, ...(severity ? [`    severity: ${severity}`] : []), "    criteria:", `      - ${scalar(rule)}`];
}

/** Returns the categories that a text in YAML names, as far as its lines show them. */
export function categoriesOf(text) {
	const found = [];
	const value = line => line.replace(/^[^:]*:\s*/, "").replace(/\s+#.*$/, "").replace(/^(["'])(.*)\1$/, "$2").trim();
	for (const line of text.split("\n")) {
		if (/^\s*- code:/.test(line)) found.push({ code: value(line), title: "", verdict: "violation" });
		else if (found.length && /^\S/.test(line) && !line.startsWith("#")) break;
		else if (found.length && /^\s+title:/.test(line)) found.at(-1).title = value(line);
		else if (found.length && /^\s+verdict:/.test(line)) found.at(-1).verdict = value(line);
	}
	return found;
}

/** Returns the id that a text in YAML names, or null. */
export function idIn(text) {
	return /^id:\s*["']?([a-z0-9-]+)["']?\s*(?:#.*)?$/m.exec(text)?.[1] ?? null;
}
