// The console, as the tests use it. The Python tests that run them say where the stack is.
import assert from "node:assert/strict";
import { keptTab, write } from "./browser.mjs";

const { API_URL, API_KEY } = process.env;
export const CONSOLE = `${API_URL}/console`;
export const WAITING_LONGEST = "#/tokens?filter%5Bstatus%5D=WAITING&sort=createdAt";

export const text = (tab, selector = "body") => tab.innerText(selector);
export const calls = (tab) => tab.sent.filter((url) => url.includes("/api/"));

export const submitKey = async (tab, key) => {
  await tab.fill("input[type=password]", "");
  await write(tab, "input[type=password]", key);
  await tab.keyboard.press("Enter");
};

// The tab with these options, in which the team has just signed in, at a view. Signing out forgets what the test before has
// left, and is quicker than to load the console anew.
export const signedIn = async (view = "#/tokens", options = {}) => {
  const before = await keptTab(options);
  await before.unrouteAll({ behavior: "ignoreErrors" });
  if (!(await signOut(before, view))) await before.goto(`${CONSOLE}${view}`);
  const tab = await keptTab(options);
  await submitKey(tab, API_KEY);
  await tab.waitForSelector("header");
  await shown(tab);
  return tab;
};

// Returns whether the tab has the console, in which someone was signed in.
const signOut = (tab, view) =>
  tab.evaluate((address) => {
    const button = [...document.querySelectorAll("header button")].find((it) => it.textContent === "Sign out");
    if (button) history.replaceState(null, "", address);
    button?.click();
    return Boolean(button);
  }, view);

// Until the view of the present address is shown.
export const shown = (tab) => tab.waitForSelector("main:not([aria-busy]) h1");

export const visit = async (tab, view) => {
  await tab.evaluate((address) => {
    document.querySelector("main").replaceChildren();
    if (location.hash === address) dispatchEvent(new HashChangeEvent("hashchange"));
    else location.hash = address;
  }, view);
  await shown(tab);
};

// Answer the tab's calls of the API: `answer` gets a request and returns what to respond with, or null to let it through.
// Returns what ends that.
export const intercept = async (tab, answer) => {
  await tab.route("**/api/**", async (route) => {
    const made = await answer(route.request());
    await (made ? route.fulfill(made) : route.continue());
  });
  return () => tab.unrouteAll({ behavior: "wait" });
};

// What a stack says of one token, as it may be. `give` returns it.
export const answering = (tab, id, give) =>
  intercept(tab, (request) =>
    request.url().endsWith(id) ? { status: 200, contentType: "application/json", body: JSON.stringify(give()) } : null,
  );

// Have `window.copied` in place of a clipboard.
export const keepCopies = (tab) =>
  tab.evaluate(() => {
    window.copied = [];
    const writeText = async (it) => window.copied.push(it);
    Object.defineProperty(navigator, "clipboard", { value: { writeText }, configurable: true });
  });

// A view that is being drawn anew moves what is below a message: a click would miss it. So wait until it is drawn. A locator
// looks for the element again if it is replaced before the click.
export const press = async (tab, label) => {
  await tab.waitForSelector("body:not(:has(main[aria-busy]))");
  await tab
    .locator(`//*[self::button or self::a][not(ancestor::*[@hidden])][starts-with(normalize-space(.), "${label}")]`)
    .first()
    .click();
};

export const untilItSays = (tab, words) => tab.waitForFunction((it) => document.body.innerText.includes(it), words, { polling: 50 }); // ms

export const openDetails = (tab) => tab.$$eval("details", (all) => all.forEach((it) => it.setAttribute("open", "")));

export const fitsItsWidth = async (tab, name) => {
  const [wide, narrow] = await tab.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= narrow, `${name} has ${wide} px`);
};

// No message but those that `expected` matches, nothing that the policy refused, and no request to another origin.
export const untroubled = (tab, expected = /^$/) => {
  assert.deepEqual(tab.refusals, []);
  assert.deepEqual(
    tab.messages.filter((it) => !expected.test(it)),
    [],
  );
  assert.deepEqual(
    tab.sent.filter((url) => new URL(url).origin !== new URL(API_URL).origin),
    [],
  );
};
