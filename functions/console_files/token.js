// One token: its life, its output, and what can be done with it.
import { LINK, MOVED, TOKEN, TOKENS } from "./api.js";
import { decision, filledIn, nameOf } from "./decision.js";
import { el, outward, said } from "./dom.js";
import { told } from "./notices.js";
import { age, area, back, badge, button, buttons, dialog, exactMoment, execution, fact, facts, folded } from "./parts.js";
import { heading, input, json, jsonOf, moment, note, objectOf, problem, secret, section, stateBadge, tags } from "./parts.js";
import { textOf, textsOf, time } from "./parts.js";
import { duration, visible } from "./text.js";

const PACKETS = "api/v1/packets";
const HERE = "console-"; // how the ids of the console's own completions begin

export const token = async ({ name: id, call, say, refresh }) => {
  const token = await call("GET", `${TOKENS}/${id}`, { like: TOKEN });
  const waits = token.status === "WAITING";
  const act = async (json, done) => {
    const deliveryId = `${HERE}${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;
    await call("POST", `${TOKENS}/${id}/complete`, { json, deliveryId });
    const ended = await call("GET", `${TOKENS}/${id}`, { like: TOKEN }).catch(() => null); // the refresh says why
    if (ended) say(ended.completedBy?.deliveryId === deliveryId ? done : overtaken(ended));
    refresh();
  };
  return {
    title: token.page ? visible(token.page.title) : id,
    content: [
      back("#/tokens", "Tokens"),
      heading(token.page ? said(token.page.title) : id, button("Refresh", refresh), token.page ? null : "mono id"),
      token.page && el("p", { class: "hint mono id" }, id),
      el("p", { class: "lead" }, stateBadge(token), " ", summary(token)),
      buttons(
        waits && token.url && button("Complete…", () => complete(act, token), "primary"),
        waits && token.url && button("Fail…", () => fail(act, token), "danger"),
        waits && button("Timeout…", () => move(id, call, say, refresh)),
        token.pageActions &&
          token.url &&
          outward(token.url, { class: "button" }, "Open the page", el("span", { class: "hidden" }, " in a new tab")),
      ),
      decision(token, say),
      told(token),
      el("div", { class: "columns" }, life(token, say), about(token, say)),
      output(token, call, say),
    ],
  };
};

const summary = (token) =>
  token.completedAt
    ? ["ended ", time(token.completedAt), `, ${age(token.createdAt, Date.parse(token.completedAt))} after it was created`]
    : [`for ${age(token.createdAt)}`, token.timeoutAt ? [", times out ", time(token.timeoutAt)] : ", without a timeout"];

// The API takes a completion of a token that has ended, and changes nothing.
const overtaken = (token) => {
  if (token.status === "TIMED_OUT") return "Nothing was changed: the token timed out first";
  return `Nothing was changed: someone else ${token.outputIsError ? "failed" : "completed"} the token first`;
};

// An answer to a page, as JSON: its one action, or none where somebody has to choose.
const answer = (actions) => `{"action": ${JSON.stringify(actions.length === 1 ? actions[0] : "")}, "fields": {}}`;

const overrides = (token) =>
  token.approvers && el("p", {}, "Its approvers have not decided yet. This overrides them, and the token will show it.");

const complete = (act, token) => {
  const actions = token.pageActions;
  const opened = dialog(
    "Complete this token",
    [
      el("p", {}, "Every run that waits for it continues with this output. This cannot be undone."),
      overrides(token),
      area("Output, as JSON", "data", {
        value: actions ? answer(actions) : "{}",
        rows: 8,
        hint: actions ? `Its page accepts one of these actions: ${actions.join(", ")}.` : "Leave empty for no output.",
      }),
    ],
    ["Complete the token", "primary"],
    (data) => act(objectOf({ data: jsonOf(data, "data", "The output") }), "The token was completed"),
  );
  const text = opened.querySelector("textarea"); // what is typed replaces it, or names the action
  const missing = text.value.indexOf('""') + 1;
  text.setSelectionRange(missing, missing || text.value.length);
};

const fail = (act, token) =>
  dialog(
    "Fail this token",
    [
      el("p", {}, "Every run that waits for it gets this error. This cannot be undone."),
      overrides(token),
      area("Message", "message", { required: true, rows: 3 }),
      input("Name of the error", "name", {
        placeholder: "WaitpointFailedError",
        hint: "Optional. With unwrap, the state fails with it.",
      }),
      input("Code", "code", { hint: "Optional." }),
    ],
    ["Fail the token", "danger full"],
    (data) => {
      const error = objectOf(textsOf(data, "message", "name", "code"));
      return act(objectOf({ error }), "The token was failed");
    },
  );

const ANYONE = "Anyone who has it can complete the token, unless the token asks for a signature.";
const UNSEEN = "Not shown: this key lacks the scope complete for this token.";
const SIGNED_IN = "Not a secret: people sign in there and answer as themselves.";
const NO_ANSWERS = "It shows the question. Only the approvers' own links accept answers.";

const move = (id, call, say, refresh) =>
  dialog(
    "Move the timeout",
    [
      input("Times out", "timeout", {
        required: true,
        placeholder: "7d",
        hint: "A duration from now, or a date: 30m, 7d, 2030-01-31T18:00:00Z. Enter none for a token that never times out.",
      }),
      note("A limit of the state itself, such as TimeoutSeconds, does not move."),
    ],
    ["Move the timeout", "primary"],
    async (data) => {
      const timeout = data.get("timeout") === "none" ? "null" : textOf(data, "timeout");
      const { timeoutAt } = await call("PATCH", `${TOKENS}/${id}`, { json: objectOf({ timeout }), like: MOVED });
      say(timeoutAt ? "The timeout was moved" : "The token no longer times out");
      refresh();
    },
  );

const about = (token, say) =>
  section(
    "about",
    "About",
    facts(
      fact(
        "Callback URL",
        token.url && secret(token.url, "the callback URL", say),
        note(!token.url ? UNSEEN : token.page?.signIn ? SIGNED_IN : token.approvers ? NO_ANSWERS : ANYONE),
      ),
      fact("Created", moment(token.createdAt)),
      fact("Created with", token.createdBy && ["the named key ", said(token.createdBy)]),
      fact("Times out", token.timeoutAt && moment(token.timeoutAt)),
      fact("Reminders", token.reminders && reminders(token.reminders)),
      fact("Ended", token.completedAt && moment(token.completedAt)),
      fact("Tags", token.tags.length ? tags(token.tags) : null),
      fact("Key", token.idempotencyKey && said(token.idempotencyKey)),
      fact("Metadata", token.metadata && json(JSON.stringify(token.metadata), "Metadata", say)),
      fact("Holds its key until", token.idempotencyKeyExpiresAt && moment(token.idempotencyKeyExpiresAt)),
    ),
  );

const reminders = ({ count, nextAt }) => [count ? `${count} sent` : "none sent yet", nextAt ? [", next ", moment(nextAt)] : null];

const WAITS = { DURABLE_FUNCTION: "A durable function waits: " };

const AGAIN = "This run waits more than once: a state was retried, or the items of a Map share this token.";

// Where an execution registers for the second time.
const isSecond = (waiter, at, them) =>
  waiter.execution && them.slice(0, at).filter((it) => it.execution === waiter.execution).length === 1;

// What happened, in order. What has no time of its own stands after the end.
const life = (token, say) => {
  const waiters = token.waiters ?? [];
  const name = (waiter) => (waiter.execution ? execution(waiter.execution) : el("code", {}, waiter.id));
  const events = [
    event(
      token.createdAt,
      "new",
      ["Created"],
      token.timeoutAt ? ["to time out at ", moment(token.timeoutAt)] : "without a timeout",
    ),
    ...waiters.map((it, at) =>
      event(it.registeredAt, "run", [WAITS[it.kind] ?? "A run waits: ", name(it)], isSecond(it, at, waiters) ? AGAIN : null),
    ),
    ...(token.answers ?? []).map((it) =>
      event(it.at, "other", [said(nameOf(token, it.approver)), ` chose ${it.action}`], filledIn(it, say)),
    ),
    ...(token.handOvers ?? []).map((it) => handedOver(token, it)),
    ...(token.completedBy ? [settled(token)] : []),
    ...waiters
      .filter((it) => it.resumedAt)
      .map((it) => event(it.resumedAt, "run", ["Resumed: ", name(it)], lateness(it.lagMs))),
    ...others(token.otherDeliveries),
  ].sort((one, other) => one.at - other.at);
  const undated = waiters
    .filter((it) => it.status === "GONE" || it.status === "UNDELIVERED")
    .map((it) => unresumed(it, name(it), Date.now() - Date.parse(token.completedAt) < RETRIED_FOR));
  const open =
    token.status === "WAITING" ? [step("open", null, ["Waiting"], waiters.length ? null : "No run waits for it yet.")] : [];
  const shown = events.map((it) => it.shown);
  return section("life", "Timeline", el("ol", { class: "life" }, shown, undated, open));
};

const event = (instant, kind, title, ...details) => ({
  at: Date.parse(instant),
  shown: step(kind, instant, title, ...details),
});

const step = (kind, instant, title, ...details) =>
  el(
    "li",
    { class: kind },
    el("p", { class: "what" }, title),
    instant ? note(exactMoment(instant)) : null,
    details.filter(Boolean).map((detail) => el("div", { class: "detail" }, detail)),
  );

const handedOver = (token, { at, added, removed, key }) => {
  const people = (ids) => ids.map((id, number) => [number ? ", " : null, said(nameOf(token, id))]);
  const named = fact("Named key", key && said(key));
  return event(at, "other", ["Handed over"], facts(fact("Added", people(added)), fact("Removed", people(removed)), named));
};

const SOURCES = {
  callback: "a delivery to its callback URL",
  complete: "a request with a credential",
  endpoint: "a delivery to an endpoint",
  timeout: "its timeout",
};

const settled = (token) => {
  const by = token.completedBy;
  const kind = token.outputIsError ? "bad" : "good";
  const isHere = by.source === "complete" && by.deliveryId?.startsWith(HERE);
  const how = { COMPLETED: token.outputIsError ? "Failed" : "Completed", TIMED_OUT: "Ended" }[token.status];
  const source = by.approver
    ? said(nameOf(token, by.approver))
    : by.slackUser
      ? [said(by.slackName ?? by.slackUser), " in Slack"]
      : (SOURCES[by.source] ?? by.source);
  return event(
    by.at,
    kind,
    isHere ? [how, " from the console"] : [how, " by ", source],
    by.override && "Instead of its approvers.",
    facts(
      fact("Slack id", by.slackUser && said(by.slackUser)),
      fact("Named key", by.key && said(by.key)),
      fact("From", by.ip && said(by.ip)),
      fact("User agent", folded(by.userAgent)),
      fact("Content type", folded(by.contentType)),
      fact("Query", folded(by.query)),
      fact("Delivery id", folded(by.deliveryId)),
    ),
  );
};

const others = (them) => {
  if (!them) return [];
  const title =
    them.count === 1
      ? "1 delivery came that did not settle it"
      : `${them.count.toLocaleString()} deliveries came that did not settle it; the last one`;
  const more = facts(fact("From", them.lastIp && said(them.lastIp)), fact("Delivery id", folded(them.lastDeliveryId)));
  return [event(them.lastAt, "other", [title], more)];
};

const lateness = (ms) => (ms === undefined ? null : ms <= 0 ? "at once" : `${duration(ms)} after the end`);

const RETRIED_FOR = 300_000; // milliseconds

const unresumed = (waiter, name, isRetried) => {
  if (waiter.status === "GONE")
    return step("other", null, ["Gone: ", name], "Its state had ended or was retried, so nothing waited any more.");
  const then = "If it stays like this, see docs/operation.md.";
  if (isRetried) return step("other", null, ["Not resumed yet: ", name], `It is tried again within minutes. ${then}`);
  return step("bad", null, ["Not resumed: ", name, " ", badge("bad", "Needs an operator")], then);
};

const output = (token, call, say) => {
  if (token.status === "WAITING") return null;
  const title = token.outputIsError ? "Error" : "Output";
  const shown = (...children) => section("output", title, children);
  if (token.output === undefined) return shown(note("None: it was completed without an output."));
  if (token.outputType === "application/json") return shown(json(token.output, title, say));
  const told = el("div", {});
  const fetchLink = async () => {
    try {
      const { presignedUrl } = await call("GET", `${PACKETS}/${token.output}`, { like: LINK });
      const link = outward(presignedUrl, {}, "Open the output in a new tab");
      told.replaceChildren(el("p", {}, link, el("span", { class: "hint" }, " The link is valid for five minutes.")));
      link.focus();
    } catch (error) {
      told.replaceChildren(problem(error));
    }
  };
  return shown(el("p", {}, "It is too large to show here."), button("Get a link to it", fetchLink), told);
};
