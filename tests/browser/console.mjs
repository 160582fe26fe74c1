// The console, as the tests use it. The Python tests that run them say where the stack is.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { open } from "./browser.mjs";

const { API_URL, API_KEY, WAITPOINTS_SCREENSHOTS } = process.env;
export const CONSOLE = `${API_URL}/console`;
export const TOKENS = `${API_URL}/api/v1/waitpoints/tokens`;
export const WAITING_LONGEST = "#/tokens?filter%5Bstatus%5D=WAITING&sort=createdAt";

export const api = async (method, path, body) => {
  const headers = { authorization: `Bearer ${API_KEY}`, "content-type": "application/json" };
  const answer = await fetch(`${API_URL}${path}`, { method, headers, body: body && JSON.stringify(body) });
  return { status: answer.status, body: await answer.json() };
};
export const retrieve = async (id) => (await api("GET", `/api/v1/waitpoints/tokens/${id}`)).body;

export const text = (tab, selector = "body") => tab.$eval(selector, (element) => element.innerText);
// The URLs that a tab asked for, without the icons of Chromium's own controls; and those of the API.
export const sent = (tab) => tab.requests.filter((url) => !url.startsWith("data:"));
export const calls = (tab) => sent(tab).filter((url) => url.includes("/api/"));

export const submitKey = async (tab, key) => {
  await tab.waitForSelector("input[type=password]");
  await tab.$eval("input[type=password]", (input) => {
    input.value = "";
  });
  await tab.type("input[type=password]", key);
  await tab.keyboard.press("Enter");
};

// A tab in which the team is signed in, at a view.
export const signedIn = async (browser, view = "#/tokens", options = {}) => {
  const tab = await open(browser, options);
  await tab.goto(`${CONSOLE}${view}`);
  await submitKey(tab, API_KEY);
  await tab.waitForSelector("header");
  await shown(tab);
  return tab;
};

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
  await tab.setRequestInterception(true);
  const handle = async (request) => {
    const made = request.url().includes("/api/") ? await answer(request) : null;
    await (made ? request.respond(made) : request.continue());
  };
  tab.on("request", handle);
  return async () => {
    tab.off("request", handle);
    await tab.setRequestInterception(false);
  };
};

// A view that is being drawn anew moves what is below a message: a click would miss it. So wait until it is drawn. A locator
// looks for the element again if it is replaced before the click.
export const press = async (tab, label) => {
  await tab.waitForSelector("body:not(:has(main[aria-busy]))");
  await tab
    .locator(
      `::-p-xpath(//*[self::button or self::a][not(ancestor::*[@hidden])][starts-with(normalize-space(.), "${label}")])`,
    )
    .click();
};

export const untilItSays = (tab, words) => tab.waitForFunction((it) => document.body.innerText.includes(it), {}, words);

export const untroubled = (tab) => {
  assert.deepEqual(tab.refusals, []);
  assert.deepEqual(tab.messages, []);
  assert.deepEqual(
    sent(tab).filter((url) => new URL(url).origin !== new URL(API_URL).origin),
    [],
  );
};

export const picture = async (tab, name) => {
  if (!WAITPOINTS_SCREENSHOTS) return;
  mkdirSync(WAITPOINTS_SCREENSHOTS, { recursive: true });
  await tab.screenshot({ path: join(WAITPOINTS_SCREENSHOTS, `console-${name}.png`) });
};
