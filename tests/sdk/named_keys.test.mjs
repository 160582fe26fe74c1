// What the SDK does with named keys of other scopes. NAMED_KEYS has one for each, made by the root key.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { AuthenticationError, PermissionDeniedError, auth, idempotencyKeys, wait } from "@trigger.dev/sdk";

import { claimsOf, requestsOf } from "./stack.mjs";

const keys = JSON.parse(process.env.NAMED_KEYS);

const as = (accessToken, call) => auth.withAuth({ accessToken }, call);

test("a key that may only create gets a publicAccessToken that completes this token and no other", async () => {
  const key = keys.create;
  const [token, other] = [await as(key, () => wait.createToken()), await wait.createToken()];
  assert.match(claimsOf(token.publicAccessToken).sub, /\/[0-9a-f]{16}$/);
  await assert.rejects(as(token.publicAccessToken, () => wait.completeToken(other, 1)), PermissionDeniedError);
  assert.deepEqual(await as(token.publicAccessToken, () => wait.completeToken(token, 1)), { success: true });
  await assert.rejects(as(key, () => wait.completeToken(other, 1)), /lacks the scope complete/);
  await assert.rejects(as(key, () => wait.retrieveToken(token)), /lacks the scope read/);
});

test("auth.createPublicToken lets the server sign, for fifteen minutes", async () => {
  const key = keys.complete;
  const [token, jwt] = [
    await wait.createToken(),
    await as(key, () => auth.createPublicToken({ scopes: { write: { waitpoints: true } } })),
  ];
  const { iat, exp, scopes } = claimsOf(jwt);
  assert.deepEqual([exp - iat, scopes], [900, ["write:waitpoints"]]);
  assert.deepEqual(await as(jwt, () => wait.completeToken(token, 1)), { success: true });
});

test("auth.createPublicToken takes an expirationTime as a Date", async () => {
  const key = keys.complete;
  const expirationTime = new Date(Date.now() + 86_400_000);
  const jwt = await as(key, () => auth.createPublicToken({ scopes: { read: { runs: "run_1" } }, expirationTime }));
  assert.ok(Math.abs(claimsOf(jwt).exp - expirationTime.getTime() / 1000) < 2);
});

test("auth.createPublicToken beyond the key's scopes is a PermissionDeniedError that says what is missing", async () => {
  for (const [key, scopes] of [
    [keys["complete:team-a"], { write: { waitpoints: true } }],
    [keys["complete:team-a"], { admin: true }],
    [keys.create, { write: { waitpoints: "waitpoint_01jd3rj5v0000000000000000a" } }],
  ]) {
    const requests = await requestsOf(() =>
      assert.rejects(as(key, () => auth.createPublicToken({ scopes })), (error) => {
        assert.ok(error instanceof PermissionDeniedError);
        return /lacks the scope complete/.test(error.message);
      }),
    );
    assert.equal(requests, 1);
  }
});

test("auth.createPublicToken of a key with a tag completes only tokens with the tag", async () => {
  const key = keys["complete:team-a"];
  const [inside, outside] = [await wait.createToken({ tags: ["team-a"] }), await wait.createToken({ tags: ["team-b"] })];
  const scopes = { write: { waitpoints: [inside.id, outside.id] } };
  const jwt = await as(key, () => auth.createPublicToken({ scopes }));
  assert.deepEqual(await as(jwt, () => wait.completeToken(inside, 1)), { success: true });
  await assert.rejects(as(jwt, () => wait.completeToken(outside, 1)), PermissionDeniedError);
  assert.equal((await wait.retrieveToken(outside)).status, "WAITING");
});

test("a key with a tag creates with a text that begins with it, and not with a hash of idempotencyKeys", async () => {
  const create = (idempotencyKey) => as(keys["create:team-a"], () => wait.createToken({ idempotencyKey }));
  const text = `team-a:${randomUUID()}`;
  assert.equal((await create(text)).id, (await create(text)).id);
  await assert.rejects(create(await idempotencyKeys.create(text)), (error) => {
    assert.ok(error instanceof PermissionDeniedError);
    return /lacks the scope create for this value of idempotencyKey/.test(error.message);
  });
});

test("auth.createPublicToken without scopes is refused by the SDK itself", async () => {
  const key = keys.complete;
  const call = () => assert.rejects(as(key, () => auth.createPublicToken()), /requires at least one scope/);
  assert.equal(await requestsOf(call), 0);
});

test("auth.createTriggerPublicToken gets a token that opens nothing here", async () => {
  const key = keys.complete;
  const jwt = await as(key, () => auth.createTriggerPublicToken("my-task"));
  const token = await wait.createToken();
  await assert.rejects(as(jwt, () => wait.completeToken(token, 1)), PermissionDeniedError);
});

for (const ended of ["revoked", "expired", "unknown"]) {
  test(`a key that is ${ended} is an AuthenticationError`, async () => {
    const key = keys[ended];
    await assert.rejects(as(key, () => wait.createToken()), AuthenticationError);
    await assert.rejects(as(key, () => auth.createPublicToken({ scopes: { admin: true } })), AuthenticationError);
  });
}
