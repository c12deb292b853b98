// Label: a table with semicolons and a column with a space, judged although the tab is closed in the middle.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { closePage, openBrowser, openPage } from "./browser.mjs";
import { removeServer, startServer } from "./server.mjs";

const ROWS = 2000;
const COLUMN = "Text des Beitrags";
let browser, server;

before(async () => {
  [browser, server] = await Promise.all([openBrowser(), startServer({ policies: "spam" })]);
  const line = (place) => `${String(place).padStart(5, "0")};${place % 5 ? `"Who has seed potatoes; row ${place}?"` : `You won prize ${place}! Reply YES`}`;
  const lines = Array.from({ length: ROWS }, (_, place) => line(place + 1));
  await writeFile(join(server.home, "posts.csv"), `Post ID;${COLUMN}\r\n${lines.join("\r\n")}\r\n`);
});

after(() => Promise.all([browser.close(), removeServer(server)]));

test("a file is labeled to its end although the tab is closed in the middle", async () => {
  const first = await openPage(browser, server, "#label");
  await first.locator("input[type=file]").setInputFiles(join(server.home, "posts.csv"));
  await first.getByText(COLUMN, { exact: true }).click();
  await first.getByLabel("Effort").selectOption("none");
  await first.getByRole("button", { name: "Start" }).click();
  await first.getByRole("button", { name: "Stop" }).waitFor();
  const address = first.url();
  const run = async () => (await (await fetch(`${server.origin}/v1/runs`)).json()).runs[0];
  while ((await run()).done < 100) await new Promise((resolve) => setTimeout(resolve, 100));
  const before = await run();
  assert.equal(before.state, "running");
  assert.ok(before.done < ROWS, "the run has ended too soon for this test");
  await closePage(first);

  const second = await openPage(browser, server, new URL(address).hash);
  await second.getByRole("button", { name: "Stop" }).waitFor();
  while ((await run()).state === "running") await new Promise((resolve) => setTimeout(resolve, 300));
  const { state, done, error } = await run();
  assert.deepEqual({ state, done, error }, { state: "done", done: ROWS, error: null });

  const downloading = second.waitForEvent("download");
  await second.getByRole("button", { name: "CSV" }).click();
  const download = await (await downloading).createReadStream();
  const table = (await download.toArray()).join("").trim().split(/\r?\n/);
  assert.equal(table.length, ROWS + 1);
  assert.match(table[0], /^.?Post ID;Text des Beitrags;verdict;/);
  assert.match(table[1], /^00001;/);
  assert.match(table[5], /^00005;[^;]*;violation;/);
  await closePage(second);
});
