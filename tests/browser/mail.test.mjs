// Mails as a client shows them that knows all of CSS. The Python test that runs this has them in MAILS, by name.
import assert from "node:assert/strict";
import { testStates } from "./page.mjs";

const show = (html) => async (tab) => {
  await tab.setContent(html);
  assert.deepEqual(tab.requests.filter((url) => url !== "about:blank"), [], "a mail loads nothing");
};

testStates(Object.fromEntries(Object.entries(JSON.parse(process.env.MAILS)).map(([name, html]) => [name, show(html)])), 640);
