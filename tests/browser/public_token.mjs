// A page that completes a token with the TypeScript client, and what must not work there. It reports to its server.
import { PublicWaitpoints, Waitpoints } from "waitpoints-client";

const { apiUrl, apiKey, mine, other, publicAccessToken, output } = window.job;

const attempt = async (act) => {
  try {
    return await act();
  } catch ({ name, status, code, message }) {
    return { name, status, code, message };
  }
};
const visitor = new PublicWaitpoints({ url: apiUrl, publicAccessToken });
const report = {
  withApiKey: await attempt(() => new Waitpoints({ url: apiUrl, apiKey })),
  keyAsToken: await attempt(() => new PublicWaitpoints({ url: apiUrl, publicAccessToken: apiKey })),
  mine: await attempt(() => visitor.complete(mine, output)),
  again: await attempt(() => visitor.complete(mine, "too late")),
  other: await attempt(() => visitor.complete(other)),
};
await fetch("/report", { method: "POST", body: JSON.stringify(report) });
