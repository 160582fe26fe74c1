import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { TIMEOUT_CODE, VERSION, Waitpoints, WaitpointsError } from "waitpoints-client";
import { completed, created, json, refusal, scripted as script, token, withoutPauses } from "./fake.mjs";

const scripted = (...answers) => script(Waitpoints, ...answers);

test("create sends what it gets, and has the public access token of the header", async () => {
  const { waitpoints, requests } = scripted(created({}, { "x-trigger-jwt": "a.b.c" }));
  const page = { title: "Deploy?", approvers: ["ann@example.com"] };
  const made = await waitpoints.create({ timeout: "7d", page, metadata: { run: 7 } });
  assert.deepEqual([made.id, made.isCached, made.publicAccessToken], ["waitpoint_1", false, "a.b.c"]);
  const [{ method, url, headers, redirect, body }] = requests;
  assert.equal(redirect, "manual"); // another host would get what is sent
  assert.deepEqual([method, url], ["POST", "https://stack.example.com/api/v1/waitpoints/tokens"]);
  assert.deepEqual(body, { timeout: "7d", page, metadata: { run: 7 } });
  assert.equal(headers.get("authorization"), "Bearer tr_prod_root");
  assert.equal(headers.get("user-agent"), `waitpoints-client-js/${VERSION}`);
});

for (const first of [408, 409, 429, 500, 503, 504, new TypeError("fetch failed")]) {
  test(`what can succeed later is sent again as the same request: ${first}`, async (t) => {
    const pauses = withoutPauses(t);
    const { waitpoints, requests } = scripted(first instanceof Error ? first : refusal(first), created());
    assert.equal((await waitpoints.create({ tags: "a" })).id, "waitpoint_1");
    const [one, two] = requests;
    assert.deepEqual([two.url, two.body], [one.url, one.body]);
    const keys = requests.map(({ headers }) => headers.get("x-trigger-request-idempotency-key"));
    assert.match(keys[0], /^[0-9a-f-]{36}$/);
    assert.equal(keys[0], keys[1]);
    assert.deepEqual(pauses, [1_000]);
  });
}

/** An answer whose connection ends before its body does. */
const cutOff = (status) => new Response(new ReadableStream({ pull: (stream) => stream.error(new TypeError("terminated")) }), { status });

for (const status of [200, 404]) {
  test(`an answer that is cut off is asked for again, and the last one is an error: ${status}`, async (t) => {
    withoutPauses(t);
    const { waitpoints, requests } = scripted(cutOff(status), created());
    assert.equal((await waitpoints.create()).id, "waitpoint_1");
    assert.equal(requests.length, 2);
    const never = scripted(...Array.from({ length: 5 }, () => cutOff(status)));
    await assert.rejects(never.waitpoints.get("waitpoint_1"), { name: "WaitpointsError", message: /did not answer: terminated/ });
    assert.equal(never.requests.length, 5);
  });
}

test("an attempt that lasts too long is repeated", async (t) => {
  const { setTimeout } = globalThis;
  const isLimitOfALaterAttempt = (milliseconds) => milliseconds === 35_000 && requests.length > 0;
  t.mock.method(globalThis, "setTimeout", (run, milliseconds) => setTimeout(run, isLimitOfALaterAttempt(milliseconds) ? milliseconds : 0));
  const { waitpoints, requests } = scripted(new Promise(() => {}), created());
  assert.equal((await waitpoints.create()).id, "waitpoint_1");
  assert.equal(requests.length, 2);
});

test("each create has a request key of its own", async () => {
  const { waitpoints, requests } = scripted(created());
  await waitpoints.create();
  await waitpoints.create();
  assert.equal(new Set(requests.map(({ headers }) => headers.get("x-trigger-request-idempotency-key"))).size, 2);
});

