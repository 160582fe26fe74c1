// Endpoints: their settings, what became of their deliveries, and their test.
import { ENDPOINT, ENDPOINTS, ENDPOINT_PAGE, TRIAL } from "./api.js";
import { verification, verifyOf } from "./create.js";
import { kindOf, listAddress, newest, words } from "./deliveries.js";
import { el, fill, said } from "./dom.js";
import { area, back, badge, button, buttons, card, cards, dialog, empty, fact, facts, folded, form, heading } from "./parts.js";
import { input, json, moment, note, objectOf, pageLink, pager, secret, section, select, submitButton } from "./parts.js";
import { textsOf, time, tokenLink, wideFacts } from "./parts.js";

const SIZE = 20; // each is retrieved for its counts

const addressOf = (name) => `#/endpoints/on/${name}`;

export const endpoints = async ({ query, call }) => {
  const after = query.get("page[after]");
  const asked = new URLSearchParams({ "page[size]": String(SIZE), ...(after ? { "page[after]": after } : {}) });
  const { data, pagination } = await call("GET", `${ENDPOINTS}?${asked}`, { like: ENDPOINT_PAGE });
  const detailed = await Promise.all(
    data.map((it) => call("GET", `${ENDPOINTS}/${it.name}`, { like: ENDPOINT }).catch((error) => gone(error, it))),
  );
  const next = pagination.next && `#/endpoints?${new URLSearchParams({ "page[after]": pagination.next })}`;
  return {
    title: "Endpoints",
    content: [
      heading("Endpoints", el("a", { href: "#/endpoints/new", class: "button primary" }, "Create an endpoint")),
      note("An endpoint is one URL for all deliveries of a provider's account. Each completes the token that has its key."),
      detailed.length ? cards(detailed.map(listed)) : empty("No endpoints."),
      (after || next) && pager(pageLink(after && "#/endpoints", "First page"), pageLink(next, "Next page")),
    ],
  };
};

// An endpoint that was deleted since it was listed is shown without counts.
const gone = (error, it) => {
  if (error.status === 404) return { ...it, deliveries: {} };
  throw error;
};

const listed = (it) => {
  const kinds = Object.entries(it.deliveries);
  const last = kinds
    .map(([, kind]) => kind.lastAt)
    .sort()
    .pop();
  return card(
    el("h2", {}, el("a", { href: addressOf(it.name) }, it.name)),
    note("Key: ", el("code", {}, said(it.key)), " · ", checked(it), it.disabled && [" · ", badge("bad", "disabled")]),
    el(
      "p",
      { class: "counts" },
      kinds.map(([name, kind]) => badge(kindOf(name)[0], `${kind.count.toLocaleString()} ${words(name)}`)),
    ),
    note(last ? ["last delivery ", time(last)] : "no delivery yet"),
  );
};

const unverified = (it) => it.verify === "none";
const checked = (it) => (unverified(it) ? "signature not checked" : `signed as ${it.verify.scheme}`);

export const endpoint = async ({ name, call, say, go, refresh }) => {
  const it = await call("GET", `${ENDPOINTS}/${name}`, { like: ENDPOINT });
  const recorded = await newest(it, call);
  const change = () =>
    dialog(`Change ${name}`, settings(it), ["Save", "primary"], async (data) => {
      await call("PUT", `${ENDPOINTS}/${name}`, { json: request(data) });
      say("The endpoint was changed. Deliveries see it within a minute");
      refresh();
    });
  const [verb, effect] = it.disabled
    ? ["Enable", "Within a minute, deliveries are processed again."]
    : ["Disable", "Within a minute, deliveries get 503, so that the provider sends them again later."];
  const turn = () =>
    dialog(`${verb} ${name}?`, el("p", {}, effect), [`${verb} the endpoint`, "primary"], async () => {
      await call("PATCH", `${ENDPOINTS}/${name}`, { json: JSON.stringify({ disabled: !it.disabled }) });
      say(`The endpoint was ${it.disabled ? "enabled" : "disabled"}`);
      refresh();
    });
  const remove = () =>
    dialog(
      `Delete ${name}?`,
      el("p", {}, "Its URL is refused within a minute, also if an endpoint of this name is created again. Its tokens stay."),
      ["Delete the endpoint", "danger full"],
      async () => {
        await call("DELETE", `${ENDPOINTS}/${name}`);
        say("The endpoint was deleted");
        go("#/endpoints");
      },
    );
  return {
    title: name,
    content: [
      back("#/endpoints", "Endpoints"),
      heading(name, button("Refresh", refresh)),
      buttons(button("Change…", change), button(`${verb}…`, turn), button("Delete…", remove, "danger")),
      section("about", "Settings", about(it, say)),
      section("deliveries", "Deliveries", deliveries(it)),
      section("recorded", "Recorded deliveries", el("div", { class: "made" }, recorded)),
      trial(name, call, say),
    ],
  };
};

