// A table of any number of rows, of which only those in sight exist, with the keys of a grid.

import { clear, h } from "./dom.js";

const PAGE = 200;
const KEPT_PAGES = 60;
const RETRY_MS = 3000;
const OVERSCAN = 4;
// Browsers cap the height of an element; a longer list is scrolled in proportion.
const LONGEST = 8_000_000;
let tables = 0;

/**
 * Returns a table that shows any number of rows: only those in sight exist.
 * A column is `{name, title, size, cell(row) → text or node, number, wide}`; `fetchRows(offset, limit)` gives rows or a promise of them.
 */
export function virtualTable({ columns, count = 0, fetchRows, rowHeight = 36, onSelect = () => {}, onError = () => {}, label = "Rows" }) {
    const name = `table-${++tables}`;
    const pages = new Map(), lines = new Map();
    let total = count, active = -1, chosen = -1, edition = 0, drawn = false, timer = 0;
    const layer = h("div", { class: "vt-layer", role: "presentation" });
    const space = h("div", { class: "vt-space", role: "presentation" }, layer);
    const head = h("div", { class: "vt-head", role: "row", "aria-rowindex": "1" }, ...columns.map(column => h("div", { class: classOf(column), role: "columnheader" }, column.title)));
    const body = h("div", { class: "vt-body", role: "rowgroup" }, head, space);
    const empty = h("p", { class: "vt-empty" }, "No rows");
    const grid = h("div", { class: "vt-grid", role: "grid", tabindex: "0", "aria-label": label, "aria-colcount": String(columns.length) }, body);
    const element = h("div", { class: "vt" }, grid, empty);
    body.style.setProperty("--vt-columns", columns.filter(column => !column.wide).map(column => column.size ?? "1fr").join(" "));
    body.style.setProperty("--vt-columns-wide", columns.map(column => column.size ?? "1fr").join(" "));
    body.style.setProperty("--vt-row", `${rowHeight}px`);

    const inSight = () => Math.max(1, Math.floor((grid.clientHeight - head.offsetHeight) / rowHeight));
    const height = () => Math.min(total * rowHeight, LONGEST);
    const range = () => Math.max(1, height() + head.offsetHeight - grid.clientHeight);
    /** Returns the row at the top, with a fraction. */
    function top() {
        if (total * rowHeight <= LONGEST) return grid.scrollTop / rowHeight;
        return Math.min(1, grid.scrollTop / range()) * Math.max(0, total - inSight());
    }
    function scrollTo(row) {
        grid.scrollTop = total * rowHeight <= LONGEST ? row * rowHeight : row / Math.max(1, total - inSight()) * range();
    }
    function rowAt(index) {
        const page = pages.get(Math.floor(index / PAGE));
        return page && page.rows ? page.rows[index % PAGE] : undefined;
    }
    function line(index) {
        const row = rowAt(index), page = pages.get(Math.floor(index / PAGE));
        const cells = row === undefined
            ? [h("div", { class: "vt-cell vt-wait", role: "gridcell", "aria-colspan": String(columns.length) }, page?.failed ? "not loaded" : "…")]
            : columns.map(column => h("div", { class: classOf(column), role: "gridcell" }, column.cell(row)));
        return h("div", { class: "vt-row", role: "row", id: `${name}-${index}`, "aria-rowindex": String(index + 2) }, ...cells);
    }
    function draw() {
        drawn = false;
        const first = top(), from = Math.max(0, Math.floor(first) - OVERSCAN), to = Math.min(total, Math.ceil(first) + inSight() + OVERSCAN);
        for (const [index, node] of lines) if (index < from || index >= to) { node.remove(); lines.delete(index); }
        const missing = new Set();
        for (let index = from; index < to; index++) {
            if (rowAt(index) === undefined || pages.get(Math.floor(index / PAGE)).stale) missing.add(Math.floor(index / PAGE));
            let node = lines.get(index);
            if (!node) { node = line(index); lines.set(index, node); layer.append(node); }
            node.style.transform = `translateY(${Math.round(grid.scrollTop + (index - first) * rowHeight)}px)`;
            node.classList.toggle("vt-active", index === active);
            node.setAttribute("aria-selected", String(index === chosen));
        }
        if (lines.has(active)) grid.setAttribute("aria-activedescendant", `${name}-${active}`);
        else grid.removeAttribute("aria-activedescendant");
        clearTimeout(timer);
        // A fast scroll passes many pages; only those at which it rests are fetched.
        if (missing.size) timer = setTimeout(() => missing.forEach(load), pages.size ? 60 : 0);
    }
    function later() {
        if (!drawn) { drawn = true; requestAnimationFrame(draw); }
    }
    async function load(number) {
        const page = pages.get(number) ?? {}, mine = edition;
        if (page.pending || (page.rows && !page.stale) || Date.now() - page.failed < RETRY_MS) return;
        page.pending = true;
        pages.set(number, page);
        try {
            const rows = await fetchRows(number * PAGE, PAGE);
            if (mine !== edition) return;
            Object.assign(page, { rows, stale: false, failed: undefined });
            if (pages.size > KEPT_PAGES) pages.delete(pages.keys().next().value);
        } catch (error) {
            if (mine !== edition || error?.name === "AbortError") return;
            page.failed = Date.now();
            onError(error);
        } finally { page.pending = false; }
        for (const [index, node] of lines) if (Math.floor(index / PAGE) === number) { node.remove(); lines.delete(index); }
        later();
    }
    function go(index) {
        if (total === 0) return;
        active = Math.min(total - 1, Math.max(0, index));
        const first = top(), shown = inSight();
        if (active < first) scrollTo(active);
        else if (active > first + shown - 1) scrollTo(active - shown + 1);
        draw();
    }
    function choose(index) {
        const row = rowAt(index);
        if (row === undefined) return;
        chosen = active = index;
        draw();
        onSelect(row, index);
    }
    function press(event) {
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        const moves = { ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + inSight(), PageUp: active - inSight(), Home: 0, End: total - 1 };
        if (event.key in moves) go(moves[event.key]);
        else if (event.key === "Enter") choose(active);
        else return;
        event.preventDefault();
        event.stopPropagation();
    }
    function size() {
        space.style.height = `${height()}px`;
        grid.setAttribute("aria-rowcount", String(total + 1));
        empty.hidden = total > 0;
        grid.hidden = total === 0;
    }
    grid.addEventListener("scroll", later, { passive: true });
    grid.addEventListener("keydown", press);
    grid.addEventListener("click", event => {
        const node = event.target.closest(".vt-row");
        if (node) choose(Number(node.id.slice(name.length + 1)));
    });
    new ResizeObserver(later).observe(grid);
    size();
    return {
        element,
        /** Changes the number of rows; rows that are known stay. */
        resize(next) {
            const grown = next > total ? Math.floor(total / PAGE) : -1;
            total = next;
            if (grown >= 0 && pages.get(grown)?.rows?.length < PAGE) pages.get(grown).stale = true;
            for (const [index, node] of lines) if (index >= total) { node.remove(); lines.delete(index); }
            active = Math.min(active, total - 1);
            size();
            later();
        },
        /** Forgets all rows and starts at the top, as after another filter. */
        reset(next = total) {
            edition++;
            pages.clear(); lines.clear(); clear(layer);
            total = next; active = chosen = -1;
            grid.scrollTop = 0;
            size();
            later();
        },
        /** Selects the neighbour of the selected row. */
        step(by) { go((chosen < 0 ? active : chosen) + by); choose(active); },
        focus() { grid.focus(); },
    };
}

function classOf(column) {
    return `vt-cell${column.number ? " vt-number" : ""}${column.wide ? " vt-wide" : ""}`;
}