for (const status of [301, 400, 401, 403, 404, 405, 413, 422]) {
  test(`what no retry helps is thrown at once: ${status}`, async (t) => {
    const pauses = withoutPauses(t);
    const { waitpoints, requests } = scripted(refusal(status, "TokenNotFound"));
    await assert.rejects(waitpoints.create(), (error) => {
      assert.ok(error instanceof WaitpointsError);
      assert.deepEqual([error.name, error.status, error.code], ["WaitpointsError", status, "TokenNotFound"]);
      assert.equal(error.message, status === 301 ? "no: a redirect is not followed. Check the URL" : "no");
      return true;
    });
    assert.deepEqual([requests.length, pauses], [1, []]);
  });
}

test("the fifth attempt is the last", async (t) => {
  const pauses = withoutPauses(t);
  const { waitpoints, requests } = scripted(refusal(503, "TryAgain"));
  await assert.rejects(waitpoints.create(), { status: 503, code: "TryAgain" });
  assert.deepEqual([requests.length, pauses.map(Math.round)], [5, [1_000, 1_600, 2_560, 4_096]]);
});

test("the stack can ask for a retry, for a pause, or forbid it", async (t) => {
  const pauses = withoutPauses(t);
  const forbidden = scripted(refusal(409, "KeyTaken", { "x-should-retry": "false" }));
  await assert.rejects(forbidden.waitpoints.create(), { status: 409, code: "KeyTaken" });
  assert.equal(forbidden.requests.length, 1);
  await scripted(refusal(400, undefined, { "x-should-retry": "true" }), created()).waitpoints.create();
  await scripted(refusal(429, undefined, { "retry-after": "7" }), created()).waitpoints.create();
  await scripted(refusal(429, undefined, { "retry-after": "999" }), created()).waitpoints.create();
  assert.deepEqual(pauses, [1_000, 7_000, 30_000]);
});

test("no answer is an error that names the host and the reason alone", async (t) => {
  withoutPauses(t);
  const refused = new TypeError("fetch failed", { cause: Object.assign(new Error("connect"), { code: "ECONNREFUSED" }) });
  const error = await scripted(refused).waitpoints.get("waitpoint_1").catch((thrown) => thrown);
  assert.ok(error instanceof WaitpointsError);
  assert.deepEqual([error.message, error.status], ["stack.example.com did not answer: ECONNREFUSED", undefined]);
  assert.doesNotMatch(inspect(error, { depth: null, showHidden: true }), /tr_prod_root/);
});

test("no message has the key or the hash of a URL, and a printed client neither", async () => {
  const hash = "0123456789abcdef".repeat(4);
  const sentence = `tr_prod_root /api/v1/waitpoints/tokens/w/callback/${hash} /api/v1/endpoints/orders/${hash}0123456789abcdef01234567`;
  const { waitpoints } = scripted(json({ error: sentence, code: "InvalidRequest" }, 400));
  const error = await waitpoints.create().catch((thrown) => thrown);
  assert.equal(error.message, "… /api/v1/waitpoints/tokens/w/callback/… /api/v1/endpoints/orders/…");
  for (const printed of [error, waitpoints]) {
    assert.doesNotMatch(inspect(printed, { depth: null, showHidden: true }), /tr_prod_root|0123456789abcdef/);
  }
});

for (const [name, answer] of Object.entries({
  HTML: new Response("<html>Welcome</html>", { headers: { "content-type": "text/html" } }),
  "no JSON object": json("welcome"),
  "another JSON object": json({ welcome: true }),
  nothing: new Response(null, { status: 204 }),
})) {
  test(`an answer of something else is said to be one: ${name}`, async () => {
    const { waitpoints } = scripted(answer);
    const first = async () => {
      for await (const found of waitpoints.list()) return found;
    };
    for (const call of [() => waitpoints.create(), () => waitpoints.wait("waitpoint_1"), first]) {
      await assert.rejects(call, { name: "WaitpointsError", message: /^stack\.example\.com did not answer as the Waitpoints API does/ });
    }
  });
}

test("a route that is not the API's says that the URL is wrong", async () => {
  const message = "Not Found: check the URL https://stack.example.com, expected the stack's ApiUrl";
  await assert.rejects(scripted(json({ message: "Not Found" }, 404)).waitpoints.create(), { message, status: 404, code: undefined });
});

