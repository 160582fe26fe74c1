// The console with many tokens, which the Python test that runs this made. `OLDEST` alone has the tag `NEEDLE`, and a
// list finds it with at most `PAGES` requests.
import assert from "node:assert/strict";
import { test } from "node:test";
import { WAITING_LONGEST, calls, press, signedIn, untroubled, visit } from "./console.mjs";

const { OLDEST, NEEDLE, PAGES } = process.env;

test("a list of many tokens takes one request a page, and pages go both ways", async () => {
  const tab = await signedIn(WAITING_LONGEST);
  const ids = () => tab.$$eval("tbody a", (all) => all.map((it) => it.textContent));
  const turn = async (label) => {
    const [first] = await ids();
    tab.sent.length = 0;
    await press(tab, label);
    await tab.waitForFunction((id) => document.querySelector("tbody a")?.textContent !== id, first);
    assert.equal(calls(tab).length, 1);
    return ids();
  };
  const first = await ids();
  assert.deepEqual([first.length, first[0]], [25, OLDEST]);
  const second = await turn("Next");
  const third = await turn("Next");
  assert.equal(new Set([...first, ...second, ...third]).size, 75);
  assert.deepEqual(await turn("Previous"), second);
  await tab.goBack();
  await tab.waitForFunction((id) => document.querySelector("tbody a")?.textContent === id, third[0]);

  tab.sent.length = 0; // the oldest of all tokens: short pages are followed until there is one
  await visit(tab, `#/tokens?filter%5Btags%5D=${NEEDLE}`);
  assert.deepEqual(await ids(), [OLDEST]);
  assert.ok(calls(tab).length <= Number(PAGES), `${calls(tab).length} requests, not ${PAGES}`);
  untroubled(tab);
  await tab.context().close();
});
