// Pages on which people sign in, with npm's oidc-provider. The Python test that runs this gives it the URLs of pages.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openTab, violations } from "./browser.mjs";

const { ISSUER, NAMED, OPEN, ENDED } = process.env;

const submit = (tab) => Promise.all([tab.waitForNavigation(), tab.click("button[type=submit]")]);

const signIn = async (tab, who) => {
  assert.ok(tab.url().startsWith(ISSUER), tab.url());
  for (let page = 0; page < 4 && tab.url().startsWith(ISSUER); page += 1) {
    if (await tab.$("input[name=login]")) {
      await tab.fill("input[name=login]", who);
      await tab.fill("input[name=password]", "x");
    }
    await submit(tab); // agree, unless they have before
  }
};

const press = (tab, label) =>
  Promise.all([tab.waitForNavigation(), tab.click(`button:has-text("${label}"), a:has-text("${label}")`)]);

const opened = async (url, who) => {
  const tab = await openTab({ javaScriptEnabled: false });
  await tab.goto(url);
  await press(tab, "Sign in");
  await signIn(tab, who);
  assert.equal(tab.url(), url);
  return tab;
};

const main = (tab) => tab.textContent("main");

test("before the sign-in, the page says nothing of what is asked, and can be read by all", async () => {
  for (const url of [NAMED, OPEN]) {
    const tab = await openTab();
    await tab.goto(url);
    assert.doesNotMatch(await tab.content(), /ACME|ann@|bo@|Approve/);
    assert.deepEqual([await violations(tab), tab.refusals], [[], []]);
    assert.deepEqual(await tab.$$("form, script"), []);
  }
});

test("the wrong person reads who they are and no name, and uses another account", async () => {
  const tab = await opened(NAMED, "eve@example.com");
  assert.match(await main(tab), /Use another account.*eve@example\.com/s);
  assert.doesNotMatch(await tab.content(), /ACME|ann@|bo@|Approve/);
  await press(tab, "Use another account");
  await signIn(tab, "ann@example.com");
  assert.match(await main(tab), /Pay ACME\?.*You answer as ann@example\.com/s);
});

test("two approvers sign in and answer, and the second one reads the first answer", async () => {
  const ann = await opened(NAMED, "ann@example.com");
  await press(ann, "Approve");
  assert.match(await main(ann), /Your answer is recorded/);
  const bo = await opened(NAMED, "bo@example.com");
  assert.match(await main(bo), /ann@example\.com.*Approve/s);
  await press(bo, "Approve");
  assert.match(await main(bo), /Thank you/);
  await ann.goto(NAMED);
  assert.match(await main(ann), /Decided by bo@example\.com/);
});

test("a page for a domain can be read by all, and takes an answer of its people only", async () => {
  const eve = await opened(OPEN, "eve@other.example");
  assert.doesNotMatch(await eve.content(), /ACME/);
  const tab = await openTab();
  await tab.goto(OPEN);
  await press(tab, "Sign in");
  await signIn(tab, "cy@example.com");
  assert.match(await main(tab), /Pay ACME\?.*2 people must choose Approve/s);
  assert.deepEqual([await violations(tab), tab.refusals], [[], []]);
  await press(tab, "Approve");
  assert.match(await main(tab), /Your answer is recorded/);
});

test("who signs out, or whose session has ended, answers nothing", async () => {
  const tab = await opened(ENDED, "ann@example.com");
  await tab.context().clearCookies({ name: "__Host-waitpoints-session" });
  await press(tab, "Approve");
  assert.match(await main(tab), /Please sign in/);
  await press(tab, "Sign in"); // the issuer remembers them
  assert.equal(tab.url(), ENDED);
  await press(tab, "Sign out");
  assert.equal(tab.url(), ENDED);
  assert.match(await main(tab), /Please sign in/);
});
