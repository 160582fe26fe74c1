// The page behind a callback URL, as people and robots meet it. The Python test that runs this says where the stack is, and
// gives it three tokens with the page below for which executions wait.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, keptTab, openTab, retrieve, violations, write } from "./browser.mjs";
import { APPROVE, REJECT, YES, press, text } from "./page.mjs";

const { API_URL, URL_JAVASCRIPT, URL_PLAIN, URL_KEYBOARD, PAGE } = process.env;
const page = JSON.parse(PAGE);
const LARGEST = 50_000; // bytes

// Fill in the page of the Python test, by name, with the mouse and the keyboard.
const fillIn = async (tab) => {
  await write(tab, '[name="field.reason"]', "All green");
  await write(tab, '[name="field.notes"]', "First line\nSecond <b>line</b>");
  await write(tab, '[name="field.share"]', "12.5");
  await write(tab, '[name="field.servers"]', "3");
  await tab.type('[name="field.from"]', "01312027");
  await write(tab, '[name="field.contact"]', "ann@example.com");
  await tab.click('[name="field.read"]');
  await tab.click('[name="field.risk"][value="low"]');
  await tab.selectOption('[name="field.window"]', "2");
  await tab.click('[name="field.regions"][value="eu"]');
  await tab.click('[name="field.regions"][value="us"]');
};

for (const [name, url, javaScriptEnabled, zone] of [
  ["a person fills in every kind of field and approves", URL_JAVASCRIPT, true, /\d GMT\+5:45/],
  ["a person does the same without JavaScript", URL_PLAIN, false, /\d UTC/],
]) {
  test(name, async () => {
    const tab = await keptTab({ javaScriptEnabled, timezoneId: "Asia/Kathmandu" });
    await tab.goto(url);
    await fillIn(tab);
    await press(tab, APPROVE);
    assert.match(await text(tab), /Thank you.*You chose Approve\./s);
    assert.match(await text(tab, "time"), zone);
    await tab.goto(url);
    assert.match(await text(tab), /Decided.*Approve was chosen/s);
    assert.equal((await tab.$$("button, input, form, a")).length, 0);
    assert.deepEqual([tab.refusals, tab.messages], [[], []]);
    assert.deepEqual(tab.sent, [url, url, url]);
  });
}

test("a person does the same with the keyboard alone", async () => {
  const tab = await keptTab();
  const keys = async (...names) => {
    for (const name of names) await tab.keyboard.press(name);
  };
  const next = async (written) => {
    await keys("Tab");
    const outline = await tab.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.notEqual(outline, "none", "the focus is not visible");
    if (written) await tab.keyboard.type(written);
  };
  await tab.goto(URL_KEYBOARD);
  await next(); // the link
  assert.equal(await tab.evaluate(() => document.activeElement.href), page.links[0].url);
  await next("All green");
  await keys("Enter"); // presses none of several buttons
  await next("First line");
  await keys("Enter");
  await tab.keyboard.type("Second <b>line</b>");
  await next("12.5");
  await next("3");
  await next("01312027");
  assert.equal(await tab.$eval('[name="field.from"]', (input) => input.value), "2027-01-31");
  while ((await tab.evaluate(() => document.activeElement.name)) === "field.from") await keys("Tab"); // its parts
  await tab.keyboard.type("ann@example.com");
  await next();
  await keys("Space"); // the box that must be ticked
  await next();
  await next();
  await keys("Space"); // one of the radio buttons
  await next();
  await keys("ArrowDown", "ArrowDown"); // the list: "Choose…", 1, 2
  await next();
  await keys("Space");
  await next();
  await keys("Space");
  await next();
  assert.equal(await tab.evaluate(() => document.activeElement.value), "approve");
  await Promise.all([tab.waitForNavigation(), keys("Enter")]);
  assert.match(await text(tab), /You chose Approve\./);
});

test("what does not fit is shown again, with the focus on a summary that leads to the fields", async () => {
  const token = await create({ page });
  const tab = await keptTab();
  await tab.goto(token.url);
  await fillIn(tab);
  await tab.$eval('[name="field.contact"]', (input) => Object.assign(input, { type: "text", value: "nobody" }));
  await tab.$eval("form", (form) => (form.noValidate = true));
  await press(tab, APPROVE);
  await tab.waitForSelector(".summary:focus"); // Chromium moves the focus after it has drawn the page
  assert.match(await text(tab, ".summary"), /Please check your answers.*Contact: Enter an e-mail address/s);
  await tab.click(".summary a");
  assert.equal(await tab.evaluate(() => document.querySelector(":target").name), "field.contact");
  assert.equal(await tab.$eval('[name="field.notes"]', (input) => input.value), "First line\nSecond <b>line</b>");
  assert.equal((await retrieve(token.id)).status, "WAITING");
  await tab.fill('[name="field.contact"]', "ann@example.com");
  await press(tab, REJECT);
  assert.equal(JSON.parse((await retrieve(token.id)).output).action, "reject");
  assert.deepEqual([tab.refusals, tab.messages.filter((it) => !it.includes("422"))], [[], []]);
});

