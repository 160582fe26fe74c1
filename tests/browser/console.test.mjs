// The console, as the team uses it. The Python test that runs this says where the stack is, and names the tokens that it made:
// `SCENE` is {"waiting", "failing", "hostile", "decision", "large": ids, "execution": the first one's, "tag" and "texts": what the hostile
// one has, "endpoint": a hostile one's name, "key": a free idempotency key, "largeLength": characters of the large one's output}.
// Each view is looked at in one of the looks, and with `THOROUGH` in the other one.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { LAUNCH, TOKENS, api, chromium, create, keptTab, openTab, picture, retrieve, violations, write } from "./browser.mjs";
import {
  CONSOLE,
  WAITING_LONGEST,
  answering,
  calls,
  fitsItsWidth,
  intercept,
  keepCopies,
  openDetails,
  press,
  shown,
  signedIn,
  submitKey,
  text,
  untilItSays,
  untroubled,
  visit,
} from "./console.mjs";

const { API_URL, API_KEY, STAGE_URL, SCENE, THOROUGH } = process.env;
const scene = JSON.parse(SCENE);
const UNAUTHORIZED = { status: 401, contentType: "application/json", body: '{"error":"no"}' };

test("shows nothing before the API has accepted the key", async () => {
  const tab = await keptTab();
  await tab.goto(`${CONSOLE}#/tokens/${scene.hostile}`);
  await tab.waitForSelector("input[type=password]");
  assert.deepEqual(calls(tab), []);
  const before = await text(tab);
  const version = await tab.$eval("meta[name=generator]", (meta) => meta.content.split(" ")[1]);
  assert.match(version, /^\d+\.\d+\.\d+/); // the stack's
  assert.deepEqual(before.split(/\s+/).slice(0, 7), ["Waitpoints", version, "Sign", "in", "to", "the", "console"]);
  assert.ok(!before.includes(scene.hostile));

  for (const [wrong, said] of [
    ["wrong", "The API does not accept this key."],
    ["with a space", "An API key has neither spaces"],
    ["ключ", "An API key has neither"],
  ]) {
    await submitKey(tab, wrong);
    await untilItSays(tab, said);
    assert.equal(await tab.$("header"), null);
  }
  assert.deepEqual(calls(tab), [`${TOKENS}?page[size]=1`]); // what cannot be a key is not sent

  await submitKey(tab, API_KEY);
  await untilItSays(tab, scene.hostile);
  assert.equal(await tab.$("input[type=password]"), null);
});

test("a key that the API no longer accepts, a reload and going away each sign out", async () => {
  const tab = await signedIn();
  const restore = await intercept(tab, () => UNAUTHORIZED);
  await press(tab, "Endpoints");
  await untilItSays(tab, "The API no longer accepts this key.");
  assert.equal(await tab.$("header"), null);
  await restore();

  await submitKey(tab, API_KEY);
  await tab.waitForSelector("header");
  await tab.reload();
  await untilItSays(tab, "Sign in to the console");

  await submitKey(tab, API_KEY);
  await tab.waitForSelector("header");
  await tab.goto(`${API_URL}/console?elsewhere`);
  await tab.goBack();
  await untilItSays(tab, "Sign in to the console");
  assert.equal(await tab.$("header"), null);
});

test("an answer that is not the API's signs nobody in and is never shown as one", async () => {
  const tab = await keptTab();
  let odd = null;
  const restore = await intercept(tab, () => odd);
  await tab.goto(CONSOLE);
  const ODD = [
    [200, "<h1>Welcome to the hotel</h1>"],
    [500, "null"],
    [200, "{}"],
    [502, '{"error":{}}'],
    [403, "{}"],
    [200, "null"],
  ];
  for (const [status, body] of ODD) {
    odd = { status, body };
    await submitKey(tab, API_KEY);
    await untilItSays(tab, `The API did not answer as expected (status ${status}).`);
    assert.equal(await tab.$("header"), null, body);
  }
  odd = null;
  await submitKey(tab, API_KEY);
  await tab.waitForSelector("header");
  await shown(tab);
  for (const view of ["#/tokens", `#/tokens/${scene.hostile}`, "#/endpoints", `#/endpoints/on/${scene.endpoint}`]) {
    odd = { status: 200, body: '{"data":[{}],"pagination":{}}' };
    await visit(tab, view);
    assert.match(await text(tab, "main"), /The API did not answer as expected \(status 200\)\./, view);
  }
  await restore();
});

const files = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((it) => {
    const path = join(folder, it.name);
    return it.isDirectory() ? files(path) : it.isFile() ? [path] : [];
  });

test("keeps the key in no storage, URL or history, and nowhere on the disk after the tab is closed", async () => {
  const profile = mkdtempSync(join(tmpdir(), "console-"));
  const own = await chromium.launchPersistentContext(profile, LAUNCH);
  try {
    const [tab] = own.pages();
    const requests = [];
    tab.on("request", (request) => requests.push(request.url()));
    await tab.goto(CONSOLE);
    await submitKey(tab, API_KEY);
    await tab.waitForSelector("header");
    for (const view of [WAITING_LONGEST, `#/tokens/${scene.hostile}`, "#/endpoints", "#/create"]) await visit(tab, view);
    const kept = await tab.evaluate(async () => ({
      storage: [localStorage.length, sessionStorage.length, (await indexedDB.databases()).length, (await caches.keys()).length],
      cookie: document.cookie,
      markup: document.documentElement.outerHTML,
      name: window.name,
      state: JSON.stringify(history.state),
    }));
    const session = await own.newCDPSession(tab);
    const { entries } = await session.send("Page.getNavigationHistory");
    assert.deepEqual([kept.storage, kept.cookie, await own.cookies()], [[0, 0, 0, 0], "", []]);
    assert.ok(entries.length > 4);
    assert.ok(requests.length > 10);
    assert.ok(!JSON.stringify([kept, entries, requests]).includes(API_KEY));
    await own.close();
    const written = files(profile);
    assert.ok(
      written.some((path) => readFileSync(path).includes("/console")),
      "the history was written",
    );
    assert.deepEqual(
      written.filter((path) => readFileSync(path).includes(API_KEY)),
      [],
    );
  } finally {
    await own.close();
    rmSync(profile, { recursive: true, force: true });
  }
});

