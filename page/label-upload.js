// The upload of a file, by a drop or a choice, with its progress.

import { ApiError } from "./api.js";
import { button, clear, fill, h, percent } from "./dom.js";

const KINDS = ".csv,.tsv,.jsonl,.ndjson,.json,.parquet,.xlsx,.txt,.gz,.zst";

/** Returns an area that takes a file by drop or choice, and calls `take(file)`. */
export function fileArea(label, hint, accept, take) {
	const input = h("input", { type: "file", accept, hidden: true, "aria-label": label, on: { change: () => { take(input.files[0]); input.value = ""; } } });
	const over = event => {
		const { type, dataTransfer: { files } } = event;
		event.preventDefault();
		element.classList.toggle("drop-over", type === "dragover");
		if (type === "drop" && files[0]) take(files[0]);
	};
	const element = h("div.drop", { on: { dragover: over, dragleave: over, drop: over } }, h("b", label), h("p.muted.small", hint), button("Choose a file", () => input.click(), "primary"), input);
	return element;
}

/** Returns the area for the file of a new run; `made(run)` is called once it is on the server. */
export function dropArea({ api, report }, made) {
	const status = h("div");
	const take = file => {
		const bar = h("progress", { "aria-label": `Upload of ${file.name}` }), words = h("span.n");
		const show = share => {
			bar.value = share;
			fill(words, share < 1 ? percent(share, 0) : "the server reads it…");
		};
		const request = new XMLHttpRequest(), cancel = button("Cancel", () => request.abort(), "small push");
		fill(status, h("div.card.stack", h("div.cluster", h("b.text", file.name), words, cancel), bar));
		upload(request, api, file, show).then(made, report).finally(() => clear(status));
	};
	return h("div.stack", fileArea("Drop a file of texts here", "CSV, JSON Lines, Parquet or Excel (.xlsx), also packed by gzip or zstd. It stays on this server.", KINDS, take), status);
}

/** Sends a file as the body of a new run. `fetch` reports no progress of a body, so this is an XMLHttpRequest. */
function upload(request, api, file, progress) {
	return new Promise((resolve, reject) => {
		request.open("POST", `/v1/runs?${new URLSearchParams({ name: file.name })}`);
		request.responseType = "json";
		request.setRequestHeader("content-type", "application/octet-stream");
		request.setRequestHeader("x-magistrate-page", "1");
		if (api.key) request.setRequestHeader("authorization", `Bearer ${api.key}`);
		request.upload.onprogress = ({ loaded, total }) => progress(loaded / Math.max(1, total));
		request.onload = () => {
			const { status, response } = request, message = `the server answers with status ${status}`;
			if (status < 300 && response) resolve(response);
			else reject(new ApiError(status, { message, ...response?.error }));
		};
		request.onerror = () => reject(new Error("the upload was cut off; try it again"));
		request.onabort = () => reject(new DOMException("given up", "AbortError"));
		request.send(file);
	});
}
