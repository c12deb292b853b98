// Drafts and texts that outlive a reload: kept in this tab alone. Also packs a policy's text for an address.

import { newRow } from "./rows.js";

const DRAFT = "magistrate.draft.";
const LAST = "magistrate.write.last";
const LARGEST = 1 << 20;

/** Keeps drafts by the id of their policy. */
export class Session {
	get last() {
		return sessionStorage.getItem(LAST);
	}

	set last(id) {
		if (id === null) sessionStorage.removeItem(LAST);
		else sessionStorage.setItem(LAST, id);
	}

	/** Keeps a draft and its texts, and reports whether there was room. */
	keep({ id, notation, text, base, rows }) {
		try {
			const kept = rows.map(({ text, expected, note, rest }) => ({ text, expected, note, rest }));
			sessionStorage.setItem(DRAFT + id, JSON.stringify({ id, notation, text, base, rows: kept }));
			return true;
		} catch {
			return false;
		}
	}

	/** Returns the draft of a policy, or null. */
	read(id) {
		const kept = JSON.parse(sessionStorage.getItem(DRAFT + id));
		return kept && { ...kept, rows: kept.rows.map(({ text, expected, note, rest }) => newRow(text, expected, note, rest)) };
	}

	/** Returns the ids that have a draft. */
	ids() {
		return Object.keys(sessionStorage).filter(key => key.startsWith(DRAFT)).map(key => key.slice(DRAFT.length));
	}

	/** Forgets the draft and the texts of a policy. */
	forget(id) {
		sessionStorage.removeItem(DRAFT + id);
	}
}

/** Packs a text for an address: deflated, in letters that an address may have. */
export async function pack(text) {
	const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("deflate-raw"));
	const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
	const binary = Array.from(bytes, byte => String.fromCharCode(byte)).join("");
	return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Returns the text that was packed. One that is larger than a policy may be is refused. */
export async function unpack(packed) {
	const wrong = new Error("the policy in this address cannot be read: the address is not whole");
	try {
		const binary = atob(packed.replaceAll("-", "+").replaceAll("_", "/"));
		const bytes = Uint8Array.from(binary, char => char.charCodeAt(0));
		const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
		const parts = [];
		let size = 0;
		for (let part = await reader.read(); !part.done; part = await reader.read()) {
			size += part.value.length;
			if (size > LARGEST) throw wrong;
			parts.push(part.value);
		}
		return await new Blob(parts).text();
	} catch {
		throw wrong;
	}
}
