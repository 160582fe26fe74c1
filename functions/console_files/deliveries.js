// Recorded deliveries: what an endpoint received, what became of it, and how to send it again.
import { DELETED, DELIVERY, DELIVERY_PAGE, ENDPOINTS, RETRIEVED_DELIVERY, Refusal } from "./api.js";
import { el, said } from "./dom.js";
import { back, badge, body, button, buttons, copyButton, dialog, empty, fact, filterOf, folded, form, heading } from "./parts.js";
import { input, moment, note, objectOf, pageLink, pager, problem, row, section, select, submitButton } from "./parts.js";
import { tableOf, tableRow, textOf, time, tokenLink, wideFacts } from "./parts.js";

const SIZE = 25;
const NEWEST = 5; // in the view of an endpoint
const FURTHER = 8; // pages that are read at most until one has a delivery

// What became of a delivery, in words.
const KINDS = {
  completed: ["good", "Completed a token"],
  kept: ["good", "Kept for a token to come"],
  repeated: ["plain", "Repeated: the token had been completed"],
  late: ["bad", "Late: the token had timed out"],
  notAwaited: ["plain", "Not awaited by a token"],
  notMatching: ["plain", "Did not match"],
  noKey: ["bad", "Had no key"],
  noOutput: ["bad", "Had no output"],
  refused: ["bad", "Refused: not verified, or disabled"],
  handshake: ["plain", "A provider's test, only answered"],
  pending: ["waiting", "Stored, and not processed yet"],
};
const NEVER_RECORDED = ["refused", "handshake"];
export const kindOf = (name) => KINDS[name] ?? ["plain", name];
// "notMatching" as "not matching"
export const words = (name) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

const pathOf = (endpoint, id = "") => `${ENDPOINTS}/${endpoint}/deliveries${id && `/${id}`}`;
const addressOf = (endpoint, id) => `#/endpoints/on/${endpoint}/deliveries/${id}`;
export const listAddress = (endpoint, parameters = {}) => {
  const query = new URLSearchParams(parameters).toString();
  return `#/endpoints/on/${endpoint}/deliveries${query && `?${query}`}`;
};

// Of an endpoint's view: the newest deliveries that it recorded.
export const newest = async (endpoint, call) => {
  const all = el("a", { href: listAddress(endpoint.name), class: "button" }, "All recorded deliveries");
  if (!endpoint.recordDeliveries) return [note("Deliveries are only counted. Change… can record them."), buttons(all)];
  try {
    const query = new URLSearchParams({ "page[size]": String(NEWEST) });
    const { data } = await page(pathOf(endpoint.name), query, call);
    return data.length ? [table(endpoint.name, data), buttons(all)] : empty("None yet.");
  } catch (error) {
    if (error.status !== 403) throw error;
    return note("Not shown: ", said(error.message));
  }
};

// A page of the API may be empty and have a cursor: look further, for some pages.
const page = async (path, query, call) => {
  const asked = new URLSearchParams(query);
  let answer;
  for (let read = 0; read < FURTHER; read += 1) {
    answer = await call("GET", `${path}?${asked}`, { like: DELIVERY_PAGE });
    if (answer.data.length || !answer.pagination.next) break;
    asked.set("page[after]", answer.pagination.next);
  }
  return answer;
};

export const deliveries = async ({ name, query, call, go, say, refresh }) => {
  const asked = new URLSearchParams({ "page[size]": String(SIZE), ...Object.fromEntries(query) });
  const answer = await page(pathOf(name), asked, call).catch(refused);
  const clear = () =>
    dialog(
      `Delete all recorded deliveries of ${name}?`,
      el("p", {}, "Also those that the filter does not show. ", GOES_WITH_IT),
      ["Delete all", "danger full"],
      async () => {
        say(`${await deleteAll(name, call, say)} deleted`);
        refresh();
      },
    );
  return {
    title: `Deliveries to ${name}`,
    content: [
      back(`#/endpoints/on/${name}`, name),
      heading(
        `Deliveries to ${name}`,
        el("div", { class: "tools" }, button("Refresh", refresh), button("Delete all…", clear, "danger")),
      ),
      note("What the endpoint recorded after its signature was checked, the newest first. Credentials are not stored."),
      filters(name, query, go, answer instanceof Refusal),
      answer instanceof Refusal ? problem(answer) : found(name, query, answer),
    ],
  };
};

