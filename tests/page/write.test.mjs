// Write: a policy from nothing to its flips.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { closePage, openBrowser, openPage } from "./browser.mjs";
import { command, removeServer, startServer } from "./server.mjs";

const TEXTS = [
  ["WINNER!! You have won a cruise. Reply YES to claim your prize", "violation"],
  ["Earn 500 a day from home, message me for the secret", "violation"],
  ["Buy followers at my shop, ten for one", "violation"],
  ["Free gift card, click the link in my profile", "violation"],
  ["Last chance: claim your reward now", "violation"],
  ["Who has spare tomato plants?", "safe"],
  ["See you on Thursday", "safe"],
  ["My roses have brown leaves. What can I do?", "safe"],
  ["The meeting is moved to noon", "safe"],
  ["Thank you for the seeds", "safe"],
];
let browser, server;

before(async () => {
  [browser, server] = await Promise.all([openBrowser(), startServer({ policies: "spam,hate" })]);
});

after(() => Promise.all([browser.close(), removeServer(server)]));

/** Returns the number before a word of the figures, such as `right`. */
async function counted(page, word) {
  const value = page.locator(".figures div").filter({ has: page.getByText(word, { exact: true }) }).locator("b");
  return value.first().textContent();
}

test("a policy is written from nothing, mended, judged, saved and changed, and its flips are shown", async () => {
  const page = await openPage(browser, server);
  await page.getByLabel("Title").fill("Begging for clicks");
  await page.getByLabel("What is a violation?").fill("Bait: Promises a prize or easy money in return for a reply.\nAdvertising: Offers goods that nobody asked for.");
  await page.getByLabel("What is fine?").fill("Garden talk: Asks or answers a question about plants.");
  await page.getByRole("button", { name: "Write the policy" }).click();
  const editor = page.getByRole("textbox", { name: "Policy", exact: true });
  await editor.waitFor();
  await page.getByText("No findings.").waitFor();

  // An error is shown at its line, and a click leads there.
  const right = await editor.inputValue();
  const line = right.split("\n").findIndex((text) => text.includes("verdict: safe")) + 1;
  await editor.fill(right.replace("verdict: safe", "verdict: saef"));
  const place = page.locator(".findings").getByRole("button", { name: `Line ${line}`, exact: true }).first();
  await place.click();
  const chosen = await editor.evaluate((area) => area.value.slice(area.selectionStart, area.selectionEnd));
  assert.equal(chosen.trim(), "verdict: saef");
  await editor.fill(right);
  await page.getByText("No findings.").waitFor();

  // Ten texts with labels are pasted and judged by themselves.
  await page.getByRole("button", { name: "Paste or open…" }).click();
  const table = [["text", "expected"], ...TEXTS].map((cells) => cells.map((cell) => `"${cell}"`).join(","));
  await page.getByRole("textbox", { name: "Texts" }).fill(table.join("\n"));
  await page.getByRole("button", { name: "Add 10 texts" }).click();
  await page.waitForFunction(() => document.querySelectorAll(".row .verdict").length >= 10);
  const sum = async () => {
    const parts = await Promise.all(["right", "missed", "false alarms", "undecided"].map((word) => counted(page, word)));
    return parts.map(Number);
  };
  await page.waitForFunction(() => /^\d+$/.test(document.querySelector(".figures b")?.textContent ?? ""));
  assert.equal((await sum()).reduce((one, two) => one + two, 0), 10);

  // At the highest threshold hardly a text is a violation, at the lowest all are.
  const slider = page.getByRole("slider");
  await slider.fill("0");
  await page.waitForTimeout(200);
  const [, missed] = await sum();
  assert.equal(missed, 0, "a threshold of 0 misses nothing");
  await slider.fill("1");
  await page.waitForTimeout(200);
  const [, , alarms] = await sum();
  assert.equal(alarms, 0, "a threshold of 1 accuses nobody");
  await page.getByRole("button", { name: "use the policy's own rule" }).click();

  // Saved, it is a policy of the server.
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.locator(".badge").getByText("saved", { exact: true }).waitFor();
  const { policies } = await (await fetch(`${server.origin}/v1/policies`)).json();
  assert.ok(policies.some(({ id }) => id === "begging-for-clicks"));

  // With the verdicts of its categories turned round, every text that is decided flips.
  const turned = right.replaceAll("verdict: violation", "verdict: X").replaceAll("verdict: safe", "verdict: violation").replaceAll("verdict: X", "verdict: safe");
  await editor.fill(turned.replaceAll(/^ +severity: .*\n/gm, ""));
  const flips = page.getByRole("tab", { name: /^Flips \([1-9]/ });
  await flips.waitFor();
  await flips.click();
  await page.getByText(/flips? against the saved version/).waitFor();
  await page.getByText(/McNemar/).waitFor();

  // The difference of the two versions is in the history.
  await page.getByRole("button", { name: "History" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.locator(".removed, .added, del, ins").first().waitFor();
  assert.ok((await dialog.textContent()).includes("verdict: safe"));
  await page.keyboard.press("Escape");
  await closePage(page);

  // The command reads what was saved: the policy, and its ten texts.
  const file = join(server.home, "workspace", "begging-for-clicks.yaml");
  const { code, stdout, stderr } = await command(server, ["eval", "-p", file, "--json", "-q"]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /"rows"/);
});
