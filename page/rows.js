// The labeled texts beside a policy: reading them from pasted words and golden sets, and writing them back.

const TEXT = /^(text|content|body|message|post|comment|prompt|tweet|review|sentence|input)$/i;
const EXPECTED = /^(expected|label|labels|verdict|category|gold|golden|class|target|is_violation|violation)$/i;
const NOTE = /^(note|why|reason)$/i;
let last = 0;

/** Returns a row. `expected` is null, `violation`, `safe` or the code of a category. */
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
	return jsonLines(text, codes) ?? table(text, codes) ?? plain(text);
}

function jsonLines(source, codes) {
	if (!/^\s*[[{]/.test(source)) return null;
	try {
		const lines = source.trim().startsWith("[") ? JSON.parse(source) : source.split("\n").filter(line => line.trim()).map(line => JSON.parse(line));
		const names = [...new Set(lines.flatMap(line => Object.keys(line)))];
		const [textName, expectedName, noteName] = columns(names);
		if (!textName) return null;
		const rows = lines.filter(line => typeof line[textName] === "string" && line[textName].trim())
			.map(line => newRow(line[textName], labelOf(line[expectedName], codes), line[noteName] ?? null));
		return described(rows, "JSON Lines", textName, expectedName);
	} catch {
		return null;
	}
}

function table(source, codes) {
	const first = source.split("\n", 1)[0];
	const separator = [",", ";", "\t", "|"].find(mark => first.split(mark).some(cell => TEXT.test(cell.trim().replace(/^"|"$/g, ""))) && (first.includes(mark) || mark === ","));
	if (!separator) return null;
	const [head, ...records] = cells(source, separator);
	const names = head.map(name => name.trim());
	const [textName, expectedName, noteName] = columns(names);
	const at = name => names.indexOf(name);
	const rows = records.filter(record => record[at(textName)]?.trim())
		.map(record => newRow(record[at(textName)], labelOf(record[at(expectedName)], codes), record[at(noteName)] || null));
	return described(rows, "CSV", textName, expectedName);
}

function plain(source) {
	const rows = source.split("\n").map(line => line.trim()).filter(Boolean).map(line => newRow(line));
	return { rows, about: "A text in each line, without labels." };
}

function columns(names) {
	return [TEXT, EXPECTED, NOTE].map(pattern => names.find(name => pattern.test(name)));
}

function described(rows, format, textName, expectedName) {
	const labels = expectedName ? `labels in ${expectedName} (${rows.filter(row => row.expected !== null).length} understood)` : "no column with labels";
	return { rows, about: `${format}: texts in ${textName}, ${labels}.` };
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
