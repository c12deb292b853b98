// Requests to the server: the key, JSON, errors, and the state of the connection.

const KEY = "magistrate.key";

/** An answer that is an error, or no answer at all (`code` is then `offline`). */
export class ApiError extends Error {
	constructor(status, { message, code, param }, retryAfter = null) {
		super(message);
		Object.assign(this, { status, code, param, retryAfter });
	}
}

/** Reports whether an error only means that a request was given up. */
export function isAbort(error) {
	return error?.name === "AbortError";
}

/** Sends requests. Fires `offline`, `online` and `key` (the server wants one). */
export class Api extends EventTarget {
	#offline = false;

	get key() {
		return sessionStorage.getItem(KEY);
	}

	set key(key) {
		if (key) sessionStorage.setItem(KEY, key);
		else sessionStorage.removeItem(KEY);
	}

	/** Returns the JSON of a path. */
	get(path, options) {
		return this.json("GET", path, undefined, options);
	}

	/** Posts a value as JSON, and returns the answer's. */
	post(path, body, options) {
		return this.json("POST", path, body, options);
	}

	/** Puts a value as JSON, and returns the answer's. */
	put(path, body, options) {
		return this.json("PUT", path, body, options);
	}

	/** Deletes a path, and returns the answer's JSON, or null. */
	delete(path, options) {
		return this.json("DELETE", path, undefined, options);
	}

	/** Sends a value as JSON, and returns the answer's. `options`: `headers`, `signal`. */
	async json(method, path, body, { headers = {}, signal } = {}) {
		const type = body && { "content-type": "application/json" };
		const response = await this.send(path, { method, body: body && JSON.stringify(body), headers: { ...type, ...headers }, signal });
		return response.status === 204 ? null : response.json();
	}

	/** Sends a request as `fetch` does, and returns the response. An error of the server is thrown as `ApiError`. */
	async send(path, options = {}) {
		const headers = new Headers(options.headers);
		headers.set("x-magistrate-page", "1");
		if (this.key) headers.set("authorization", `Bearer ${this.key}`);
		let response;
		try {
			response = await fetch(path, { cache: "no-store", ...options, headers });
		} catch (error) {
			if (isAbort(error)) throw error;
			this.#connected(false);
			throw new ApiError(0, { message: "the server does not answer", code: "offline" });
		}
		this.#connected(true);
		if (response.ok) return response;
		const error = await errorOf(response);
		if (error.status === 401) this.dispatchEvent(new Event("key"));
		throw error;
	}

	/** Reports whether the server answers. */
	async isAlive() {
		const is = await fetch("/health", { cache: "no-store" }).then(() => true, () => false);
		this.#connected(is);
		return is;
	}

	#connected(is) {
		if (this.#offline === !is) return;
		this.#offline = !is;
		this.dispatchEvent(new Event(is ? "online" : "offline"));
	}
}

async function errorOf(response) {
	const retry = Number(response.headers.get("retry-after")) || null;
	const body = await response.json().catch(() => ({}));
	return new ApiError(response.status, { message: `the server answers with status ${response.status}`, ...body, ...body.error }, retry);
}
