// Chromium for the tests: pages in contexts of their own, and what each of them did.
import axe from "axe-core";
import puppeteer from "puppeteer-core";

// A part of Chromium's windows is web pages, each with a process. No test looks at a window.
const PARTS = "WebUIReloadButton,InitialWebUI,WebUIToolbar,WebUIOmniboxPopup,PreloadTopChromeWebUI,SpareRendererForSitePerProcess";
export const ARGUMENTS = [
  "--no-sandbox",
  "--disable-dev-shm-usage",
  "--disable-background-networking",
  "--no-proxy-server",
  `--disable-features=${PARTS}`,
];

const executablePath = process.env.CHROMIUM;
const headless = executablePath?.endsWith("headless-shell") ? "shell" : true;

export const launch = (options = {}) =>
  puppeteer.launch({ executablePath, headless, args: ARGUMENTS, protocolTimeout: 60_000, ...options });

// `use` gets a browser, which is closed afterwards.
export const withBrowser = async (use) => {
  const browser = await launch();
  try {
    return await use(browser);
  } finally {
    await browser.close();
  }
};

// A page in a context of its own. `page.requests` lists the URLs that it asked for, `page.refusals` what a content security
// policy refused (by Chromium's own report, which also works without JavaScript), `page.messages` what the console said.
export const open = async (browser, { dark = false, width = 1280, height = 900, javaScript = true } = {}) => {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  Object.assign(page, { requests: [], refusals: [], messages: [] });
  page.on("request", (request) => page.requests.push(request.url()));
  page.on("console", (message) => page.messages.push(message.text()));
  page.on("pageerror", (error) => page.messages.push(String(error)));
  const session = await page.createCDPSession();
  session.on("Audits.issueAdded", ({ issue }) => {
    const found = issue.details.contentSecurityPolicyIssueDetails;
    if (found) page.refusals.push(`${found.violatedDirective} ${found.blockedURL ?? ""}`.trim());
  });
  await session.send("Audits.enable");
  await page.setJavaScriptEnabled(javaScript);
  await page.setViewport({ width, height });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }]);
  return page;
};

// The violations of WCAG 2.2 A and AA and of axe-core's best practices, one line for each element. The
// page must have been opened with JavaScript: axe-core waits for a timer of the page.
export const violations = async (page) => {
  await page.evaluate(axe.source);
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const { violations } = await page.evaluate((values) => globalThis.axe.run({ runOnly: values }), tags);
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
};
