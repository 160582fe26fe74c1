// The console's views of recorded deliveries. `SCENE` is {"endpoint": one that records, and got, in this order: a delivery with
// the number 7 and no key, the same event again, one with "hostile" values in its key and its body, and bytes that are no text;
// "texts": how the hostile ones are shown, "verify": how it checks, "secret": what no view may show}. With `THOROUGH`, each view is
// looked at in both looks.
import assert from "node:assert/strict";
import { test } from "node:test";
import { api, create, openTab, picture, retrieve, violations, write } from "./browser.mjs";
import { CONSOLE, fitsItsWidth, press, shown, signedIn, submitKey, text, untilItSays, untroubled, visit } from "./console.mjs";

const { API_URL, SCENE, THOROUGH } = process.env;
const scene = JSON.parse(SCENE);
const ENDPOINT = `${API_URL}/api/v1/endpoints/${scene.endpoint}`;
const VIEW = `#/endpoints/on/${scene.endpoint}`;
const LIST = `${VIEW}/deliveries`;

const recorded = async (query = "") => (await api("GET", `${ENDPOINT}/deliveries?${query}`)).body.data;
const first = async () => (await recorded()).filter((it) => !it.resendOf).at(-1);
const addressOf = (it) => `${LIST}/${it.id}`;
const flat = async (tab, selector = "main") => (await text(tab, selector)).replace(/\s+/g, " ");

test("the view of an endpoint has the newest, and its list says of each what became of it", async () => {
  const tab = await signedIn(VIEW);
  assert.match(await flat(tab), /Each delivery is recorded for 7d/);
  await press(tab, "All recorded deliveries");
  await untilItSays(tab, "What the endpoint recorded");
  const rows = await tab.$$eval("tbody tr", (all) => all.map((it) => it.innerText.replace(/\s+/g, " ").trim()));
  assert.equal(rows.length, 4);
  assert.match(rows.at(-1), /^Had no key .*no key .* ago event-1/);
  assert.match(rows.at(-2), /^Had no key .* event-1 repeated event/);
  assert.match(rows.at(-3), /^Kept for a token to come kept/);
  untroubled(tab);
});

test("a filter of the kind is in the address, and one that finds nothing says so", async () => {
  const tab = await signedIn(LIST);
  await tab.click("summary");
  await tab.selectOption('[name="filter[kind]"]', "kept");
  await write(tab, '[name="filter[createdAt][period]"]', "1h");
  await press(tab, "Apply");
  await tab.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
  assert.match(await tab.evaluate(() => location.hash), /filter%5Bkind%5D=kept&filter%5BcreatedAt%5D%5Bperiod%5D=1h$/);
  assert.match(await text(tab, "summary"), /Kept for a token to come\s*1h/);
  await visit(tab, `${LIST}?filter%5Bkind%5D=pending`);
  await untilItSays(tab, "No recorded delivery.");
  await visit(tab, `${LIST}?filter%5BcreatedAt%5D%5Bperiod%5D=soon`);
  await untilItSays(tab, "filter[createdAt][period]");
  assert.equal(await tab.$eval("details", (it) => it.open), true); // so that it can be corrected
  untroubled(tab, /status of 400/);
});

test("a delivery has its headers and its body as text, without its secret", async () => {
  const [bytes, hostile, repeated, original] = await recorded();
  const tab = await signedIn(addressOf(hostile));
  const all = await flat(tab);
  for (const written of scene.texts) assert.ok(all.includes(written), `${written} is not shown in ${all}`);
  assert.ok(!/[\u202a-\u202e\u2066-\u2069]/.test(all), "a character that changes the direction is shown");
  const made = await tab.$$eval("main script, main img, main iframe, main svg, main style, main link", (them) => them.length);
  assert.equal(made, 0);
  assert.equal(await tab.evaluate(() => window.pwned), undefined);
  assert.ok(!(await tab.content()).includes(scene.secret));

  await visit(tab, addressOf(bytes));
  await untilItSays(tab, "bytes that are not text");
  await visit(tab, addressOf(repeated));
  await press(tab, original.id); // of the event that the provider repeated
  await tab.waitForFunction((id) => location.hash.endsWith(id), original.id);
  await shown(tab);
  assert.match(await flat(tab), /"number": 7/);
  untroubled(tab);
});

test("no view violates WCAG 2.2 AA, and each fits its width", async () => {
  const looks = [["dark, 375 px", { dark: true, width: 375, height: 800 }], ["light, 1280 px", {}]];
  for (const [name, options] of THOROUGH ? looks : looks.slice(0, 1)) {
    const tab = await signedIn(VIEW, options);
    const views = { endpoint: VIEW, deliveries: LIST, delivery: addressOf((await recorded())[1]) };
    for (const [view, address] of Object.entries(views)) {
      await visit(tab, address);
      await tab.$$eval("details", (all) => all.forEach((it) => it.setAttribute("open", "")));
      assert.deepEqual(await violations(tab), [], `${view}, ${name}`);
      await fitsItsWidth(tab, view);
      await picture(tab, `recorded ${view}, ${name}`, { fullPage: true });
    }
    for (const label of ["Send again…", "Delete…"]) {
      await press(tab, label);
      await tab.waitForSelector("dialog");
      assert.deepEqual(await violations(tab), [], `${label}, ${name}`);
      await picture(tab, `recorded ${label}, ${name}`);
      await tab.keyboard.press("Escape");
      await tab.waitForFunction(() => !document.querySelector("dialog"));
    }
  }
});

