// Every method of the client, on a stack. tests/e2e/test_typescript_client.py runs it.
import assert from "node:assert/strict";
import { Waitpoints } from "waitpoints-client";
const waitpoints = new Waitpoints();
const name = process.env.NAME;

const verify = { scheme: "token", secret: process.env.SECRET_NAME, header: "x-token" };
const headers = { "x-token": process.env.SECRET };
const put = await waitpoints.endpoints.put(name, { key: "body.order", verify, keyTTL: "1h", recordDeliveries: "1d" });
assert.equal((await waitpoints.endpoints.test(name, { body: { order: 7 }, headers })).outcome, "kept");
assert.equal((await waitpoints.endpoints.disable(name)).disabled, true);
assert.equal((await waitpoints.endpoints.enable(name)).disabled, undefined);
assert.deepEqual((await waitpoints.endpoints.get(name)).deliveries, {});
assert.equal((await fetch(put.url, { method: "POST", headers, body: '{"order": 8}' })).status, 200);
const recorded = [];
while (!recorded.length) for await (const delivery of waitpoints.endpoints.deliveries(name)) recorded.push(delivery);
assert.equal((await waitpoints.endpoints.delivery(name, recorded[0])).body, '{"order": 8}');
assert.equal((await waitpoints.endpoints.resend(name, recorded[0], { idempotencyKey: "once" })).resendOf, recorded[0].id);
const names = [];
for await (const endpoint of waitpoints.endpoints.list({ pageSize: 1 })) names.push(endpoint.name);
assert.ok(names.includes(put.name));
await waitpoints.endpoints.delete(name);
await assert.rejects(waitpoints.endpoints.get(name), { status: 404, code: "EndpointNotFound" });

const early = await waitpoints.completeKey(name, { large: "x".repeat(300_000) }, { ttl: "1h" });
assert.equal(early.created, true);
const claimed = await waitpoints.create({ idempotencyKey: name });
assert.equal((await waitpoints.wait(claimed)).output.large.length, 300_000);
assert.equal((await waitpoints.failKey(`${name}-2`, "sold out", { name: "OrderRejected" })).created, true);
const failed = await waitpoints.wait(await waitpoints.create({ idempotencyKey: `${name}-2` }));
const error = { name: "OrderRejected", code: "WAITPOINT_FAILED", message: "sold out" };
assert.deepEqual(failed, { ok: false, error, timedOut: false });
const late = await waitpoints.wait(await waitpoints.create({ timeout: "1s" }), { timeout: 120_000 });
assert.deepEqual([late.ok, late.timedOut, late.error.name], [false, true, "WaitpointTimeoutError"]);

const page = { title: "Go?", approvers: ["ann"] };
const token = await waitpoints.create({ page, tags: [name] });
assert.equal((await waitpoints.handOver(token, { add: ["bo"], remove: ["ann"] })).links[0].approver, "bo");
assert.ok((await waitpoints.extend(token, "7d")).timeoutAt);
assert.equal((await waitpoints.extend(token, null)).timeoutAt, undefined);
assert.equal((await waitpoints.fail(token, "cancelled")).settled, true);
assert.equal((await waitpoints.complete(token, { action: "submit" })).settled, false);
await assert.rejects(waitpoints.extend(token, "7d"), { status: 409, code: "TokenHasEnded" });
await assert.rejects(waitpoints.create({ page: { title: "" } }), { status: 422, code: "InvalidPage" });

const made = await waitpoints.keys.create(name, ["create", "read", "complete"], { expires: "1d" });
assert.ok((await waitpoints.keys.list()).some((key) => key.name === name));
const jwts = [await waitpoints.createPublicToken(token)];
for (;;) { // a new key may take five seconds until all functions know it
  try {
    jwts.push(await new Waitpoints({ apiKey: made.key }).createPublicToken(token, { expires: "15m" }));
    break;
  } catch (error) {
    if (error.status !== 401) throw error;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
assert.ok(jwts.every((jwt) => jwt.split(".").length === 3));
await waitpoints.keys.revoke(name);
const query = { "filter[tags]": name };
const { data, response } = await waitpoints.api.GET("/api/v1/waitpoints/tokens", { params: { query } });
assert.deepEqual([response.status, data.data.length], [200, 1]);
console.log("done");