test("a gateway's refusal has its message, and no code", async (t) => {
  withoutPauses(t);
  await assert.rejects(scripted(json({ message: "Too Many Requests" }, 429)).waitpoints.create(), (error) => {
    assert.deepEqual([error.message, error.status, error.code], ["Too Many Requests", 429, undefined]);
    return true;
  });
});

test("a token that was completed has its output, parsed and as text", async () => {
  const found = await scripted(completed(null, { output: '{"id": 12345678901234567890}' })).waitpoints.get("waitpoint_1");
  assert.deepEqual(found.result, { ok: true, output: { id: 12345678901234567890n.toString() * 1 } });
  assert.equal(found.outputText, '{"id": 12345678901234567890}');
  assert.equal("output" in found, false);
});

test("a token that waits, failed or timed out has its own result", async () => {
  const error = { name: "OrderRejected", code: "WAITPOINT_FAILED", message: "sold out" };
  assert.equal((await scripted(token()).waitpoints.get("waitpoint_1")).result, undefined);
  const failed = await scripted(completed(error, { outputIsError: true })).waitpoints.get("waitpoint_1");
  assert.deepEqual(failed.result, { ok: false, error, timedOut: false });
  const late = { code: TIMEOUT_CODE, message: "Waitpoint timed out", answers: [] };
  const timedOut = await scripted(completed(late, { outputIsError: true, status: "TIMED_OUT" })).waitpoints.get("waitpoint_1");
  assert.deepEqual(timedOut.result, { ok: false, error: { name: "WaitpointTimeoutError", ...late }, timedOut: true });
  const bare = await scripted(token({ status: "COMPLETED", outputIsError: false })).waitpoints.get("waitpoint_1");
  assert.deepEqual(bare.result, { ok: true, output: undefined });
});

test("a large output is downloaded, and its host gets no key", async () => {
  const stored = completed(null, { output: "tokens/1/output.json", outputType: "application/store" });
  const link = json({ presignedUrl: "https://bucket.example.com/one?signature=1" });
  const { waitpoints, requests } = scripted(stored, link, new Response('{"large": true}'));
  assert.deepEqual((await waitpoints.get("waitpoint_1")).result, { ok: true, output: { large: true } });
  assert.equal(requests[1].url, "https://stack.example.com/api/v1/packets/tokens%2F1%2Foutput.json");
  assert.deepEqual([requests[2].url, requests[2].headers.get("authorization")], ["https://bucket.example.com/one?signature=1", null]);
});

test("an id names no other path", async () => {
  const { waitpoints, requests } = scripted(token());
  await waitpoints.get("a/../b?c#d");
  assert.equal(requests[0].url, "https://stack.example.com/api/v1/waitpoints/tokens/a%2F..%2Fb%3Fc%23d");
  for (const wrong of ["", ".", ".."]) await assert.rejects(waitpoints.get(wrong), RangeError);
  await assert.rejects(waitpoints.endpoints.get(".."), RangeError);
  for (const wrong of [undefined, null, 7, {}]) await assert.rejects(waitpoints.get(wrong), /Expected a token, or its id/);
  await assert.rejects(waitpoints.wait("https://stack.example.com/callback/0123"), { name: "TypeError", message: /its id, not its URL$/ });
  assert.equal(requests.length, 1);
});

test("what JSON would leave out completes nothing", async () => {
  const { waitpoints, requests } = scripted(json({ success: true }));
  await assert.rejects(waitpoints.complete("waitpoint_1", () => 1), /A function is no JSON/);
  await assert.rejects(waitpoints.completeKey("order-1", Symbol("x")), /A symbol is no JSON/);
  await assert.rejects(waitpoints.complete("waitpoint_1", 1n), TypeError);
  assert.equal(requests.length, 0);
});

