// The labeled texts beside a policy: reading them from pasted words and golden sets, and writing them back.

const TEXT = /^(text|content|body|message|post|comment|prompt|tweet|review|sentence|input)$/i;
const EXPECTED = /^(expected|label|labels|verdict|category|gold|golden|class|target|is_violation|violation)$/i;
const NOTE = /^(note|why|reason)$/i;
let last = 0;

/** Returns a row with a new id. `expected` is null, `violation`, `safe` or the code of a category. */
export function newRow(text, expected = null, note = null, rest = {}) {
	last += 1;
	return { id: last, text, expected, note, rest };
}

/** Returns the row of a golden case of the server; fields that the page does not know are kept. */
export function rowOfCase({ text, expected, category, note, why, ...rest }) {
	return newRow(text, expected ?? category ?? "safe", note ?? why ?? null, rest);
}

/** Returns the golden cases of the rows that have an expected label. */
export function casesOf(rows) {
	return rows.filter(row => row.expected !== null).map(({ text, expected, note, rest }) => ({ text, expected, ...(note ? { note } : {}), ...rest }));
}

/** Returns the verdict that an expected label means. */
export function expectedVerdict(expected, categories) {
	if (expected === null || expected === "violation" || expected === "safe") return expected;
	return categories.find(({ code }) => code === expected)?.verdict === "safe" ? "safe" : "violation";
}

// Returns the label that a word of a file means, or null.
function labelOf(value, codes) {
	if (value === null || value === undefined) return null;
	const word = String(value).trim();
	if (codes.has(word)) return word;
	if (/^(1|true|yes|violation|violates|unsafe|bad|toxic|spam|remove)$/i.test(word)) return "violation";
	if (/^(0|false|no|safe|none|ok|good|ham|allow|clean)$/i.test(word)) return "safe";
	return null;
}

/** Reads texts that were pasted or opened: JSON Lines, CSV with a heading, or a text in each line. */
export function readTexts(source, categories) {
	const codes = new Set(categories.map(({ code }) => code));
	const text = source.replace(/^\ufeff/, "");
	const [format, names, records] = jsonLines(text) ?? table(text) ?? [];
	if (!names) return { rows: text.split("\n").map(line => line.trim()).filter(Boolean).map(line => newRow(line)), about: "A text in each line, without labels." };
	const [textName, expectedName, noteName] = [TEXT, EXPECTED, NOTE].map(pattern => names.find(name => pattern.test(name)));
	const rows = records.filter(record => typeof record[textName] === "string" && record[textName].trim())
		.map(record => newRow(record[textName], labelOf(record[expectedName], codes), record[noteName] || null));
	const labels = expectedName ? `labels in ${expectedName} (${rows.filter(row => row.expected !== null).length} understood)` : "no column with labels";
	return { rows, about: `${format}: texts in ${textName}, ${labels}.` };
}

function jsonLines(source) {
	if (!/^\s*[[{]/.test(source)) return null;
	try {
		const records = source.trim().startsWith("[") ? JSON.parse(source) : source.split("\n").filter(line => line.trim()).map(line => JSON.parse(line));
		const names = [...new Set(records.flatMap(Object.keys))];
		return names.some(name => TEXT.test(name)) ? ["JSON Lines", names, records] : null;
	} catch {
		return null;
	}
}

function table(source) {
	const first = source.split("\n", 1)[0];
	const separator = [",", ";", "\t", "|"].find(mark => first.split(mark).some(cell => TEXT.test(cell.trim().replace(/^"|"$/g, ""))));
	if (!separator) return null;
	const [head, ...records] = cells(source, separator);
	const names = head.map(name => name.trim());
	return ["CSV", names, records.map(record => Object.fromEntries(names.map((name, index) => [name, record[index]])))];
}

// Splits a table into cells. Quotes may hold separators, newlines and doubled quotes.
function cells(source, separator) {
	const records = [[]];
	let cell = "", isQuoted = false;
	for (let index = 0; index < source.length; index += 1) {
		const char = source[index];
		if (isQuoted) {
			if (char !== '"') cell += char;
			else if (source[index + 1] === '"') { cell += char; index += 1; } else isQuoted = false;
		} else if (char === '"' && !cell) isQuoted = true;
		else if (char === separator) { records.at(-1).push(cell); cell = ""; }
		else if (char === "\n") { records.at(-1).push(cell.replace(/\r$/, "")); cell = ""; records.push([]); }
		else cell += char;
	}
	records.at(-1).push(cell.replace(/\r$/, ""));
	return records.filter(record => record.length > 1 || record[0]);
}
