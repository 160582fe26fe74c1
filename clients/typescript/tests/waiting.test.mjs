import assert from "node:assert/strict";
import { test } from "node:test";
import { Waitpoints, WaitpointsError, WaitTimeoutError } from "waitpoints-client";
import { completed, refusal, scripted as script, token, withoutPauses } from "./fake.mjs";

const scripted = (...answers) => script(Waitpoints, ...answers);

test("wait reads ever less often", async (t) => {
  const pauses = withoutPauses(t);
  const { waitpoints } = scripted(...Array(9).fill(token()), completed(1));
  assert.deepEqual(await waitpoints.wait("waitpoint_1"), { ok: true, output: 1 });
  assert.deepEqual(pauses.map(Math.round), [500, 800, 1280, 2048, 3277, 5243, 8389, 10_000, 10_000]);
});

test("wait reads as often as asked", async (t) => {
  const pauses = withoutPauses(t);
  await scripted(token(), token(), completed(1)).waitpoints.wait("waitpoint_1", { poll: 250 });
  assert.deepEqual(pauses, [250, 250]);
});

test("wait gives up after its timeout, and the token still waits", async () => {
  const { waitpoints, requests } = scripted(token());
  const began = performance.now();
  await assert.rejects(waitpoints.wait("waitpoint_1", { poll: 5_000, timeout: 100 }), (error) => {
    assert.ok(error instanceof WaitTimeoutError && error instanceof WaitpointsError);
    assert.equal(error.message, "waitpoint_1 still waits");
    return true;
  });
  const took = performance.now() - began;
  assert.ok(took >= 99 && took < 4_000, `${took} ms`);
  assert.equal(requests.length, 2);
});

test("wait with a timeout of nothing reads once", async () => {
  const { waitpoints, requests } = scripted(token());
  await assert.rejects(waitpoints.wait("waitpoint_1", { timeout: 0 }), WaitTimeoutError);
  assert.equal(requests.length, 1);
});

for (const [when, after] of Object.entries({ before: 0, during: 30 })) {
  test(`a signal that aborts ${when} a pause ends the wait with its reason`, async () => {
    const reason = new Error("the user left");
    const aborting = new AbortController();
    if (after) setTimeout(() => aborting.abort(reason), after);
    else aborting.abort(reason);
    const began = performance.now();
    await assert.rejects(scripted(token()).waitpoints.wait("waitpoint_1", { poll: 5_000, signal: aborting.signal }), (error) => error === reason);
    assert.ok(performance.now() - began < 2_000);
  });
}

test("a signal also ends a pause between two attempts", async () => {
  const signal = AbortSignal.timeout(30);
  await assert.rejects(scripted(refusal(503)).waitpoints.wait("waitpoint_1", { signal }), { name: "TimeoutError" });
});

for (const name of ["poll", "timeout"]) {
  for (const value of [-1, Number.NaN]) {
    test(`wait refuses a time that is none: ${name} ${value}`, async () => {
      await assert.rejects(scripted(token()).waitpoints.wait("waitpoint_1", { [name]: value }), /must be zero or more milliseconds/);
    });
  }
}

test("a token that does not exist ends the wait", async () => {
  await assert.rejects(scripted(refusal(404, "TokenNotFound")).waitpoints.wait("waitpoint_1"), { status: 404, code: "TokenNotFound" });
});
