import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { wait } from "@trigger.dev/sdk";

import { sleep, unique } from "./stack.mjs";

const ids = (tokens) => tokens.map((token) => token.id);

const all = async (parameters) => {
  const found = [];
  for await (const token of wait.listTokens(parameters)) found.push(token);
  return found;
};

describe("listTokens", () => {
  const tag = unique("list");
  const other = unique("other");
  const started = new Date();
  let made; // newest first, as they are listed
  let waiting, completed, timedOut;

  before(async () => {
    timedOut = await wait.createToken({ tags: [tag], timeout: "1s" });
    completed = await wait.createToken({ tags: [tag, other] });
    waiting = await wait.createToken({ tags: ["z", tag, "a"], page: { title: "Go?" } });
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

  test("with from and to finds the tokens between two instants, both included", async () => {
    const { createdAt } = await wait.retrieveToken(completed);
    const at = (milliseconds) => new Date(createdAt.getTime() + milliseconds);
    assert.ok(ids(await all({ tags: tag, from: createdAt, to: createdAt })).includes(completed.id));
    assert.ok(!ids(await all({ tags: tag, from: at(1) })).includes(completed.id));
    assert.ok(!ids(await all({ tags: tag, to: at(-1) })).includes(completed.id));
    assert.deepEqual(ids(await all({ tags: other, from: createdAt.getTime(), to: createdAt.getTime() })), [completed.id]);
  });
});
