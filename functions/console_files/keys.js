// Named keys: what each may do, when it was last used. A new one is shown once.
import { CREATED_KEY, KEYS, KEY_LIST } from "./api.js";
import { el, fill } from "./dom.js";
import { back, badge, box, buttons, card, cards, dialog, empty, fact, facts, form, heading, input, note } from "./parts.js";
import { objectOf, row, secret, submitButton, tags, textOf, time } from "./parts.js";

const ACTIONS = [
  ["create", "Create tokens", "And move their timeouts. Whoever creates a token gets its URLs and can answer it."],
  ["complete", "Complete tokens", "With read, it also sees their callback URLs."],
  ["read", "Read tokens", "List and retrieve them, without their callback URLs."],
  ["notify", "Notify people", "With create, send mail and chat messages about its tokens, to anyone, in the stack's name."],
];
const RECORDED = [
  "deliveries",
  "Read recorded deliveries",
  "What endpoints recorded: list, read and delete it; with complete, send it again.",
];
const ENDPOINTS = ["endpoints", "Manage endpoints", "Create, change, test and delete them, and see their URLs."];

export const keys = async ({ call, say, refresh }) => {
  const { data } = await call("GET", KEYS, { like: KEY_LIST });
  return {
    title: "Keys",
    content: [
      heading("Keys", el("a", { href: "#/keys/new", class: "button primary" }, "Create a key")),
      note("One key for each program. Its scopes say what it may do. Only the root key manages keys."),
      data.length ? cards(data.map((it) => shownKey(it, call, say, refresh))) : empty("No keys yet."),
    ],
  };
};

const shownKey = (it, call, say, refresh) =>
  card(
    el("h2", {}, it.name, hasEnded(it) && [" ", badge("late", "Expired")]),
    tags(it.scopes),
    facts(
      fact("Created", time(it.createdAt)),
      fact("Last used", it.lastUsedAt ? time(it.lastUsedAt) : "never"),
      fact(hasEnded(it) ? "Expired" : "Expires", it.expiresAt ? time(it.expiresAt) : "never"),
    ),
    buttons(
      el(
        "button",
        { type: "button", class: "small danger", click: () => revoke(it.name, call, say, refresh) },
        "Revoke",
        el("span", { class: "hidden" }, ` ${it.name}`),
        "…",
      ),
    ),
  );

const hasEnded = (it) => it.expiresAt !== undefined && Date.parse(it.expiresAt) <= Date.now();

const revoke = (name, call, say, refresh) =>
  dialog(
    `Revoke ${name}?`,
    el("p", {}, "The key is refused everywhere within a minute. This cannot be undone. Tokens that were created with it stay."),
    ["Revoke the key", "danger full"],
    async () => {
      await call("DELETE", `${KEYS}/${encodeURIComponent(name)}`);
      say("The key was revoked");
      refresh();
    },
  );

export const newKey = async ({ call, say }) => {
  const place = el("div", { class: "made" });
  const submit = async (data) => {
    const made = await call("POST", KEYS, { json: request(data), like: CREATED_KEY });
    fill(place, shown(made, say));
    place.querySelector("h1").focus();
  };
  const name = input("Name", "name", {
    required: true,
    pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]{0,63}",
    title: "letters, digits, -, _ and ., at most 64; a letter or a digit comes first",
    hint: "Of the program that gets it, such as nightly-job. Logs and tokens show it.",
  });
  const expiry = input("Expires after", "expiresIn", { placeholder: "90d", hint: "A duration. Default: it never expires." });
  const fields = [row(name, expiry), ACTIONS.map((it) => limited(it)), limited(RECORDED, "endpoints"), unlimited(...ENDPOINTS)];
  fill(place, el("h1", { tabindex: "-1" }, "Create a key"), form(fields, submitButton("Create the key"), submit));
  return { title: "Create a key", content: [back("#/keys", "Keys"), place] };
};

// A scope, and the tag that limits it. The tag can be typed once the scope is chosen.
const limited = ([action, label, hint], what = "tokens") => {
  const about = { hint: `Default: all ${what}.`, disabled: true };
  const tag = input(`Only ${what} with the tag`, `tag of ${action}`, about);
  const change = (event) => {
    tag.querySelector("input").disabled = !event.target.checked;
  };
  const chosen = box(label, "scope", { value: action, hint, change });
  return el("fieldset", {}, el("legend", { class: "hidden" }, label), row(chosen, tag));
};

const unlimited = (action, label, hint) => box(label, "scope", { value: action, hint });

const request = (data) => {
  const scopes = data.getAll("scope").map((action) => {
    const tag = String(data.get(`tag of ${action}`) ?? "");
    return tag ? `${action}:${tag}` : action;
  });
  if (!scopes.length) throw new Error("Choose what the key may do: at least one of the six.");
  return objectOf({ name: textOf(data, "name"), scopes: JSON.stringify(scopes), expiresIn: textOf(data, "expiresIn") });
};

const shown = (it, say) => [
  el("h1", { tabindex: "-1" }, `The key ${it.name}`),
  el("p", {}, "Copy it now: it is not stored, and is never shown again."),
  secret(it.key, "the key", say),
  el("p", {}, el("a", { href: "#/keys", class: "button" }, "Done")),
];