const about = (it, say) => [
  facts(fact("URL for the provider", secret(it.url, "the URL", say))),
  wideFacts(
    fact("Key", el("code", {}, said(it.key))),
    fact("Signature", unverified(it) ? "not checked: the URL alone may complete tokens" : said(signature(it.verify))),
    fact("Complete when", it.completeWhen && el("code", {}, said(it.completeWhen))),
    fact("Output", el("code", {}, said(it.output))),
    fact("Kept for", said(it.keyTTL)),
    fact("Tag", it.tag && said(it.tag)),
    fact("Each delivery is recorded for", it.recordDeliveries && said(it.recordDeliveries)),
    fact("Disabled", it.disabled && "deliveries get 503"),
    fact("Created", moment(it.createdAt)),
    fact("Changed", moment(it.updatedAt)),
  ),
];

const signature = ({ scheme, secret, header }) =>
  `${scheme}, with the secret ${secret}${header ? `, in the header ${header}` : ""}`;

const deliveries = (it) => {
  const kinds = Object.entries(it.deliveries);
  return kinds.length ? cards(kinds.map(([name, kind]) => delivered(it, name, kind))) : empty("None yet.");
};

const delivered = (it, name, kind) =>
  card(
    el("h3", {}, badge(kindOf(name)[0], kind.count.toLocaleString()), " ", kindOf(name)[1]),
    facts(
      fact("Last one", time(kind.lastAt)),
      fact("Key", kind.lastKey && said(kind.lastKey)),
      fact("Why", kind.lastDetail && said(kind.lastDetail)),
      fact("From", kind.lastIp && said(kind.lastIp)),
      fact("User agent", folded(kind.lastUserAgent)),
      fact("Delivery id", folded(kind.lastDeliveryId)),
    ),
    it.recordDeliveries &&
      name !== "refused" &&
      el("p", {}, el("a", { href: listAddress(it.name, { "filter[kind]": name }) }, `Those recorded: ${words(name)}`)),
  );

// What would become of a delivery. Nothing changes.
const trial = (name, call, say) => {
  const result = el("div", { class: "result", role: "status" });
  let changes = 0;
  const change = () => {
    changes += 1;
    result.replaceChildren(); // it was the verdict on another delivery
  };
  const attempt = async (data) => {
    const tested = changes;
    result.replaceChildren();
    const body = objectOf({
      body: JSON.stringify(String(data.get("body"))),
      headers: JSON.stringify(headersOf(String(data.get("headers")))),
      query: JSON.stringify(String(data.get("query"))),
    });
    const told = await call("POST", `${ENDPOINTS}/${name}/test`, { json: body, like: TRIAL });
    fill(result, tested === changes ? verdict(told, say) : el("p", {}, "The delivery was changed meanwhile: test it again."));
  };
  const fields = [
    area("Body", "body", { rows: 8, hint: "As the provider sends it." }),
    area("Headers", "headers", { rows: 3, hint: "One a line: Name: value" }),
    input("Query", "query", { class: "mono" }),
  ];
  const asked = form(fields, submitButton("Test it"), attempt);
  asked.addEventListener("input", change);
  const about = note("Says what would become of it, step by step. Nothing changes, and nothing is counted.");
  return section("trial", "Test a delivery", about, asked, result);
};

