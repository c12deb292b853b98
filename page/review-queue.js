// The queue of a reviewer: prefetched items, decisions that are sent in the background, skips and undo. No elements here.

const PAGE = 50;
const LOW = 20;

/** Items to decide, one after the other. Fires `change`, and `failure` with `detail: {item, error, undo}`. */
export class ReviewQueue extends EventTarget {
    current = null;
    open = 0;
    decided = 0;
    policies = [];
    loading = false;
    filters = { policy: "", reason: "", state: "open" };
    last = null;
    #next = [];
    #skipped = [];
    #past = [];
    #seen = new Set();
    #all = false;
    #edition = 0;
    #api;

    constructor(api) {
        super();
        this.#api = api;
    }

    get skipped() {
        return this.#skipped.length;
    }

    get canUndo() {
        return this.#past.length > 0;
    }

    /** Starts again with other filters. */
    async start(filters) {
        this.filters = { ...filters };
        this.#edition++;
        Object.assign(this, { current: null, last: null, loading: false });
        this.#next = [];
        this.#skipped = [];
        this.#past = [];
        this.#seen.clear();
        this.#all = false;
        await this.refill();
    }

    /** Fetches more items if few are left. */
    async refill() {
        if (this.loading || this.#all || this.#next.length >= LOW) return;
        this.loading = true;
        this.#changed();
        const mine = this.#edition, limit = PAGE + this.#stillListed();
        try {
            const answer = await this.#api.get(this.#address(limit));
            if (mine !== this.#edition) return;
            const fresh = answer.items.filter(item => !this.#seen.has(item.id));
            fresh.forEach(item => this.#seen.add(item.id));
            this.#next.push(...fresh);
            this.#all = answer.items.length < limit || fresh.length === 0;
            Object.assign(this, { open: answer.open, decided: answer.decided, policies: answer.policies });
        } finally {
            if (mine === this.#edition) {
                this.loading = false;
                if (!this.current) this.#advance();
                this.#changed();
            }
        }
    }

    /** Looks for items that are new since the end of the queue was reached. */
    async again() {
        this.#all = false;
        await this.refill();
    }

    /** Decides the current item, shows the next one at once, and sends the decision meanwhile. */
    decide(decision) {
        const item = this.current;
        if (!item) return;
        const entry = { item, decision, was: item.decision };
        item.failure = null;
        item.decision = decision;
        entry.sent = this.#send(entry);
        this.#past.push(entry);
        this.last = entry;
        if (!entry.was) { this.open--; this.decided++; }
        this.#advance();
        this.#changed();
        this.#refillQuietly();
    }

    /** Puts the current item aside until the others are done. */
    skip() {
        const item = this.current;
        if (!item) return;
        this.#skipped.push(item);
        this.#past.push({ item, skipped: true });
        this.last = null;
        this.#advance();
        this.#changed();
        this.#refillQuietly();
    }

    /** Brings all skipped items back. */
    unskip() {
        this.#next.push(...this.#skipped.splice(0));
        this.#past = this.#past.filter(entry => !entry.skipped);
        if (!this.current) this.#advance();
        this.#changed();
    }

    /** Takes the last decision or skip back, and shows its item again. Returns what was undone, or null. */
    undo() {
        const entry = this.#past.pop();
        if (!entry) return null;
        if (entry.skipped) this.#skipped = this.#skipped.filter(item => item !== entry.item);
        else this.#retract(entry);
        if (this.current) this.#next.unshift(this.current);
        this.current = entry.item;
        this.last = null;
        this.#changed();
        return entry;
    }

    #retract(entry) {
        entry.undone = true;
        entry.item.decision = entry.was;
        if (!entry.was) { this.open++; this.decided--; }
        entry.sent.then(async sent => {
            if (!sent) return;
            try {
                await this.#api.delete(`/v1/review/decisions/${encodeURIComponent(sent.id)}`);
            } catch (error) { this.#failed(entry.item, error, true); }
        });
    }

    async #send(entry) {
        const { item, decision } = entry, mine = this.#edition;
        try {
            const answer = await this.#api.post(`/v1/review/${encodeURIComponent(item.id)}/decisions`, decision);
            if (!entry.undone) item.decision = answer.decision;
            return answer.decision;
        } catch (error) {
            if (!entry.undone && mine === this.#edition) this.#bringBack(entry);
            this.#failed(item, error, false);
            return null;
        }
    }

    #bringBack(entry) {
        const { item } = entry;
        item.failure = entry.decision;
        item.decision = entry.was;
        this.#past = this.#past.filter(other => other !== entry);
        if (this.last === entry) this.last = null;
        if (!entry.was) { this.open++; this.decided--; }
        // The item in sight stays, so that a key which is on its way decides no other one.
        if (this.current) this.#next.unshift(item);
        else this.current = item;
        this.#changed();
    }

    #advance() {
        this.current = this.#next.shift() ?? null;
    }

    #stillListed() {
        return this.filters.state === "open" ? this.#skipped.length + this.#next.length + LOW : this.#seen.size;
    }

    #address(limit) {
        const { policy, reason, state } = this.filters;
        return `/v1/review?${new URLSearchParams({ ...(policy && { policy }), ...(reason && { reason }), state, limit })}`;
    }

    #refillQuietly() {
        this.refill().catch(error => this.#failed(null, error, false));
    }

    #failed(item, error, undo) {
        this.dispatchEvent(new CustomEvent("failure", { detail: { item, error, undo } }));
    }

    #changed() {
        this.dispatchEvent(new Event("change"));
    }
}
