// Signing in with npm's oidc-provider. The Python test that runs this gives it the URL of a page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openTab } from "./browser.mjs";
import { RETURN, SESSION, beginAgain, choose, cookies, look, main, onReturn, openPhone, signIn, turnIssuer } from "./sign_in.mjs";

const { API_URL, ISSUER, URL: PAGE } = process.env;
const path = PAGE.slice(API_URL.length);
const begin = `${API_URL}/api/v1/sign-in?to=${path}`;

// It comes first: a function that has read what the issuer says of itself keeps it for ten minutes.
test("while the issuer is down a person reads so, and signs in when it is up again", async (t) => {
  t.after(() => turnIssuer(true));
  const tab = await openPhone();
  await tab.goto(PAGE);
  await turnIssuer(false);
  const [answer] = await choose(tab, "Sign in");
  assert.equal(answer.status(), 503);
  assert.match(await main(tab), /Sign-in failed.*try again in a moment.*Sign in again/s);
  await look(tab, "issuer down", "Sign in again");
  assert.deepEqual(await cookies(tab), []);
  await turnIssuer(true);
  await beginAgain(tab);
  await signIn(tab, "ann@example.com");
  assert.equal(tab.url(), PAGE);
});

test("a person signs in at the issuer and comes back to the page with a session", async () => {
  const tab = await openTab({ javaScriptEnabled: false });
  await tab.goto(begin);
  assert.ok(tab.url().startsWith(ISSUER));
  assert.equal((await cookies(tab)).length, 1);
  await signIn(tab, "ann@example.com");
  assert.equal(tab.url(), PAGE);
  assert.deepEqual(await cookies(tab), [SESSION]);
  await tab.goto(begin); // who is signed in at the issuer is asked nothing
  assert.equal(tab.url(), PAGE);
  assert.deepEqual(await cookies(tab), [SESSION]);
});

test("an issuer that goes down while a person signs in there signs nobody in, and may come back", async (t) => {
  t.after(() => turnIssuer(true));
  const tab = await openTab({ javaScriptEnabled: false });
  await tab.goto(begin);
  await onReturn(tab, () => turnIssuer(false));
  await signIn(tab, "ann@example.com");
  assert.ok(tab.url().startsWith(RETURN));
  assert.match(await main(tab), /Sign-in failed.*try again in a moment/s);
  assert.deepEqual(await cookies(tab), []);
  await turnIssuer(true);
  await choose(tab, "Sign in again"); // the issuer remembers them
  assert.equal(tab.url(), PAGE);
});

test("a person who cancels sees why, can begin again, and can read it all", async () => {
  const tab = await openPhone();
  await tab.goto(begin);
  await tab.click("text=Cancel");
  assert.match(await main(tab), /declined the sign-in.*Sign in again.*Reference: response_access_denied/s);
  await look(tab, "access denied", "Sign in again");
  assert.deepEqual(await cookies(tab), []);
  await choose(tab, "Sign in again");
  await signIn(tab, "ann@example.com");
  assert.equal(tab.url(), PAGE);
});

test("the back button to a sign-in that is over does not sign in again", async () => {
  const tab = await openTab({ javaScriptEnabled: false });
  await tab.goto(begin);
  await signIn(tab, "ann@example.com");
  const used = tab.sent.find((url) => url.startsWith(RETURN));
  await tab.context().clearCookies({ name: SESSION });
  assert.equal((await tab.goto(used)).status(), 403);
  assert.match(await main(tab), /This sign-in is no longer valid/);
  assert.deepEqual(await cookies(tab), []);
});

test("two tabs sign in side by side", async () => {
  const one = await openTab({ javaScriptEnabled: false });
  await one.goto(begin);
  const other = await one.context().newPage();
  await other.goto(begin);
  assert.equal((await cookies(one)).length, 2);
  await signIn(other, "ann@example.com");
  await signIn(one, "ann@example.com");
  assert.deepEqual([one.url(), other.url()], [PAGE, PAGE]);
  assert.deepEqual(await cookies(one), [SESSION]);
});

test("of six sign-ins that have begun, the oldest is over", async () => {
  const oldest = await openPhone();
  await oldest.goto(begin);
  const rest = await oldest.context().newPage();
  for (let more = 0; more < 5; more += 1) await rest.goto(begin);
  assert.equal((await cookies(oldest)).length, 5);
  await signIn(oldest, "ann@example.com");
  assert.match(await main(oldest), /This sign-in is no longer valid.*Open your link again/s);
  await look(oldest, "over");
});

test("a form of a page signs out, and no form of another site", async () => {
  const tab = await openTab();
  await tab.goto(begin);
  await signIn(tab, "ann@example.com");
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
