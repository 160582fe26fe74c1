// Pages on which people sign in, with npm's oidc-provider. The Python test that runs this gives it the URLs of pages.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openTab } from "./browser.mjs";
import { SESSION, choose, look, main, openPhone, signIn } from "./sign_in.mjs";

const { NAMED, OPEN, ENDED, RECENT } = process.env;

const opened = async (url, who, tab) => {
  tab ??= await openTab({ javaScriptEnabled: false });
  await tab.goto(url);
  await choose(tab, "Sign in");
  await signIn(tab, who);
  assert.equal(tab.url(), url);
  return tab;
};

test("before the sign-in, the page says nothing of what is asked, and can be read by all", async () => {
  for (const url of [NAMED, OPEN]) {
    const tab = await openPhone();
    await tab.goto(url);
    assert.doesNotMatch(await tab.content(), /ACME|ann@|bo@|Approve/);
    await look(tab, "before", "Sign in");
  }
});

test("the wrong person reads who they are and no name, and uses another account", async () => {
  const tab = await opened(NAMED, "eve-of-the-accounts-department@subsidiary.example.com", await openPhone());
  assert.match(await main(tab), /Use another account.*eve-of-/s);
  assert.doesNotMatch(await tab.content(), /ACME|ann@|bo@|Approve/);
  await look(tab, "wrong person", "Use another account", "Sign out");
  await choose(tab, "Use another account");
  await signIn(tab, "ann@example.com");
  assert.match(await main(tab), /Pay ACME\?.*You are answering as ann@example\.com/s);
});

test("two approvers sign in and answer, and the second one reads the first answer", async () => {
  const ann = await opened(NAMED, "ann@example.com");
  await choose(ann, "Approve");
  assert.match(await main(ann), /Your answer was recorded/);
  const bo = await opened(NAMED, "bo@example.com", await openPhone());
  assert.match(await main(bo), /ann@example\.com.*Approve/s);
  await choose(bo, "Approve");
  assert.match(await main(bo), /Thank you/);
  await look(bo, "receipt", "Sign out");
  await ann.goto(NAMED);
  assert.match(await main(ann), /Decided by bo@example\.com/);
});

test("a page for a domain can be read by all, and takes an answer of its people only", async () => {
  const eve = await opened(OPEN, "eve@other.example");
  assert.doesNotMatch(await eve.content(), /ACME/);
  const tab = await opened(OPEN, "cy@example.com", await openPhone());
  assert.match(await main(tab), /Pay ACME\?.*2 people must choose Approve/s);
  await look(tab, "form", "Approve", "Sign out");
  await choose(tab, "Approve");
  assert.match(await main(tab), /Your answer was recorded/);
});

test("who has no confirmed address reads that", async () => {
  const tab = await opened(OPEN, "unverified@example.com", await openPhone());
  assert.match(await main(tab), /Your organization has not confirmed your e-mail address.*Reference: no_address/s);
  await look(tab, "no address", "Use another account", "Sign out");
});

test("who signs out, or whose session has ended, answers nothing, and loses nothing that they wrote", async () => {
  const tab = await opened(ENDED, "ann@example.com", await openPhone());
  const note = "field.note";
  await tab.fill(`[name="${note}"]`, "Checked twice");
  await tab.context().clearCookies({ name: SESSION });
  await choose(tab, "Approve");
  assert.match(await main(tab), /Please sign in.*Your answer was not sent yet.*After you sign in/s);
  assert.equal(await tab.evaluate(() => document.activeElement.className), "summary");
  await look(tab, "not sent", "Sign in");
  await choose(tab, "Sign in"); // the issuer remembers them
  assert.equal(tab.url(), ENDED);
  assert.match(await main(tab), /Your answer was not sent yet.*Please check it and send it/s);
  assert.equal(await tab.inputValue(`[name="${note}"]`), "Checked twice");
  await look(tab, "not sent, in the form again", note, "Approve", "Sign out");
  await tab.context().clearCookies({ name: SESSION });
  await tab.fill(`[name="${note}"]`, Array.from({ length: 9_000 }, () => Math.random().toString(36)[2]).join(""));
  await choose(tab, "Approve");
  assert.match(await main(tab), /Copy it before you sign in:.*[a-z0-9]{8000}/s);
  await look(tab, "not sent, to copy", "Sign in");
  await choose(tab, "Sign in");
  await choose(tab, "Sign out");
  assert.equal(tab.url(), ENDED);
  assert.match(await main(tab), /Please sign in/);
  await look(tab, "signed out", "Sign in");
});

test("a page that asks for a recent sign-in says so to who has signed in for another page", async () => {
  const tab = await opened(ENDED, "ann@example.com", await openPhone());
  await tab.goto(RECENT);
  assert.match(await main(tab), /You signed in some time ago/);
  assert.doesNotMatch(await tab.content(), /ACME|ann@/);
  await look(tab, "not recent", "Sign in");
  await choose(tab, "Sign in"); // the issuer has seen their password a moment ago, and says when
  assert.match(await main(tab), /Pay ACME\?.*You are answering as ann@example\.com/s);
});
