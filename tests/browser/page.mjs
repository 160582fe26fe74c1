// What the tests of pages share: what a tab shows, and how each state of a page is looked at.
import assert from "node:assert/strict";
import { test } from "node:test";
import { keptTab, picture, violations } from "./browser.mjs";

const { WAITPOINTS_SCREENSHOTS, THOROUGH } = process.env;

export const text = (tab, selector = "main") => tab.textContent(selector);
export const press = (tab, selector) => Promise.all([tab.waitForNavigation(), tab.click(selector)]);
export const APPROVE = 'button[value="approve"]';
export const REJECT = 'button[value="reject"]';
export const YES = 'button[value="yes"]';

const looksAt = (wide) => [
  { dark: false, width: wide },
  { dark: true, width: 320 },
  ...(WAITPOINTS_SCREENSHOTS ? [{ dark: false, width: 320 }, { dark: true, width: wide }] : []),
];

// A test for each state: `states` has for each name what shows it in a tab. In `make test` each has one look, as hostile
// ones always have.
export const testStates = (states, wide = 1280) => {
  const every = looksAt(wide);
  for (const [at, [state, show]] of Object.entries(states).entries()) {
    const looks = (THOROUGH && !state.startsWith("hostile")) || WAITPOINTS_SCREENSHOTS ? every : [every[at % every.length]];
    test(`${state}: nothing for axe-core to complain about`, async () => {
      await Promise.all(
        looks.map(async (look) => {
          const tab = await keptTab(look);
          await show(tab);
          const name = `${state} ${look.dark ? "dark" : "light"} ${look.width}`;
          await picture(tab, name, { fullPage: true });
          assert.deepEqual(await violations(tab), [], name);
          assert.equal(await tab.evaluate(() => document.documentElement.scrollWidth), look.width, `${name}: scrolls sideways`);
          assert.deepEqual(tab.refusals, [], name);
        }),
      );
    });
  }
};