test("it is sent again by the settings of today, with the keyboard alone, and the run's token completes", async () => {
  const { id } = await create({ idempotencyKey: `${scene.endpoint}:7` });
  const settings = { key: "body.number", verify: scene.verify, recordDeliveries: "7d" };
  assert.equal((await api("PUT", ENDPOINT, settings)).status, 200);
  const original = await first();
  const tab = await signedIn(addressOf(original));
  await tab.focus("h1");
  for (;;) {
    await tab.keyboard.press("Tab");
    if ((await tab.evaluate(() => document.activeElement.innerText)) === "Send again…") break;
  }
  await tab.keyboard.press("Enter");
  await tab.waitForSelector("dialog [name=tokenId]:focus");
  await tab.keyboard.press("Enter");
  await untilItSays(tab, "Sent again: completed a token");
  await tab.waitForFunction((address) => location.hash !== address, addressOf(original));
  await shown(tab);
  assert.match(await flat(tab), new RegExp(`Completed a token.*Sent again ${original.id}, by the root key`));
  assert.equal((await retrieve(id)).output, '{"number": 7}');
  await press(tab, id);
  await untilItSays(tab, "a delivery to an endpoint");
  untroubled(tab);
});

test("a refusal stays in the dialog, and another token gets the delivery", async () => {
  const asked = await create({ page: { title: "Go on?" } });
  const { id } = await create();
  const tab = await signedIn(addressOf(await first()));
  await press(tab, "Send again…");
  await write(tab, "dialog [name=tokenId]", asked.id);
  await press(tab, "Send it again");
  await untilItSays(tab, "A waitpoint with verify or a page cannot be completed");
  await tab.fill("dialog [name=tokenId]", id);
  await press(tab, "Send it again");
  await untilItSays(tab, "Sent again: completed a token");
  assert.deepEqual([(await retrieve(asked.id)).status, (await retrieve(id)).status], ["WAITING", "COMPLETED"]);
  untroubled(tab, /status of 422/);
});

// A tab in which someone is signed in with a named key that has these scopes.
const withScopes = async (scopes, view) => {
  const named = { name: `console-${scopes.length}-${Date.now()}`, scopes, expiresIn: "1h" };
  const { key } = (await api("POST", `${API_URL}/api/v1/keys`, named)).body;
  const tab = await openTab();
  await tab.goto(`${CONSOLE}${view}`);
  const until = Date.now() + 120_000; // a function that has looked for a new key does not look again for five seconds
  do await submitKey(tab, key);
  while (!(await tab.waitForSelector("header", { timeout: 1_000 }).catch(() => null)) && Date.now() < until);
  await shown(tab);
  return tab;
};

test("without its scope, no delivery is shown, and without the scope complete none is sent again", async () => {
  const theirs = await withScopes(["endpoints", "read"], VIEW);
  assert.match(await flat(theirs), /Recorded deliveries Not shown: This key lacks the scope deliveries/);
  await visit(theirs, LIST);
  assert.match(await flat(theirs), /^Not with this key .*This key lacks the scope deliveries/);
  const before = (await recorded()).length;
  const reader = await withScopes(["endpoints", "read", "deliveries"], addressOf(await first()));
  await press(reader, "Send again…");
  await press(reader, "Send it again");
  await untilItSays(reader, "This key lacks the scope complete");
  assert.equal((await recorded()).length, before);
});

test("one delivery is deleted, and then all, each after a question", async () => {
  const before = await recorded();
  const tab = await signedIn(addressOf(before[0]));
  await press(tab, "Delete…");
  await press(tab, "Cancel");
  assert.equal((await recorded()).length, before.length);
  await press(tab, "Delete…");
  await press(tab, "Delete the delivery");
  await untilItSays(tab, "The delivery was deleted");
  await untilItSays(tab, "What the endpoint recorded");
  assert.equal((await recorded()).length, before.length - 1);
  await tab.waitForFunction(() => !document.querySelector("dialog"));
  await press(tab, "Delete all…");
  await untilItSays(tab, "Also those that the filter does not show.");
  await tab.click("dialog [type=submit]");
  await untilItSays(tab, `${before.length - 1} deleted`);
  await untilItSays(tab, "No recorded delivery.");
  assert.deepEqual(await recorded(), []);
  untroubled(tab);
});
