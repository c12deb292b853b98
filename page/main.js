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
const THEMES = { system: ["◐", "Colors: as the system"], light: ["○", "Colors: light"], dark: ["●", "Colors: dark"] };
const api = new Api();
const [opened, last] = [new Map(), new Map()];
const part = id => document.getElementById(id);
const tab = name => document.querySelector(`#tabs [data-view=${name}]`);
let [page, current] = [null, null];

function address(name, params) {
	const query = new URLSearchParams(Object.entries(params));
	return query.size ? `#${name}?${query}` : `#${name}`;
}

function known(params) {
	return Object.fromEntries(Object.entries(params).filter(([, value]) => value !== null && value !== undefined && value !== ""));
}

function stateOf(name) {
	const read = () => last.get(name) ?? {};
	const write = changes => {
		last.set(name, known({ ...read(), ...changes }));
		tab(name).href = address(name, read());
		if (current === name) history.replaceState(null, "", address(name, read()));
	};
	return { read, write };
}

function announce(text) {
	part("live").textContent = "";
	setTimeout(() => { part("live").textContent = text; }, 30);
}

function report(error) {
	if (isAbort(error) || error.code === "offline" || error.status === 401) return;
	const wait = error.retryAfter && ` Try again in ${error.retryAfter} s.`;
	const toast = h("div.toast", h("span", h("b", "Error: "), error.message, wait), button("✕", () => toast.remove(), { class: "quiet small", "aria-label": "Close this message" }));
	if (part("toasts").children.length > 2) part("toasts").firstChild.remove();
	part("toasts").append(toast);
	setTimeout(() => toast.remove(), 20000);
}

function navigate(name, params = {}) {
	const target = address(name, known(params));
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
	const [word, query] = location.hash.slice(1).split(/\?(.*)/s);
	const name = word in VIEWS ? word : "write";
	const before = current;
	current = name;
	last.set(name, Object.fromEntries(new URLSearchParams(query)));
	document.querySelector("#tabs [aria-current]")?.removeAttribute("aria-current");
	tab(name).setAttribute("aria-current", "page");
	tab(name).href = address(name, last.get(name));
	document.title = `${VIEWS[name]} – magistrate`;
	part("title").textContent = VIEWS[name];
	if (before !== name) opened.get(before)?.hide();
	try {
		const view = await instance(name);
		if (current !== name) return;
		if (part("main").firstChild !== view.element) fill(part("main"), view.element);
		if (before && before !== name) announce(`${VIEWS[name]} view`);
		await view.show(last.get(name));
	} catch (error) {
		if (!opened.has(name)) fill(part("main"), h("p.empty", `The view ${VIEWS[name]} could not be opened.`));
		report(error);
	}
}

function notice(id, kind, ...children) {
	part(`notice-${id}`)?.remove();
	if (children.length) part("notices").append(h(`div.notice.${kind}`, { id: `notice-${id}` }, children));
}

function aboutModel() {
	const { model: { name, is_demonstration, trained_for }, version } = page;
	fill(part("model"), name.replace(/\.gguf$/, "")).title = `magistrate ${version}, model ${name}`;
	if (!is_demonstration || sessionStorage.getItem("magistrate.hide-model")) return;
	const hide = button("Hide", () => { sessionStorage.setItem("magistrate.hide-model", "1"); notice("model"); }, "link");
	notice("model", "info", h("b", "The small built-in model judges. "), "It is for demonstration.", trained_for && ` It was trained for ${trained_for.join(", ")}.`, " Under your own policies its verdicts are rough. ", hide);
}

async function watchConnection() {
	notice("offline", "bad", h("b", "The server does not answer. "), "This page tries again every two seconds. Nothing of your draft is lost.");
	while (!await api.isAlive()) await new Promise(done => setTimeout(done, 2000));
}

function keyForm() {
	if (part("notice-key")) return;
	const input = h("input", { type: "password", autocomplete: "off", required: true });
	const submit = event => {
		event.preventDefault();
		api.key = input.value.trim();
		notice("key");
		start();
	};
	notice("key", api.key ? "bad" : "info", h("form.cluster", { on: { submit } }, h("b", api.key ? "The server does not know this key." : "The server needs a key."),
		field("Key", input), h("button.primary", "Use this key"), h("span.muted", "It stays in this tab.")));
	input.focus();
}

function showKeys() {
	if (document.querySelector("dialog[open]")) return;
	const rows = [...(opened.get(current)?.keys ?? []), ["?", "shows these keys"]];
	dialog(`Keys of ${VIEWS[current]}`, h("table.table", h("tbody", rows.map(([key, meaning]) => h("tr", h("th", { scope: "row" }, h("kbd", key)), h("td", meaning))))));
}

function theme(name) {
	const [sign, label] = THEMES[name];
	document.documentElement.dataset.theme = name;
	localStorage.setItem("magistrate.theme", name);
	fill(part("theme"), sign).title = label;
	part("theme").setAttribute("aria-label", label);
}

function takeKey() {
	const [, key, rest] = /^#key=([^&]+)&?(.*)$/s.exec(location.hash) ?? [];
	if (!key) return;
	api.key = decodeURIComponent(key);
	history.replaceState(null, "", rest ? `#${rest}` : location.pathname);
}

async function start() {
	try {
		page ??= await api.get("/v1/page");
	} catch (error) {
		if (error.code !== "loading") { report(error); return; }
		notice("loading", "info", "The model is loading. This page opens by itself.");
		setTimeout(start, 1500);
		return;
	}
	notice("loading");
	aboutModel();
	await open();
}

takeKey();
theme(localStorage.getItem("magistrate.theme") in THEMES ? localStorage.getItem("magistrate.theme") : "system");
part("theme").addEventListener("click", () => {
	const names = Object.keys(THEMES);
	theme(names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length]);
});
part("keys").addEventListener("click", showKeys);
addEventListener("keydown", event => {
	if (event.key !== "?" || isTyping(event) || event.ctrlKey || event.metaKey) return;
	event.preventDefault();
	showKeys();
});
document.querySelector(".skip").addEventListener("click", event => { event.preventDefault(); part("main").focus(); });
addEventListener("hashchange", () => { if (page) open(); });
api.addEventListener("offline", watchConnection);
api.addEventListener("online", () => { notice("offline"); start(); });
api.addEventListener("key", keyForm);
start();
