import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { wait } from "@trigger.dev/sdk";

import { request, sleep, unique } from "./stack.mjs";

const ids = (tokens) => tokens.map((token) => token.id);

const all = async (parameters) => {
  const found = [];
  for await (const token of wait.listTokens(parameters)) found.push(token);
  return found;
};

describe("listTokens", () => {
  const tag = unique("list");
  const other = unique("other");
  const key = unique("key");
  const started = new Date();
  let made; // newest first, as they are listed
  let waiting, completed, timedOut;

  before(async () => {
    timedOut = await wait.createToken({ tags: [tag], timeout: "1s" });
    completed = await wait.createToken({ tags: [tag, other] });
    waiting = await wait.createToken({ tags: ["z", tag, "a"], idempotencyKey: key, idempotencyKeyTTL: "1s" });
    made = [waiting, completed, timedOut];
    await wait.completeToken(completed, "done");
    await sleep(1_100);
    for (let n = 0; n < 4; n++) made.unshift(await wait.createToken({ tags: [tag] }));
  });

  test("iterates over every token, newest first, with any page size", async () => {
    for (const limit of [1, 2, 3, 7, 100]) {
      assert.deepEqual(ids(await all({ tags: tag, from: started, limit })), ids(made), `limit ${limit}`);
    }
  });

  test("shows what retrieveToken shows, without the output", async () => {
    for (const listed of await all({ tags: tag, from: started })) {
      const { output, error, ...retrieved } = await wait.retrieveToken(listed.id);
      const shown = Object.fromEntries(Object.entries(retrieved).filter(([, value]) => value !== undefined));
      const { completedAfter, ...all } = listed;
      assert.deepEqual(all, { ...shown, tags: shown.tags.toSorted() });
      assert.deepEqual(completedAfter, shown.timeoutAt);
    }
  });

  test("goes forward and back with getNextPage and getPreviousPage", async () => {
    const first = await wait.listTokens({ tags: tag, from: started, limit: 3 });
    assert.deepEqual(ids(first.data), ids(made.slice(0, 3)));
    assert.equal(first.hasPreviousPage(), false);
    const second = await first.getNextPage();
    assert.deepEqual(ids(second.data), ids(made.slice(3, 6)));
    const third = await second.getNextPage();
    assert.deepEqual(ids(third.data), ids(made.slice(6)));
    assert.equal(third.hasNextPage(), false);
    assert.deepEqual(ids((await third.getPreviousPage()).data), ids(second.data));
    const back = await second.getPreviousPage();
    assert.deepEqual(ids(back.data), ids(first.data));
    assert.equal(back.hasPreviousPage(), false);
    assert.equal(back.hasNextPage(), true);
  });

  test("goes back when the SDK sends both cursors", async () => {
    // The SDK adds page[before] to the parameters that it already has, so page[after] goes out as well.
    const first = await wait.listTokens({ tags: tag, from: started, limit: 2 });
    const third = await (await first.getNextPage()).getNextPage();
    const second = await third.getPreviousPage();
    assert.deepEqual(ids(second.data), ids(made.slice(2, 4)));
    const again = await wait.listTokens({ tags: tag, from: started, limit: 2, after: second.pagination.next });
    assert.deepEqual(ids(again.data), ids(third.data));
    const both = { after: third.data[0].id.replace("waitpoint_", ""), before: second.data[0].id.replace("waitpoint_", "") };
    assert.deepEqual(ids((await wait.listTokens({ tags: tag, from: started, limit: 2, ...both })).data), ids(first.data));
  });

  test("starts after or before a cursor", async () => {
    const cursor = made[3].id.replace("waitpoint_", "");
    assert.deepEqual(ids(await all({ tags: tag, from: started, after: cursor })), ids(made.slice(4)));
    const page = await wait.listTokens({ tags: tag, from: started, before: cursor });
    assert.deepEqual(ids(page.data), ids(made.slice(0, 3)));
  });

  test("shows 25 tokens a page unless told otherwise", async () => {
    const many = unique("many");
    await Promise.all(Array.from({ length: 26 }, () => wait.createToken({ tags: many })));
    const page = await wait.listTokens({ tags: many, from: started });
    assert.equal(page.data.length, 25);
    assert.equal((await all({ tags: many, from: started })).length, 26);
  });

  test("without parameters begins with the newest token", async () => {
    const token = await wait.createToken();
    const newest = [];
    for await (const listed of wait.listTokens()) if (newest.push(listed.id) === 25) break;
    assert.ok(newest.includes(token.id));
  });

  for (const [status, which] of Object.entries({
    WAITING: (token) => ![completed.id, timedOut.id].includes(token.id),
    COMPLETED: (token) => token.id === completed.id,
    TIMED_OUT: (token) => token.id === timedOut.id,
  })) {
    test(`with status ${status} finds those tokens only`, async () => {
      for (const written of [status, [status]]) {
        const found = await all({ tags: tag, from: started, status: written });
        assert.deepEqual(ids(found), ids(made.filter(which)));
        assert.ok(found.every((token) => token.status === status));
      }
    });
  }

  test("with two statuses finds exactly those two", async () => {
    const settled = await all({ tags: tag, from: started, status: ["COMPLETED", "TIMED_OUT"] });
    assert.deepEqual(ids(settled), [completed.id, timedOut.id]);
    const open = await all({ tags: tag, from: started, status: ["WAITING", "TIMED_OUT"] });
    assert.deepEqual(ids(open), ids(made.filter((token) => token.id !== completed.id)));
  });

  test("with several tags finds the tokens that have any of them", async () => {
    assert.deepEqual(ids(await all({ tags: [other, "nobody"], from: started })), [completed.id]);
    assert.deepEqual(ids(await all({ tags: [other, tag], from: started })), ids(made));
    assert.deepEqual(await all({ tags: unique("nobody"), from: started }), []);
  });

  test("with an idempotency key finds its token, and an older one whose key has expired", async () => {
    const [found] = await all({ idempotencyKey: key });
    assert.equal(found.id, waiting.id);
    assert.equal(found.idempotencyKey, key);
    assert.ok(found.idempotencyKeyExpiresAt < new Date());
    const fresh = await wait.createToken({ idempotencyKey: key });
    assert.equal(fresh.isCached, false);
    assert.deepEqual(ids(await all({ idempotencyKey: key })), [fresh.id, waiting.id]);
    assert.deepEqual(await all({ idempotencyKey: unique("nobody") }), []);
  });

  test("with from and to finds the tokens between two instants, both included", async () => {
    const { createdAt } = await wait.retrieveToken(completed);
    const at = (milliseconds) => new Date(createdAt.getTime() + milliseconds);
    assert.ok(ids(await all({ tags: tag, from: createdAt, to: createdAt })).includes(completed.id));
    assert.ok(!ids(await all({ tags: tag, from: at(1) })).includes(completed.id));
    assert.ok(!ids(await all({ tags: tag, to: at(-1) })).includes(completed.id));
    assert.deepEqual(ids(await all({ tags: other, from: createdAt.getTime(), to: createdAt.getTime() })), [completed.id]);
  });

  test("with a period finds the tokens created within it", async () => {
    assert.deepEqual(ids(await all({ tags: tag, period: "1h" })), ids(made));
    await sleep(50);
    assert.deepEqual(await all({ tags: tag, period: "1ms" }), []);
  });

  test("answers without null, and without a cursor on the last page", async () => {
    const from = started.getTime(); // not all that other tests have made: a page that examines much has a cursor
    const answer = await request(`/api/v1/waitpoints/tokens?filter%5Btags%5D=${other}&filter%5BcreatedAt%5D%5Bfrom%5D=${from}`);
    const { data, pagination } = await answer.json();
    assert.equal(data.length, 1);
    assert.ok(!Object.values(data[0]).includes(null));
    assert.deepEqual(pagination, {});
  });
});
