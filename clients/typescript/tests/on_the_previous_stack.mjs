// The client on a stack of the previous release. tests/e2e/test_upgrade.py runs it.
import assert from "node:assert/strict";
import { Waitpoints, WaitpointsError } from "waitpoints-client";
const waitpoints = new Waitpoints();
const tags = ["typescript"];

const [paid, declined] = [await waitpoints.create({ timeout: "1h", tags }), await waitpoints.create({ tags })];
assert.equal((await waitpoints.complete(paid, { paid: true })).settled, true);
assert.equal((await waitpoints.fail(declined, "declined")).settled, true);
assert.deepEqual(await waitpoints.wait(paid), { ok: true, output: { paid: true } });
assert.equal((await waitpoints.wait(declined)).error.message, "declined");
const listed = [];
for await (const { id, status } of waitpoints.list({ tags })) listed.push([id, status]);
assert.deepEqual(listed, [declined, paid].map(({ id }) => [id, "COMPLETED"]));

const page = { title: "Go?", actions: [{ id: "yes", label: "Yes" }] };
const options = { approvers: ["ann"], key: crypto.randomUUID(), tags: ["asked"] };
const asking = waitpoints.ask(page, options, { poll: 100 });
const found = [];
while (!found.length) for await (const token of waitpoints.list({ tags: ["asked"] })) found.push(token);
await waitpoints.complete(found[0], { action: "yes" });
assert.equal((await asking).output.action, "yes");
assert.deepEqual(await waitpoints.ask(page, options), await asking); // as after a crash

for await (const { kind } of waitpoints.endpoints.deliveries("recording")) assert.equal(kind, "kept");

for (const [refused, code] of [
  [() => waitpoints.create({ page: { title: "" } }), "InvalidPage"],
  [() => waitpoints.handOver(paid, { add: ["bo"] }), "TokenHasEnded"],
  [() => waitpoints.get("waitpoint_01arz3ndektsv4rrffq69g5fav"), "TokenNotFound"],
]) await assert.rejects(refused, (error) => error instanceof WaitpointsError && error.code === code);
console.log("done");
