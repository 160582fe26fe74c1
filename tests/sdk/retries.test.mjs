import assert from "node:assert/strict";
import { createServer, request as httpRequest } from "node:http";
import { after, before, describe, test } from "node:test";

import { auth, wait } from "@trigger.dev/sdk";

import { apiUrl, unique } from "./stack.mjs";

const QUICKLY = { retry: { maxAttempts: 3, minTimeoutInMs: 20, maxTimeoutInMs: 50, factor: 1 } };

// A network between the SDK and the stack. `lose` is how many of the next answers it loses, after the stack has handled
// the request; `seen` has the header that names the call, for every request that came through.
const network = { lose: 0, seen: [] };

const carry = (incoming, outgoing) => {
  network.seen.push(incoming.headers["x-trigger-request-idempotency-key"]);
  const { hostname, port } = new URL(apiUrl);
  const options = { hostname, port, path: incoming.url, method: incoming.method, headers: incoming.headers };
  const onward = httpRequest(options, (answer) => {
    const chunks = [];
    answer.on("data", (chunk) => chunks.push(chunk));
    answer.on("end", () => {
      if (network.lose > 0) {
        network.lose -= 1;
        incoming.socket.destroy();
        return;
      }
      outgoing.writeHead(answer.statusCode, answer.headers);
      outgoing.end(Buffer.concat(chunks));
    });
  });
  onward.on("error", () => incoming.socket.destroy());
  incoming.pipe(onward);
};

describe("When the network loses an answer", () => {
  const server = createServer(carry);
  let baseURL;

  before(async () => {
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    baseURL = `http://127.0.0.1:${server.address().port}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const losing = async (answers, call) => {
    Object.assign(network, { lose: answers, seen: [] });
    const result = await auth.withAuth({ baseURL }, call);
    assert.equal(network.seen.length, answers + 1);
    assert.equal(network.lose, 0);
    return result;
  };

  const made = async (tag) => {
    const found = [];
    for await (const token of wait.listTokens({ tags: tag, period: "1h" })) found.push(token.id);
    return found;
  };

  test("of a create, the SDK's retry returns the same token, not cached", async () => {
    const tags = unique("lost");
    const token = await losing(1, () => wait.createToken({ tags }, QUICKLY));
    assert.equal(token.isCached, false);
    assert.deepEqual(await made(tags), [token.id]);
    assert.equal(new Set(network.seen).size, 1);
    await auth.withAuth({ accessToken: token.publicAccessToken }, () => wait.completeToken(token, "mine"));
    assert.equal((await wait.retrieveToken(token)).output, "mine");
  });

  test("of a create with an idempotency key, the retry does not count as a second call", async () => {
    const [tags, idempotencyKey] = [unique("lost"), unique("key")];
    const token = await losing(1, () => wait.createToken({ tags, idempotencyKey }, QUICKLY));
    assert.equal(token.isCached, false);
    assert.deepEqual(await made(tags), [token.id]);
    const second = await wait.createToken({ tags, idempotencyKey });
    assert.deepEqual([second.id, second.isCached], [token.id, true]);
  });

  test("of a create whose key belongs to an older token, the retry says isCached", async () => {
    const idempotencyKey = unique("key");
    const older = await wait.createToken({ idempotencyKey });
    const token = await losing(1, () => wait.createToken({ idempotencyKey }, QUICKLY));
    assert.deepEqual([token.id, token.isCached], [older.id, true]);
  });

  test("of a completion, its output is kept", async () => {
    const token = await wait.createToken();
    assert.deepEqual(await losing(1, () => wait.completeToken(token, "kept", QUICKLY)), { success: true });
    assert.equal((await wait.retrieveToken(token)).output, "kept");
  });

  test("of a retrieve or a list, the second try succeeds", async () => {
    const tags = unique("lost");
    const token = await wait.createToken({ tags });
    assert.equal((await losing(1, () => wait.retrieveToken(token, QUICKLY))).id, token.id);
    const page = await losing(1, async () => wait.listTokens({ tags, period: "1h" }, QUICKLY));
    assert.deepEqual(page.data.map((listed) => listed.id), [token.id]);
  });
});
