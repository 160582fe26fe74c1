// The page behind a callback URL, as people and robots meet it. The Python test that runs this says where the stack is, and
// gives it three tokens with the page below for which executions wait.
import assert from "node:assert/strict";
import { test } from "node:test";
import { violations } from "./browser.mjs";
import { APPROVE, REJECT, TOKENS, api, create, fetched, openTab, press, retrieve, testStates, text } from "./page.mjs";

const { API_URL, URL_JAVASCRIPT, URL_PLAIN, URL_KEYBOARD, PAGE, THOROUGH } = process.env;
const page = JSON.parse(PAGE);
const LARGEST = 50_000; // bytes

// Fill in the page of the Python test, by name, with the mouse and the keyboard.
const fillIn = async (tab) => {
  await tab.type('[name="field.reason"]', "All green");
  await tab.type('[name="field.notes"]', "First line\nSecond <b>line</b>");
  await tab.type('[name="field.share"]', "12.5");
  await tab.type('[name="field.servers"]', "3");
  await tab.type('[name="field.from"]', "01312027");
  await tab.type('[name="field.contact"]', "ann@example.com");
  await tab.click('[name="field.read"]');
  await tab.click('[name="field.risk"][value="low"]');
  await tab.select('[name="field.window"]', "2");
  await tab.click('[name="field.regions"][value="eu"]');
  await tab.click('[name="field.regions"][value="us"]');
};

for (const [name, url, javaScript] of [
  ["a person fills in every kind of field and approves", URL_JAVASCRIPT, true],
  ["a person does the same without JavaScript", URL_PLAIN, false],
]) {
  test(name, async () => {
    const tab = await openTab({ javaScript });
    await tab.goto(url);
    await fillIn(tab);
    await press(tab, APPROVE);
    assert.match(await text(tab), /Thank you.*You chose Approve\..*UTC/s);
    await tab.goto(url);
    assert.match(await text(tab), /Decided.*Approve was chosen/s);
    assert.equal((await tab.$$("button, input, form, a")).length, 0);
    assert.deepEqual([tab.refusals, tab.messages], [[], []]);
    assert.deepEqual(fetched(tab), [url, url, url]);
  });
}

test("a person does the same with the keyboard alone", async () => {
  const tab = await openTab();
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
  const tab = await openTab();
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
  assert.equal((await retrieve(token)).status, "WAITING");
  await tab.$eval('[name="field.contact"]', (input) => (input.value = "ann@example.com"));
  await press(tab, REJECT);
  assert.equal(JSON.parse((await retrieve(token)).output).action, "reject");
  assert.deepEqual([tab.refusals, tab.messages.filter((it) => !it.includes("422"))], [[], []]);
});

test("a browser does not send what HTML can tell does not fit", async () => {
  const token = await create({ page });
  const tab = await openTab();
  await tab.goto(token.url);
  await tab.click(APPROVE);
  assert.equal(await tab.evaluate(() => document.activeElement.name), "field.reason");
  assert.deepEqual(fetched(tab), [token.url]);
});

// What each text means to everybody, or undefined if people of several languages would read it differently.
const TYPED = {
  "1,24": 1.24, "1.24": 1.24, "-0,125": -0.125, "1240": 1240, "1240,5": 1240.5, "1240.5": 1240.5, "１２": 12, "1.2400": 1.24,
  "1.240": undefined, "1,240": undefined, "1.240,50": undefined, "1,240.50": undefined, "1 240": undefined,
}; // prettier-ignore
const DECIMAL = { en: ".", de: ",", fr: ",", es: ",", ja: ".", zh: "." };
const LOCALES = THOROUGH ? ["en_US", "de_DE", "es_MX"] : ["en_US", "de_DE"];
const LANGUAGES = THOROUGH ? Object.keys(DECIMAL) : ["en", "de"];

