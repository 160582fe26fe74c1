import assert from "node:assert/strict";
import { test } from "node:test";

import { wait } from "@trigger.dev/sdk";

test("TRIGGER_API_URL and TRIGGER_SECRET_KEY are all that the SDK needs", async () => {
  const token = await wait.createToken({ timeout: "1h" });
  assert.ok(token.url.startsWith(process.env.TRIGGER_API_URL));
  await wait.completeToken(token, "by environment");
  assert.equal((await wait.retrieveToken(token)).output, "by environment");
});
