// The list of tokens. The parameters in its address are the API's own.
import { Refusal, TOKENS, TOKEN_PAGE } from "./api.js";
import { el, said } from "./dom.js";
import { age, box, button, empty, filterOf, finder, form, heading, input, note, pageLink, pager, problem, row } from "./parts.js";
import { select, stateBadge, submitButton, tableOf, tableRow, tags, time, tokenAddress, tokenLink } from "./parts.js";
import { ZONE } from "./text.js";

const SIZE = 25;
const FURTHER = 8; // pages that are read at most until one has a token
const OF_SMOKE = /^smoke-[0-9a-f]{12}$/; // the tag of what `waitpoints smoke` has made

const VIEWS = [
  ["All", {}, "All tokens, newest first."],
  ["Waiting longest", { "filter[status]": "WAITING", sort: "createdAt" }, "Waiting tokens, oldest first."],
  [
    "Recently ended",
    { "filter[completedAt][period]": "24h", "page[size]": "100" },
    "Tokens that ended in the last 24 hours. Pages follow the time of creation; each is sorted by when its tokens ended.",
  ],
  ["Failed", { "filter[outputIsError]": "true" }, "Tokens that failed or timed out, newest first."],
  [
    "Not resumed",
    { "filter[undelivered]": "true" },
    "Tokens whose outcome did not reach a run. Fix the cause, then run make redrive (docs/operation.md).",
  ],
];

const address = (parameters) => {
  const query = new URLSearchParams(parameters).toString();
  return query ? `#/tokens?${query}` : "#/tokens";
};

const withoutPage = (query) => {
  const rest = new URLSearchParams(query);
  rest.delete("page[after]");
  rest.delete("page[before]");
  return rest;
};

const same = (query, parameters) => {
  const sorted = (them) => [...new URLSearchParams(them)].sort().join("&");
  return sorted(query) === sorted(parameters);
};

export const list = async ({ query, call, go, refresh }) => {
  const answer = await page(query, call).catch(refused);
  const filter = withoutPage(query);
  const [title, , about] = VIEWS.find(([, parameters]) => same(filter, parameters)) ?? [
    "Tokens",
    {},
    "Tokens that match the filter.",
  ];
  const tokens = [...(answer.data ?? [])];
  if ([...filter.keys()].some((name) => name.startsWith("filter[completedAt]"))) {
    tokens.sort((one, other) => String(other.completedAt).localeCompare(String(one.completedAt)));
  }
  return {
    title: title === "All" ? "Tokens" : title,
    content: [
      heading(
        title === "All" ? "Tokens" : title,
        el("div", { class: "tools" }, finder(go, search), button("Refresh", refresh)),
      ),
      quickViews(filter),
      note(about),
      filters(filter, go, answer instanceof Refusal),
      answer instanceof Refusal ? problem(answer) : found(query, tokens, answer),
    ],
  };
};

// A list that the API refuses keeps its filter and its tabs, so that they can be corrected.
const refused = (error) => {
  if (error instanceof Refusal && error.status !== 401) return error;
  throw error;
};

const found = (query, tokens, { pagination, leftOut }) => [
  tokens.length
    ? table(tokens)
    : empty(pagination.next || pagination.previous ? "None found so far." : "No tokens."),
  leftOut.size ? smoke([...leftOut]) : null,
  pages(query, pagination, tokens.length),
];

const smoke = (runs) =>
  el(
    "p",
    { class: "hint" },
    "Not shown, because a smoke test created them: ",
    runs.map((tag) => [el("a", { href: address({ "filter[tags]": tag }) }, tag), " "]),
  );

// A page of the API may be empty and have a cursor, since it takes a bounded number of reads: look further, for some pages.
// The same if it has only tokens of smoke tests, which are left out unless the filter may want them.
const page = async (query, call) => {
  const asked = new URLSearchParams(query);
  if (!asked.has("page[size]")) asked.set("page[size]", String(SIZE));
  const [cursor, next] = asked.has("page[before]") ? ["page[before]", "previous"] : ["page[after]", "next"];
  const hasAll = asked.has("filter[tags]") || asked.has("filter[undelivered]");
  const tagOf = (token) => (hasAll ? undefined : token.tags.find((tag) => OF_SMOKE.test(tag)));
  const leftOut = new Set();
  let answer;
  for (let read = 0; read < FURTHER; read += 1) {
    answer = await call("GET", `${TOKENS}?${asked}`, { like: TOKEN_PAGE });
    for (const tag of answer.data.map(tagOf)) if (tag) leftOut.add(tag);
    answer.data = answer.data.filter((token) => !tagOf(token));
    if (answer.data.length || !answer.pagination[next]) break;
    asked.set(cursor, answer.pagination[next]);
  }
  return { ...answer, leftOut };
};

const quickViews = (filter) =>
  el(
    "nav",
    { class: "views", "aria-label": "What to show" },
    VIEWS.map(([label, parameters]) =>
      el("a", { href: address(parameters), "aria-current": same(filter, parameters) ? "true" : null }, label),
    ),
  );

const STATUSES = [
  ["WAITING", "Waiting"],
  ["COMPLETED", "Completed"],
  ["TIMED_OUT", "Timed out"],
];

const OUTCOMES = [
  ["", "Any"],
  ["true", "Failed or timed out"],
  ["false", "No error"],
];
const ORDERS = [
  ["", "Newest first"],
  ["createdAt", "Oldest first"],
];
const SIZES = ["10", "25", "50", "100"].map((size) => [size === String(SIZE) ? "" : size, size]);

