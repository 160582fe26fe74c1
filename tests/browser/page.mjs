// What the tests of pages share: the stack's API, what a tab shows, and how each state of a page is looked at.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, afterEach, before, test } from "node:test";
import { launch, open, violations } from "./browser.mjs";

const { API_URL, API_KEY, WAITPOINTS_SCREENSHOTS, THOROUGH } = process.env;
export const TOKENS = `${API_URL}/api/v1/waitpoints/tokens`;

// The browser of a file's tests. The contexts of a test are closed when it ends.
let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());
afterEach(() => {
  const own = browser.defaultBrowserContext();
  return Promise.all(browser.browserContexts().map((context) => context === own || context.close()));
});
export const openTab = (options) => open(browser, options);

export const api = async (method, url, body) => {
  const headers = { authorization: `Bearer ${API_KEY}`, "content-type": "application/json" };
  const answer = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  assert.equal(answer.status, 200, `${method} ${url}: ${answer.status}`);
  return answer.json();
};
export const create = (body = {}) => api("POST", TOKENS, body);
export const retrieve = ({ id }) => api("GET", `${TOKENS}/${id}`);
export const text = (tab, selector = "main") => tab.$eval(selector, (element) => element.textContent);
export const press = async (tab, selector) => {
  await Promise.all([tab.waitForNavigation(), tab.click(selector)]);
};
export const fetched = (tab) => tab.requests.filter((url) => !url.startsWith("data:"));
export const APPROVE = 'button[value="approve"]';
export const REJECT = 'button[value="reject"]';

const looksAt = (wide) => [
  { dark: false, width: wide },
  { dark: true, width: 320 },
  ...(WAITPOINTS_SCREENSHOTS ? [{ dark: false, width: 320 }, { dark: true, width: wide }] : []),
];

// A test for each state: `states` has for each name what leads a new tab to it. In `make test` each has one look.
export const testStates = (states, wide = 1280) => {
  const every = looksAt(wide);
  for (const [at, [state, show]] of Object.entries(states).entries()) {
    const looks = THOROUGH || WAITPOINTS_SCREENSHOTS ? every : [every[at % every.length]];
    test(`${state}: nothing for axe-core to complain about`, async () => {
      await Promise.all(
        looks.map(async (look) => {
          const tab = await openTab(look);
          await show(tab);
          const name = `${state} ${look.dark ? "dark" : "light"} ${look.width}`;
          if (WAITPOINTS_SCREENSHOTS) {
            mkdirSync(WAITPOINTS_SCREENSHOTS, { recursive: true });
            await tab.screenshot({ path: `${WAITPOINTS_SCREENSHOTS}/${name.replaceAll(" ", "-")}.png`, fullPage: true });
          }
          assert.deepEqual(await violations(tab), [], name);
          assert.equal(await tab.evaluate(() => document.documentElement.scrollWidth), look.width, `${name}: scrolls sideways`);
          assert.deepEqual(tab.refusals, [], name);
        }),
      );
    });
  }
};
