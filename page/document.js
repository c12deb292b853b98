// A policy in the editor with its texts: what each text's verdict means, and how it differs from the saved version.

import { categoriesOf } from "./draft.js";
import { asFlag, given } from "./judge.js";
import { casesOf, expectedVerdict, rowOfCase } from "./rows.js";

/** Returns the part of a request that gives a policy's text. */
export function policyOf({ text, notation }) {
	return notation === "yaml" ? { yaml: text } : { markdown: text };
}

/** Returns the golden set of rows as a text, to compare it. */
export function goldenOf(rows) {
	return JSON.stringify(casesOf(rows));
}

/** Returns the tag of a version: of its very text and golden set where the server names one, else of the policy. */
export function tagOf({ etag, digest }) {
	return etag ?? digest;
}

/** Returns the version that the server has, to compare a draft with it. */
export function baseOf(id, source) {
	const { text, notation, editable, golden } = source;
	return { id, text, notation, tag: tagOf(source), editable, golden: goldenOf(golden.map(rowOfCase)) };
}

/** Computes for each row: verdict, verdict of the saved version (`before`, null for none), flip, expected answer and outcome. */
export function compute({ doc, judge, threshold, now, before }) {
	const categories = categoriesOf(doc.text);
	for (const row of doc.rows) {
		const known = judge.row(now, row.text);
		// Until the draft's verdict comes, the last one stays, marked as old.
		row.isOld = known === undefined && row.result?.of === row.text;
		row.result = known ? { ...known, of: row.text } : row.isOld ? row.result : null;
		row.given = given(row.result, threshold);
		row.before = before && !row.isOld ? given(judge.row(before, row.text), threshold) : null;
		row.flip = row.given !== null && row.before !== null && row.given !== row.before;
		row.expectedVerdict = expectedVerdict(row.expected, categories);
		row.expectedFlag = asFlag(row.expectedVerdict);
		row.outcome = outcomeOf(row);
	}
}

function outcomeOf({ expectedFlag, given }) {
	if (expectedFlag === null || given === null) return null;
	const flag = asFlag(given);
	if (flag === null) return "undecided";
	return flag === expectedFlag ? "right" : expectedFlag ? "missed" : "false_alarm";
}