const VIEWS = {
  list: "#/tokens",
  waiting: WAITING_LONGEST,
  ended: "#/tokens?filter%5BcompletedAt%5D%5Bperiod%5D=24h&page%5Bsize%5D=100",
  token: `#/tokens/${scene.waiting}`,
  settled: `#/tokens/${scene.hostile}`,
  decision: `#/tokens/${scene.decision}`,
  create: "#/create",
  endpoints: "#/endpoints",
  endpoint: `#/endpoints/on/${scene.endpoint}`,
  "new endpoint": "#/endpoints/new",
  keys: "#/keys",
  "new key": "#/keys/new",
  "no such token": "#/tokens/waitpoint_00000000000000000000000000",
};

const PHONE = { dark: true, width: 320, height: 720 };

const noViewViolates = async (turn, name, options) => {
  const taken = ([, at]) => (at % 2 === turn) !== Boolean(THOROUGH);
  const tab = await keptTab(options);
  await tab.goto(CONSOLE);
  await tab.waitForSelector("input[type=password]");
  assert.deepEqual(await violations(tab), []);
  await picture(tab, `sign in, ${name}`);
  await submitKey(tab, API_KEY);
  await tab.waitForSelector("header");
  for (const [[view, address]] of Object.entries(VIEWS).map((it, at) => [it, at]).filter(taken)) {
    await visit(tab, address);
    await openDetails(tab);
    assert.deepEqual(await violations(tab), [], view);
    await fitsItsWidth(tab, view);
    await tab.$$eval("details", (all) => all.forEach((it) => it.removeAttribute("open")));
    await picture(tab, `${view}, ${name}`);
  }
  for (const [label] of ["Complete…", "Fail…", "Timeout…"].map((it, at) => [it, at]).filter(taken)) {
    await visit(tab, `#/tokens/${scene.waiting}`);
    await press(tab, label);
    assert.deepEqual(await violations(tab), [], label);
    await tab.keyboard.press("Escape");
  }
};

test("no view violates WCAG 2.2 AA in the light, 1280 px wide", () => noViewViolates(0, "light, 1280 px", {}));

test("no view violates WCAG 2.2 AA in the dark, 320 px wide", () => noViewViolates(1, "dark, 320 px", PHONE));

test("shows every value that an outsider can set as text, and its policy is never broken", async () => {
  const tab = await signedIn();
  const dialogs = [];
  tab.on("dialog", (dialog) => {
    dialogs.push(dialog.message());
    dialog.dismiss();
  });
  const seen = [];
  for (const view of [
    `#/tokens?filter%5Btags%5D=${scene.tag}`,
    `#/tokens/${scene.hostile}`,
    `#/tokens/${scene.decision}`,
    "#/endpoints",
    `#/endpoints/on/${scene.endpoint}`,
    "#/keys",
  ]) {
    await visit(tab, view);
    seen.push(await text(tab, "main"));
    const made = await tab.$$eval("main script, main img, main iframe, main svg, main style, main link", (all) => all.length);
    assert.equal(made, 0, view);
    const addresses = await tab.$$eval("main a", (all) => all.map((it) => it.protocol));
    assert.deepEqual(
      [...new Set(addresses)].filter((it) => it !== "http:" && it !== "https:"),
      [],
      view,
    );
  }
  const all = seen.join("\n").replace(/\s+/g, " ");
  for (const written of scene.texts) assert.ok(all.includes(written), `${written} is not shown`);
  assert.ok(!/[\u202a-\u202e\u2066-\u2069]/.test(all), "a character that changes the direction is shown");
  assert.deepEqual(dialogs, []);
  assert.equal(await tab.evaluate(() => window.pwned), undefined);
  untroubled(tab);
});

test("every filter of the form reaches the API under its own name", async () => {
  const tab = await signedIn();
  await tab.click("summary");
  for (const value of ["COMPLETED", "TIMED_OUT"]) await tab.click(`[name="filter[status]"][value=${value}]`);
  await write(tab, '[name="filter[tags]"]', "a,b c");
  await write(tab, '[name="filter[idempotencyKey]"]', "k & k");
  await tab.selectOption('[name="filter[outputIsError]"]', "true");
  for (const name of ["createdAt", "completedAt"]) {
    await write(tab, `[name="filter[${name}][period]"]`, "7d");
    for (const [end, value] of [
      ["from", "2026-01-31T10:00"],
      ["to", "2027-01-31T10:00"],
    ]) {
      await tab.fill(`[name="filter[${name}][${end}]"]`, value);
    }
  }
  await tab.selectOption("[name=sort]", "createdAt");
  await tab.selectOption('[name="page[size]"]', "10");
  tab.sent.length = 0;
  await press(tab, "Apply");
  await untilItSays(tab, "No tokens.");
  const [asked] = calls(tab);
  const instant = (text) => new Date(text).toISOString();
  const between = (name) => [
    [`filter[${name}][period]`, "7d"],
    [`filter[${name}][from]`, instant("2026-01-31T10:00")],
    [`filter[${name}][to]`, instant("2027-01-31T10:00")],
  ];
  const wanted = [
    ["filter[status]", "COMPLETED,TIMED_OUT"],
    ["filter[tags]", "a,b c"],
    ["filter[idempotencyKey]", "k & k"],
    ["filter[outputIsError]", "true"],
    ...between("createdAt"),
    ...between("completedAt"),
    ["sort", "createdAt"],
    ["page[size]", "10"],
  ];
  assert.deepEqual([...new URL(asked).searchParams].sort(), wanted.sort());
  await tab.click("summary");
  const filled = await tab.$$eval("details input, details select", (all) =>
    all.map((it) => [it.name, it.type === "checkbox" ? it.checked : it.value]),
  );
  assert.deepEqual(
    filled.filter(([name]) => name === "filter[status]").map(([, on]) => on),
    [false, true, true],
  );
  assert.match(new Map(filled).get("filter[createdAt][from]"), /^2026-01-31T10:00/);

  await tab.click('[name="filter[undelivered]"]'); // goes with createdAt, sort and page alone: the other fields are left out
  const next = tab.waitForRequest((request) => request.url().includes("/api/"));
  await press(tab, "Apply");
  const names = [...new URL((await next).url()).searchParams.keys()];
  await shown(tab);
  assert.deepEqual(names.sort(), [
    "filter[createdAt][from]",
    "filter[createdAt][period]",
    "filter[createdAt][to]",
    "filter[undelivered]",
    "page[size]",
    "sort",
  ]);
  untroubled(tab);
});

