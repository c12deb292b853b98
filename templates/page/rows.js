"use strict";
const sets = JSON.parse(document.getElementById("data").textContent);
const [list, search, show, count, more, set, save] = ["rows", "search", "show", "count", "more", "set", "save"].map(id => document.getElementById(id));
let rows = sets[0] || [];
const PAGE = 50;
let found = [], shown = 0;
function part(name, text, parent) { const node = document.createElement(name); node.textContent = text; parent.append(node); return node; }
function card(row) {
  const article = document.createElement("article");
  article.className = row.verdict || (row.undecided ? "undecided" : row.wrong ? "wrong" : "");
  const head = part("div", "", article); head.className = "head";
  part("span", row.place + (row.id === null ? "" : " · " + row.id), head);
  for (const [name, value] of [["expected ", row.expected], ["given ", row.given]]) if (value !== undefined) { const span = part("span", name, head); part("b", value, span); }
  if (row.p !== null) part("span", "P(violation) " + row.p.toFixed(3), head);
  if (row.slice) part("span", row.slice, head);
  part("p", row.text, article);
  if (row.why) part("p", "“" + row.why + "”", article).className = "why";
  if (row.reasoning) { const details = part("details", "", article); part("summary", "Raw reasoning", details); part("p", row.reasoning, details); }
  return article;
}
function page() {
  const next = found.slice(shown, shown + PAGE);
  list.append(...next.map(card));
  shown += next.length;
  more.hidden = shown >= found.length;
  count.textContent = found.length + (found.length === 1 ? " row" : " rows") + (shown < found.length ? ", " + shown + " shown" : "");
}
function is(row, kind) {
  if (kind === "all" || row.verdict === kind) return true;
  return !row.verdict && (kind === "wrong" ? row.wrong : kind === "undecided" ? row.undecided : !row.wrong);
}
function filter() {
  const words = search.value.toLowerCase(), kind = show.value;
  found = rows.filter(row => is(row, kind) && (!words || row.text.toLowerCase().includes(words)));
  list.replaceChildren(); shown = 0; page();
}
function cell(value) {
  // A spreadsheet takes these first characters for a formula.
  const text = value === null ? "" : String(value), safe = /^[=+\-@\t\r]/.test(text) ? "'" + text : text;
  return '"' + safe.replaceAll('"', '""') + '"';
}
function download() {
  const titles = { place: "row", id: "id", expected: "expected", given: "given", p: "probability", text: "text", why: "rationale", slice: "slice" };
  const names = Object.keys(titles).filter(name => found.length === 0 || name in found[0]);
  const lines = [names.map(name => titles[name]), ...found.map(row => names.map(name => row[name]))].map(cells => cells.map(cell).join(","));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["\ufeff" + lines.join("\r\n") + "\r\n"], { type: "text/csv" }));
  link.download = "rows.csv"; link.click(); URL.revokeObjectURL(link.href);
}
let timer; search.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(filter, 120); });
if (set) set.addEventListener("change", () => { rows = sets[set.value]; filter(); });
save.addEventListener("click", download); show.addEventListener("change", filter); more.addEventListener("click", page);
new IntersectionObserver(seen => { if (seen.some(one => one.isIntersecting)) page(); }, { rootMargin: "800px" }).observe(more);
addEventListener("beforeprint", () => { while (shown < Math.min(found.length, 1000)) page(); });
filter();