test("a URL or a key that cannot be one is refused, and the key is not shown", () => {
  for (const url of ["localhost:8787", "ftp://example.com", "stack", "//example.com"]) {
    assert.throws(() => new Waitpoints({ url, apiKey: "k" }), { name: "WaitpointsError", message: /must begin with https:\/\/ or/ });
  }
  for (const apiKey of ["secret\n", "sec ret", "sécret"]) {
    assert.throws(() => new Waitpoints({ url: "https://example.com", apiKey }), (error) => !/s.c/.test(error.message.replace("spaces", "")));
  }
});

test("each way to settle sends its own body", async () => {
  const { waitpoints, requests } = scripted(json({ success: true, settled: true, id: "waitpoint_1", created: false }));
  assert.deepEqual((await waitpoints.complete("waitpoint_1", { yes: null })).settled, true);
  await waitpoints.complete({ id: "waitpoint_1" });
  await waitpoints.complete("waitpoint_1", null);
  await waitpoints.fail("waitpoint_1", "sold out", { name: "OrderRejected" });
  await waitpoints.completeKey("order-1", [1], { ttl: "1h" });
  await waitpoints.failKey("order-1", "sold out", { code: "E1", ttl: "1h" });
  await waitpoints.extend("waitpoint_1", null);
  await waitpoints.handOver("waitpoint_1", { add: ["bo@example.com"], remove: ["ann"] });
  await waitpoints.delete("waitpoint_1");
  await waitpoints.delete("waitpoint_1", { force: true });
  assert.deepEqual(
    requests.map(({ method, url, body }) => [method, url.replace("https://stack.example.com/api/v1/waitpoints/", ""), body]),
    [
      ["POST", "tokens/waitpoint_1/complete", { data: { yes: null } }],
      ["POST", "tokens/waitpoint_1/complete", {}],
      ["POST", "tokens/waitpoint_1/complete", { data: null }],
      ["POST", "tokens/waitpoint_1/complete", { error: { message: "sold out", name: "OrderRejected" } }],
      ["POST", "complete", { idempotencyKey: "order-1", data: [1], idempotencyKeyTTL: "1h" }],
      ["POST", "complete", { idempotencyKey: "order-1", error: { message: "sold out", code: "E1" }, idempotencyKeyTTL: "1h" }],
      ["PATCH", "tokens/waitpoint_1", { timeout: null }],
      ["PATCH", "tokens/waitpoint_1", { approvers: { add: ["bo@example.com"], remove: ["ann"] } }],
      ["DELETE", "tokens/waitpoint_1", null],
      ["DELETE", "tokens/waitpoint_1?force=true", null],
    ],
  );
});

test("a public access token comes from the route that the key may use", async () => {
  const answer = json({ token: "a.b.c" });
  const { waitpoints, requests } = scripted(answer);
  assert.equal(await waitpoints.createPublicToken("waitpoint_1"), "a.b.c");
  const named = scripted(answer);
  const { fetch } = { fetch: async (request) => (named.requests.push({ url: request.url, body: await request.json() }), answer.clone()) };
  const limited = new Waitpoints({ url: "https://stack.example.com", apiKey: `tr_prod_sk_${"0".repeat(24)}`, fetch });
  await limited.createPublicToken(null, { scopes: ["write:waitpoints"], expires: new Date("2030-01-31T18:00:00Z") });
  assert.deepEqual(requests[0].body, { claims: { scopes: ["write:waitpoints:waitpoint_1"] }, expirationTime: "1h" });
  assert.equal(named.requests[0].url, "https://stack.example.com/api/v1/auth/public-tokens");
  assert.deepEqual(named.requests[0].body, { scopes: ["write:waitpoints"], expirationTime: 1_896_112_800 });
});

