// The client on a stack of the previous release, which refuses what it does not know. tests/e2e/test_upgrade.py runs it.
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

for (const [refused, status, said] of [
  [() => waitpoints.create({ page: { ...page, showAnswers: false, approvers: ["ann"] } }), 422, /showAnswers/],
  [() => waitpoints.create({ page: { title: "" } }), 422, /title/],
  [() => waitpoints.handOver(paid, { add: ["bo"] }), 400, /approvers/],
  [() => waitpoints.get("waitpoint_01arz3ndektsv4rrffq69g5fav"), 404, /./],
  [async () => { for await (const _ of waitpoints.endpoints.deliveries("upgrade")); }, 401, /hash/],
]) {
  await assert.rejects(refused, (error) => {
    assert.ok(error instanceof WaitpointsError);
    assert.deepEqual([error.status, error.code], [status, undefined], error.message);
    assert.match(error.message, said);
    return true;
  });
}
console.log("done");
