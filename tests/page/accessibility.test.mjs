// Accessibility: axe finds nothing serious on any view, light and dark, and nothing is wider than a small screen.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";

import { closePage, openBrowser, openPage } from "./browser.mjs";
import { post, removeServer, startServer } from "./server.mjs";

const VIEWS = ["#write", "#write?policy=spam", "#try", "#review", "#label", "#reports"];
let browser, server, axe;

before(async () => {
  axe = await readFile(new URL("./node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
  [browser, server] = await Promise.all([openBrowser(), startServer({ policies: "spam,hate" })]);
  await post(server, "/v1/review", { policy: "spam", text: "Is this yours?", expected: "safe", verdict: "violation", category: null, probability: 0.6 });
});

after(() => Promise.all([browser.close(), removeServer(server)]));

for (const colorScheme of ["light", "dark"]) {
  for (const view of VIEWS) {
    test(`axe finds nothing serious on ${view}, ${colorScheme}`, async () => {
      // axe comes in as a script of its own, which the page's policy would refuse.
      const page = await openPage(browser, server, view, { colorScheme, reducedMotion: "reduce", bypassCSP: true });
      await page.locator("main h1, main h2, main textarea").first().waitFor();
      await page.waitForTimeout(800);
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
      assert.deepEqual(serious.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html }) => html).join(" ")}`), []);
      await closePage(page);
    });
  }
}

for (const view of VIEWS) {
  test(`${view} fits a screen of 360 pixels`, async () => {
    const page = await openPage(browser, server, view, { viewport: { width: 360, height: 740 } });
    await page.locator("main h1, main h2, main textarea").first().waitFor();
    await page.waitForTimeout(500);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wide <= 0, `${wide} pixels too wide`);
    await closePage(page);
  });
}
