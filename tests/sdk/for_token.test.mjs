import assert from "node:assert/strict";
import { test } from "node:test";

import { apiClientManager } from "@trigger.dev/core/v3";
import { runInMockTaskContext } from "@trigger.dev/core/v3/test";
import { wait } from "@trigger.dev/sdk";

import { request, requestsOf, sleep } from "./stack.mjs";

// Trigger.dev's own runtime gets this from its servers. This one polls the stack.
const pollingRuntime = {
  disable() {},
  async waitForWaitpoint({ waitpointFriendlyId }) {
    for (;;) {
      const token = await apiClientManager.clientOrThrow().retrieveWaitpointToken(waitpointFriendlyId);
      if (token.status !== "WAITING") {
        return { ok: !token.outputIsError, output: token.output, outputType: token.outputType };
      }
      await sleep(50);
    }
  },
};

// Like `task({run})`: what `run` returns, or throws.
const inTask = (run) => runInMockTaskContext(run, { runtimeManager: pollingRuntime, ctx: { run: { id: "run_waitpoints" } } });

test("wait.forToken returns the output once the token is completed", async () => {
  const token = await wait.createToken({ timeout: "1h" });
  const result = inTask(() => wait.forToken(token));
  await sleep(300);
  await wait.completeToken(token, { approved: true });
  assert.deepEqual(await result, { ok: true, output: { approved: true } });
});

test("wait.forToken returns once a webhook has posted to the token's url", async () => {
  const token = await wait.createToken();
  const output = inTask(() => wait.forToken(token.id).unwrap());
  await sleep(100);
  await fetch(token.url, { method: "POST", body: '{"status": "succeeded"}' });
  assert.deepEqual(await output, { status: "succeeded" });
});

test("wait.forToken returns at once when the token is already completed", async () => {
  const token = await wait.createToken();
  await wait.completeToken(token, ["already"]);
  assert.deepEqual(await inTask(() => wait.forToken(token)), { ok: true, output: ["already"] });
  assert.deepEqual(await inTask(() => wait.forToken(token).unwrap()), ["already"]);
});

test("wait.forToken gives a WaitpointTimeoutError when the token times out, and unwrap throws it", async () => {
  const token = await wait.createToken({ timeout: "1s" });
  const { timeoutAt } = await wait.retrieveToken(token);
  const message = `Waitpoint timed out at ${timeoutAt.toISOString()}`;
  const result = await inTask(() => wait.forToken(token));
  assert.ok(Date.now() >= timeoutAt.getTime());
  assert.equal(result.ok, false);
  assert.deepEqual([result.error.name, result.error.message], ["WaitpointTimeoutError", message]);
  await assert.rejects(inTask(() => wait.forToken(token).unwrap()), { name: "WaitpointTimeoutError", message });
});

test("wait.forToken gives the error of a token that was failed, and unwrap throws it", async () => {
  const token = await wait.createToken();
  await request(`/api/v1/waitpoints/tokens/${token.id}/complete`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ error: { message: "The bank said no", name: "PaymentDeclined" } }),
  });
  const result = await inTask(() => wait.forToken(token));
  assert.equal(result.ok, false);
  assert.equal(result.error.message, "The bank said no");
  await assert.rejects(inTask(() => wait.forToken(token).unwrap()), { message: "The bank said no" });
});

test("wait.forToken may be called again by a retried run", async () => {
  const token = await wait.createToken();
  const first = inTask(() => wait.forToken(token).unwrap());
  await sleep(100);
  await wait.completeToken(token, 42);
  assert.equal(await first, 42); // one after the other: the end of one mock context takes the runtime from any other
  assert.equal(await inTask(() => wait.forToken(token).unwrap()), 42);
});

test("wait.forToken for an unknown token fails at once instead of waiting", async () => {
  const requests = await requestsOf(() =>
    assert.rejects(inTask(() => wait.forToken("waitpoint_01jd3rj5v0000000000000000a").unwrap()), {
      status: 404,
      name: "TriggerApiError",
    }),
  );
  assert.equal(requests, 1);
});
