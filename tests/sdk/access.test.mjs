import assert from "node:assert/strict";
import { test } from "node:test";

import {
  ApiError,
  AuthenticationError,
  BadRequestError,
  NotFoundError,
  PermissionDeniedError,
  UnprocessableEntityError,
  auth,
  wait,
} from "@trigger.dev/sdk";

import { apiKey, claimsOf, isNamedKey, request, requestsOf, sleep } from "./stack.mjs";

const UNKNOWN = "waitpoint_01jd3rj5v0000000000000000a";

const complete = (accessToken, token, data) => auth.withAuth({ accessToken }, () => wait.completeToken(token, data));

// The error that the SDK throws after one request: it does not retry a permanent refusal.
const refusal = async (call, kind, status) => {
  let error;
  const requests = await requestsOf(() => call().then(() => assert.fail("not refused"), (thrown) => (error = thrown)));
  assert.ok(error instanceof kind, `${error}`);
  assert.ok(error instanceof ApiError);
  assert.deepEqual([error.name, error.status], ["TriggerApiError", status]);
  assert.equal(requests, 1);
  return error;
};

test("publicAccessToken completes its own token", async () => {
  const token = await wait.createToken();
  assert.deepEqual(await complete(token.publicAccessToken, token, { by: "browser" }), { success: true });
  assert.deepEqual((await wait.retrieveToken(token)).output, { by: "browser" });
});

test("publicAccessToken cannot complete another token", async () => {
  const [token, other] = [await wait.createToken(), await wait.createToken()];
  const error = await refusal(() => complete(token.publicAccessToken, other, {}), PermissionDeniedError, 403);
  assert.equal(error.code, "unauthorized");
  assert.equal((await wait.retrieveToken(other)).status, "WAITING");
});

test("publicAccessToken opens nothing but the completion", async () => {
  const token = await wait.createToken();
  const as = (call) => () => auth.withAuth({ accessToken: token.publicAccessToken }, call);
  for (const call of [() => wait.createToken(), () => wait.retrieveToken(token), async () => wait.listTokens()]) {
    const error = await refusal(as(call), AuthenticationError, 401);
    assert.match(error.message, /Invalid API key/);
  }
});

for (const [name, scopes, allowed] of [
  ["write of this waitpoint", (id) => ({ write: { waitpoints: id } }), true],
  ["write of every waitpoint", () => ({ write: { waitpoints: true } }), true],
  ["read of this waitpoint", (id) => ({ read: { waitpoints: id } }), false],
  ...(isNamedKey ? [] : [["nothing", () => undefined, false]]),
]) {
  test(`auth.createPublicToken with ${name} is ${allowed ? "" : "not "}good for completing`, async () => {
    const token = await wait.createToken();
    const jwt = await auth.createPublicToken({ scopes: scopes(token.id) });
    if (allowed) assert.deepEqual(await complete(jwt, token, "public"), { success: true });
    else await refusal(() => complete(jwt, token, "public"), PermissionDeniedError, 403);
    assert.equal((await wait.retrieveToken(token)).status, allowed ? "COMPLETED" : "WAITING");
  });
}

test("auth.createPublicToken is valid until its expirationTime", async () => {
  const token = await wait.createToken();
  const jwt = await auth.createPublicToken({ scopes: { write: { waitpoints: token.id } }, expirationTime: "1s" });
  await sleep(2_000 - (Date.now() % 1_000));
  const error = await refusal(() => complete(jwt, token, "late"), AuthenticationError, 401);
  assert.match(error.message, /Public Access Token has expired: create another/);
});

test("auth.createPublicToken under another key is refused", async () => {
  const token = await wait.createToken();
  const [header, payload] = token.publicAccessToken.split(".");
  const foreign = `${header}.${payload}.${Buffer.alloc(32).toString("base64url")}`;
  await refusal(() => complete(foreign, token, "forged"), AuthenticationError, 401);
  assert.equal((await wait.retrieveToken(token)).status, "WAITING");
});

test("the API creates a public access token for callers that cannot sign one", async () => {
  const token = await wait.createToken();
  const claims = { scopes: [`write:waitpoints:${token.id}`] };
  const [path, asked] = isNamedKey ? ["/api/v1/auth/public-tokens", claims] : ["/api/v1/auth/jwt", { claims }];
  const answer = await request(path, { method: "POST", body: JSON.stringify({ ...asked, expirationTime: "10m" }) });
  const { token: jwt } = await answer.json();
  const { iat, exp } = claimsOf(jwt);
  assert.equal(exp - iat, 600);
  assert.deepEqual(await complete(jwt, token, "minted"), { success: true });
});

test("a wrong API key is an AuthenticationError for every call", async () => {
  const token = await wait.createToken();
  for (const call of [
    () => wait.createToken(),
    () => wait.retrieveToken(token),
    async () => wait.listTokens(),
    () => wait.completeToken(token, {}),
    () => auth.createPublicToken({ scopes: { write: { waitpoints: true } } }),
  ]) {
    const error = await refusal(() => auth.withAuth({ accessToken: `${apiKey}x` }, call), AuthenticationError, 401);
    assert.match(error.message, /Invalid API key/);
  }
});

test("an unknown token is a NotFoundError, to retrieve and to complete", async () => {
  for (const id of [UNKNOWN, "waitpoint_nonsense", "waitpoint_a_b"]) {
    for (const call of [() => wait.retrieveToken(id), () => wait.completeToken(id, {})]) {
      const error = await refusal(call, NotFoundError, 404);
      assert.match(error.message, /Waitpoint not found/);
      assert.equal(error.code, "TokenNotFound");
    }
  }
});

for (const [name, options, kind, status, message] of [
  ["an idempotency key of 2,049 characters", { idempotencyKey: "k".repeat(2_049) }, BadRequestError, 400, /2048 characters/],
  ["an unreadable timeout", { timeout: "soon" }, UnprocessableEntityError, 422, /Invalid timeout "soon": expected a duration/],
  ["more than 64 KiB", { idempotencyKey: "é".repeat(2_000), tags: "t", x: "x".repeat(65_536) }, ApiError, 413, /too large/],
]) {
  test(`createToken with ${name} is refused with ${status} and says why`, async () => {
    const error = await refusal(() => wait.createToken(options), kind, status);
    assert.match(error.message, message);
  });
}

test("listTokens with an unknown status is a BadRequestError that says why", async () => {
  const error = await refusal(async () => wait.listTokens({ status: "PENDING" }), BadRequestError, 400);
  assert.match(error.message, /Invalid status values: PENDING/);
});

test("completeToken with more than 3 MiB is refused with 413 and leaves the token waiting", async () => {
  const token = await wait.createToken();
  await refusal(() => wait.completeToken(token, "x".repeat(3 * 1024 * 1024)), ApiError, 413);
  assert.equal((await wait.retrieveToken(token)).status, "WAITING");
});