// A filter that the API refuses stays, so that it can be corrected.
const refused = (error) => {
  if (error instanceof Refusal && error.status === 400) return error;
  throw error;
};

const found = (name, query, { data, pagination }) => {
  const to = (cursor) => {
    const rest = new URLSearchParams(query);
    rest.delete("page[after]");
    if (cursor) rest.set("page[after]", cursor);
    return listAddress(name, rest);
  };
  const none = pagination.next ? "None found so far." : "No recorded delivery.";
  return [
    data.length ? table(name, data) : empty(none),
    (query.has("page[after]") || pagination.next) &&
      pager(
        pageLink(query.has("page[after]") && to(), "First page"),
        pageLink(pagination.next && to(pagination.next), "Next page"),
      ),
  ];
};

const filters = (name, query, go, isOpen) => {
  const has = (parameter) => query.get(parameter) ?? "";
  const kinds = Object.entries(KINDS).filter(([kind]) => !NEVER_RECORDED.includes(kind));
  const options = [["", "Any"], ...kinds.map(([kind, [, text]]) => [kind, text])];
  const fields = row(
    select("What became of it", "filter[kind]", options, { value: has("filter[kind]") }),
    input("Key", "filter[key]", { value: has("filter[key]") }),
    input("Provider's id of the event", "filter[deliveryId]", { value: has("filter[deliveryId]") }),
    input("Within the last", "filter[createdAt][period]", { value: has("filter[createdAt][period]"), placeholder: "24h, 7d" }),
  );
  const set = [...query]
    .filter(([parameter]) => parameter.startsWith("filter"))
    .map(([parameter, value]) => (parameter === "filter[kind]" ? kindOf(value)[1] : value));
  const sending = [submitButton("Apply"), el("a", { href: listAddress(name), class: "button" }, "Clear")];
  const apply = async (data) => go(listAddress(name, [...data].filter(([, value]) => value !== "")));
  return filterOf(isOpen, set, form(fields, sending, apply));
};

const COLUMNS = ["Delivery", "Kind", "Received", "Provider's event", "Key"];

const table = (endpoint, them) => {
  const lines = them.map((it) => line(endpoint, it));
  return tableOf("Recorded deliveries", COLUMNS, lines, { class: "deliveries" });
};

const line = (endpoint, it) => {
  const [colour, reason] = kindOf(it.kind);
  const cells = [
    [
      el("a", { href: addressOf(endpoint, it.id), class: "what" }, reason),
      it.detail && el("div", { class: "hint" }, said(it.detail)),
    ],
    [badge(colour, words(it.kind)), it.resendOf && [" ", badge("plain", "sent again")]],
    time(it.createdAt),
    [it.deliveryId && said(it.deliveryId), it.repeatOf && [" ", badge("late", "repeated event")]],
    it.key && said(it.key),
  ];
  return tableRow(null, cells);
};

export const delivery = async ({ name: endpoint, id, call, say, go, refresh }) => {
  const it = await call("GET", pathOf(endpoint, id), { like: RETRIEVED_DELIVERY });
  const [colour, reason] = kindOf(it.kind);
  return {
    title: reason,
    content: [
      back(listAddress(endpoint), `Deliveries to ${endpoint}`),
      heading(reason, button("Refresh", refresh)),
      el("p", { class: "hint mono id" }, it.id),
      el("p", { class: "lead" }, badge(colour, words(it.kind)), " ", it.detail && said(it.detail)),
      buttons(
        it.headers && button("Send again…", () => resend(endpoint, it, { call, say, go }), "primary"),
        button("Delete…", () => remove(endpoint, it, { call, say, go }), "danger"),
      ),
      section("about", "About", about(endpoint, it)),
      it.headers ? sent(it, say) : section("sent", "What was sent", note("It is no longer kept.")),
    ],
  };
};