test("a browser does not send what HTML can tell does not fit", async () => {
  const token = await create({ page });
  const tab = await keptTab();
  await tab.goto(token.url);
  await tab.click(APPROVE);
  assert.equal(await tab.evaluate(() => document.activeElement.name), "field.reason");
  assert.deepEqual(tab.sent, [token.url]);
});

test("an action that needs no fields is sent without them", async () => {
  const [approve, reject] = page.actions;
  const token = await create({ page: { ...page, actions: [approve, { ...reject, needsFields: false }] } });
  const tab = await keptTab();
  await tab.goto(token.url);
  await press(tab, REJECT);
  assert.deepEqual(JSON.parse((await retrieve(token.id)).output), { action: "reject", fields: { urgent: false } });
});

// What each text means to everybody, or undefined if people of several languages would read it differently.
const TYPED = {
  "1,24": 1.24, "1.24": 1.24, "-0,125": -0.125, "1240": 1240, "1240,5": 1240.5, "1240.5": 1240.5, "１２": 12, "1.2400": 1.24,
  "1.240": undefined, "1,240": undefined, "1.240,50": undefined, "1,240.50": undefined, "1 240": undefined,
}; // prettier-ignore
const DECIMAL = { en: ".", de: "," };
for (const [locale, language] of [["en-US", "de"], ["de-DE", "en"]]) {
  test(`a typed number is what was meant or refused: a browser in ${locale}, a page in ${language}`, async () => {
    const texts = Object.keys(TYPED);
    const properties = Object.fromEntries(texts.map((typed, at) => [`n${at}`, { type: "number", title: typed }]));
    const preset = { type: "number", default: 2.125 };
    const fields = { properties: { ...properties, preset } };
    const token = await create({ page: { title: "Pay?", actions: page.actions, fields, confirm: true } });
    const tab = await openTab({ extraHTTPHeaders: { "accept-language": language } });
    await (await tab.context().newCDPSession(tab)).send("Emulation.setLocaleOverride", { locale });
    await tab.goto(token.url);
    for (const [at, typed] of texts.entries()) await write(tab, `[name="field.n${at}"]`, typed);
    await press(tab, APPROVE);
    assert.equal(await tab.evaluate(() => document.documentElement.lang), language);
    const refused = await tab.$$eval(".summary li bdi", (found) => found.map((it) => it.textContent));
    for (const typed of texts) {
      const isNative = TYPED[typed] !== undefined && (!/[.,]/.test(typed) || typed.includes(DECIMAL[language]));
      if (TYPED[typed] === undefined) assert.ok(refused.includes(typed), `${typed} may mean two numbers`);
      if (isNative) assert.ok(!refused.includes(typed), `${typed} is a number in ${language}`);
    }
    for (const typed of refused) await tab.fill(`[name="field.n${texts.indexOf(typed)}"]`, "");
    await press(tab, APPROVE);
    const rows = () => tab.$$eval("dl > div", (found) => found.map((it) => [it.children[0].textContent, it.children[1].textContent]));
    const meant = (typed) => String(TYPED[typed]).replace(".", DECIMAL[language]);
    const understood = Object.fromEntries(await rows());
    for (const typed of texts.filter((it) => !refused.includes(it))) assert.equal(understood[typed], meant(typed));
    assert.equal(understood.preset, `2${DECIMAL[language]}125`);
    await press(tab, YES);
    assert.deepEqual(Object.fromEntries(await rows()), understood);
    const { fields: got } = JSON.parse((await retrieve(token.id)).output);
    const expected = texts.filter((it) => !refused.includes(it)).map((typed) => [`n${texts.indexOf(typed)}`, TYPED[typed]]);
    assert.deepEqual(got, { ...Object.fromEntries(expected), preset: 2.125 });
  });
}

test("times are in the reader's zone and language, and the script changes nothing else", async () => {
  const value = "2027-07-31T22:30:00Z";
  const token = await create({ timeout: "1h", page: { title: "Pay?", facts: [{ label: "Paid", value, format: "instant" }] } });
  const rest = (tab) => tab.$eval("body", (body) => body.innerHTML.replaceAll(/<time.*?<\/time>/g, ""));
  const open = async (zone, language, javaScriptEnabled = true) => {
    const extraHTTPHeaders = { "accept-language": language };
    const tab = await keptTab({ timezoneId: zone, extraHTTPHeaders, javaScriptEnabled });
    await tab.goto(token.url);
    assert.deepEqual([tab.refusals, tab.messages, tab.sent], [[], [], [token.url]]);
    return tab;
  };
  for (const language of ["en", "de", "fr", "es", "ja", "zh"]) {
    const plain = await open("Asia/Tokyo", language, false);
    const utc = await text(plain, "dl time");
    assert.match(utc, /31.*22:30 UTC$/);
    for (const [zone, day, clock] of [
      ["Europe/Berlin", 1, "00:30"], ["America/St_Johns", 31, "20:00"], ["Asia/Kathmandu", 1, "04:15"],
      ["Pacific/Apia", 1, "11:30"], ["UTC", 31, "22:30"],
    ]) { // prettier-ignore
      const tab = await open(zone, language);
      const shown = await text(tab, "dl time");
      assert.match(shown, new RegExp(`(^|\\D)${day}(er|\\D).*${clock}`), `${zone}, ${language}: ${shown}`);
      assert.equal(await tab.$eval("dl time", (time) => time.title), utc);
      assert.equal(await rest(tab), await rest(plain));
    }
  }
});

