import assert from "node:assert/strict";
import { test } from "node:test";

import { wait } from "@trigger.dev/sdk";

import { claimsOf, request, sleep, unique } from "./stack.mjs";

const HOUR = 3_600_000;

const isSoonAfter = (date, expected) => {
  const late = date.getTime() - expected;
  assert.ok(late >= 0 && late < 10_000, `${late} ms late`);
};

test("createToken without options makes a token without a timeout", async () => {
  const token = await wait.createToken();
  assert.match(token.id, /^waitpoint_[0-9a-z]{26}$/);
  assert.equal(token.isCached, false);
  const retrieved = await wait.retrieveToken(token);
  assert.equal(retrieved.status, "WAITING");
  assert.deepEqual(retrieved.tags, []);
  for (const absent of ["timeoutAt", "completedAt", "idempotencyKey", "idempotencyKeyExpiresAt", "output", "error"]) {
    assert.equal(retrieved[absent], undefined, absent);
  }
});

test("createToken keeps every option, and retrieveToken shows it", async () => {
  const [idempotencyKey, before] = [unique("key"), Date.now()];
  const tags = ["user:1", "order:2", "Größe"];
  const token = await wait.createToken({ timeout: "1d12h", idempotencyKey, idempotencyKeyTTL: "2h", tags });
  const retrieved = await wait.retrieveToken(token.id);
  assert.equal(retrieved.id, token.id);
  assert.equal(retrieved.url, token.url);
  assert.equal(retrieved.idempotencyKey, idempotencyKey);
  assert.deepEqual(retrieved.tags, tags);
  isSoonAfter(retrieved.createdAt, before);
  isSoonAfter(retrieved.timeoutAt, before + 36 * HOUR);
  isSoonAfter(retrieved.idempotencyKeyExpiresAt, before + 2 * HOUR);
});

test("createToken sends options that Trigger.dev has not, and returns no links, as docs/api.md says", async () => {
  const page = { title: "Deploy?", approvers: ["ann"], actions: [{ id: "yes", label: "Yes" }] };
  const token = await wait.createToken({ timeout: "1h", page, metadata: { order: 1 } });
  const retrieved = await (await request(`/api/v1/waitpoints/tokens/${token.id}`)).json();
  assert.deepEqual([retrieved.page.title, retrieved.pageActions, retrieved.metadata], ["Deploy?", ["yes"], { order: 1 }]);
  assert.equal(token.links, undefined);
});

test("a timeout given as a Date is kept to the millisecond", async () => {
  const timeout = new Date(Date.now() + 12_345_678);
  const { timeoutAt } = await wait.retrieveToken(await wait.createToken({ timeout }));
  assert.equal(timeoutAt.toISOString(), timeout.toISOString());
});

test("a single tag becomes a list of one", async () => {
  const tag = unique("tag");
  assert.deepEqual((await wait.retrieveToken(await wait.createToken({ tags: tag }))).tags, [tag]);
});

test("an idempotency key returns the same token", async () => {
  const idempotencyKey = unique("key");
  const first = await wait.createToken({ idempotencyKey, timeout: "1h", tags: "first" });
  const again = await wait.createToken({ idempotencyKey, timeout: "9h", tags: "again" });
  assert.equal(again.id, first.id);
  assert.equal(again.url, first.url);
  assert.deepEqual([first.isCached, again.isCached], [false, true]);
  const retrieved = await wait.retrieveToken(first);
  assert.deepEqual(retrieved.tags, ["first"]);
  isSoonAfter(retrieved.timeoutAt, retrieved.createdAt.getTime() + HOUR);
});

test("publicAccessToken comes from the server and is valid for this token for one day", async () => {
  const { data: token, response } = await wait.createToken().withResponse();
  assert.equal(token.publicAccessToken, response.headers.get("x-trigger-jwt"));
  const { scopes, pub, sub, iss, aud, iat, exp } = claimsOf(token.publicAccessToken);
  assert.deepEqual(scopes, [`write:waitpoints:${token.id}`]);
  assert.deepEqual({ sub, pub }, JSON.parse(response.headers.get("x-trigger-jwt-claims")));
  assert.deepEqual([pub, iss, aud], [true, "https://id.trigger.dev", "https://api.trigger.dev"]);
  assert.equal(exp - iat, 24 * 3600);
});

for (const [name, output] of Object.entries({
  "an object": { approved: true, by: { name: "Žofie 🎈" }, list: [1, 2.5, null] },
  "a text": "approved",
  "a number": 0,
  "null": null,
})) {
  test(`completeToken with ${name} is what retrieveToken returns`, async () => {
    const token = await wait.createToken();
    assert.deepEqual(await wait.completeToken(token, output), { success: true });
    const retrieved = await wait.retrieveToken(token);
    assert.equal(retrieved.status, "COMPLETED");
    assert.deepEqual(retrieved.output, output);
    assert.equal(retrieved.error, undefined);
    assert.ok(retrieved.completedAt >= retrieved.createdAt);
  });
}

test("completeToken without data completes without an output", async () => {
  const token = await wait.createToken();
  await wait.completeToken(token);
  const { status, output } = await wait.retrieveToken(token);
  assert.deepEqual([status, output], ["COMPLETED", undefined]);
});

test("an output of 3 MB comes back whole", async () => {
  const token = await wait.createToken();
  const output = { text: "é".repeat(1_500_000) };
  await wait.completeToken(token.id, output);
  assert.deepEqual((await wait.retrieveToken(token.id)).output, output);
});

test("the SDK downloads an output that is too large for an answer", async () => {
  const token = await wait.createToken();
  const output = { quotes: '"'.repeat(1_500_000) }; // 3 MB as JSON, and 6 MB as JSON within JSON
  await wait.completeToken(token, output);
  const { outputType } = await (await request(`/api/v1/waitpoints/tokens/${token.id}`)).json();
  assert.equal(outputType, "application/store");
  assert.deepEqual((await wait.retrieveToken(token)).output, output);
});

test("a token past its timeout stays TIMED_OUT, with an error that says when", async () => {
  const token = await wait.createToken({ timeout: "1s" });
  await sleep(1_100);
  await wait.completeToken(token, "too late");
  const retrieved = await wait.retrieveToken(token);
  assert.equal(retrieved.status, "TIMED_OUT");
  assert.equal(retrieved.output, undefined);
  assert.equal(retrieved.error.name, "WaitpointTimeoutError");
  assert.equal(retrieved.error.message, `Waitpoint timed out at ${retrieved.timeoutAt.toISOString()}`);
  assert.equal(retrieved.completedAt.toISOString(), retrieved.timeoutAt.toISOString());
});
