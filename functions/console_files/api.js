// The API as everybody calls it. The key lives in this module's memory and goes nowhere but into the header of a request.

const ROOT = new URL("../../", import.meta.url); // this file is /console/{version}/api.js
export const TOKENS = "api/v1/waitpoints/tokens";
export const ENDPOINTS = "api/v1/endpoints";

let key = null;

export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export const isSignedIn = () => key !== null;

export const signOut = () => {
  key = null;
};

// Sign in with a key that the API accepts. Rejects with a Refusal.
export const signIn = async (candidate) => {
  if (!/^[\x21-\x7e]+$/.test(candidate)) throw new Refusal(401, "An API key has neither spaces nor special characters.");
  try {
    await send(candidate, "GET", `${TOKENS}?page[size]=1`);
  } catch (error) {
    throw error.status === 401 ? new Refusal(401, "The API does not accept this key.") : error;
  }
  key = candidate;
};

// The body of an answer. `json` is the text of a JSON body. Rejects with a Refusal.
export const call = async (method, path, { json, signal } = {}) => {
  if (key === null) throw new Refusal(401, "Sign in first.");
  return send(key, method, path, json, signal);
};

const send = async (credential, method, path, json, signal) => {
  const headers = {
    authorization: `Bearer ${credential}`,
    ...(json === undefined ? {} : { "content-type": "application/json" }),
  };
  const options = { method, headers, body: json, signal, cache: "no-store", credentials: "omit", redirect: "error" };
  let answer;
  try {
    answer = await fetch(new URL(path, ROOT), options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, "The API cannot be reached.");
  }
  const body = await answer.json().catch(() => ({}));
  if (answer.ok) return body;
  throw new Refusal(answer.status, body.error ?? body.message ?? `The API answered ${answer.status}.`);
};
