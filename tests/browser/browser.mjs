// Chromium for a file's tests: pages in contexts of their own, and what each of them did.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, afterEach, before } from "node:test";

const { API_URL, API_KEY, CHROMIUM, WAITPOINTS_SCREENSHOTS } = process.env;
export const { chromium } = createRequire(import.meta.url)("playwright-core"); // `import` would first parse all of it for its names
export const TOKENS = `${API_URL}/api/v1/waitpoints/tokens`;

const AXE = readFileSync(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");

const PATIENCE = 120_000; // ms: a limit that only guards against hanging

export const LAUNCH = {
  timeout: PATIENCE,
  executablePath: CHROMIUM,
  args: [
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", // whatever a page links to, nothing but this machine is asked
    "--renderer-process-limit=1", // no process in advance; those of two sites or contexts stay two
  ],
};

let browser;
before(async () => {
  browser = await chromium.launch(LAUNCH);
});
after(() => browser.close());
const kept = {}; // tabs by their look
afterEach(() => {
  const stay = Object.values(kept).map((tab) => tab.context());
  return Promise.all(browser.contexts().flatMap((context) => (stay.includes(context) ? [] : [context.close()])));
});

// A page in a context of its own, which is closed when the test ends. `tab.sent` lists the URLs that it asked for, `tab.refusals`
// what a content security policy refused (by Chromium's own report, which also works without JavaScript), `tab.messages` what
// the console said. `options` are those of Playwright's contexts.
export const openTab = async ({ dark = false, width = 1280, height = 900, ...options } = {}) => {
  const looks = { viewport: { width, height }, colorScheme: dark ? "dark" : "light" };
  const context = await browser.newContext({ ...looks, ...options });
  context.setDefaultTimeout(PATIENCE);
  const tab = Object.assign(await context.newPage(), { sent: [], refusals: [], messages: [] });
  tab.on("request", (request) => tab.sent.push(request.url()));
  tab.on("console", (message) => tab.messages.push(message.text()));
  tab.on("pageerror", (error) => tab.messages.push(String(error)));
  const session = await context.newCDPSession(tab);
  session.on("Audits.issueAdded", ({ issue }) => {
    const found = issue.details.contentSecurityPolicyIssueDetails;
    if (found) tab.refusals.push(`${found.violatedDirective} ${found.blockedURL ?? ""}`.trim());
  });
  await session.send("Audits.enable");
  return tab;
};

// The file's tab with this look, for tests that each load a page anew: to open one takes longer than to show a document.
export const keptTab = async (look = {}) => {
  const tab = (kept[JSON.stringify(look)] ??= await openTab(look));
  for (const seen of [tab.sent, tab.refusals, tab.messages]) seen.length = 0;
  return tab;
};

// As if it were typed, but at once: each key would be drawn.
export const write = async (tab, field, words) => {
  await tab.focus(field);
  await tab.keyboard.insertText(words);
};

export const api = async (method, url, body) => {
  const headers = { authorization: `Bearer ${API_KEY}`, "content-type": "application/json" };
  const answer = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  return { status: answer.status, body: await answer.json() };
};
export const create = async (body = {}) => (await api("POST", TOKENS, body)).body;
export const retrieve = async (id) => (await api("GET", `${TOKENS}/${id}`)).body;

// The violations of WCAG 2.2 A and AA and of axe-core's best practices, one line for each element. The
// page must have been opened with JavaScript: axe-core waits for a timer of the page.
export const violations = async (tab) => {
  if (!(await tab.evaluate(() => "axe" in globalThis))) await tab.evaluate(AXE);
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  // To name by a selector each element that passes takes longer than the rules.
  const options = { runOnly: tags, resultTypes: ["violations"], selectors: false };
  const { violations } = await tab.evaluate((it) => globalThis.axe.run(it), options);
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
};

export const picture = async (tab, name, options = {}) => {
  if (WAITPOINTS_SCREENSHOTS) await tab.screenshot({ path: `${WAITPOINTS_SCREENSHOTS}/${name.replaceAll(" ", "-")}.png`, ...options });
};
