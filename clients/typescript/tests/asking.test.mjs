import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { approvalPage, request, Waitpoints } from "waitpoints-client";
import { digest } from "../dist/digest.js";
import { completed, created, json, refusal, scripted as script, token, withoutPauses } from "./fake.mjs";

const scripted = (...answers) => script(Waitpoints, ...answers);
const VECTORS = JSON.parse(readFileSync(new URL("../../python/tests/digest_vectors.json", import.meta.url), "utf8"));
const PAGE = { title: "Refund?", actions: [{ id: "approve", label: "Approve" }, { id: "reject", label: "No" }] };
const ASKED = { key: "k", approvers: ["ann"] };

/** `{"integer": "…"}` stands for an integer that JavaScript's numbers may not hold. */
function read(value) {
  if (Array.isArray(value)) return value.map(read);
  if (value === null || typeof value !== "object") return value;
  if (Object.keys(value).join() === "integer") return BigInt(value.integer);
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, read(member)]));
}

for (const vector of VECTORS.digests) {
  test(`a value has the Python client's digest: ${vector.digest.slice(0, 8)}`, async () => {
    assert.equal(await digest(read(vector.value)), vector.digest);
  });
}

for (const { page, tool, arguments: args, options, key, metadata } of VECTORS.requests) {
  test(`a request has the Python client's key and metadata: ${key.slice(0, 12)}`, async () => {
    const made = await request(tool ? { tool, arguments: read(args), page } : page, options);
    assert.deepEqual([made.idempotencyKey, made.metadata], [key, metadata]);
  });
}

test("there were vectors", () => assert.ok(VECTORS.digests.length >= 9 && VECTORS.requests.length >= 7));

test("a member that is undefined is no member, and another order is the same value", async () => {
  assert.equal(await digest({ a: 1, b: undefined, c: { e: [], d: null } }), await digest({ c: { d: null, e: [] }, a: 1.0 }));
});

const loop = {};
loop.again = loop;
for (const [message, value] of [
  [/^ids\[1\]\.of: Set is no type of JSON/, { ids: [1, { of: new Set([1]) }] }],
  [/^at: Date is no type of JSON/, { at: new Date() }],
  [/^a\[0\]: undefined is no type of JSON/, { a: [undefined] }],
  [/^a\[0\]: NaN is no type of JSON/, { a: [Number.NaN] }],
  [/^a: Infinity is no type of JSON/, { a: Number.POSITIVE_INFINITY }],
  [/^a: .* is no type of JSON/, { a: () => 1 }],
  [/^a: half of a surrogate pair is no text/, { a: "half \ud800" }],
  [/half of a surrogate pair is no text/, { "\udfff": 1 }],
  [/^It is nested too deeply for JSON/, loop],
]) {
  test(`what is no JSON has no digest: ${message}`, () => assert.rejects(digest(value), { name: "TypeError", message }));
}

for (const [message, options, page = PAGE] of [
  [/Which call is it/, { key: undefined }],
  [/Which call is it/, { key: undefined, run: "r" }],
  [/Which call is it/, { run: "r", call: "c" }],
  [/key must be a text that is not empty/, { key: "" }],
  [/key must be a text that is not empty/, { key: 4711 }],
  [/attempt must be a whole number from 1: 0/, { attempt: 0 }],
  [/attempt must be a whole number from 1: 1.5/, { attempt: 1.5 }],
  [/Unknown option "timeOut": expected one of run, call, key, attempt, approvers, /, { timeOut: "3d" }],
  [/Unknown option "constructor"/, { constructor: 1 }],
  [/Who may answer/, { approvers: [] }],
  [/Who may answer/, { approvers: undefined }],
  [/Who may answer/, { approvers: undefined, signIn: true }],
  [/Both the page and the options have approvers/, {}, { ...PAGE, approvers: ["eve"] }],
]) {
  test(`what names no call or lets anyone answer is refused: ${message}`, async () => {
    const { waitpoints, requests } = scripted(created());
    await assert.rejects(waitpoints.ask(page, { ...ASKED, ...options }), message);
    assert.equal(requests.length, 0);
  });
}

test("what is missing is said", async () => {
  await assert.rejects(request(undefined, ASKED), /Expected a page, such as/);
  await assert.rejects(request(PAGE), /Which call is it/);
});

test("ask creates a token, and waits until people decide", async (t) => {
  const pauses = withoutPauses(t);
  const output = { action: "approve", fields: {}, approver: "ann" };
  const { waitpoints, requests } = scripted(created(), token(), completed(output));
  const people = { ...ASKED, notify: { email: true }, timeout: "1d", tags: ["t"] };
  assert.deepEqual(await waitpoints.ask(PAGE, people), { ok: true, output });
  const { body } = requests[0];
  assert.deepEqual(body.page, { ...PAGE, approvers: ["ann"] });
  assert.deepEqual([body.notify, body.timeout, body.tags, body.idempotencyKey.slice(0, 4)], [{ email: true }, "1d", ["t"], "ask/"]);
  assert.deepEqual(pauses, [500]);
});

function warnings(t) {
  const shown = [];
  t.mock.method(process, "emitWarning", (message, kind) => shown.push([message, kind]));
  return shown;
}