const about = (endpoint, it) => {
  const other = (id) => el("a", { href: addressOf(endpoint, id), class: "mono id" }, id);
  const by = it.resentBy ? ["the named key ", said(it.resentBy)] : "the root key";
  return wideFacts(
    fact(it.resendOf ? "Sent" : "Received", moment(it.createdAt)),
    fact("Kept until", moment(it.expiresAt)),
    fact("Key", it.key && said(it.key)),
    fact("Token", it.tokenId && tokenLink(it.tokenId)),
    fact("Provider's id of the event", it.deliveryId && said(it.deliveryId)),
    fact("The provider had sent this event before", it.repeatOf && other(it.repeatOf)),
    fact("Sent again", it.resendOf && [other(it.resendOf), ", by ", by]),
    fact("From", it.ip && said(it.ip)),
    fact("User agent", folded(it.userAgent)),
  );
};

const sent = (it, say) => [
  section(
    "headers",
    "Headers",
    note("Without credentials, and without what the signature needs."),
    wideFacts(
      Object.entries(it.headers).map(([name, value]) => fact(said(name), folded(value) || said(value))),
      fact("Query", it.query && said(it.query)),
    ),
  ),
  section("body", "Body", bodyOf(it, say)),
];

const bodyOf = (it, say) => {
  if (it.body === "") return note("It is empty.");
  if (it.body !== undefined) return body(it.body, "Body", say);
  const about = note(`${it.size.toLocaleString()} bytes that are not text, or too many to be shown. `);
  return [about, it.bodyBase64 && copyButton(it.bodyBase64, "the body in base64", say)];
};

const resend = (endpoint, it, { call, say, go }) => {
  const once = `console-${crypto.getRandomValues(new Uint32Array(4)).join("-")}`; // a lost answer sends nothing twice
  return dialog(
    "Send this delivery again?",
    [
      el("p", {}, "By the endpoint's settings of today, it completes the token that waits for its key now."),
      input("Or complete this token", "tokenId", { placeholder: "waitpoint_…", hint: "Optional. Its rules hold." }),
    ],
    ["Send it again", "primary"],
    async (data) => {
      const json = objectOf({ tokenId: textOf(data, "tokenId"), idempotencyKey: JSON.stringify(once) });
      const made = await call("POST", `${pathOf(endpoint, it.id)}/resend`, { json, like: DELIVERY });
      say(`Sent again: ${kindOf(made.kind)[1].toLowerCase()}`);
      go(addressOf(endpoint, made.id));
    },
  );
};

const GOES_WITH_IT = "A completion that was kept for a token to come goes, too. Tokens stay. This cannot be undone.";

const remove = (endpoint, it, { call, say, go }) =>
  dialog(
    "Delete this delivery?",
    el("p", {}, "Its headers and its body are deleted. ", GOES_WITH_IT),
    ["Delete the delivery", "danger full"],
    async () => {
      await call("DELETE", pathOf(endpoint, it.id));
      say("The delivery was deleted");
      go(listAddress(endpoint));
    },
  );

// One request deletes for some seconds. Returns how many were deleted.
const deleteAll = async (endpoint, call, say) => {
  let deleted = 0;
  for (;;) {
    const answer = await call("DELETE", pathOf(endpoint), { like: DELETED });
    deleted += answer.deleted;
    if (answer.done) return deleted.toLocaleString();
    say(`${deleted.toLocaleString()} deleted so far`);
  }
};
