// Each statement that follows "error: …" is wrong, and tsc must name what is quoted. types.test.ts compares.
import { PublicWaitpoints, type Timeout, Waitpoints, WaitpointsError } from "waitpoints-client";

declare const waitpoints: Waitpoints;
declare const visitor: PublicWaitpoints;
declare const unset: string | undefined;
declare const never: AbortSignal | undefined;

new Waitpoints({ url: unset, apiKey: unset });
await waitpoints.wait("waitpoint_1", { signal: never });

// error: 'titel'
await waitpoints.create({ page: { titel: "Deploy?", title: "Deploy?" } });
// error: 'title'
await waitpoints.create({ page: { text: "All checks passed." } });
// error: 'lable'
await waitpoints.create({ page: { title: "Deploy?", actions: [{ id: "yes", lable: "Yes" }] } });
// error: "dangr"
await waitpoints.create({ page: { title: "Deploy?", actions: [{ id: "no", label: "No", style: "dangr" }] } });
// error: 'mininum'
await waitpoints.create({ page: { title: "Deploy?", fields: { type: "object", properties: { a: { type: "integer", mininum: 1 } } } } });
await waitpoints.create({ page: { title: "Deploy?", fields: { properties: { a: { type: "string" } } } } });
// error: 'it'
await waitpoints.create({ page: { title: { it: "Andiamo?" } } });
// error: 'adress'
await waitpoints.create({ page: { title: "Deploy?", approvers: [{ id: "ann", adress: "ann@example.com" }] } });
// error: 'emial'
await waitpoints.create({ page: { title: "Deploy?" }, notify: { emial: true } });
// error: 'meta'
await waitpoints.create({ meta: { run: "7" } });
// error: "githb"
await waitpoints.create({ verify: { scheme: "githb", secret: "github" } });
// error: "7 days"
await waitpoints.create({ timeout: "7 days" });
// error: "2030-01-31"
await waitpoints.create({ timeout: "1d12h30m5s", idempotencyKeyTTL: "2030-01-31" });
await waitpoints.create({ timeout: "2030-01-31T18:00:00Z", verify: { scheme: "hmac", secret: "own" } });
await waitpoints.extend("waitpoint_1", unset as Timeout);
// error: 'secrt'
await waitpoints.create({ verify: { scheme: "github", secrt: "github" } });

// error: 'actons'
await waitpoints.ask({ title: "Deploy?", actons: [] }, { key: "deploy" });
// error: 'aprovers'
await waitpoints.ask({ title: "Deploy?" }, { key: "deploy", aprovers: ["ann@example.com"] });
// error: 'call'
await waitpoints.ask({ title: "Deploy?" }, { run: "7", approvers: ["ann@example.com"] });

const asked = await waitpoints.ask({ title: "Deploy?", actions: [{ id: "yes", label: "Yes" }] }, { key: "deploy" });
// error: 'output'
asked.output;
if (asked.ok) {
  // error: '"no"'
  asked.output.action === "no";
} else {
  // error: 'output'
  asked.output;
}

// error: 'statsu'
waitpoints.list({ statsu: "WAITING" });
// error: "DONE"
waitpoints.list({ status: "DONE" });
// error: 'create'
await visitor.create({});
// error: 'apiKey'
new PublicWaitpoints({ url: "https://example.com", apiKey: "tr_prod_sk_0" });
// error: "KeyTakn"
new WaitpointsError("no").code === "KeyTakn";
