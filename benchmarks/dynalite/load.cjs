// Put the items that come on standard input, one in each line, into a table of dynalite while no server has it open.
// A request for each 25 items would take minutes for a million. The keys and the indexes are dynalite's own.
//
//     node load.cjs FOLDER TABLE
const { createInterface } = require("node:readline");
const db = require("dynalite/db");

const [, , path, name] = process.argv;
const store = db.create({ path });
const done = (run) => new Promise((resolve, reject) => run((error, found) => (error ? reject(error) : resolve(found))));
const BATCH = 2000;

async function put(table, items) {
  const writes = new Map();
  const add = (where, key, value) => {
    if (!writes.has(where)) writes.set(where, []);
    writes.get(where).push({ type: "put", key, value });
  };
  for (const item of items) {
    add(store.getItemDb(name), db.createKey(item, table), item);
    for (const copy of db.getIndexActions(table.GlobalSecondaryIndexes, null, item, table).puts) {
      add(store.getIndexDb("global", name, copy.index), copy.key, copy.item);
    }
  }
  await Promise.all([...writes].map(([where, puts]) => done((then) => where.batch(puts, then))));
}

async function main() {
  const table = await done((then) => store.getTable(name, then));
  let items = [];
  for await (const line of createInterface({ input: process.stdin })) {
    items.push(JSON.parse(line));
    if (items.length === BATCH) {
      await put(table, items);
      items = [];
    }
  }
  await put(table, items);
  await store.lifecycleManager.gracefulClose();
}

main();
