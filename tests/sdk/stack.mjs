// The SDK, pointed at the stack under test.
import { randomUUID } from "node:crypto";

import { configure } from "@trigger.dev/sdk";

export const apiUrl = process.env.TRIGGER_API_URL;
export const apiKey = process.env.TRIGGER_SECRET_KEY;

configure({ baseURL: apiUrl, accessToken: apiKey });

// Whether the stack's key is a named key, with which the SDK asks the server for public access tokens.
export const isNamedKey = /^tr_prod_sk_/.test(apiKey);

export const unique = (name) => `${name}-${randomUUID()}`;

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// How many requests `call` sends, including the SDK's retries.
export const requestsOf = async (call) => {
  const { fetch } = globalThis;
  let requests = 0;
  globalThis.fetch = (...request) => {
    requests += 1;
    return fetch(...request);
  };
  try {
    await call();
  } finally {
    globalThis.fetch = fetch;
  }
  return requests;
};

// Send what the SDK sends, without the SDK.
export const request = (path, { method = "GET", key = apiKey, ...options } = {}) =>
  fetch(`${apiUrl}${path}`, { method, ...options, headers: { authorization: `Bearer ${key}`, ...options.headers } });

export const claimsOf = (jwt) => JSON.parse(Buffer.from(jwt.split(".")[1], "base64url").toString());
