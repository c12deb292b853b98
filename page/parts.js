// Elements that have no attributes but classes.

import { h } from "./dom.js";

/** Returns an element with its classes, such as `el("p.muted.small", "text")`. */
export function el(spec, ...children) {
    const [tag, ...classes] = spec.split(".");
    return h(tag, classes.length ? { class: classes.join(" ") } : {}, children);
}
