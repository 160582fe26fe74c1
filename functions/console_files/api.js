// The API as everybody calls it. The key lives in this module's memory and goes nowhere but into the header of a request. Who has
// signed in has a bearer in place of a key, and another one when it expires, as long as the session's cookie is valid.

const ROOT = new URL("../../", import.meta.url); // this file is /console/{version}/api.js
export const TOKENS = "api/v1/waitpoints/tokens";
export const ENDPOINTS = "api/v1/endpoints";
export const KEYS = "api/v1/keys";
export const CREATE = "create";
const SESSION = "api/v1/console-session";

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
let session = null; // what `whoIsSignedIn` said of who uses a bearer
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
  key = session = null;
  lacking.clear();
};

// {"person", "formToken", "signInUrl", "signOutUrl"}: the first is missing if nobody has signed in, the second without a role.
export const whoIsSignedIn = () => ofSession("GET");

export const signedInAs = () => session?.person;

export const enterAs = async (found) => {
  const { bearer, scopes } = await ofSession("POST", { formToken: found.formToken });
  [key, session] = [bearer, found];
  for (const path of [KEYS, ENDPOINTS]) lacking.add(path);
  if (!scopes.includes(CREATE)) lacking.add(CREATE);
};

export const endSession = () =>
  fetch(session.signOutUrl, {
    method: "POST",
    body: new URLSearchParams({ to: "/console" }),
    credentials: "same-origin",
    redirect: "manual",
  });

// The only request with cookies.
const ofSession = async (method, json) => {
  const body = json && JSON.stringify(json);
  const headers = json ? { "content-type": "application/json" } : {};
  const options = { method, headers, body, cache: "no-store", credentials: "same-origin", redirect: "error" };
  const answer = await fetch(new URL(SESSION, ROOT), options).catch(() => null);
  const said = await answer?.json().catch(() => null);
  if (answer?.ok) return said;
  throw new Refusal(answer?.status ?? 0, said?.error ?? "Who is signed in cannot be learnt: open the console again.");
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
  try {
    return await send(key, method, path, options);
  } catch (error) {
    if (error.status !== 401 || session === null) throw error;
    await enterAs(session).catch((refusal) => {
      throw refusal.status === 403 ? error : refusal;
    });
    return send(key, method, path, options);
  }
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