for (const locale of LOCALES) {
  for (const language of LANGUAGES) {
    test(`a typed number is what was meant or refused: a browser in ${locale}, a page in ${language}`, async () => {
      const texts = Object.keys(TYPED);
      const properties = Object.fromEntries(texts.map((typed, at) => [`n${at}`, { type: "number", title: typed }]));
      const preset = { type: "number", default: 2.125 };
      const fields = { properties: { ...properties, preset } };
      const token = await create({ page: { title: "Pay?", actions: page.actions, fields, confirm: true } });
      const tab = await openTab();
      await (await tab.createCDPSession()).send("Emulation.setLocaleOverride", { locale });
      await tab.setExtraHTTPHeaders({ "accept-language": language });
      await tab.goto(token.url);
      for (const [at, typed] of texts.entries()) await tab.type(`[name="field.n${at}"]`, typed);
      await press(tab, APPROVE);
      assert.equal(await tab.evaluate(() => document.documentElement.lang), language);
      const refused = await tab.$$eval(".summary li bdi", (found) => found.map((it) => it.textContent));
      for (const typed of texts) {
        const isNative = TYPED[typed] !== undefined && (!/[.,]/.test(typed) || typed.includes(DECIMAL[language]));
        if (TYPED[typed] === undefined) assert.ok(refused.includes(typed), `${typed} may mean two numbers`);
        if (isNative) assert.ok(!refused.includes(typed), `${typed} is a number in ${language}`);
      }
      for (const typed of refused) await tab.$eval(`[name="field.n${texts.indexOf(typed)}"]`, (input) => (input.value = ""));
      await press(tab, APPROVE);
      const rows = () => tab.$$eval("dl > div", (found) => found.map((it) => [it.children[0].textContent, it.children[1].textContent]));
      const meant = (typed) => String(TYPED[typed]).replace(".", DECIMAL[language]);
      const understood = Object.fromEntries(await rows());
      for (const typed of texts.filter((it) => !refused.includes(it))) assert.equal(understood[typed], meant(typed));
      assert.equal(understood.preset, `2${DECIMAL[language]}125`);
      await press(tab, 'button[value="yes"]');
      assert.deepEqual(Object.fromEntries(await rows()), understood);
      const { fields: got } = JSON.parse((await retrieve(token)).output);
      const expected = texts.filter((it) => !refused.includes(it)).map((typed) => [`n${texts.indexOf(typed)}`, TYPED[typed]]);
      assert.deepEqual(got, { ...Object.fromEntries(expected), preset: 2.125 });
    });
  }
}

test("the browser's language would change a number input", async () => {
  const tab = await openTab();
  await (await tab.createCDPSession()).send("Emulation.setLocaleOverride", { locale: "en_US" });
  await tab.goto("data:text/html,<input type=number step=any>");
  await tab.type("input", "1,24");
  assert.equal(await tab.$eval("input", (input) => input.value), "124");
});

test("two people at once: the second is told that it was decided, and what", async () => {
  const token = await create({ page: { title: "Deploy?", actions: page.actions } });
  const [one, other] = [await openTab(), await openTab({ javaScript: false })];
  await Promise.all([one.goto(token.url), other.goto(token.url)]);
  await press(one, REJECT);
  await press(other, APPROVE);
  assert.match(await text(other), /Decided.*Reject was chosen/s);
  assert.equal(other.url(), token.url);
  assert.equal(JSON.parse((await retrieve(token)).output).action, "reject");
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
    assert.equal((await retrieve(token)).status, "WAITING");
    await press(tab, answer);
    assert.equal((await retrieve(token)).status, status);
  }
  assert.equal(JSON.parse((await retrieve(token)).output).action, "reject");
});

test("robots with a browser settle nothing: they load, wait, prefetch, prerender and frame", async () => {
  const token = await create({ page: { ...page, fields: undefined } });
  const tab = await openTab();
  await tab.goto(token.url, { waitUntil: "networkidle0" });
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assert.equal((await retrieve(token)).status, "WAITING");

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
  await reader.waitForNetworkIdle();
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.ok(purposes.some((it) => it?.startsWith("prefetch")), JSON.stringify(purposes));
  assert.ok(reader.refusals.concat(reader.messages).some((it) => it.includes("frame-ancestors") || it.includes("frame")));
  assert.equal((await retrieve(token)).status, "WAITING");
  assert.equal((await retrieve(token)).otherDeliveries, undefined);
});