const filters = (query, go, isOpen) => {
  const has = (name) => query.get(name) ?? "";
  const chosen = has("filter[status]").split(",");
  const instants = (which) => {
    const name = `filter[${which}]`;
    return [
      input("Within the last", `${name}[period]`, { value: has(`${name}[period]`), placeholder: "24h, 7d" }),
      input("From", `${name}[from]`, { type: "datetime-local", step: "1", value: local(has(`${name}[from]`)) }),
      input("To", `${name}[to]`, { type: "datetime-local", step: "1", value: local(has(`${name}[to]`)) }),
    ];
  };
  const group = (legend, ...children) => el("fieldset", {}, el("legend", {}, legend), row(children));
  const others = [
    group(
      "Status",
      STATUSES.map(([value, label]) => box(label, "filter[status]", { value, checked: chosen.includes(value) })),
    ),
    row(
      input("Any of these tags", "filter[tags]", { value: has("filter[tags]"), hint: "Separated by commas." }),
      input("Key", "filter[idempotencyKey]", { value: has("filter[idempotencyKey]"), hint: "The whole key." }),
      select("Outcome", "filter[outputIsError]", OUTCOMES, {
        value: has("filter[outputIsError]"),
        hint: "Waiting tokens have no error.",
      }),
    ),
    group(`Ended, in ${ZONE} time`, instants("completedAt")),
  ];
  const rest = el("div", {}, others);
  const undelivered = box("Only tokens with a run that was not resumed", "filter[undelivered]", {
    value: "true",
    checked: has("filter[undelivered]") === "true",
    hint: "Works only with the creation time and the order.",
    change: (event) => disable(event.target.checked),
  });
  const disable = (yes) => {
    for (const control of rest.querySelectorAll("input, select")) control.disabled = yes;
  };
  disable(has("filter[undelivered]") === "true");
  const fields = [
    rest,
    group(`Created, in ${ZONE} time`, instants("createdAt")),
    undelivered,
    row(
      select("Order", "sort", ORDERS, { value: has("sort") }),
      select("Tokens per page", "page[size]", SIZES, { value: has("page[size]") }),
    ),
  ];
  const sending = [submitButton("Apply"), el("a", { href: "#/tokens", class: "button" }, "Clear")];
  const apply = async (data) => go(address(parametersOf(data)));
  const set = [...query].map(([name, value]) => `${words(name)}: ${value}`);
  return filterOf(isOpen, set, form(fields, sending, apply));
};

// "filter[createdAt][from]" as "createdAt from"
const words = (name) =>
  name
    .replace(/^filter/, "")
    .replace(/[[\]]+/g, " ")
    .trim();

const parametersOf = (data) => {
  const parameters = {};
  for (const [name, value] of data) {
    if (value === "") continue;
    const text = /\[(?:from|to)\]$/.test(name) ? new Date(value).toISOString() : value;
    parameters[name] = parameters[name] ? `${parameters[name]},${text}` : text;
  }
  return parameters;
};

// The value of <input type=datetime-local>, which has the person's own time, for an instant.
const local = (instant) => {
  const at = new Date(/^\d+$/.test(instant) ? Number(instant) : instant);
  return Number.isNaN(at.valueOf()) ? "" : new Date(at - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
};

const COLUMNS = ["Token", "Status", "Created", "Outcome", "Tags and key"];

const table = (tokens) => tableOf("Tokens", COLUMNS, tokens.map(line));

const line = (token) => {
  const cells = [
    token.page ? titled(token) : tokenLink(token.id),
    stateBadge(token),
    time(token.createdAt),
    outcome(token),
    [tags(token.tags), token.idempotencyKey ? el("div", { class: "key" }, said(token.idempotencyKey)) : null],
  ];
  return tableRow(token.completedAt ? "ended" : null, cells);
};

const titled = ({ id, page }) => [
  el("a", { href: tokenAddress(id), class: "what" }, said(page.title)),
  el("div", { class: "hint mono id" }, id),
];

// Show only the rows that have every word, and say how many these are. Returns the addresses of their tokens.
const search = (text) => {
  const rows = [...document.querySelectorAll("main tbody tr")];
  const words = text.toLowerCase().split(/\s+/);
  for (const row of rows) row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
  const left = rows.filter((row) => !row.hidden);
  document.querySelector("main .count")?.replaceChildren(counted(left.length, rows.length));
  return left.map((row) => row.querySelector("a").hash);
};

const counted = (shown, all = shown) => `${shown === all ? "" : `${shown} of `}${all === 1 ? "1 token" : `${all} tokens`}`;

const outcome = (token) => {
  const [first, second] = token.completedAt
    ? [["ended ", time(token.completedAt)], `after ${age(token.createdAt, Date.parse(token.completedAt))}`]
    : [token.timeoutAt ? ["times out ", time(token.timeoutAt)] : "no timeout", null];
  return [el("div", {}, first), " ", second && el("div", { class: "hint" }, second)];
};

const pages = (query, pagination, shown) => {
  const to = (cursor, value, label) => pageLink(value && address([...withoutPage(query), [cursor, value]]), label);
  return pager(
    to("page[before]", pagination.previous, "Previous"),
    el("span", { class: "hint count", role: "status" }, counted(shown)),
    to("page[after]", pagination.next, "Next"),
  );
};
