// Pages and mails as a browser shows them. The Python test that runs this has them in the file DOCUMENTS: the HTML and a text
// that it shows, by name.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { testStates, text } from "./page.mjs";

const { DOCUMENTS, WIDTH } = process.env;

const show = ({ html, shows }) => async (tab) => {
  await tab.setContent(html);
  assert.deepEqual(tab.sent, [], "it loads nothing");
  assert.ok((await text(tab, "body")).includes(shows), `it does not show ${shows}`);
  const active = await tab.evaluate(() => ({
    scripts: document.scripts.length,
    handlers: [...document.querySelectorAll("*")].flatMap((it) => it.getAttributeNames()).filter((it) => it.startsWith("on")),
    foreign: document.querySelectorAll("base, meta[http-equiv], img, iframe, object, embed, body style").length,
  }));
  assert.deepEqual(active, { scripts: html.includes("<time ") ? 1 : 0, handlers: [], foreign: 0 });
};

const documents = Object.entries(JSON.parse(readFileSync(DOCUMENTS, "utf8")));
testStates(Object.fromEntries(documents.map(([name, document]) => [name, show(document)])), Number(WIDTH));
