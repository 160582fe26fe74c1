// Create a token, with everything that the API takes.
import { CREATED, TOKENS } from "./api.js";
import { el } from "./dom.js";
import { area, box, button, form, input, jsonOf, note, objectOf, row, submitButton, textsOf, tokenAddress } from "./parts.js";

const PAGE = {
  title: "Deploy 4.2 to production?",
  text: "All checks passed.",
  actions: [
    { id: "approve", label: "Approve" },
    { id: "reject", label: "Reject", style: "danger" },
  ],
  fields: { type: "object", properties: { reason: { type: "string", title: "Reason" } } },
};
const SCHEMA = { type: "object", required: ["approved"], properties: { approved: { type: "boolean" } } };

let draft = null; // the form, with what was typed, until a token is created or somebody signs out

export const forgetDraft = () => {
  draft = null;
};

export const create = async ({ call, go, say }) => {
  const submit = async (data) => {
    const created = await call("POST", TOKENS, { json: request(data), like: CREATED });
    forgetDraft();
    say(created.isCached ? "A token with this key existed already: this is it" : "The token was created");
    go(tokenAddress(created.id));
  };
  draft ??= form(fields(), submitButton("Create the token"), submit);
  return {
    title: "Create a token",
    content: [
      el("h1", { tabindex: "-1" }, "Create a token"),
      note("Every field is optional. What you typed stays until you sign out."),
      draft,
    ],
  };
};

const fields = () => [
  row(
    input("Timeout", "timeout", { placeholder: "7d", hint: "A duration or a date: 30s, 10m, 1d12h, 2030-01-31T18:00:00Z." }),
    input("Tags", "tags", { placeholder: "order-1, eu", hint: "Up to 10 of at most 128 characters, separated by commas." }),
  ),
  row(
    input("Key", "idempotencyKey", { hint: "The same key gives the same token. At most 2,048 characters." }),
    input("The token holds the key for", "idempotencyKeyTTL", {
      placeholder: "24h",
      hint: "A duration. Default: as long as the token exists.",
    }),
  ),
  area("Metadata, as JSON", "metadata", {
    rows: 2,
    hint: "An object of at most 4 KiB, such as the ids of your run or order. People who open the page do not see it.",
  }),
  group(
    "A page for a person",
    "What a person sees at the callback URL (docs/pages.md). Cannot be combined with the rules for deliveries.",
    sample(area("Page, as JSON", "page", { rows: 10 }), PAGE),
    area("Who is notified, as JSON", "notify", {
      rows: 2,
      hint: 'Such as {"email": true} for its approvers, or {"slack": "#deploys"} (docs/notices.md).',
    }),
  ),
  group(
    "Rules for deliveries",
    "What does not meet them leaves the token waiting (docs/webhooks.md).",
    verification(),
    input("Complete when", "completeWhen", {
      class: "mono",
      placeholder: "body.status == 'succeeded'",
      hint: "A JMESPath expression over body, headers and query.",
    }),
    sample(
      area("Schema of the output, as JSON", "payloadSchema", { rows: 6, hint: "A JSON Schema 2020-12 of at most 8 KB." }),
      SCHEMA,
    ),
  ),
  group(
    "A state or a durable function that waits for it",
    "For a task token of Step Functions, or a callback id of a Lambda durable function, that you have already. One of them.",
    area("Task token", "taskToken", { rows: 3 }),
    area("Callback id", "callbackId", { rows: 3 }),
    input("ARN of the execution", "execution", { placeholder: "arn:aws:states:…", class: "mono" }),
    box("Give it the bare output", "unwrap", { value: "true", hint: "unwrap: a timeout then fails the wait." }),
    box("Tell it who completed the token", "context", { value: "true", hint: "context: not together with unwrap." }),
  ),
];

const group = (summary, about, ...children) =>
  el("details", { class: "group" }, el("summary", {}, summary), note(about), children);

const sample = (field, value) => {
  const fill = () => {
    const control = field.querySelector("textarea");
    control.value = JSON.stringify(value, null, 2);
    control.focus();
  };
  return [field, button("Insert an example", fill, "small")];
};

export const verification = (its = {}) =>
  row(
    input("Signature scheme", "scheme", {
      placeholder: "github",
      value: its.scheme,
      hint: "Of the provider. A wrong one is answered with the list.",
    }),
    input("Name of its secret", "secret", {
      placeholder: "github",
      value: its.secret,
      hint: "In Secrets Manager, after the stack's name and a slash.",
    }),
    input("Header", "header", { value: its.header, hint: "For the scheme token alone." }),
  );

// The JSON text of `verify`, or undefined if nothing of it was filled in.
export const verifyOf = (data) => {
  const members = textsOf(data, "scheme", "secret", "header");
  return Object.values(members).some((text) => text !== undefined) ? objectOf(members) : undefined;
};

const request = (data) => {
  const tags = String(data.get("tags"))
    .split(",")
    .map((tag) => tag.trim())
    .filter(Boolean);
  return objectOf({
    ...textsOf(data, "timeout", "idempotencyKey", "idempotencyKeyTTL", "completeWhen", "execution"),
    tags: tags.length ? JSON.stringify(tags) : undefined,
    metadata: jsonOf(data, "metadata", "The metadata"),
    page: jsonOf(data, "page", "The page"),
    notify: jsonOf(data, "notify", "Who is notified"),
    verify: verifyOf(data),
    payloadSchema: jsonOf(data, "payloadSchema", "The schema"),
    taskToken: trimmed(data, "taskToken"),
    callbackId: trimmed(data, "callbackId"),
    unwrap: data.get("unwrap") ?? undefined,
    context: data.get("context") ?? undefined,
  });
};

const trimmed = (data, name) => {
  const text = String(data.get(name)).trim();
  return text ? JSON.stringify(text) : undefined;
};
