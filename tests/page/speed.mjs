// The time of the first paint, and the pauses while scrolling, with 10,000 rows in a table and in a report.
//
// Not a test: `scripts/page-test speed` prints the figures. Nothing else may run meanwhile.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { openBrowser, openPage } from "./browser.mjs";
import { post, removeServer, startServer } from "./server.mjs";

const ROWS = 10_000;
const ROUNDS = 5;

/** Scrolls an element through, and returns the longest time between two frames. */
async function scrolled(selector) {
  const node = selector ? document.querySelector(selector) : document.scrollingElement;
  const end = node.scrollHeight - node.clientHeight;
  let longest = 0;
  let before = performance.now();
  for (let step = 1; step <= 120; step += 1) {
    node.scrollTop = (end * step) / 120;
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    longest = Math.max(longest, now - before);
    before = now;
  }
  return longest;
}

/** Returns the milliseconds from the begin of the navigation to the first paint. */
const painted = () => performance.getEntriesByName("first-contentful-paint")[0].startTime;

const middle = (values) => values.toSorted((one, two) => one - two)[Math.floor(values.length / 2)];
const shown = (values) => `${middle(values).toFixed(0)} ms (${Math.min(...values).toFixed(0)} to ${Math.max(...values).toFixed(0)})`;

const server = await startServer({ policies: "spam" });
const browser = await openBrowser();
try {
  const file = join(server.home, "posts.csv");
  // Equal texts are judged once.
  const lines = Array.from({ length: ROWS }, (_, row) => row % 400).map((place, row) => `${row},${place % 7 ? `Who waters the roses in week ${place}?` : `You won prize ${place}! Reply YES`}`);
  await writeFile(file, `id,text\n${lines.join("\n")}\n`);
  const body = await readFile(file);
  const made = await (await fetch(`${server.origin}/v1/runs?name=posts.csv`, { method: "POST", body })).json();
  await post(server, `/v1/runs/${made.id}/start`, { policy: ["spam"], text_column: "text", effort: "none" });
  const run = async () => (await fetch(`${server.origin}/v1/runs/${made.id}`)).json();
  while ((await run()).state === "running") await new Promise((resolve) => setTimeout(resolve, 1000));

  const html = join(server.home, "report.html");
  await writeFile(html, await (await fetch(`${server.origin}/v1/runs/${made.id}/report`)).text());

  const figures = { page: [], table: [], scroll: [], report: [], "report scroll": [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    const page = await openPage(browser, server, `#label?run=${made.id}`);
    await page.locator(".vt-row .verdict").first().waitFor();
    figures.table.push(await page.evaluate(() => performance.now()));
    figures.page.push(await page.evaluate(painted));
    figures.scroll.push(await page.evaluate(scrolled, ".vt"));
    await page.context().close();

    const report = await openPage(browser, server, "");
    await report.goto(`file://${html}`);
    await report.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
    figures.report.push(await report.evaluate(painted));
    figures["report scroll"].push(await report.evaluate(scrolled, ""));
    await report.context().close();
  }
  console.log(`first paint of the page              ${shown(figures.page)}`);
  console.log(`first rows of a table of ${ROWS}      ${shown(figures.table)}`);
  console.log(`the table, longest pause of a scroll ${shown(figures.scroll)}`);
  console.log(`first paint of the report, a file    ${shown(figures.report)}`);
  console.log(`the report, longest pause            ${shown(figures["report scroll"])}`);
} finally {
  await browser.close();
  await removeServer(server);
}
