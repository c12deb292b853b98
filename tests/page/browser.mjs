// A headless browser, and pages of it that notice each error and each request to another place.

import assert from "node:assert/strict";

import { chromium } from "playwright-core";

const LAUNCH = { executablePath: process.env.MAGISTRATE_CHROMIUM, args: ["--no-sandbox", "--disable-dev-shm-usage"] };

/** Opens a browser. */
export function openBrowser() {
  return chromium.launch(LAUNCH);
}

/** Opens the page of a server in a window of its own. `fragment` is the view, such as `#review`. */
export async function openPage(browser, server, fragment = "", options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  const faults = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) faults.push(`console: ${message.text()} ${message.location().url}`);
  });
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (!["data:", "blob:", "about:"].includes(url.protocol) && url.origin !== server.origin) faults.push(`request: ${url}`);
  });
  await page.goto(`${server.origin}/${fragment}`);
  return Object.assign(page, { faults });
}

/** Closes a page. Fails if the page printed an error or sent a request to another place. */
export async function closePage(page) {
  await page.context().close();
  assert.deepEqual(page.faults, []);
}
