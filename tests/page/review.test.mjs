// Review: fifty texts decided by keyboard alone, an undo, and the correction in the next evaluation.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { closePage, openBrowser, openPage } from "./browser.mjs";
import { command, post, removeServer, startServer } from "./server.mjs";

const COUNT = 50;
let browser, server;

before(async () => {
  [browser, server] = await Promise.all([openBrowser(), startServer({ policies: "spam", flags: ["--sample", "100%"] })]);
  const texts = Array.from({ length: COUNT }, (_, place) => `Does anybody lend a ladder on day ${place + 1}?`);
  await post(server, "/v1/check", { texts, policy: "spam", effort: "none" });
  const queued = async () => (await (await fetch(`${server.origin}/v1/review`)).json()).open;
  while ((await queued()) < COUNT) await new Promise((resolve) => setTimeout(resolve, 50));
});

after(() => Promise.all([browser.close(), removeServer(server)]));

test("fifty texts are decided by keyboard alone in under a minute, and an undo and a correction hold", async () => {
  const page = await openPage(browser, server, "#review");
  const name = page.getByLabel("Your name");
  await name.waitFor();
  await name.fill("ana");
  await page.keyboard.press("Enter");
  const text = page.locator(".review-text").first();
  await text.waitFor();

  const began = Date.now();
  const decided = new Set();
  for (let place = 0; place < COUNT; place += 1) {
    const shown = await text.textContent();
    assert.ok(!decided.has(shown), `shown twice: ${shown}`);
    decided.add(shown);
    // The first one becomes a correction of the model, the tenth is taken back and decided once more.
    await page.keyboard.press(place === 0 ? "v" : "s");
    if (place === 9) {
      await page.keyboard.press("z");
      assert.equal(await text.textContent(), shown);
      await page.keyboard.press("g");
      await page.keyboard.press("s");
    }
    if (place + 1 < COUNT) await page.waitForFunction((old) => document.querySelector(".review-text")?.textContent !== old, shown);
  }
  const seconds = (Date.now() - began) / 1000;
  console.log(`${COUNT} texts in ${seconds.toFixed(1)} s`);
  assert.ok(seconds < 60, `${seconds} s`);

  const state = async () => (await fetch(`${server.origin}/v1/review?state=decided&limit=100`)).json();
  const counted = async () => (await state()).decided;
  while ((await counted()) < COUNT) await new Promise((resolve) => setTimeout(resolve, 50));
  const { items } = await state();
  assert.equal(items.filter((item) => item.decision.verdict === "violation").length, 1);
  assert.equal(items.filter((item) => item.decision.golden).length, 1);
  assert.ok(items.every((item) => item.decision.reviewer === "ana"));
  await closePage(page);

  const { code, stdout, stderr } = await command(server, ["eval", "-p", "spam", join(server.home, "review"), "--json", "-q"]);
  assert.equal(code, 0, stderr);
  const [evaluation] = JSON.parse(stdout).evaluations ?? [JSON.parse(stdout)];
  const expected = evaluation.rows.filter((row) => row.expected.violation ?? row.expected.verdict === "violation");
  assert.equal(evaluation.rows.length, COUNT);
  assert.equal(expected.length, 1, "the correction is in the golden set");
});
