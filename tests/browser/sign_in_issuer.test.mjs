// A page whose issuer was removed from the stack, and then one whose issuer is slow. The Python test deploys both.
import assert from "node:assert/strict";
import { test } from "node:test";
import { beginAgain, choose, cookies, look, main, onReturn, openPhone, pauseIssuer, resumeIssuer, signIn } from "./sign_in.mjs";

const { URL: PAGE } = process.env;
const FAILED = /Sign-in failed.*try again in a moment.*Sign in again/s;

test("a page whose issuer was removed says that nobody can sign in", async () => {
  const tab = await openPhone();
  assert.equal((await tab.goto(PAGE)).status(), 403);
  assert.match(await main(tab), /Signing in here is no longer possible.*ask for a new link/s);
  assert.doesNotMatch(await tab.content(), /ACME/);
  await look(tab, "issuer removed");
});

test("nobody waits long for an issuer that is slow, and signs in when it no longer is", async (t) => {
  t.after(resumeIssuer);
  const tab = await openPhone();
  await tab.goto(PAGE);
  pauseIssuer();
  const begun = performance.now();
  const [answer] = await choose(tab, "Sign in");
  assert.equal(answer.status(), 503);
  const seconds = (performance.now() - begun) / 1000;
  assert.ok(seconds > 3 && seconds < 20, `${seconds} s`);
  assert.match(await main(tab), FAILED);
  await look(tab, "issuer slow", "Sign in again");
  resumeIssuer();
  await beginAgain(tab);
  await onReturn(tab, pauseIssuer);
  await signIn(tab, "ann@example.com");
  assert.match(await main(tab), FAILED);
  assert.deepEqual(await cookies(tab), []);
  resumeIssuer();
  const until = performance.now() + 60_000; // a page that was refused in a row pauses for ten seconds, however fast this clicks
  while (tab.url() !== PAGE) {
    assert.ok(performance.now() < until, await main(tab));
    await choose(tab, "Sign in again"); // the issuer remembers them
  }
  assert.match(await main(tab), /Pay ACME\?.*You are answering as ann@example\.com/s);
});
