// A table of any number of rows, of which only those in sight exist, with the keys of a grid.

import { h } from "./dom.js";

const PAGE = 200, SPARE = 4, KEPT = 20_000, RETRY_MS = 3000;
// Browsers cap the height of an element; a longer list is scrolled in proportion.
const LONGEST = 8_000_000;
let tables = 0;

/**
 * Returns a virtual table: `{element, resize(count), reset(count), step(by)}`. `fetchRows(offset, limit)` returns a promise of rows.
 * A column is `{title, size, cell(row)}`, with `number` (to the right) and `wide` (left out on narrow screens).
 */
export function virtualTable({ columns, count = 0, fetchRows, rowHeight = 36, onSelect = () => {}, onError = () => {}, label = "Rows" }) {
	const id = `table-${++tables}`, kinds = columns.map(column => `vt-cell${column.number ? " vt-number" : ""}${column.wide ? " vt-wide" : ""}`);
	const rows = new Map(), asked = new Set();
	let lines = new Map(), total = count, active = -1, chosen = -1, edition = 0, isDue = false, timer;
	const head = h("div.vt-head", { role: "row", "aria-rowindex": 1 }, columns.map((column, place) => h("div", { class: kinds[place], role: "columnheader" }, column.title)));
	const space = h("div.vt-space", { role: "presentation" });
	const sizes = some => some.map(({ size = "1fr" }) => size).join(" ");
	const body = h("div", { role: "rowgroup", style: { "--vt-sizes": sizes(columns), "--vt-fewer": sizes(columns.filter(({ wide }) => !wide)), "--vt-row": `${rowHeight}px` } }, head, space);
	const grid = h("div.vt", { role: "grid", tabindex: 0, "aria-label": label, "aria-colcount": columns.length, on: { keydown: press, click, scroll: later } }, body);
	const empty = h("p.empty.card", "No rows");

	const inSight = () => Math.max(1, Math.floor((grid.clientHeight - head.offsetHeight) / rowHeight));
	const height = () => Math.min(total * rowHeight, LONGEST);
	/** Returns the rows that pass by while the table is scrolled by one pixel. */
	const pace = () => height() < LONGEST ? 1 / rowHeight : Math.max(0, total - inSight()) / (height() + head.offsetHeight - grid.clientHeight);

	function line(index, row) {
		const cells = columns.map((column, place) => h("div", { class: kinds[place], role: "gridcell" }, row ? column.cell(row) : "…"));
		return Object.assign(h("div.vt-row", { role: "row", id: `${id}-${index}`, "aria-rowindex": index + 2 }, cells), { row, index });
	}

	function draw() {
		isDue = false;
		// All sizes are read before anything is written, so that the browser lays out once.
		const { scrollTop } = grid, first = scrollTop * pace(), end = Math.min(total, Math.ceil(first) + inSight() + SPARE), missing = new Set(), next = new Map();
		for (let index = Math.max(0, Math.floor(first) - SPARE); index < end; index++) {
			const row = rows.get(index), known = lines.get(index), node = known && known.row === row ? known : line(index, row);
			if (!row) missing.add(Math.floor(index / PAGE));
			node.style.transform = `translateY(${Math.round(scrollTop + (index - first) * rowHeight)}px)`;
			node.classList.toggle("vt-active", index === active);
			node.setAttribute("aria-selected", index === chosen);
			next.set(index, node);
			if (node !== known) space.append(node);
		}
		for (const [index, node] of lines) if (next.get(index) !== node) node.remove();
		lines = next;
		if (lines.has(active)) grid.setAttribute("aria-activedescendant", `${id}-${active}`);
		else grid.removeAttribute("aria-activedescendant");
		clearTimeout(timer);
		// A fast scroll passes many pages; only those at which it rests are fetched.
		if (missing.size) timer = setTimeout(() => missing.forEach(load), rows.size ? 60 : 0);
	}

	function later() {
		if (isDue) return;
		isDue = true;
		requestAnimationFrame(draw);
	}

	async function load(page) {
		if (asked.has(page)) return;
		const mine = edition;
		if (rows.size > KEPT) { rows.clear(); asked.clear(); }
		asked.add(page);
		try {
			const found = await fetchRows(page * PAGE, PAGE);
			if (mine !== edition) return;
			found.forEach((row, place) => rows.set(page * PAGE + place, row));
			later();
		} catch (error) {
			setTimeout(() => { if (mine === edition) asked.delete(page); }, RETRY_MS);
			onError(error);
		}
	}

	function go(index) {
		active = Math.min(total - 1, Math.max(0, index));
		const first = grid.scrollTop * pace(), last = first + inSight() - 1;
		if (active < first || active > last) grid.scrollTop = (active < first ? active : active - inSight() + 1) / pace();
		draw();
	}

	function choose(index) {
		if (!rows.has(index)) return;
		chosen = active = index;
		draw();
		onSelect(rows.get(index));
	}

	function press(event) {
		if (event.ctrlKey || event.metaKey || event.altKey) return;
		const moves = { ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + inSight(), PageUp: active - inSight(), Home: 0, End: total - 1 };
		if (event.key in moves) go(moves[event.key]);
		else if (event.key === "Enter") choose(active);
		else return;
		event.preventDefault();
	}

	function click(event) {
		const node = event.target.closest(".vt-row");
		if (node) choose(node.index);
	}

	/** Changes the number of rows; rows that are known stay. */
	function resize(next) {
		asked.delete(Math.floor(total / PAGE));
		total = next;
		space.style.height = `${height()}px`;
		grid.setAttribute("aria-rowcount", total + 1);
		grid.hidden = total === 0;
		empty.hidden = total > 0;
		if (total && !rows.size) load(0);
		later();
	}

	/** Forgets all rows and starts at the top, as after another filter. */
	function reset(next) {
		edition++;
		rows.clear();
		asked.clear();
		active = chosen = -1;
		grid.scrollTop = 0;
		resize(next);
	}

	new ResizeObserver(later).observe(grid);
	resize(count);
	return { element: h("div", grid, empty), resize, reset, step: by => { go(chosen + by); choose(active); } };
}
