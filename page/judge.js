// The judging of many texts: what is known already, the pace of the server, and requests of a few texts each.

const AT_ONCE = 8;
const LIVE = 0.5;
const VERSIONS = 24;
const FIELDS = ["status", "verdict", "category", "category_title", "probability", "error"];

/** A version of a policy to judge by: its request part, the effort, and a key for what is known. */
export function version(policy, effort) {
	return { policy, effort, key: JSON.stringify([policy, effort]) };
}

/** Judges texts, and keeps their rows in memory: a version of a policy judges a text once. */
export class Judge {
	#api;
	#most;
	#known = new Map();
	#first = new Map();
	#each = new Map();

	constructor(api, most = AT_ONCE) {
		this.#api = api;
		this.#most = Math.min(most, AT_ONCE);
	}

	/** Returns the row of a text, if it is known. */
	row(version, text) {
		return this.#known.get(version.key)?.get(text);
	}

	/** Returns the texts without a row. */
	missing(version, texts) {
		const known = this.#known.get(version.key);
		return [...new Set(texts)].filter(text => !known?.has(text));
	}

	/** Reports what is measured of an effort: seconds for a text, and seconds until a new version has its first row. */
	pace(effort) {
		return { each: this.#each.get(effort) ?? null, first: this.#first.get(effort) ?? null };
	}

	/** Reports whether judging while typing is fast enough: of texts alone, or also of a policy that changed. */
	isLive(effort, isNew) {
		const { each, first } = this.pace(effort);
		return each !== null && each < LIVE && (!isNew || first === null || first < 2 * LIVE);
	}

	/** Returns the seconds that texts will take, or null before anything was measured. */
	estimate(version, texts) {
		const { each, first } = this.pace(version.effort);
		const missing = this.missing(version, texts).length;
		if (each === null || !missing) return missing ? null : 0;
		return this.#known.has(version.key) ? each * missing : (first ?? each) + each * (missing - 1);
	}

	/** Judges the texts without a row, and calls `progress(done, all)` after each reply. */
	async run(version, texts, { signal, progress }) {
		const missing = this.missing(version, texts);
		let done = 0;
		while (done < missing.length) {
			const isFirst = !this.#known.get(version.key)?.size;
			const some = missing.slice(done, done + (isFirst ? 1 : this.#most));
			const rows = await this.#ask(version, some, isFirst, signal);
			some.forEach((text, index) => this.#keep(version, text, rows[index]));
			done += some.length;
			progress(done, missing.length);
		}
	}

	/** Judges one text with its rationale. */
	async explain(version, text, signal) {
		const fields = [...FIELDS, "rationale"];
		return this.#api.post("/v1/check", { text, policy: version.policy, ...effortOf(version), fields }, { signal });
	}

	async #ask(version, texts, isFirst, signal) {
		const body = { texts, policy: version.policy, ...effortOf(version), fields: FIELDS };
		const start = performance.now();
		const reply = await this.#api.post("/v1/check", body, { signal });
		this.#measure(version.effort, isFirst, (performance.now() - start) / 1000, texts.length);
		return reply.rows;
	}

	// The first row of a version pays for the policy's prefix, so it says nothing about a single text.
	#measure(effort, isFirst, seconds, texts) {
		const into = isFirst ? this.#first : this.#each;
		const before = into.get(effort);
		const now = seconds / texts;
		into.set(effort, before === undefined ? now : 0.6 * now + 0.4 * before);
		if (isFirst && !this.#each.has(effort)) this.#each.set(effort, now);
	}

	#keep(version, text, row) {
		const rows = this.#known.get(version.key) ?? new Map();
		this.#known.delete(version.key);
		this.#known.set(version.key, rows.set(text, row));
		while (this.#known.size > VERSIONS) this.#known.delete(this.#known.keys().next().value);
	}
}

function effortOf({ effort }) {
	return effort === "own" ? {} : { effort };
}

/** Returns the verdict of a row at a threshold; null is the policy's own rule. No row gives null. */
export function given(row, threshold) {
	if (!row) return null;
	if (row.status !== "ok" || row.error) return "unresolved";
	if (threshold === null || row.probability === null) return row.verdict ?? "unresolved";
	return row.probability >= threshold ? "violation" : "safe";
}

/** Returns true for a violation, false for safe, and null for anything undecided. */
export function asFlag(verdict) {
	return verdict === "violation" ? true : verdict === "safe" ? false : null;
}