test("the page is one request, small, and painted at once", async (t) => {
  const token = await create({ page });
  const tab = await openTab();
  const answer = await tab.goto(token.url);
  const bytes = (await answer.buffer()).length;
  await tab.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
  const paint = await tab.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime);
  const [{ responseEnd }] = await tab.evaluate(() => performance.getEntriesByType("navigation").map((it) => it.toJSON()));
  t.diagnostic(`${bytes} bytes, first paint ${Math.round(paint)} ms, of which ${Math.round(responseEnd)} ms for the answer`);
  assert.ok(bytes < LARGEST, `${bytes} bytes`);
  assert.deepEqual(fetched(tab), [token.url]);
});

const ATTACKS = [
  `<script>alert(1)</script>`,
  `"><img src=x onerror=alert(1)>`,
  `' onfocus=alert(1) autofocus x='`,
  `</textarea></title></style><script>alert(1)</script>`,
  `<style>*{background:url(https://evil.example/a)}</style>`,
  `<base href=https://evil.example/><meta http-equiv=refresh content=0;url=https://evil.example/>`,
  `{{7*7}} \${7*7} &lt;b&gt; &amp; <!-- -->`,
  `\u202Egnihtyna\u202C \u2066x\u2069 \u200F \u061C`,
  `مرحبا بالعالم שלום`,
  `👩‍👩‍👧‍👦🏳️‍🌈 Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘`,
];

test("Chromium reports what the page's policy refuses, and axe-core an image without a text", async () => {
  const token = await create({ page });
  const tab = await openTab();
  await tab.goto(token.url);
  await tab.evaluate(() => {
    document.body.insertAdjacentHTML("beforeend", `<p style="color:red">x</p><img src="https://evil.example/a">`);
    document.body.append(Object.assign(document.createElement("script"), { textContent: "window.attacked = 1" }));
  });
  await tab.waitForNetworkIdle();
  for (const directive of ["style-src", "img-src", "script-src"]) {
    assert.ok(tab.refusals.some((it) => it.startsWith(directive)), `${directive}: ${tab.refusals}`);
  }
  assert.equal(await tab.evaluate(() => window.attacked), undefined);
  assert.ok((await violations(tab)).some((it) => it.startsWith("image-alt")));
});