test("a call that was asked before finds its answer, without a warning", async (t) => {
  const shown = warnings(t);
  const { metadata } = await request(PAGE, ASKED);
  const found = completed({ action: "reject" }, { approvers: [{ id: "ann" }], metadata });
  const result = await scripted(created({ isCached: true }), found).waitpoints.ask(PAGE, ASKED);
  assert.deepEqual([result, shown], [{ ok: true, output: { action: "reject" } }, []]);
});

test("a call that was asked with another page warns, and says nothing of what was asked", async (t) => {
  const shown = warnings(t);
  const found = completed({ action: "reject" }, { approvers: [{ id: "ann" }], metadata: { page: "other" } });
  await scripted(created({ isCached: true }), found).waitpoints.ask({ ...PAGE, title: "secret" }, ASKED);
  assert.deepEqual(shown, [["waitpoint_1 asks the same with another page or other approvers: it stays as it is", "WaitpointsWarning"]]);
});

for (const [name, found, page] of [
  ["no approvers", token()],
  ["no sign-in", token({ approvers: [{ id: "ann" }] }), { ...PAGE, signIn: true }],
]) {
  test(`a token that others could answer does not stand for the call: ${name}`, async () => {
    const { waitpoints } = scripted(created({ isCached: true }), found);
    await assert.rejects(waitpoints.ask(page ?? PAGE, ASKED), { status: 409, message: /others could answer it/ });
  });
}

test("a key that a sign-in keeps is looked for, also where the list is behind", async (t) => {
  const pauses = withoutPauses(t);
  const shown = warnings(t);
  const [none, one] = [[], [{ id: "waitpoint_2" }]].map((data) => json({ data, pagination: {} }));
  const found = completed({ action: "approve" }, { id: "waitpoint_2", page: { title: "?", signIn: true }, metadata: {} });
  const taken = refusal(409, "KeyTaken", { "x-should-retry": "false" });
  const { waitpoints, requests } = scripted(taken, none, none, one, found);
  const result = await waitpoints.ask(PAGE, { key: "k", signIn: { domains: ["example.com"] } });
  assert.deepEqual(result, { ok: true, output: { action: "approve" } });
  assert.deepEqual([pauses, shown.length], [[0, 200, 800], 1]);
  assert.match(new URL(requests[1].url).searchParams.get("filter[idempotencyKey]"), /^ask\/[0-9a-f]{64}\/1$/);
});

test("another conflict is thrown", async (t) => {
  withoutPauses(t);
  const listed = json({ data: [{ id: "waitpoint_2" }], pagination: {} });
  const { waitpoints, requests } = scripted(refusal(409, "TooManyWaiters", { "x-should-retry": "false" }), listed);
  await assert.rejects(waitpoints.ask(PAGE, ASKED), { code: "TooManyWaiters" });
  assert.equal(requests.length, 1);
});

test("a tool's page shows its arguments, and is the same for the same call", async () => {
  const made = approvalPage("refund", { order: "order-1001", euros: 49.9 }, { title: "Refund for ticket 7?" });
  assert.equal(made.page.title, "Refund for ticket 7?");
  assert.equal(made.page.text, 'Tool: refund\n\n{\n  "order": "order-1001",\n  "euros": 49.9\n}');
  assert.deepEqual(made.page.actions.map(({ id }) => id), ["approve", "reject"]);
  assert.deepEqual(Object.keys(made.page.fields.properties), ["message"]);
  const people = { run: "ticket-7", call: "call_1", approvers: ["ann@example.com"] };
  const [one, other] = await Promise.all([request(made, people), request(approvalPage("refund", { order: "order-1002", euros: 49.9 }), people)]);
  assert.notEqual(one.idempotencyKey, other.idempotencyKey);
  assert.deepEqual({ ...one.metadata, page: "" }, { tool: "refund", run: "ticket-7", call: "call_1", page: "" });
});

test("nothing of the arguments is hidden from who approves", () => {
  const hidden = "a\u202eb\u200bc\u00add\u2800e\u00a0f\u{e0041}g\ufe0fh\\u202e\u0000" + "x" + "\u0301".repeat(9) + " ".repeat(50) + "z";
  const { text } = approvalPage("refund", { hidden }).page;
  assert.doesNotMatch(text.replaceAll("\n", ""), /[\u202e\u200b\u00ad\u2800\u00a0\ufe0f\u0000]|\p{M}{6}| {41}/u);
  for (const shown of ["a\\u202eb\\u200bc\\u00add\\u2800e\\u00a0f\\udb40\\udc41g\\ufe0fh\\\\u202e\\u0000", "\\u0301", "\\u0020"]) {
    assert.ok(text.includes(shown), shown);
  }
});

test("arguments that cannot be read cannot be approved", () => {
  assert.throws(() => approvalPage("refund", { note: "x".repeat(9_000) }), /too long to be shown: 9,?0\d\d characters, of at most 9000/);
  assert.throws(() => approvalPage("refund", undefined), /are no JSON/);
  const long = approvalPage("refund", { note: "x".repeat(3_000) }).page;
  assert.deepEqual([Object.keys(long.fields.properties), long.fields.required], [["seen", "message"], ["seen"]]);
  assert.equal(long.actions[1].needsFields, false);
});
