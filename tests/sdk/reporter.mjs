const NOT_CHOSEN = "test name does not match pattern";

// One line of JSON for each test: its name, whether it passed, and what went wrong.
export default async function* (events) {
  for await (const { type, data } of events) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    const { name, nesting, skip, todo, details } = data;
    if (details.type === "suite" && type === "test:pass") continue;
    if (skip === NOT_CHOSEN) continue;
    const error = details.error && String(details.error.cause?.stack ?? details.error.stack ?? details.error);
    yield `${JSON.stringify({ name, nesting, passed: type === "test:pass" && !skip && !todo, error })}\n`;
  }
}
