// Pages whose approvers answer, each by a link of their own. The Python test that runs this says where the stack is, and gives
// it the links of three people on a token for which an execution waits: two of them must approve.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openTab } from "./browser.mjs";
import { APPROVE, YES, press, text } from "./page.mjs";

const { URL_ANN, URL_BO, URL_DEE, URL_NOBODY } = process.env;

test("two of three people approve, with and without JavaScript, and one rejects late by the keyboard", async () => {
  const [ann, bo, dee, nobody] = [await openTab(), await openTab({ javaScriptEnabled: false }), await openTab(), await openTab()];
  await Promise.all([ann.goto(URL_ANN), bo.goto(URL_BO), dee.goto(URL_DEE), nobody.goto(URL_NOBODY)]);
  assert.match(await text(ann), /You are answering as Ann Lee\. This link is only for you/);
  assert.match(await text(ann), /2 of 3 people must choose Approve\. So far: 0\..*One person is enough for Reject\./s);
  assert.match(await text(nobody), /Deploy 4\.2.*You need your own link/s);
  assert.equal((await nobody.$$("button, input, form")).length, 0);

  await ann.type("textarea", "Looks good\nNote: not mine");
  await press(ann, APPROVE);
  assert.match(await text(ann), /You are about to choose Approve.*Looks good.*You are answering as Ann Lee/s);
  await press(ann, YES);
  assert.match(await text(ann), /Your answer was recorded.*You chose Approve.*So far: 1\..*Ann Lee \(you\)Approve/s);

  await bo.reload();
  assert.match(await text(bo), /You are answering as bo@example\.com.*Ann LeeApprove.*Note: Looks good.*So far: 1\./s);
  await press(bo, APPROVE);
  await press(bo, YES);
  assert.match(await text(bo), /Thank you.*You chose Approve/s);

  await dee.keyboard.press("Tab"); // the field
  for (const value of ["approve", "reject"]) {
    await dee.keyboard.press("Tab");
    assert.equal(await dee.evaluate(() => document.activeElement.value), value);
  }
  await Promise.all([dee.waitForNavigation(), dee.keyboard.press("Enter")]);
  assert.match(await text(dee), /Decided.*Your answer came too late.*Approve was chosen.*Decided by bo@example\.com/s);
  assert.equal((await dee.$$("button, input, form")).length, 0);
  await Promise.all([ann.goto(URL_ANN), dee.goto(URL_DEE), nobody.goto(URL_NOBODY)]);
  for (const tab of [ann, dee]) assert.match(await text(tab), /Decided by bo@example\.com.*Ann Lee.*bo@example\.com/s);
  const [title, first, second] = await dee.$eval(".entered li", (item) =>
    [...item.children].flatMap((part) => [...part.getClientRects()]).filter((line) => line.width > 0).map((line) => line.left),
  );
  assert.ok(title < second && second < first, "a second line does not begin where titles do");
  assert.match(await text(nobody), /Approve was chosen/);
  assert.doesNotMatch(await text(nobody), /Ann|bo@example/);
  for (const [tab, url] of [[ann, URL_ANN], [bo, URL_BO], [dee, URL_DEE], [nobody, URL_NOBODY]]) {
    assert.deepEqual([tab.refusals, tab.messages], [[], []]);
    assert.deepEqual([...new Set(tab.sent)], [url]);
  }
});