for (const [at, attack] of [...ATTACKS.entries()].filter(([at]) => THOROUGH || at % 6 === 0)) {
  test(`hostile text ${at} is shown as text in every state`, async () => {
    const cut = (length) => attack.slice(0, length);
    const hostile = {
      title: cut(200),
      text: attack.padEnd(10_000, " x").trimEnd(),
      links: [{ label: cut(200), url: `https://example.com/?${encodeURIComponent(attack)}` }],
      actions: [
        { id: "go", label: cut(100) },
        { id: "stop", label: `${cut(90)} 2`, style: "danger" },
      ],
      fields: {
        type: "object",
        required: ["mail"],
        properties: {
          [cut(100)]: { type: "string", title: cut(200), description: cut(1000), default: attack },
          long: { type: "string", format: "textarea", default: attack },
          pick: { oneOf: [{ const: cut(200), title: cut(200) }, { const: "b" }], default: cut(200) },
          many: { type: "array", items: { enum: [cut(200), "b"] }, default: [cut(200)] },
          mail: { type: "string", title: cut(200) },
        },
      },
      confirm: true,
    };
    const token = await create({ page: hostile });
    const tab = await openTab({ width: at % 2 ? 320 : 1280 });
    const dialogs = [];
    tab.on("dialog", (dialog) => {
      dialogs.push(dialog.message());
      dialog.dismiss();
    });
    const isText = async () => {
      const seen = await tab.evaluate(() => ({
        scripts: document.scripts.length,
        handlers: [...document.querySelectorAll("*")].flatMap((it) => it.getAttributeNames()).filter((it) => it.startsWith("on")),
        foreign: document.querySelectorAll("base, meta[http-equiv], img, iframe, object, embed, body style, [style]").length,
        links: [...document.links].map((it) => it.protocol),
        wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      }));
      assert.deepEqual({ ...seen, links: undefined }, { scripts: 0, handlers: [], foreign: 0, wide: 0, links: undefined });
      assert.ok(seen.links.every((it) => ["https:", "mailto:"].includes(it) || it === new URL(token.url).protocol));
    };
    await tab.goto(token.url);
    assert.equal(await text(tab, "h1"), hostile.title);
    assert.equal(await text(tab, ".text"), hostile.text);
    assert.equal(await text(tab, 'button[value="go"]'), cut(100));
    assert.equal(await tab.$eval('[name="field.long"]', (it) => it.value), attack);
    await isText();
    await tab.$eval("form", (form) => (form.noValidate = true));
    await press(tab, 'button[value="go"]');
    assert.match(await text(tab, ".summary"), /Fill in this field/);
    await isText();
    await tab.$eval('[name="field.mail"]', (input, value) => (input.value = value), attack);
    await press(tab, 'button[value="go"]');
    assert.ok((await text(tab, "dl")).includes(attack));
    await isText();
    await press(tab, 'button[value="yes"]');
    assert.ok((await text(tab)).includes(cut(100)));
    await isText();
    await tab.goto(token.url);
    assert.ok((await text(tab)).includes(cut(100)));
    await isText();
    assert.deepEqual([dialogs, tab.refusals, tab.messages.filter((it) => !it.includes("422"))], [[], [], []]);
    assert.deepEqual([...new Set(fetched(tab))], [token.url]);
    assert.equal(JSON.parse((await retrieve(token)).output).fields.mail, attack);
  });
}

// Each state of the page, from a new token to a tab that shows it.
const STATES = {
  form: async (tab) => tab.goto((await create({ page, timeout: "3d" })).url),
  errors: async (tab) => {
    await tab.goto((await create({ page })).url);
    await tab.$eval("form", (form) => (form.noValidate = true));
    await tab.type('[name="field.share"]', "101");
    await press(tab, APPROVE);
  },
  confirm: async (tab) => {
    await tab.goto((await create({ page: { ...page, confirm: true } })).url);
    await fillIn(tab);
    await press(tab, APPROVE);
  },
  "confirm danger": async (tab) => {
    await tab.goto((await create({ page: { ...page, fields: undefined, confirm: true } })).url);
    await press(tab, REJECT);
  },
  done: async (tab) => {
    await tab.goto((await create({ page })).url);
    await fillIn(tab);
    await press(tab, APPROVE);
  },
  decided: async (tab) => {
    const token = await create({ page: { ...page, fields: undefined } });
    await fetch(token.url, { method: "POST", body: '{"action": "approve"}' });
    await tab.goto(token.url);
  },
  ended: async (tab) => {
    const token = await create({ page, timeout: "1s" });
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await tab.goto(token.url);
  },
  completed: async (tab) => {
    const token = await create({ page });
    await api("POST", `${TOKENS}/${token.id}/complete`, { error: { message: "Withdrawn" } });
    await tab.goto(token.url);
  },
  "without a page": async (tab) => tab.goto((await create({ timeout: "3d" })).url),
  "without fields": async (tab) => tab.goto((await create({ page: { ...page, fields: undefined } })).url),
  "without actions": async (tab) => tab.goto((await create({ page: { title: "How was your order?", fields: SHORT } })).url),
  "wrong link": async (tab) => tab.goto((await create({ page })).url.slice(0, -8) + "00000000"),
};
const SHORT = { properties: { stars: { enum: [1, 2, 3, 4, 5], title: "Stars" }, words: { type: "string", title: "In your words" } } };
testStates(STATES);