test("the browser's language would change a number input", async () => {
  const tab = await openTab({ locale: "en-US" });
  await tab.goto("data:text/html,<input type=number step=any>");
  await tab.type("input", "1,24");
  assert.equal(await tab.$eval("input", (input) => input.value), "124");
});

test("a form on another site makes the page ask, and settles nothing", async () => {
  const token = await create({ page: { title: "Deploy?", actions: page.actions, fields: { properties: { note: { type: "string" } } } } });
  const form = '<input name="action" value="approve"><input name="confirmed" value="yes">';
  const json = `<input name='{"action":"approve","fields":{"note":"' value='"}}'>`;
  for (const [type, inputs, asked, answer, status] of [
    ["application/x-www-form-urlencoded", form, /You are about to choose Approve\./, 'button[value="no"]', "WAITING"],
    ["text/plain", json, /Deploy\?/, REJECT, "COMPLETED"],
  ]) {
    const tab = await openTab();
    const site = `<main><form method="post" action="${token.url}" enctype="${type}">${inputs}<button>Win</button></form></main>`;
    await tab.goto(`data:text/html,${encodeURIComponent(site)}`);
    await press(tab, "button");
    assert.match(await text(tab), asked);
    assert.equal((await retrieve(token.id)).status, "WAITING");
    await press(tab, answer);
    assert.equal((await retrieve(token.id)).status, status);
  }
  assert.equal(JSON.parse((await retrieve(token.id)).output).action, "reject");
});

test("robots with a browser settle nothing: they load, wait, prefetch, prerender and frame", async () => {
  const token = await create({ page: { ...page, fields: undefined } });
  const tab = await openTab();
  await tab.goto(token.url, { waitUntil: "networkidle" });
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assert.equal((await retrieve(token.id)).status, "WAITING");

  const rules = JSON.stringify({ prefetch: [{ urls: [token.url] }], prerender: [{ urls: [token.url] }] });
  const reader = await openTab();
  const purposes = [];
  reader.on("request", (request) => purposes.push(request.headers()["sec-purpose"] ?? request.headers().purpose));
  await reader.goto(`${API_URL}/_ministack/health`);
  const links = ["prefetch", "preload", "dns-prefetch", "preconnect"].map((it) => `<link rel="${it}" as="fetch" href="${token.url}">`);
  await reader.setContent(
    `${links.join("")}<script type="speculationrules">${rules}</script><iframe src="${token.url}"></iframe><a href="${token.url}" ping="${token.url}">it</a>`,
  );
  await reader.hover("a");
  await reader.waitForLoadState("networkidle");
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.ok(purposes.some((it) => it?.startsWith("prefetch")), JSON.stringify(purposes));
  assert.ok(reader.refusals.concat(reader.messages).some((it) => it.includes("frame-ancestors") || it.includes("frame")));
  assert.equal((await retrieve(token.id)).status, "WAITING");
  assert.equal((await retrieve(token.id)).otherDeliveries, undefined);
});

test("the page is one request, small, and painted at once", async (t) => {
  const token = await create({ page });
  const tab = await keptTab();
  const answer = await tab.goto(token.url);
  const bytes = (await answer.body()).length;
  await tab.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
  const paint = await tab.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime);
  const [{ responseEnd }] = await tab.evaluate(() => performance.getEntriesByType("navigation").map((it) => it.toJSON()));
  t.diagnostic(`${bytes} bytes, first paint ${Math.round(paint)} ms, of which ${Math.round(responseEnd)} ms for the answer`);
  assert.ok(bytes < LARGEST, `${bytes} bytes`);
  assert.deepEqual(tab.sent, [token.url]);
});

test("Chromium reports what the page's policy refuses, and axe-core an image without a text", async () => {
  const token = await create({ page });
  const tab = await keptTab();
  await tab.goto(token.url);
  await tab.evaluate(() => {
    document.body.insertAdjacentHTML("beforeend", `<p style="color:red">x</p><img src="https://evil.example/a">`);
    document.body.append(Object.assign(document.createElement("script"), { textContent: "window.attacked = 1" }));
  });
  await tab.waitForLoadState("networkidle");
  for (const directive of ["style-src", "img-src", "script-src"]) {
    assert.ok(tab.refusals.some((it) => it.startsWith(directive)), `${directive}: ${tab.refusals}`);
  }
  assert.equal(await tab.evaluate(() => window.attacked), undefined);
  assert.ok((await violations(tab)).some((it) => it.startsWith("image-alt")));
});
