import assert from "node:assert/strict";
import { test } from "node:test";

import { wait } from "@trigger.dev/sdk";

import { request } from "./stack.mjs";

const complete = (token, body) =>
  request(`/api/v1/waitpoints/tokens/${token.id}/complete`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

test("wait.retrieveToken reads the error of a failed token", async () => {
  const token = await wait.createToken();
  const error = { message: "The bank said no", name: "PaymentDeclined", code: "card_declined" };
  assert.equal((await complete(token, { error })).status, 200);
  const failed = await wait.retrieveToken(token);
  assert.equal(failed.status, "COMPLETED");
  assert.equal(failed.output, undefined);
  assert.ok(failed.error instanceof Error);
  assert.equal(failed.error.message, "The bank said no");
});

test("wait.retrieveToken ignores completedBy and otherDeliveries", async () => {
  const token = await wait.createToken();
  await fetch(token.url, { method: "POST", body: '{"first": true}' });
  await fetch(token.url, { method: "POST", body: '{"first": false}' });
  const raw = await (await request(`/api/v1/waitpoints/tokens/${token.id}`)).json();
  assert.equal(raw.completedBy.source, "callback");
  assert.equal(raw.otherDeliveries.count, 1);
  const retrieved = await wait.retrieveToken(token);
  assert.deepEqual(retrieved.output, { first: true });
  assert.equal("completedBy" in retrieved || "otherDeliveries" in retrieved, false);
});
