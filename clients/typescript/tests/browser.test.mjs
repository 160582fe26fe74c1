import assert from "node:assert/strict";
import { test } from "node:test";
import { PublicWaitpoints, Waitpoints } from "waitpoints-client";
import { answering, json, refusal } from "./fake.mjs";

const SETTINGS = { url: "https://stack.example.com", apiKey: "tr_prod_root" };

for (const [name, property, value] of [
  ["a page", "document", {}],
  ["a worker", "navigator", { userAgent: "Mozilla/5.0 (X11; Linux x86_64)" }],
]) {
  test(`an API key in a browser throws: ${name}`, (t) => {
    const before = Object.getOwnPropertyDescriptor(globalThis, property);
    Object.defineProperty(globalThis, property, { value, configurable: true });
    t.after(() => (before ? Object.defineProperty(globalThis, property, before) : delete globalThis[property]));
    assert.throws(() => new Waitpoints(SETTINGS), /An API key must not be in a browser.*PublicWaitpoints/);
    assert.ok(new PublicWaitpoints({ url: SETTINGS.url, publicAccessToken: "a.b.c" }));
  });
}

for (const wrong of ["tr_prod_root", `tr_prod_sk_${"0".repeat(24)}`, "", "a.b"]) {
  test(`an API key is no public access token: ${wrong}`, () => {
    const make = () => new PublicWaitpoints({ url: SETTINGS.url, publicAccessToken: wrong });
    assert.throws(make, (error) => /This is no public access token/.test(error.message) && !error.message.includes("tr_"));
  });
}

test("a public access token completes", async (t) => {
  const { fetch, requests } = answering(json({ success: true, settled: true }), refusal(403, "unauthorized"));
  t.mock.method(globalThis, "fetch", fetch);
  const visitor = new PublicWaitpoints({ url: SETTINGS.url, publicAccessToken: "a.b.c" });
  assert.equal((await visitor.complete("waitpoint_1", { approved: true })).settled, true);
  await assert.rejects(visitor.complete("waitpoint_2"), { status: 403, code: "unauthorized" });
  const [{ url, headers, body }] = requests;
  assert.equal(url, "https://stack.example.com/api/v1/waitpoints/tokens/waitpoint_1/complete");
  assert.deepEqual([headers.get("authorization"), body], ["Bearer a.b.c", { data: { approved: true } }]);
  assert.equal("create" in visitor, false);
});
