// The links of two mails. The Python test that runs this says which: each is one approver's, and both must approve.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openTab } from "./browser.mjs";
import { APPROVE, YES, press, text } from "./page.mjs";

const { FIRST, SECOND } = process.env;

test("two people open the links of their mails, and approve", async () => {
  const [ann, bo] = [await openTab(), await openTab()];
  for (const [tab, url, said] of [
    [ann, FIRST, /Your answer was recorded/],
    [bo, SECOND, /Thank you.*You chose Approve/s],
  ]) {
    await tab.goto(url);
    await press(tab, APPROVE);
    if (await tab.$(YES)) await press(tab, YES);
    assert.match(await text(tab), said);
  }
});
