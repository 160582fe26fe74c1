// Pages whose approvers answer, each by a link of their own. The Python test that runs this says where the stack is, and gives
// it the links of three people on a token for which an execution waits: two of them must approve.
import assert from "node:assert/strict";
import { test } from "node:test";
import { APPROVE, REJECT, TOKENS, api, create, fetched, openTab, press, testStates, text } from "./page.mjs";

const { URL_ANN, URL_BO, URL_DEE, URL_NOBODY, THOROUGH, WAITPOINTS_SCREENSHOTS } = process.env;
const YES = 'button[value="yes"]';

test("two of three people approve, with and without JavaScript, and one rejects late by the keyboard", async () => {
  const [ann, bo, dee, nobody] = [await openTab(), await openTab({ javaScript: false }), await openTab(), await openTab()];
  await Promise.all([ann.goto(URL_ANN), bo.goto(URL_BO), dee.goto(URL_DEE), nobody.goto(URL_NOBODY)]);
  assert.match(await text(ann), /You answer as Ann Lee\. This link is personal/);
  assert.match(await text(ann), /2 of 3 must choose Approve\. So far: 0\..*One person is enough for Reject\./s);
  assert.match(await text(nobody), /Deploy 4\.2.*You need a link of your own/s);
  assert.equal((await nobody.$$("button, input, form")).length, 0);

  await ann.type("input", "Looks good");
  await press(ann, APPROVE);
  assert.match(await text(ann), /You are about to choose Approve.*Looks good.*You answer as Ann Lee/s);
  await press(ann, YES);
  assert.match(await text(ann), /Your answer is recorded.*You chose Approve.*So far: 1\..*Ann Lee \(you\)Approve/s);

  await bo.reload();
  assert.match(await text(bo), /You answer as bo@example\.com.*So far: 1\..*Ann LeeApprove/s);
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
  assert.match(await text(nobody), /Approve was chosen/);
  assert.doesNotMatch(await text(nobody), /Ann|bo@example/);
  for (const [tab, url] of [[ann, URL_ANN], [bo, URL_BO], [dee, URL_DEE], [nobody, URL_NOBODY]]) {
    assert.deepEqual([tab.refusals, tab.messages], [[], []]);
    assert.deepEqual([...new Set(fetched(tab))], [url]);
  }
});

const NAMES = [
  "Ann Lee",
  `<img src=x onerror=alert(1)><script>alert(1)</script>`,
  "W".repeat(100),
  "\u202Egnihtyna\u202C \u2066مرحبا بالعالم שלום (Approve)",
  "👩‍👩‍👧‍👦🏳️‍🌈 Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘",
];
const page = {
  title: "Deploy 4.2 to production?",
  text: "All 812 checks passed. The new version ships the faster search.",
  approvers: NAMES.map((name, at) => ({ id: `person ${at}`, name })),
  actions: [
    { id: "approve", label: "Approve", needs: 3 },
    { id: "reject", label: "Reject", style: "danger", needs: 2 },
  ],
};
const answer = (token, person, action) => fetch(token.links[person].url, { method: "POST", body: JSON.stringify({ action }) });
const started = async (body = {}) => {
  const token = await create({ page: { ...page, ...body.page }, timeout: body.timeout ?? "3d" });
  await answer(token, 1, "approve");
  await answer(token, 2, "reject");
  return token;
};

// Each state of a page with approvers, as one of them sees it.
const STATES = {
  "approver asked": async (tab) => {
    const token = await started();
    await tab.goto(token.links[0].url);
    assert.deepEqual(await tab.$$eval("dt bdi", (names) => names.map((it) => it.textContent)), [1, 2, 0, 3, 4].map((at) => NAMES[at]));
    assert.equal(await tab.evaluate(() => document.scripts.length + document.images.length), 0);
  },
  "approver answered": async (tab) => {
    const token = await started();
    await tab.goto(token.links[0].url);
    await press(tab, APPROVE);
  },
  "approver too late": async (tab) => {
    const token = await started();
    await tab.goto(token.links[0].url);
    await answer(token, 3, "reject");
    await press(tab, APPROVE);
  },
  "approver by the plain url": async (tab) => tab.goto((await started()).url),
};
const MORE_STATES = {
  "approver alone": async (tab) => {
    const alone = { approvers: [page.approvers[0]], actions: undefined };
    await tab.goto((await create({ page: { ...page, ...alone } })).links[0].url);
  },
  "approver any of three": async (tab) => {
    const any = { approvers: page.approvers.slice(0, 3), actions: page.actions.map((it) => ({ ...it, needs: 1 })) };
    await tab.goto((await create({ page: { ...page, ...any }, timeout: "3d" })).links[0].url);
  },
  "approver of twenty": async (tab) => {
    const approvers = Array.from({ length: 20 }, (_, at) => ({ id: `person ${at}`, name: `Approver ${at + 1}` }));
    await tab.goto((await started({ page: { approvers } })).links[0].url);
  },
  "approver confirms": async (tab) => {
    await tab.goto((await started({ page: { confirm: true } })).links[4].url);
    await press(tab, APPROVE);
  },
  "approver answers again": async (tab) => {
    const token = await started();
    await tab.goto(token.links[0].url);
    await answer(token, 0, "approve");
    await press(tab, REJECT);
  },
  "approver decides": async (tab) => {
    await tab.goto((await started()).links[3].url);
    await press(tab, REJECT);
  },
  "approver sees the decision": async (tab) => {
    const token = await started();
    await answer(token, 4, "reject");
    await tab.goto(token.links[0].url);
  },
  "approver after the timeout": async (tab) => {
    const token = await started({ timeout: "2s" });
    await new Promise((resolve) => setTimeout(resolve, 2100));
    await tab.goto(token.links[0].url);
  },
  "approver after a failure": async (tab) => {
    const token = await started();
    await api("POST", `${TOKENS}/${token.id}/complete`, { error: { message: "Withdrawn" } });
    await tab.goto(token.links[0].url);
  },
  "approver after an override": async (tab) => {
    const token = await started();
    await api("POST", `${TOKENS}/${token.id}/complete`, { data: { action: "approve" } });
    await tab.goto(token.links[0].url);
  },
  "approver once it is escalated": async (tab) => {
    const token = await started({ page: { escalate: { after: "2s", to: ["lead"] } } });
    while ((await tab.goto(token.links[5].url)).status() === 403) await new Promise((resolve) => setTimeout(resolve, 200));
    assert.match(await text(tab), /You answer as lead/);
  },
  "approver not asked yet": async (tab) => {
    const token = await create({ page: { ...page, escalate: { after: "1d", to: ["lead"] } } });
    await tab.goto(token.links[5].url);
  },
};
testStates(THOROUGH || WAITPOINTS_SCREENSHOTS ? { ...STATES, ...MORE_STATES } : STATES);
