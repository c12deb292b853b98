// The upload of a file, by a drop or a choice, with its progress.

import { ApiError } from "./api.js";
import { button, clear, fill, h, percent } from "./dom.js";

const KINDS = ".csv,.tsv,.jsonl,.ndjson,.json,.parquet,.xlsx,.txt,.gz,.zst";

/** Returns an area that takes a file by drop or choice. `take(file)` is called with it. */
export function fileArea({ label, hint, accept, take }) {
    const input = h("input", { type: "file", accept, class: "visually-hidden", tabindex: "-1", "aria-label": label });
    input.addEventListener("change", () => { if (input.files[0]) take(input.files[0]); input.value = ""; });
    const element = h("div", { class: "drop" }, h("p", {}, h("b", {}, label)), h("p", { class: "muted small" }, hint), h("div", {}, button("Choose a file", () => input.click(), { class: "primary" })), input);
    const over = is => event => {
        event.preventDefault();
        element.classList.toggle("drop-over", is);
        if (event.type === "drop" && event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
    };
    for (const [name, is] of [["dragenter", true], ["dragover", true], ["dragleave", false], ["drop", false]]) element.addEventListener(name, over(is));
    return element;
}

/** Returns the area for the file of a new run; `made(run)` is called once it is on the server. */
export function dropArea({ api, made, announce, report }) {
    const status = h("div", { class: "stack" });
    const take = file => {
        const bar = h("progress", { max: 1, value: 0, "aria-label": `Upload of ${file.name}` }), words = h("span", { class: "n" }, "0%");
        const { done, abort } = upload(api, file, share => { bar.value = share; fill(words, share < 1 ? percent(share, 0) : "the server reads it…"); });
        fill(status, h("div", { class: "card stack" }, h("div", { class: "cluster" }, h("b", { class: "text" }, file.name), words, button("Cancel", abort, { class: "small push" })), bar));
        announce(`${file.name} is uploaded`);
        done.then(made, error => {
            clear(status);
            if (error.code === "offline") report(new Error("the upload was cut off: the server does not answer"));
            else report(error);
        });
    };
    const hint = "CSV, JSON Lines, Parquet or Excel (.xlsx), also packed by gzip or zstd. It stays on this server.";
    return h("div", { class: "stack" }, fileArea({ label: "Drop a file of texts here", hint, accept: KINDS, take }), status);
}

/** Sends a file as the body of a new run. `fetch` reports no progress of a body, so this is an XMLHttpRequest. */
function upload(api, file, progress) {
    const request = new XMLHttpRequest();
    const done = new Promise((resolve, reject) => {
        request.open("POST", `/v1/runs?${new URLSearchParams({ name: file.name })}`);
        request.setRequestHeader("content-type", "application/octet-stream");
        request.setRequestHeader("x-magistrate-page", "1");
        if (api.key) request.setRequestHeader("authorization", `Bearer ${api.key}`);
        request.upload.addEventListener("progress", event => progress(event.total ? event.loaded / event.total : 1));
        request.addEventListener("load", () => {
            const answer = parsed(request.responseText);
            if (request.status < 300 && answer) return resolve(answer);
            const error = answer?.error ?? {};
            reject(new ApiError(request.status, { ...error, message: error.message ?? `the server answers with status ${request.status}` }));
        });
        request.addEventListener("error", () => reject(new ApiError(0, { message: "the server does not answer", code: "offline" })));
        request.addEventListener("abort", () => reject(new DOMException("given up", "AbortError")));
    });
    request.send(file);
    return { done, abort: () => request.abort() };
}

function parsed(text) {
    try { return JSON.parse(text); } catch { return null; }
}