const headersOf = (text) => {
  const lines = text.split("\n").filter((line) => line.trim());
  const wrong = lines.find((line) => line.indexOf(":") < 1);
  if (wrong !== undefined) throw new Error(`This line is not "Name: value": ${wrong}`);
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(":")).trim(), line.slice(line.indexOf(":") + 1).trim()]),
  );
};

const verdict = (it, say) => [
  el("p", { class: "lead" }, "It would be: ", badge(...kindOf(it.outcome))),
  wideFacts(
    it.steps.map((step) =>
      fact(step.step, said(step.result), step.detail ? el("div", { class: "hint" }, said(step.detail)) : null),
    ),
  ),
  facts(fact("Token that has the key", it.token && tokenLink(it.token))),
  it.output === undefined ? null : el("h3", {}, "Output"),
  it.output === undefined ? null : json(it.output, "Output", say),
];

export const newEndpoint = async ({ call, go, say }) => {
  const submit = async (data) => {
    const name = String(data.get("name"));
    await call("PUT", `${ENDPOINTS}/${encodeURIComponent(name)}`, { json: request(data) });
    say("The endpoint was created");
    go(addressOf(name));
  };
  const name = input("Name", "name", {
    required: true,
    pattern: "[a-z0-9\\-]{1,64}",
    title: "a-z, 0-9 and -, at most 64",
    hint: "An existing endpoint of this name gets these settings.",
  });
  return {
    title: "Create an endpoint",
    content: [
      back("#/endpoints", "Endpoints"),
      el("h1", { tabindex: "-1" }, "Create an endpoint"),
      form([name, settings()], submitButton("Create the endpoint"), submit),
    ],
  };
};

const settings = (it = {}) => {
  const verify = verification(unverified(it) ? {} : it.verify);
  const show = (how) => {
    verify.hidden = how === "none";
    for (const control of verify.querySelectorAll("input")) control.disabled = how === "none";
  };
  const chosen = it.verify === undefined ? "" : unverified(it) ? "none" : "signed";
  const ways = [
    ["", "Choose…"],
    ["signed", "Check the provider's signature"],
    ["none", "Do not check: the URL alone may complete tokens"],
  ];
  const change = (event) => show(event.target.value);
  const how = select("Signature", "how", ways, { value: chosen, required: true, change });
  show(chosen || "none");
  return [
    input("Key", "key", {
      required: true,
      class: "mono",
      value: it.key,
      placeholder: "body.workflow_run.id",
      hint: "A JMESPath expression over body, headers and query. A token's key is the endpoint's name, a colon and its result.",
    }),
    how,
    verify,
    input("Complete when", "completeWhen", {
      class: "mono",
      value: it.completeWhen,
      placeholder: "body.action == 'completed'",
      hint: "A JMESPath expression. Default: always.",
    }),
    input("Output", "output", {
      class: "mono",
      value: it.output,
      placeholder: "body",
      hint: "A JMESPath expression. Default: the whole body.",
    }),
    input("A delivery before its token is kept for", "keyTTL", {
      value: it.keyTTL,
      placeholder: "24h",
      hint: "0s keeps nothing.",
    }),
    input("Tag", "tag", {
      value: it.tag,
      hint: "For API keys that are limited to it. A token's key then begins with the tag and a colon.",
    }),
    input("Each delivery is recorded for", "recordDeliveries", {
      value: it.recordDeliveries,
      placeholder: "7d",
      hint: "To read it and send it again; only with a checked signature. Default: deliveries are only counted.",
    }),
  ];
};

const request = (data) =>
  objectOf({
    ...textsOf(data, "key", "completeWhen", "output", "keyTTL", "tag", "recordDeliveries"),
    verify: data.get("how") === "none" ? '"none"' : (verifyOf(data) ?? "{}"),
  });
