// The queue of a reviewer: prefetched items, decisions that are sent in the background, skips and undo. No elements here.

const PAGE = 50, LOW = 20;
let api, changed, failed, filters, next, past, seen, isWhole, sending = 0, edition = 0;

/** What is to be seen of the queue. */
export const queue = { current: null, last: null, open: 0, decided: 0, policies: [], skipped: [], isLoading: false };

/** Sets the listeners: `onChange()`, and `onFailure(error, words)`. */
export function connect(requests, onChange, onFailure) {
	[api, changed, failed] = [requests, onChange, onFailure];
}

/** Starts again with other filters: `policy`, `reason`, `state`. */
export function start(wanted) {
	edition++;
	filters = wanted;
	[next, past, seen, isWhole] = [[], [], new Set(), false];
	Object.assign(queue, { current: null, last: null, skipped: [], isLoading: false });
	return refill();
}

/** Looks for items that are new since the end was reached. */
export function again() {
	isWhole = false;
	return refill();
}

async function refill() {
	if (queue.isLoading || isWhole || next.length >= LOW) return;
	const mine = edition, limit = Math.min(1000, PAGE + (filters.state === "open" ? queue.skipped.length + 2 * LOW : seen.size));
	queue.isLoading = true;
	changed();
	try {
		const known = Object.entries({ ...filters, limit }).filter(([, value]) => value);
		const { items, open, decided, policies } = await api.get(`/v1/review?${new URLSearchParams(known)}`);
		if (mine !== edition) return;
		const fresh = items.filter(({ id }) => !seen.has(id));
		fresh.forEach(({ id }) => seen.add(id));
		next.push(...fresh);
		isWhole = items.length < limit || !fresh.length;
		queue.policies = policies;
		// While decisions are on their way the server does not count them yet.
		if (!sending) Object.assign(queue, { open, decided });
	} catch (error) { failed(error, "No further texts could be fetched"); }
	if (mine !== edition) return;
	queue.isLoading = false;
	queue.current ??= next.shift() ?? null;
	changed();
}

function advance() {
	queue.current = next.shift() ?? null;
	changed();
	refill();
}

function counted(entry, by) {
	if (entry.before) return;
	queue.open -= by;
	queue.decided += by;
}

/** Decides the current item, shows the next one at once, and sends the decision meanwhile. */
export function decide(decision) {
	const item = queue.current, entry = { item, decision, before: item.decision };
	Object.assign(item, { decision, failure: null });
	counted(entry, 1);
	past.push(entry);
	queue.last = entry;
	entry.sent = send(entry, edition);
	advance();
}

async function send(entry, mine) {
	const { item, decision } = entry;
	sending++;
	try {
		const answer = await api.post(`/v1/review/${encodeURIComponent(item.id)}/decisions`, decision);
		return answer.decision.id;
	} catch (error) {
		if (mine === edition && !entry.isUndone) bringBack(entry);
		failed(error, "A decision was not kept, and its text comes again");
	} finally { sending--; }
}

function bringBack(entry) {
	const { item, decision, before } = entry;
	Object.assign(item, { decision: before, failure: decision });
	counted(entry, -1);
	past = past.filter(other => other !== entry);
	if (queue.last === entry) queue.last = null;
	// The item in sight stays, so that a key which is on its way decides no other one.
	next.unshift(item);
	queue.current ??= next.shift();
	changed();
}

/** Puts the current item aside until the others are done. */
export function skip() {
	queue.skipped.push(queue.current);
	past.push({ item: queue.current, isSkip: true });
	queue.last = null;
	advance();
}

/** Brings all skipped items back. */
export function unskip() {
	next.push(...queue.skipped.splice(0));
	past = past.filter(({ isSkip }) => !isSkip);
	advance();
}

/** Takes the last decision or skip back, and shows its item again. Returns it, or nothing. */
export function undo() {
	const entry = past.pop();
	if (!entry) return;
	if (entry.isSkip) queue.skipped = queue.skipped.filter(item => item !== entry.item);
	else retract(entry);
	if (queue.current) next.unshift(queue.current);
	Object.assign(queue, { current: entry.item, last: null });
	changed();
	return entry;
}

async function retract(entry) {
	entry.isUndone = true;
	entry.item.decision = entry.before;
	counted(entry, -1);
	const id = await entry.sent;
	if (id) api.delete(`/v1/review/decisions/${encodeURIComponent(id)}`).catch(error => failed(error, "The decision could not be taken back"));
}