test("what the API refuses to show leaves what corrects it", async () => {
  const tab = await signedIn("#/tokens?filter%5Bstatus%5D=WAITING&filter%5BcreatedAt%5D%5Bperiod%5D=soon");
  await untilItSays(tab, "Query Error");
  const period = '[name="filter[createdAt][period]"]';
  assert.equal(await tab.$eval(period, (input) => input.value), "soon");
  await tab.fill(period, "7d");
  await press(tab, "Apply");
  await tab.waitForSelector("tbody a");
  await visit(tab, "#/tokens?sort=size");
  await press(tab, "Waiting longest");
  await tab.waitForSelector("tbody a");

  await visit(tab, "#/tokens/waitpoint_00000000000000000000000000");
  await untilItSays(tab, "This cannot be shown");
  await write(tab, "[name=id]", scene.hostile);
  await press(tab, "Find");
  await tab.waitForSelector(".lead");
  assert.equal(await text(tab, "h1"), scene.hostile);
});

test("a token is completed with the keyboard alone, exactly with what was typed", async () => {
  const tab = await openTab();
  await tab.goto(`${CONSOLE}#/tokens/${scene.waiting}`);
  await tab.waitForSelector("input[type=password]:focus");
  await tab.keyboard.type(API_KEY);
  await tab.keyboard.press("Enter");
  await tab.waitForSelector("h1:focus");
  const focused = () => tab.evaluate(() => document.activeElement.textContent);
  for (let tabs = 0; tabs < 10 && (await focused()) !== "Complete…"; tabs += 1) await tab.keyboard.press("Tab");
  await tab.keyboard.press("Enter");
  await tab.waitForSelector("dialog textarea:focus");
  await tab.keyboard.press("Control+a");
  await tab.keyboard.type('{"approved": tru}');
  await tab.keyboard.press("Tab");
  await tab.keyboard.press("Enter");
  await untilItSays(tab, "The output is not JSON");
  await tab.focus("dialog textarea");
  await tab.keyboard.press("Control+a");
  await tab.keyboard.type('{"approved": true, "amount": 12345678901234567890}');
  await tab.keyboard.press("Tab");
  await tab.keyboard.press("Enter");
  await untilItSays(tab, "The token was completed");
  await tab.waitForFunction(() => document.querySelector(".lead")?.innerText.includes("Completed"));
  assert.equal(await tab.$("dialog"), null);
  await tab.waitForSelector("h1:focus"); // the button that had the focus is gone
  await press(tab, "Refresh");
  await untilItSays(tab, "Resumed: ");
  assert.match(
    await text(tab, ".life"),
    /Created[^]*A run waits: [^]*Completed from the console[^]*Resumed: [^]*after the end/,
  );
  assert.equal((await retrieve(scene.waiting)).output, '{"approved": true, "amount": 12345678901234567890}');
  assert.match(await text(tab, ".json"), /"amount": 12345678901234567890/);
  const [address] = await tab.$$eval(".life a", (all) => all.map((it) => it.href));
  assert.equal(
    address,
    "https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1#/v2/executions/details/" +
      encodeURIComponent(scene.execution),
  );
  await picture(tab, "completed");
  untroubled(tab);
});

test("times are in the reader's zone, which is named, of 24 hours, and to be compared", async () => {
  const tab = await openTab({ timezoneId: "Asia/Tokyo" });
  await tab.goto(`${CONSOLE}#/tokens/${scene.hostile}`);
  await submitKey(tab, API_KEY);
  await tab.waitForSelector(".life");
  const { createdAt } = await retrieve(scene.hostile);
  const there = new Date(Date.parse(createdAt) + 9 * 3_600_000).toISOString().replace("T", " ");
  const times = await tab.$$eval("main time", (all) => all.map((it) => [it.textContent, it.title]));
  assert.equal(times[1][0], `${there.slice(0, 23)} GMT+9`); // after that of the summary, which is relative
  for (const [shown, title] of times)
    assert.match(title || shown, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{3})? GMT\+9$/);
  await visit(tab, "#/tokens");
  await tab.click("summary");
  assert.match(await text(tab, "details.filters"), /Ended, in Asia\/Tokyo time[^]*Created, in Asia\/Tokyo time/);
});