test("a list reads its pages as it is iterated", async () => {
  const part = (ids, pagination) => json({ data: ids.map((id) => ({ id })), pagination });
  const { waitpoints, requests } = scripted(part(["a", "b"], { next: "cursor" }), part([], { next: "later" }), part(["c"], {}));
  const filters = { status: ["WAITING", "COMPLETED"], tags: "x y", createdFrom: new Date(0), failed: false, oldestFirst: true, pageSize: 2 };
  const listing = waitpoints.list(filters);
  assert.equal(requests.length, 0);
  const ids = [];
  for await (const { id } of listing) ids.push(id);
  assert.deepEqual(ids, ["a", "b", "c"]);
  assert.deepEqual(requests.map(({ url }) => new URL(url).searchParams.get("page[after]")), [null, "cursor", "later"]);
  assert.deepEqual(Object.fromEntries(new URL(requests[0].url).searchParams), {
    "filter[status]": "WAITING,COMPLETED",
    "filter[tags]": "x y",
    "filter[createdAt][from]": "1970-01-01T00:00:00.000Z",
    "filter[outputIsError]": "false",
    sort: "createdAt",
    "page[size]": "2",
  });
});

test("recorded deliveries are listed, retrieved and sent again", async () => {
  const { waitpoints, requests } = scripted(json({ data: [{ id: "delivery_1" }], pagination: {} }), json({ id: "delivery_1" }));
  for await (const delivery of waitpoints.endpoints.deliveries("orders", { kind: ["noKey", "late"], createdWithin: "7d" })) {
    await waitpoints.endpoints.delivery("orders", delivery);
    await waitpoints.endpoints.resend("orders", delivery);
    await waitpoints.endpoints.resend("orders", delivery.id, { token: { id: "waitpoint_1" }, idempotencyKey: "k" });
  }
  assert.deepEqual(Object.fromEntries(new URL(requests[0].url).searchParams), { "filter[kind]": "noKey,late", "filter[createdAt][period]": "7d" });
  const at = "https://stack.example.com/api/v1/endpoints/orders/deliveries/delivery_1";
  assert.deepEqual(
    requests.slice(1).map(({ method, url, body }) => [method, url, body]),
    [
      ["GET", at, null],
      ["POST", `${at}/resend`, {}],
      ["POST", `${at}/resend`, { tokenId: "waitpoint_1", idempotencyKey: "k" }],
    ],
  );
});

test("an option that nothing knows is refused", async () => {
  const { waitpoints, requests } = scripted(token());
  assert.throws(() => new Waitpoints({ apikey: "k" }), { name: "TypeError", message: 'Unknown option "apikey": expected one of url, apiKey, fetch' });
  await assert.rejects(waitpoints.wait("waitpoint_1", { timeOut: 1 }), /Unknown option "timeOut": expected one of timeout, poll, signal/);
  await assert.rejects(waitpoints.createPublicToken("waitpoint_1", { expire: "1s" }), /Unknown option "expire": expected one of expires/);
  assert.equal(requests.length, 0);
});

test("a filter that the API would ignore is refused", () => {
  const { waitpoints } = scripted(token());
  assert.throws(() => waitpoints.list({ tags: [] }), /tags is empty: leave it out to list all/);
  assert.throws(() => waitpoints.list({ tags: ["a", ""] }), /tags is empty/);
  assert.throws(() => waitpoints.list({ tags: "a,b" }), /"a,b" has a comma/);
  assert.throws(() => waitpoints.list({ constructor: "WAITING" }), /Unknown filter "constructor"/);
  assert.throws(() => waitpoints.endpoints.deliveries("orders", { kind: [] }), /kind is empty/);
  assert.throws(() => waitpoints.list({ state: "WAITING" }), /Unknown filter "state": expected one of after, completedFrom/);
});

test("the URL and the key can be in the environment, and one of them missing is said", (t) => {
  const { WAITPOINTS_URL: url, WAITPOINTS_API_KEY: key } = process.env;
  t.after(() => Object.assign(process.env, url && { WAITPOINTS_URL: url }, key && { WAITPOINTS_API_KEY: key }));
  Object.assign(process.env, { WAITPOINTS_URL: "https://stack.example.com", WAITPOINTS_API_KEY: "tr_prod_root" });
  assert.ok(new Waitpoints());
  delete process.env.WAITPOINTS_API_KEY;
  assert.throws(() => new Waitpoints(), /Give url and apiKey, or set WAITPOINTS_URL and WAITPOINTS_API_KEY/);
});
