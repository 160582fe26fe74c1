// The API as everybody calls it. The key lives in this module's memory and goes nowhere but into the header of a request.

const ROOT = new URL("../../", import.meta.url); // this file is /console/{version}/api.js
export const TOKENS = "api/v1/waitpoints/tokens";
export const ENDPOINTS = "api/v1/endpoints";
export const KEYS = "api/v1/keys";

// What the console reads of the answers: they have these members, of these types. A list's first member stands for each.
const LISTED = { id: "", url: "", status: "", createdAt: "", tags: [""] };
export const TOKEN_PAGE = { data: [LISTED], pagination: {} };
export const TOKEN = { ...LISTED, outputType: "" };
export const CREATED = { id: "" };
export const MOVED = { id: "" };
export const ENDPOINT_PAGE = { data: [{ name: "", key: "" }], pagination: {} };
export const ENDPOINT = { name: "", url: "", key: "", output: "", keyTTL: "", deliveries: {} };
export const DELIVERY = { id: "", kind: "", createdAt: "" };
export const DELIVERY_PAGE = { data: [DELIVERY], pagination: {} };
export const RETRIEVED_DELIVERY = { ...DELIVERY, expiresAt: "", size: 0 };
export const DELETED = { deleted: 0, done: true };
export const TRIAL = { outcome: "", steps: [{ step: "", result: "" }] };
export const KEY_LIST = { data: [{ name: "", scopes: [""], createdAt: "" }] };
export const CREATED_KEY = { name: "", key: "" };
export const LINK = { presignedUrl: "" };

const typeOf = (value) => (value === null ? "null" : Array.isArray(value) ? "list" : typeof value);

const isLike = (value, example) => {
  if (typeOf(value) !== typeOf(example)) return false;
  if (typeOf(example) === "list") return value.every((it) => isLike(it, example[0]));
  return typeOf(example) !== "object" || Object.entries(example).every(([name, its]) => isLike(value[name], its));
};

let key = null;
const lacking = new Set(); // the paths that the key may not use
const NAMED = "tr_prod_sk_"; // how a named key begins

export class Refusal extends Error {
  constructor(status, message, code) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export const isSignedIn = () => key !== null;

export const may = (path) => !lacking.has(path);

export const signOut = () => {
  key = null;
  lacking.clear();
};

// Sign in with a key that the API accepts. A named key without the scope `read` is refused the list alone. Rejects with a
// Refusal.
export const signIn = async (candidate) => {
  if (!/^[\x21-\x7e]+$/.test(candidate)) throw new Refusal(401, "An API key has neither spaces nor special characters.");
  try {
    await send(candidate, "GET", `${TOKENS}?page[size]=1`, { like: TOKEN_PAGE });
  } catch (error) {
    const mayDoOther = error.status === 403 && error.code === "unauthorized";
    if (!mayDoOther) throw error.status === 401 ? new Refusal(401, "The API does not accept this key.") : error;
  }
  if (candidate.startsWith(NAMED)) await learnScopes(candidate);
  key = candidate;
};

// A named key may not manage keys, and manages endpoints only with that scope.
const learnScopes = async (candidate) => {
  lacking.add(KEYS);
  const isRefused = (error) => error.status === 403;
  if (await send(candidate, "GET", `${ENDPOINTS}?page[size]=1`, {}).then(() => false, isRefused)) lacking.add(ENDPOINTS);
};

// The body of an answer, which is like the example `like`. `json` is the text of a JSON body; `deliveryId` goes with it, and
// the token that it ends shows it. Rejects with a Refusal.
export const call = async (method, path, options = {}) => {
  if (key === null) throw new Refusal(401, "Sign in first.");
  return send(key, method, path, options);
};

const send = async (credential, method, path, { json, deliveryId, signal, like = {} }) => {
  const headers = {
    authorization: `Bearer ${credential}`,
    ...(json === undefined ? {} : { "content-type": "application/json" }),
    ...(deliveryId === undefined ? {} : { "idempotency-key": deliveryId }),
  };
  const options = { method, headers, body: json, signal, cache: "no-store", credentials: "omit", redirect: "error" };
  let answer;
  try {
    answer = await fetch(new URL(path, ROOT), options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, "The API cannot be reached.");
  }
  const body = await answer.json().catch(() => null);
  if (answer.ok && isLike(body, like)) return body;
  const why = answer.ok ? null : (body?.error ?? body?.message);
  const isSaid = typeof why === "string" && why !== "";
  throw new Refusal(answer.status, isSaid ? why : `The API did not answer as expected (status ${answer.status}).`, body?.code);
};