test("what somebody outside sent is folded if it is long", async () => {
  const agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36";
  const { id, url } = await create();
  await fetch(url, { method: "POST", body: "1", headers: { "user-agent": agent } });
  const tab = await signedIn(`#/tokens/${id}`);
  assert.match(await text(tab, ".life"), /Completed by a delivery to its callback URL[^]*\(KHTML,…/);
  assert.doesNotMatch(await text(tab, ".life"), /Gecko/);
  await tab.click(".folded summary");
  assert.equal((await text(tab, ".folded")).replace(/\s+/g, " "), agent);
});

test("a page is spoken of only where there is one, and its actions are named", async () => {
  const tab = await signedIn(`#/tokens/${scene.hostile}`);
  assert.doesNotMatch(await text(tab), /Open the page/);
  const actions = ["approve", "reject"].map((id) => ({ id, label: id }));
  for (const [body, hint, value] of [
    [{}, /Leave empty for no output\.$/, "{}"],
    [{ page: { title: "Go on?", actions } }, /one of these actions: approve, reject\.$/, '{"action": "", "fields": {}}'],
    [{ page: { title: "Go on?" } }, /one of these actions: submit\.$/, '{"action": "submit", "fields": {}}'],
  ]) {
    const { id } = await create(body);
    await visit(tab, `#/tokens/${id}`);
    assert.equal((await text(tab)).includes("Open the page"), "page" in body);
    await press(tab, "Complete…");
    await tab.waitForSelector("dialog textarea:focus");
    assert.match(await text(tab, "dialog .field .hint"), hint);
    assert.equal(await tab.$eval("dialog textarea", (it) => it.value), value);
    await tab.keyboard.type("x"); // replaces it, or names the action that is missing
    assert.equal(await tab.$eval("dialog textarea", (it) => it.value), value.includes('""') ? value.replace('""', '"x"') : "x");
    await tab.keyboard.press("Escape");
  }
  await press(tab, "Complete…");
  await tab.waitForSelector("dialog textarea:focus");
  await tab.keyboard.press("Control+Enter");
  await untilItSays(tab, "The token was completed");
});

test("a list shows what each page asks, and is searched for it", async () => {
  const tags = [`search-${Date.now()}`];
  const page = { title: `Deploy <b>4.2</b> to\u202e production? ${"x".repeat(100)}` };
  const [asked, other] = [await create({ tags, page }), await create({ tags: [...tags, "eu"], idempotencyKey: `Größe ${tags}` })];
  const tab = await signedIn(`#/tokens?filter%5Btags%5D=${tags}`);
  const said = "Deploy <b>4.2</b> to\\u202e production?";
  const rows = () => tab.$$eval("tbody tr:not([hidden])", (all) => all.map((it) => it.innerText));
  const [second, first] = await rows();
  assert.ok(first.startsWith(said) && first.includes(asked.id), first);
  assert.ok(second.startsWith(other.id), second);

  const search = async (words, shown, count) => {
    await tab.fill("[name=id]", words);
    assert.deepEqual((await rows()).map((it) => it.includes(other.id)), shown);
    assert.equal(await text(tab, ".count"), count);
  };
  await search("PRODUCTION  deploy", [false], "1 of 2 tokens");
  await search("größe eu", [true], "1 of 2 tokens");
  await search(other.url, [true], "1 of 2 tokens"); // which is not shown
  await search("deploy eu", [], "0 of 2 tokens");
  await press(tab, "Find");
  await untilItSays(tab, "None of these tokens has it");
  await search("", [true, false], "2 tokens");
  await search("search", [true, false], "2 tokens");
  await tab.keyboard.press("Enter");
  await untilItSays(tab, "2 of these tokens have it");
  await search("deploy", [false], "1 of 2 tokens");
  await tab.keyboard.press("Enter");
  await tab.waitForSelector(".lead");
  assert.equal(await text(tab, "h1"), `${said} ${"x".repeat(100)}`); // all of it
  assert.ok((await tab.title()).startsWith(said));
  assert.match(await text(tab, "main"), new RegExp(asked.id));
  await fitsItsWidth(tab, "a long title");
  untroubled(tab);
});

test("what a smoke test made is left out of a list, unless a filter wants it", async () => {
  const run = `smoke-${String(Date.now()).slice(-12).padStart(12, "0")}`;
  const [first, own] = [await create({ tags: [run] }), await create({ tags: ["smoke-detector"] })];
  for (let made = 0; made < 25; made += 1) await create({ tags: [run, "more"] });
  const tab = await signedIn("#/tokens");
  await untilItSays(tab, own.id);
  const shownIds = () => tab.$$eval("tbody a", (all) => all.map((it) => it.textContent));
  assert.ok(!(await text(tab, "tbody")).includes(run));
  await press(tab, run);
  await untilItSays(tab, "25 tokens");
  assert.ok(!(await text(tab, "main")).includes("Not shown"));
  await press(tab, "Next");
  await untilItSays(tab, "1 token");
  assert.deepEqual(await shownIds(), [first.id]);
  untroubled(tab);
});

test("a decision says who has answered what and who is still asked, and its links can be copied", async () => {
  const page = {
    title: "Go?",
    approvers: [{ id: "ann", name: "Ann Lee", email: "ann@example.com" }, "bo", "cy"],
    requestedBy: "dee",
    actions: [
      { id: "approve", label: "Approve", needs: 2 },
      { id: "reject", label: "Reject" },
    ],
    escalate: { after: "1d", to: ["lead"] },
    remind: ["4h"],
  };
  const { id, links } = await create({ page });
  const answered = await fetch(links[0].url, { method: "POST", body: '{"action": "approve"}' });
  assert.equal(answered.status, 200);
  const tab = await signedIn(`#/tokens/${id}`);
  const who = "[aria-labelledby=decision]";
  const said = (await text(tab, who)).replace(/\s+/g, " ");
  assert.match(said, /Answers so far approve: 1 of 2, reject: 0 of 1 Requested by dee Ann Lee approve (?:now|.* ago) ann, ann@example.com http/);
  assert.match(said, /bo Not answered yet http.* cy Not answered yet http.* lead Not asked yet until \d{4}-/);
  assert.match(await text(tab, "[aria-labelledby=about]"), /Reminders\s+none sent yet, next \S/);
  assert.match(await text(tab, ".life"), /Ann Lee chose approve/);
  await keepCopies(tab);
  for (const button of await tab.$$(`${who} button`)) await button.click();
  await untilItSays(tab, "Copied the link of lead");
  assert.deepEqual(
    await tab.evaluate(() => window.copied),
    links.map(({ url }) => url),
  );
  await press(tab, "Fail…");
  await untilItSays(tab, "This overrides them");
  await tab.keyboard.press("Escape");
  await press(tab, "Complete…");
  await untilItSays(tab, "This overrides them");
  await tab.fill("dialog textarea", '{"action": "reject"}');
  await press(tab, "Complete the token");
  await untilItSays(tab, "Instead of its approvers.");
  const ended = (await text(tab, who)).replace(/\s+/g, " ");
  assert.match(ended, /Ann Lee approve .* bo Did not answer .* lead Was not asked/);
  assert.doesNotMatch(ended, /http|link/);
  await visit(tab, `#/tokens/${scene.waiting}`);
  assert.equal(await tab.$(who), null);
});

test("a page on which people sign in says so, and who of a domain has answered", async () => {
  const { id } = await create({ page: { title: "Go?", approvers: ["ann@example.com", "bo@example.com"] } });
  const at = new Date().toISOString();
  const cy = { issuer: "https://issuer.example.com", subject: "248289761001", email: "cy@example.com", at };
  const named = { ...(await retrieve(id)), page: { title: "Go?", signIn: true } };
  const open = {
    ...named,
    page: { title: "Go?", signIn: { domains: ["example.com", "<img src=x onerror=alert(1)>\u202e"] } },
    approvers: [],
    links: [],
    answers: [{ approver: cy.subject, action: "submit", fields: {}, at, signedIn: cy }],
  };
  let answer = named;
  const tab = await signedIn("#/tokens", PHONE);
  const restore = await answering(tab, id, () => answer);
  await visit(tab, `#/tokens/${id}`);
  const decides = async () => (await text(tab, "[aria-labelledby=decision]")).replace(/\s+/g, " ");
  assert.match(await decides(), /Sign-in Required Answers so far submit: 0 of 1 ann@example.com Not answered yet/);
  assert.doesNotMatch(await decides(), /answers as this person|http/);
  assert.match(await text(tab, "[aria-labelledby=about]"), /Not a secret: people sign in there/);
  answer = { ...named, answers: [], approvers: [], links: [], page: open.page };
  await press(tab, "Refresh");
  await untilItSays(tab, "with an account of example.com");
  assert.deepEqual(await violations(tab), []);
  answer = open;
  await press(tab, "Refresh");
  await untilItSays(tab, "cy@example.com chose submit");
  assert.match(
    await decides(),
    /Required, with an account of example.com, <img src=x onerror=alert\(1\)>\\u202e Answers so far submit: 1 of 1 cy@example.com submit .* 248289761001$/,
  );
  assert.equal(await tab.$("main img"), null);
  assert.deepEqual(await violations(tab), []);
  await fitsItsWidth(tab, "people who sign in");
  await restore();
});

test("a hand-over is in a token's life, and who was told and removed is marked", async () => {
  const page = { title: "Go?", approvers: ["ann", "bo"] };
  const { id } = await create({ page });
  const at = new Date(Date.now() + 60_000).toISOString();
  const hostile = "<img src=x onerror=alert(1)>\u202e";
  const answer = {
    ...(await retrieve(id)),
    approvers: [{ id: "bo" }, { id: hostile }, { id: "ed", name: "Ed Ray" }],
    handOvers: [
      { added: [hostile, "ed"], removed: ["ann"], at, key: "ci" },
      { added: [], removed: ["cy"], at },
    ],
    notify: { email: true },
    notices: ["ann", "bo"].map((it) => ({ channel: "email", to: `${it}@example.com`, approver: it, status: "sent", at })),
  };
  const tab = await signedIn("#/tokens", PHONE);
  const restore = await answering(tab, id, () => answer);
  await visit(tab, `#/tokens/${id}`);
  const life = (await text(tab, ".life")).replace(/\s+/g, " ");
  assert.match(life, /Handed over .* Added <img src=x onerror=alert\(1\)>\\u202e, Ed Ray Removed ann Named key ci/);
  assert.match(life, /Handed over [^A]* Removed cy Waiting/);
  const told = (await text(tab, "[aria-labelledby=told]")).replace(/\s+/g, " ");
  assert.match(told, /ann Sent Removed .* bo Sent (?!Removed)/);
  assert.equal(await tab.$("main img"), null);
  assert.deepEqual(await violations(tab), []);
  await fitsItsWidth(tab, "handed over");
  await restore();
});

test("says who was told, and what a channel refused", async () => {
  const name = "<img src=x onerror=alert(1)>\u202e";
  const page = { title: "Go?", approvers: [{ id: "ann", name, email: "ann@example.com" }] };
  const { id } = await create({ page });
  const at = new Date(Date.now() - 120_000).toISOString();
  const sent = { status: "sent", at };
  const told = {
    ...(await retrieve(id)),
    notify: { email: true, slack: "#deploys" },
    notices: [
      { channel: "slack", to: "#deploys", ...sent },
      { channel: "email", to: "ann@example.com", approver: "ann", at, status: "refused", reason: "<b>MessageRejected</b>" },
    ],
  };
  const tab = await signedIn("#/tokens", PHONE);
  let answer = { ...told, notices: [] };
  const restore = await answering(tab, id, () => answer);
  const who = "[aria-labelledby=told]";
  await visit(tab, `#/tokens/${id}`);
  assert.match(await text(tab, who), /None yet/);
  answer = told;
  await visit(tab, `#/tokens/${id}`);
  const said = (await text(tab, who)).replace(/\s+/g, " ");
  assert.match(said, /#deploys Sent .* ago In Slack: #deploys <img src=x onerror=alert\(1\)>.* Refused .* ago By e-mail/);
  assert.match(said, /By e-mail to ann@example.com The channel says: <b>MessageRejected<\/b> Once that is fixed, .* waitpoints redrive/);
  assert.equal(await tab.$(`${who} img, ${who} b`), null);
  assert.deepEqual(await violations(tab), []);
  await fitsItsWidth(tab, "told");
  await picture(tab, "told");
  const by = { source: "callback", at, slackUser: "U024BE7LH", slackName: name, key: "nightly" };
  answer = { ...told, approvers: undefined, notices: [], status: "COMPLETED", completedAt: at, completedBy: by, createdBy: "maker" };
  await visit(tab, `#/tokens/${id}`);
  const life = (await text(tab, ".life")).replace(/\s+/g, " ");
  assert.match(life, /Completed by <img src=x onerror=alert\(1\)>.* in Slack .*Slack id U024BE7LH Named key nightly/);
  assert.match((await text(tab, "[aria-labelledby=about]")).replace(/\s+/g, " "), /Created with the named key maker/);
  assert.match(await text(tab, who), /None\./);
  answer = { ...told, links: undefined, url: "" }; // the key may not complete the token
  await visit(tab, `#/tokens/${id}`);
  assert.doesNotMatch(await text(tab, "main"), /Complete…|Fail…|Open the page/);
  const decides = await text(tab, "[aria-labelledby=decision]");
  assert.match(decides, /Not answered yet/);
  assert.doesNotMatch(decides, /http|link/);
  await restore();
  await visit(tab, `#/tokens/${scene.waiting}`);
  assert.equal(await tab.$(who), null);
  await visit(tab, "#/create");
  await openDetails(tab);
  await write(tab, "[name=page]", '{"title": "Go?"}');
  await write(tab, "[name=notify]", '{"email": true}');
  await press(tab, "Create the token");
  await untilItSays(tab, "without page.approvers, expected a list of e-mail addresses");
});

test("a run that registers twice says why, and one that was not resumed is first only late", async () => {
  const { id } = await create();
  const ended = Date.now() - 1000;
  const arn = "arn:aws:states:us-east-1:123456789012:execution:a:b";
  const waiter = (it) => ({ id: it.repeat(16), kind: "STEP_FUNCTIONS", registeredAt: "2030-01-31T18:00:00.000Z" });
  const settled = {
    ...(await retrieve(id)),
    status: "TIMED_OUT",
    waiters: [..."abc"].map((it) => ({ ...waiter(it), execution: arn, status: "UNDELIVERED" })),
  };
  const tab = await signedIn();
  let completedAt = new Date(ended).toISOString();
  const restore = await answering(tab, id, () => ({ ...settled, completedAt }));
  await visit(tab, `#/tokens/${id}`);
  assert.equal((await text(tab, ".life")).match(/This run waits more than once/g).length, 1);
  assert.match(await text(tab, ".life"), /Not resumed yet: [^]*tried again within minutes/);
  assert.doesNotMatch(await text(tab, ".life"), /Needs an operator/);
  completedAt = new Date(ended - 600_000).toISOString();
  await visit(tab, `#/tokens/${id}`);
  assert.match(await text(tab, ".life"), /Not resumed: [^]*Needs an operator/);
  await restore();
});

test("a telephone shows the first token in its upper half, and a tab that it chose", async () => {
  const tab = await signedIn(WAITING_LONGEST, { width: 375, height: 667 });
  const top = await tab.$eval("tbody tr", (it) => it.getBoundingClientRect().top);
  assert.ok(top < 667 / 2, `${top} px`);
  const height = await tab.$eval("header", (it) => it.offsetHeight);
  assert.ok(height < 60, `the header has ${height} px`); // one line
  const tags = [`telephone-${Date.now()}`];
  const { id } = await create({ tags, timeout: "2d", page: { title: "Deploy 4.2 to production?" } });
  await visit(tab, "#/tokens");
  const row = await tab.waitForSelector(`tbody tr:has(a[href*=${id}])`);
  const said = (await row.innerText()).replace(/\s+/g, " ");
  assert.match(said, /^Deploy 4\.2 to production\? Waiting .*times out in 2 d telephone-/);
  const [first, last] = await row.$$eval("td", (all) => [0, 3].map((at) => all[at].getBoundingClientRect().bottom));
  assert.ok(last - first < 32, `the second line ends ${last - first} px below the first`);
  await visit(tab, "#/tokens?filter%5Bundelivered%5D=true");
  const right = await tab.$eval("nav.views [aria-current]", (it) => it.getBoundingClientRect().right);
  assert.ok(right <= 375, `${right} px`);
  await picture(tab, "telephone");
});

test("what was typed waits for another key when the API no longer accepts the first", async () => {
  const { id } = await create({ tags: ["another key"] });
  for (const isGiven of [false, true]) {
    const tab = await signedIn(`#/tokens/${id}`);
    await press(tab, "Complete…");
    await tab.waitForSelector("dialog textarea");
    await tab.fill("dialog textarea", '{"typed": "with care"}');
    const restore = await intercept(tab, (request) => (request.method() === "POST" ? UNAUTHORIZED : null));
    await press(tab, "Complete the token");
    await untilItSays(tab, "The API no longer accepts this key.");
    await restore();
    assert.equal((await retrieve(id)).status, "WAITING");
    if (isGiven) {
      await submitKey(tab, API_KEY);
      await untilItSays(tab, "The token was completed");
      assert.equal((await retrieve(id)).output, '{"typed": "with care"}');
    } else {
      await tab.keyboard.press("Escape");
      await untilItSays(tab, "Sign in to the console");
      assert.equal(await tab.$("header, dialog"), null);
    }
    }
});

test("it says so if somebody else ended the token first", async () => {
  const tab = await signedIn();
  for (const [label, body, said] of [
    ["Complete", { error: { message: "no" } }, "someone else failed the token first"],
    ["Fail", { data: 1 }, "someone else completed the token first"],
  ]) {
    const { id } = await create({ tags: ["overtaken"] });
    await visit(tab, `#/tokens/${id}`);
    await press(tab, `${label}…`);
    await tab.waitForSelector("dialog textarea");
    await write(tab, "dialog textarea", " ");
    assert.equal((await api("POST", `${TOKENS}/${id}/complete`, body)).status, 200);
    await press(tab, `${label} the token`);
    await untilItSays(tab, `Nothing was changed: ${said}`);
    await tab.waitForFunction(() => !document.querySelector("dialog") && !document.body.innerText.includes("Complete…"));
  }
  untroubled(tab);
});

test("a token's timeout is moved and removed", async () => {
  const tab = await signedIn();
  const { id } = await create({ timeout: "1h" });
  await visit(tab, `#/tokens/${id}`);
  const move = async (written, said) => {
    await press(tab, "Timeout…");
    await tab.waitForSelector("dialog input");
    await write(tab, "dialog input", written);
    await press(tab, "Move the timeout");
    await untilItSays(tab, said);
  };
  await move("2099-01-31", "The timeout was moved");
  assert.equal((await retrieve(id)).timeoutAt, "2099-01-31T00:00:00.000Z");
  await move("none", "The token no longer times out");
  assert.equal((await retrieve(id)).timeoutAt, undefined);
  await untilItSays(tab, "without a timeout");

  assert.equal((await api("POST", `${TOKENS}/${id}/complete`, {})).status, 200);
  await move("7d", "The waitpoint has ended");
  untroubled(tab, /status of 409/);
});

test("an output that is too large for an answer is a link", async () => {
  const tab = await signedIn(`#/tokens/${scene.large}`);
  await press(tab, "Get a link to it");
  const link = await tab.waitForSelector("section a[target=_blank]:focus");
  const { href, rel } = await link.evaluate((it) => ({ href: it.href, rel: it.rel }));
  assert.equal(rel, "noopener noreferrer");
  assert.equal((await (await fetch(href)).text()).length, scene.largeLength);
  untroubled(tab);
});

test("a token is failed, and its page opens in a tab that cannot reach the console", async () => {
  const tab = await signedIn(`#/tokens/${scene.failing}`);
  await press(tab, "Fail…");
  await tab.waitForSelector("dialog");
  await write(tab, "dialog textarea", "The customer cancelled");
  await write(tab, "dialog [name=name]", "Waitpoint");
  await write(tab, "dialog [name=code]", "E1");
  await press(tab, "Fail the token");
  await untilItSays(tab, "The token was failed");
  await tab.waitForFunction(() => document.querySelector(".lead")?.innerText.includes("Failed"));
  const { output, outputIsError } = await retrieve(scene.failing);
  assert.equal(outputIsError, true);
  assert.deepEqual(
    [JSON.parse(output).message, JSON.parse(output).name, JSON.parse(output).code],
    ["The customer cancelled", "Waitpoint", "E1"],
  );

  const [page] = await Promise.all([tab.waitForEvent("popup"), press(tab, "Open the page")]);
  await page.waitForSelector("h1");
  assert.equal(await page.evaluate(() => window.opener), null);
  assert.match(page.url(), /\/callback\/[0-9a-f]{64}$/);
  untroubled(tab);
});

test("a token is created with everything that the form takes", async () => {
  const tab = await signedIn("#/create");
  await openDetails(tab);
  await write(tab, "[name=timeout]", "soon");
  await write(tab, "[name=tags]", "console, <b>bold</b>");
  await write(tab, "[name=idempotencyKey]", scene.key);
  await write(tab, "[name=idempotencyKeyTTL]", "1h");
  await write(tab, "[name=callbackId]", ` ${"QWI5".repeat(8)} `); // of no durable function
  await write(
    tab,
    "[name=execution]",
    "arn:aws:lambda:us-east-1:123456789012:function:orders:7/durable-execution/order-4711/0d0c5b1e",
  );
  await write(tab, "[name=metadata]", '{"order": "<b>4711</b>"}');
  await press(tab, "Insert an example");
  await press(tab, "Tokens"); // what was typed is there after a look at something else
  await tab.waitForSelector("table");
  await press(tab, "Create");
  await tab.waitForSelector("[name=idempotencyKey]");
  assert.equal(await tab.$eval("[name=idempotencyKey]", (input) => input.value), scene.key);
  await press(tab, "Create the token");
  await tab.waitForSelector(".problem:focus");
  assert.match(await text(tab, ".problem"), /timeout/i);
  await tab.fill("[name=timeout]", "2h");
  await press(tab, "Create the token");
  await untilItSays(tab, "The token was created");
  await tab.waitForSelector(".lead");
  assert.equal(await text(tab, "h1"), "Deploy 4.2 to production?");
  const made = await retrieve(new URL(tab.url()).hash.split("/").pop());
  assert.deepEqual([made.tags, made.idempotencyKey, made.status], [["console", "<b>bold</b>"], scene.key, "WAITING"]);
  assert.equal(Date.parse(made.timeoutAt) - Date.parse(made.createdAt), 7_200_000);
  assert.ok(made.idempotencyKeyExpiresAt);
  assert.deepEqual(made.metadata, { order: "<b>4711</b>" });
  assert.match(await text(tab, "[aria-label=Metadata]"), /"order": "<b>4711<\/b>"/);
  assert.equal(made.waiters[0].kind, "DURABLE_FUNCTION");
  assert.match(await text(tab, ".life"), /A durable function waits: order-4711\/0d0c5b1e/);
  const page = await fetch(made.url, { headers: { accept: "text/html" } });
  assert.match(await page.text(), /Deploy 4\.2 to production\?/);

  await visit(tab, "#/create");
  assert.equal(await tab.$eval("[name=idempotencyKey]", (input) => input.value), "");
  await openDetails(tab);
  const rules = {
    completeWhen: "body.ok",
    payloadSchema: '{"type": "object"}',
    taskToken: "",
    execution: "arn:aws:states:us-east-1:123456789012:execution:a:b",
  };
  for (const [name, value] of Object.entries(rules)) await write(tab, `[name=${name}]`, value);
  await tab.click("[name=context]");
  await press(tab, "Create the token");
  await untilItSays(tab, "execution needs a taskToken");
  await press(tab, "Sign out");
  await submitKey(tab, API_KEY);
  await tab.waitForSelector("[name=execution]", { state: "attached" });
  assert.equal(await tab.$eval("[name=execution]", (input) => input.value), "");
  untroubled(tab, /status of 4/);
});

test("an endpoint is created, tested, changed and deleted", async () => {
  const name = `console-${Date.now()}`;
  const tab = await signedIn("#/endpoints/new");
  await write(tab, "[name=name]", name);
  await write(tab, "[name=key]", "body.id");
  await tab.selectOption("[name=how]", "none");
  await write(tab, "[name=completeWhen]", "headers.event == 'paid'");
  await write(tab, "[name=tag]", "<b>team</b>");
  await press(tab, "Create the endpoint");
  await untilItSays(tab, "The endpoint was created");
  await tab.waitForSelector("[name=headers]");
  assert.match(await text(tab, "main"), /not checked: the URL alone may complete tokens/);

  await write(tab, "[name=body]", '{"id": "<i>7</i>"}');
  await write(tab, "[name=headers]", "Event: paid");
  await press(tab, "Test it");
  await tab.waitForSelector(".result .lead");
  assert.match(await text(tab, ".result"), new RegExp(`It would be: Kept for a token to come[^]*<b>team</b>:${name}:<i>7</i>`));
  let release;
  const held = new Promise((resolve) => {
    release = resolve;
  });
  const restore = await intercept(tab, () => held);
  await press(tab, "Test it");
  await tab.waitForSelector('form[aria-busy] button[type=submit][aria-disabled="true"]');
  assert.equal(await text(tab, ".result"), "");
  await write(tab, "[name=body]", " ");
  release(null);
  await untilItSays(tab, "The delivery was changed meanwhile: test it again.");
  await restore();
  await press(tab, "Test it");
  await tab.waitForSelector(".result .lead");
  await write(tab, "[name=headers]", "\nnonsense");
  assert.equal(await text(tab, ".result"), ""); // the verdict was on what was typed before
  await press(tab, "Test it");
  await untilItSays(tab, 'This line is not "Name: value": nonsense');

  await press(tab, "Change…");
  await tab.waitForSelector("dialog");
  await tab.selectOption("dialog [name=how]", "signed");
  await write(tab, "dialog [name=scheme]", "github");
  await write(tab, "dialog [name=secret]", "does-not-exist");
  await press(tab, "Save");
  await tab.waitForSelector("dialog .problem");
  await tab.selectOption("dialog [name=how]", "none");
  await tab.fill("dialog [name=keyTTL]", "0s");
  await press(tab, "Save");
  await untilItSays(tab, "The endpoint was changed");
  const { body } = await api("GET", `${API_URL}/api/v1/endpoints/${name}`);
  assert.deepEqual(
    [body.key, body.verify, body.completeWhen, body.keyTTL, body.tag],
    ["body.id", "none", "headers.event == 'paid'", "0s", "<b>team</b>"],
  );

  for (const [verb, disabled] of [["Disable", true], ["Enable", undefined]]) {
    await tab.waitForFunction(() => !document.querySelector("dialog"));
    await press(tab, `${verb}…`);
    await press(tab, `${verb} the endpoint`);
    await untilItSays(tab, `The endpoint was ${verb.toLowerCase()}d`);
    assert.equal((await api("GET", `${API_URL}/api/v1/endpoints/${name}`)).body.disabled, disabled);
    assert.equal(/deliveries get 503/.test(await text(tab, "main")), verb === "Disable");
  }

  await tab.waitForFunction(() => !document.querySelector("dialog"));
  await press(tab, "Delete…");
  await press(tab, "Delete the endpoint");
  await untilItSays(tab, "The endpoint was deleted");
  assert.equal((await api("GET", `${API_URL}/api/v1/endpoints/${name}`)).status, 404);
});

test("a named key is made and shown once, may do what its scopes say, and is revoked", async () => {
  const name = `console-${Date.now()}`;
  const tab = await signedIn("#/keys/new");
  await write(tab, "[name=name]", name);
  await press(tab, "Create the key");
  await untilItSays(tab, "Choose what the key may do");
  assert.equal(await tab.$eval("[name='tag of create']", (input) => input.disabled), true);
  await tab.click("[value=create]");
  await write(tab, "[name='tag of create']", "team-a");
  await tab.click("[value=complete]");
  await write(tab, "[name=expiresIn]", "soon");
  await press(tab, "Create the key");
  await untilItSays(tab, "Invalid expiresIn");
  await tab.fill("[name=expiresIn]", "90d");
  await press(tab, "Create the key");
  await untilItSays(tab, "Copy it now: it is not stored, and is never shown again.");
  const key = await text(tab, "code");
  assert.match(key, /^tr_prod_sk_[0-9A-Za-z]{24}$/);
  await keepCopies(tab);
  await press(tab, "Copy");
  await untilItSays(tab, "Copied the key");
  assert.deepEqual(await tab.evaluate(() => window.copied), [key]);
  await press(tab, "Done");
  await untilItSays(tab, "Last used");
  assert.match(await text(tab), new RegExp(`${name}\\s+create:team-a\\s*complete\\s+Created[^]*Last used\\s+never\\s+Expires\\s+in 90 d`));
  assert.ok(!(await tab.content()).includes(key));

  const theirs = await openTab();
  await theirs.goto(CONSOLE);
  const until = Date.now() + 120_000; // a function that has looked for a new key does not look again for five seconds
  do await submitKey(theirs, key);
  while (!(await theirs.waitForSelector("header", { timeout: 1_000 }).catch(() => null)) && Date.now() < until);
  await shown(theirs);
  await untilItSays(theirs, "This key lacks the scope read");
  assert.equal((await text(theirs, "nav.main")).replace(/\s+/g, " "), "Tokens Create"); // no view that is refused
  await visit(theirs, "#/keys");
  await untilItSays(theirs, "Only the root key may do this");

  await visit(tab, "#/keys");
  await press(tab, `Revoke ${name}`);
  await untilItSays(tab, "refused everywhere within a minute");
  await press(tab, "Revoke the key");
  await untilItSays(tab, "The key was revoked");
  const { body } = await api("GET", `${API_URL}/api/v1/keys`);
  assert.deepEqual(
    body.data.filter((it) => it.name === name),
    [],
  );
});

test("it works under a path, as behind a stage or a custom domain", async () => {
  const tab = await openTab();
  await tab.goto(`${STAGE_URL}/console`);
  await submitKey(tab, API_KEY);
  await tab.waitForSelector("tbody a");
  assert.deepEqual(
    tab.sent.filter((url) => !url.startsWith(`${STAGE_URL}/`)),
    [],
  );
});
