// Signing in with npm's oidc-provider. The Python test that runs this gives it the URL of a page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openTab, violations } from "./browser.mjs";

const { API_URL, ISSUER, URL: PAGE } = process.env;
const path = PAGE.slice(API_URL.length);
const begin = `${API_URL}/api/v1/sign-in?to=${path}`;
const SESSION = "__Host-waitpoints-session";

const cookies = async (tab) => {
  const found = (await tab.context().cookies(API_URL)).filter(({ name }) => name.startsWith("__Host-"));
  for (const { httpOnly, secure, sameSite } of found) assert.deepEqual([httpOnly, secure, sameSite], [true, true, "Lax"]);
  return found.map(({ name }) => name);
};

const submit = (tab) => Promise.all([tab.waitForNavigation(), tab.click("button[type=submit]")]);

const enter = async (tab, who) => {
  await tab.fill("input[name=login]", who);
  await tab.fill("input[name=password]", "x");
  await submit(tab);
  if (tab.url().startsWith(ISSUER)) await submit(tab); // agree, unless they have before
};

test("a person signs in at the issuer and comes back to the page with a session", async () => {
  const tab = await openTab({ javaScriptEnabled: false });
  await tab.goto(begin);
  assert.ok(tab.url().startsWith(ISSUER));
  assert.equal((await cookies(tab)).length, 1);
  await enter(tab, "ann@example.com");
  assert.equal(tab.url(), PAGE);
  assert.deepEqual(await cookies(tab), [SESSION]);
  await tab.goto(begin); // who is signed in at the issuer is asked nothing
  assert.equal(tab.url(), PAGE);
  assert.deepEqual(await cookies(tab), [SESSION]);
});

test("a person who cancels sees why, can begin again, and can read it all", async () => {
  const tab = await openTab();
  await tab.goto(begin);
  await tab.click("text=Cancel");
  assert.match(await tab.textContent("main"), /You are not signed in.*\(access_denied\).*Sign in again/s);
  assert.deepEqual(await violations(tab), []);
  assert.deepEqual([await cookies(tab), tab.refusals], [[], []]);
  await tab.click("text=Sign in again");
  await enter(tab, "ann@example.com");
  assert.equal(tab.url(), PAGE);
});

test("the back button to a sign-in that is over does not sign in again", async () => {
  const tab = await openTab({ javaScriptEnabled: false });
  await tab.goto(begin);
  await enter(tab, "ann@example.com");
  const used = tab.sent.find((url) => url.startsWith(`${API_URL}/api/v1/sign-in/return`));
  await tab.context().clearCookies({ name: SESSION });
  assert.equal((await tab.goto(used)).status(), 403);
  assert.match(await tab.textContent("main"), /This sign-in is over/);
  assert.deepEqual(await cookies(tab), []);
});

test("two tabs sign in side by side", async () => {
  const one = await openTab({ javaScriptEnabled: false });
  await one.goto(begin);
  const other = await one.context().newPage();
  await other.goto(begin);
  assert.equal((await cookies(one)).length, 2);
  await enter(other, "ann@example.com");
  await enter(one, "ann@example.com");
  assert.deepEqual([one.url(), other.url()], [PAGE, PAGE]);
  assert.deepEqual(await cookies(one), [SESSION]);
});

test("a form of a page signs out, and no form of another site", async () => {
  const tab = await openTab();
  await tab.goto(begin);
  await enter(tab, "ann@example.com");
  const post = () =>
    Promise.all([
      tab.waitForNavigation(),
      tab.evaluate(
        ([action, to]) => {
          const form = Object.assign(document.createElement("form"), { action, method: "post" });
          form.append(Object.assign(document.createElement("input"), { name: "to", value: to }));
          document.body.append(form);
          form.submit();
        },
        [`${API_URL}/api/v1/sign-out`, path],
      ),
    ]);
  await tab.goto(`${ISSUER}/.well-known/openid-configuration`);
  assert.equal((await post())[0].status(), 403);
  assert.deepEqual(await cookies(tab), [SESSION]);
  await tab.goto(PAGE);
  await post();
  assert.equal(tab.url(), PAGE);
  assert.deepEqual(await cookies(tab), []);
});
