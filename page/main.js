// The shell: views and their tabs, the key, notices, colors, and the state of a view in the fragment.
//
// A view is a module that exports `view(context)`. It returns `{element, show(params), hide(), keys}`; `keys` is a list of
// `[key, meaning]` pairs for the dialog of `?`. The context has:
//   api                    requests (api.js)
//   state                  `read()` returns the view's parameters, `write(changes)` changes some in the address (null removes)
//   announce(text)         says a text to readers of screens
//   report(error)          shows an error, also to readers of screens; an aborted request is no error
//   navigate(view, params) opens a view
//   page                   the answer of /v1/page

import { Api, isAbort } from "./api.js";
import { button, dialog, field, fill, h, isTyping } from "./dom.js";

const VIEWS = { write: "Write", try: "Try", review: "Review", label: "Label", reports: "Reports" };
const api = new Api();
const opened = new Map();
const last = new Map();
const part = id => document.getElementById(id);
let page = null;
let current = null;

function parse(hash) {
    const [name, query] = hash.replace(/^#/, "").split(/\?(.*)/s);
    return { name: name in VIEWS ? name : "write", params: Object.fromEntries(new URLSearchParams(query ?? "")) };
}

function address(name, params = {}) {
    const known = Object.entries(params).filter(([, value]) => value !== null && value !== undefined && value !== "");
    const query = new URLSearchParams(known).toString();
    return query ? `#${name}?${query}` : `#${name}`;
}

function stateOf(name) {
    const read = () => last.get(name) ?? {};
    const write = changes => {
        const params = Object.fromEntries(Object.entries({ ...read(), ...changes }).filter(([, value]) => value !== null && value !== undefined && value !== ""));
        last.set(name, params);
        tab(name).href = address(name, params);
        if (current === name) history.replaceState(null, "", address(name, params));
    };
    return { read, write };
}

function tab(name) {
    return document.querySelector(`#tabs [data-view=${name}]`);
}

function announce(text) {
    part("live").textContent = "";
    setTimeout(() => { part("live").textContent = text; }, 30);
}

function report(error) {
    if (isAbort(error) || error?.code === "offline" || error?.status === 401) return;
    const wait = error.retryAfter ? ` Try again in ${error.retryAfter} s.` : "";
    const toast = h("div", { class: "toast" }, h("span", {}, h("b", {}, "Error: "), `${error.message ?? error}${wait}`));
    toast.append(button("✕", () => toast.remove(), { class: "quiet small", "aria-label": "Close this message" }));
    while (part("toasts").children.length > 2) part("toasts").firstChild.remove();
    part("toasts").append(toast);
    setTimeout(() => toast.remove(), 20000);
}

function navigate(name, params = {}) {
    const target = address(name, params);
    if (location.hash === target) open();
    else location.hash = target;
}

async function instance(name) {
    if (!opened.has(name)) {
        const module = await import(`/page/${name}.js`);
        opened.set(name, module.view({ api, state: stateOf(name), announce, report, navigate, page }));
    }
    return opened.get(name);
}

async function open() {
    const { name, params } = parse(location.hash);
    const before = current;
    current = name;
    last.set(name, params);
    for (const link of document.querySelectorAll("#tabs a")) {
        if (link.dataset.view === name) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
    }
    tab(name).href = address(name, params);
    document.title = `${VIEWS[name]} – magistrate`;
    part("title").textContent = VIEWS[name];
    if (before && before !== name) opened.get(before)?.hide();
    try {
        const view = await instance(name);
        if (current !== name) return;
        if (part("main").firstChild !== view.element) fill(part("main"), view.element);
        if (before && before !== name) announce(`${VIEWS[name]} view`);
        await view.show(params);
    } catch (error) {
        if (!opened.has(name)) fill(part("main"), h("div", { class: "empty" }, `The view ${VIEWS[name]} could not be opened.`));
        report(error);
    }
}

function notice(id, kind, ...children) {
    part(`notice-${id}`)?.remove();
    if (children.length) part("notices").append(h("div", { class: `notice ${kind}`, id: `notice-${id}` }, children));
}

function notices() {
    const { model, version } = page;
    fill(part("model"), model.name.replace(/\.gguf$/, ""));
    part("model").title = `magistrate ${version}, model ${model.name}`;
    if (model.is_demonstration && !sessionStorage.getItem("magistrate.hide-model")) {
        const known = model.trained_for?.length ? ` It was trained for ${model.trained_for.join(", ")}.` : "";
        const hide = button("Hide", () => { sessionStorage.setItem("magistrate.hide-model", "1"); notice("model"); }, { class: "link" });
        notice("model", "info", h("span", {}, h("b", {}, "The small built-in model judges. "), `It is for demonstration.${known} Under your own policies its verdicts are rough.`), " ", hide);
    }
}

async function watchConnection() {
    notice("offline", "bad", h("b", {}, "The server does not answer. "), "This page tries again every two seconds. Nothing of your draft is lost.");
    while (!await api.isAlive()) await new Promise(done => setTimeout(done, 2000));
}

function keyForm() {
    if (part("notice-key")) return;
    const input = h("input", { type: "password", autocomplete: "off", spellcheck: "false", required: true });
    const submit = event => {
        event.preventDefault();
        api.key = input.value.trim();
        notice("key");
        start();
    };
    const tried = api.key ? "The server does not know this key." : "The server needs a key.";
    notice("key", api.key ? "bad" : "info", h("form", { class: "cluster", on: { submit } }, h("b", {}, tried), field("Key", input), h("button", { class: "primary" }, "Use this key"),
        h("span", { class: "muted" }, "It stays in this tab.")));
    input.focus();
}

function showKeys() {
    if (document.querySelector("dialog[open]")) return;
    const rows = [...(opened.get(current)?.keys ?? []), ["?", "shows these keys"]];
    dialog(`Keys of ${VIEWS[current]}`, h("table", { class: "table" }, h("tbody", {}, rows.map(([key, meaning]) => h("tr", {}, h("th", { scope: "row" }, h("kbd", {}, key)), h("td", {}, meaning))))));
}

const THEMES = { system: ["◐", "Colors: as the system"], light: ["○", "Colors: light"], dark: ["●", "Colors: dark"] };

function theme(next) {
    const [sign, label] = THEMES[next];
    document.documentElement.dataset.theme = next;
    localStorage.setItem("magistrate.theme", next);
    fill(part("theme"), sign).setAttribute("aria-label", label);
    part("theme").title = label;
}

function takeKey() {
    const found = /^#key=([^&]+)&?(.*)$/s.exec(location.hash);
    if (!found) return;
    api.key = decodeURIComponent(found[1]);
    history.replaceState(null, "", found[2] ? `#${found[2]}` : location.pathname);
}

async function start() {
    try {
        page ??= await api.get("/v1/page");
    } catch (error) {
        if (error.code === "loading") {
            notice("loading", "info", "The model is loading. This page opens by itself.");
            setTimeout(start, 1500);
        } else report(error);
        return;
    }
    notice("loading");
    notices();
    await open();
}

takeKey();
theme(THEMES[localStorage.getItem("magistrate.theme")] ? localStorage.getItem("magistrate.theme") : "system");
part("theme").addEventListener("click", () => {
    const names = Object.keys(THEMES);
    theme(names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length]);
});
part("keys").addEventListener("click", showKeys);
addEventListener("keydown", event => {
    if (event.key === "?" && !isTyping(event) && !event.ctrlKey && !event.metaKey) { event.preventDefault(); showKeys(); }
});
document.querySelector(".skip").addEventListener("click", event => { event.preventDefault(); part("main").focus(); });
addEventListener("hashchange", () => { if (page) open(); });
api.addEventListener("offline", watchConnection);
api.addEventListener("online", () => { notice("offline"); start(); });
api.addEventListener("key", keyForm);
start();
