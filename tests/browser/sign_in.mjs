// What the tests of the sign-in share: a person at npm's oidc-provider, which can be slow and down, and a page as it is looked at.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { openTab, picture, violations } from "./browser.mjs";

const { API_URL, ISSUER, ISSUER_PID } = process.env;
export const SESSION = "__Host-waitpoints-session";
export const RETURN = `${API_URL}/api/v1/sign-in/return`;
const PHONE = { width: 375, dark: true };

export const openPhone = () => openTab(PHONE);
export const main = (tab) => tab.textContent("main");
export const press = (tab, selector) => Promise.all([tab.waitForNavigation(), tab.click(selector)]);
export const choose = (tab, label) => press(tab, `button:has-text("${label}"), a:has-text("${label}")`);

// Enter a name at the issuer, unless it knows the person, and agree, unless they have before.
export const signIn = async (tab, who) => {
  assert.ok(tab.url().startsWith(ISSUER), tab.url());
  for (let page = 0; page < 4 && tab.url().startsWith(ISSUER); page += 1) {
    if (await tab.$("input[name=login]")) {
      await tab.fill("input[name=login]", who);
      await tab.fill("input[name=password]", "x");
    }
    await press(tab, "button[type=submit]");
  }
};

// The cookies of the stack.
export const cookies = async (tab) => {
  const found = (await tab.context().cookies(API_URL)).filter(({ name }) => name.startsWith("__Host-"));
  for (const { httpOnly, secure, sameSite } of found) assert.deepEqual([httpOnly, secure, sameSite], [true, true, "Lax"]);
  return found.map(({ name }) => name);
};

// Look at a state of a page as on a phone at night: everyone can read it and reach its `controls`, named in their order, by keyboard.
export const look = async (tab, state, ...controls) => {
  await picture(tab, `sign-in ${state}`, { fullPage: true });
  assert.deepEqual(await violations(tab), [], state);
  assert.equal(await tab.evaluate(() => document.documentElement.scrollWidth), PHONE.width, `${state}: scrolls sideways`);
  const scripts = await tab.evaluate(() => document.scripts.length - (document.querySelector("time") ? 1 : 0));
  assert.deepEqual([tab.refusals, scripts], [[], 0], state);
  const focused = async () => {
    await tab.keyboard.press("Tab");
    return tab.evaluate(() => {
      const { activeElement: it, body } = document;
      const isGood = getComputedStyle(it).outlineStyle === "solid" && it.getBoundingClientRect().height >= 44;
      return it === body ? "nothing" : `${it.textContent || it.name}${isGood ? "" : ": too small, or without a visible focus"}`;
    });
  };
  for (const name of [...controls, "nothing"]) assert.equal(await focused(), name, state);
};

export const pauseIssuer = () => process.kill(Number(ISSUER_PID), "SIGSTOP");
export const resumeIssuer = () => process.kill(Number(ISSUER_PID), "SIGCONT");

// Open the issuer's port, or close it.
export const turnIssuer = async (isUp) => {
  const isTurned = () => fetch(ISSUER).then(() => isUp, () => !isUp); // prettier-ignore
  if (await isTurned()) return;
  process.kill(Number(ISSUER_PID), "SIGUSR2");
  for (let tries = 0; !(await isTurned()); tries += 1) assert.ok(tries < 500, await sleep(20, "the issuer does not turn"));
};

// Begin again by the page's link until the issuer is asked again, which the stack does not do for a few seconds.
export const beginAgain = async (tab) => {
  do await choose(tab, "Sign in again");
  while (!tab.url().startsWith(ISSUER) && (await sleep(1_000, true)));
};

// Call `work` when the issuer sends the browser back, before the stack hears of it.
export const onReturn = async (tab, work) => {
  const session = await tab.context().newCDPSession(tab);
  await session.send("Fetch.enable", { patterns: [{ urlPattern: `${RETURN}*` }] });
  session.once("Fetch.requestPaused", async ({ requestId }) => {
    await work();
    await session.send("Fetch.continueRequest", { requestId });
    await session.send("Fetch.disable");
  });
};
