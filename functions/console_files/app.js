// The console: who is signed in, and which view is shown. A view's address is the part after `#`, which no server sees; it
// holds the parameters of a list, never a credential.
import * as api from "./api.js";
import { create, forgetDraft } from "./create.js";
import { deliveries, delivery } from "./deliveries.js";
import { el, fill, said } from "./dom.js";
import { endpoint, endpoints, newEndpoint } from "./endpoints.js";
import { keys, newKey } from "./keys.js";
import { list } from "./list.js";
import { button, dialog, finder, form, heading, input, problem, submitButton } from "./parts.js";
import { token } from "./token.js";

const ID = "waitpoint_[0-9a-z]{26}";
const VIEWS = [
  [/^tokens$/, list],
  [new RegExp(`^tokens/(${ID})$`), token],
  [/^create$/, create],
  [/^endpoints$/, endpoints],
  [/^endpoints\/new$/, newEndpoint],
  [/^endpoints\/on\/([a-z0-9-]{1,64})$/, endpoint],
  [/^endpoints\/on\/([a-z0-9-]{1,64})\/deliveries$/, deliveries],
  [/^endpoints\/on\/([a-z0-9-]{1,64})\/deliveries\/(delivery_[0-9a-z]{26})$/, delivery],
  [/^keys$/, keys],
  [/^keys\/new$/, newKey],
];
const HOME = "#/tokens";
const HINT =
  "The value of the secret that the stack's output ApiKeySecret names, or a named key. It stays in this tab's memory: " +
  "reloading or closing the tab signs you out.";
const NO_LONGER = "The API no longer accepts this key.";
const OVER = "Your session has ended, or may no longer use the console.";
const SAID_FOR = 6_000; // milliseconds

const main = el("main", { id: "main", tabindex: "-1" });
const status = el("div", { class: "status", role: "status" });
let current = new AbortController();
let silence = 0;

const say = (text) => {
  clearTimeout(silence);
  status.replaceChildren(el("p", {}, text));
  silence = setTimeout(() => status.replaceChildren(), SAID_FOR);
};

const go = (address) => {
  if (location.hash === address) show();
  else location.hash = address;
};

// The view of an address: `#/name?parameters`.
const viewOf = (address) => {
  const [, name, query] = /^#\/([^?]*)\??(.*)$/.exec(address) ?? [];
  for (const [pattern, view] of VIEWS) {
    const found = pattern.exec(name ?? "");
    if (found) return [view, found.slice(1), new URLSearchParams(query)];
  }
  return null;
};

// Show the view of the present address. A view resolves to its title and its content.
const show = async () => {
  if (!api.isSignedIn()) return;
  current.abort();
  current = new AbortController();
  const { signal } = current;
  const found = viewOf(location.hash);
  if (!found) {
    location.replace(HOME);
    return;
  }
  const [view, [name, id], query] = found;
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  for (const link of document.querySelectorAll("nav.main a")) {
    const isHere = location.hash.split("?")[0].startsWith(link.hash);
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  main.setAttribute("aria-busy", "true");
  try {
    const { title, content } = await view({ name, id, query, signal, say, go, refresh: show, call: call(signal) });
    if (signal.aborted) return;
    place(title, content);
  } catch (error) {
    if (error.name === "AbortError" || signal.aborted) return;
    if (error.status === 401) return;
    const tools = el("div", { class: "tools" }, finder(go), button("Try again", show));
    place("Not shown", [heading(error.status === 403 ? "Not with this key" : "This cannot be shown", tools), problem(error)]);
  } finally {
    if (!signal.aborted) main.removeAttribute("aria-busy");
  }
};

let placed = "";

const place = (title, content) => {
  fill(main, content);
  document.title = `${title} · Waitpoints`;
  const isRefresh = placed === location.hash; // it leaves the place, and the focus unless that was on what is gone
  placed = location.hash;
  if (!isRefresh) {
    for (const it of document.querySelectorAll("nav [aria-current]")) it.scrollIntoView(); // narrow ones are a line to scroll
    scrollTo(0, 0);
  }
  if (!isRefresh || document.activeElement === document.body) main.querySelector("h1")?.focus({ preventScroll: true });
};

// Calls end with their view. A key that is no longer accepted signs out, but what is sent may have been typed: it waits for
// another key.
const call = (signal) => async (method, path, options) => {
  const read = method === "GET";
  for (;;) {
    try {
      return await api.call(method, path, { ...options, signal: read ? signal : undefined });
    } catch (error) {
      if (error.status !== 401) throw error;
      if (api.signedInAs()) {
        leave(OVER);
        throw error;
      }
      if (read || !(await hasAnotherKey())) {
        leave(NO_LONGER);
        throw error;
      }
    }
  }
};

// Ask for a key over what is shown.
const hasAnotherKey = () =>
  new Promise((resolve) => {
    api.signOut();
    const field = keyField();
    const about = el("p", {}, `${NO_LONGER} What you typed is sent once you have signed in again; Cancel forgets it.`);
    const asked = dialog("Sign in again", [about, field], ["Sign in", "primary"], () => signIn(field));
    asked.addEventListener("close", () => resolve(api.isSignedIn()));
  });

const keyField = () => input("API key", null, { type: "password", required: true, hint: HINT });

const signIn = (field) => api.signIn(field.querySelector("input").value.trim());

const enter = () => {
  const link = (address, text) => el("a", { href: address }, text);
  const nav = el(
    "nav",
    { class: "main", "aria-label": "Main" },
    link(HOME, "Tokens"),
    api.may(api.ENDPOINTS) && link("#/endpoints", "Endpoints"),
    api.may(api.KEYS) && link("#/keys", "Keys"),
    api.may(api.CREATE) && link("#/create", "Create"),
  );
  const person = api.signedInAs();
  const out = button("Sign out", person ? () => api.endSession().finally(() => leave()) : () => leave(), "small");
  const skip = button("Skip to the content", () => main.focus(), "skip");
  document.body.replaceChildren(skip, el("header", {}, brand(), nav, person && el("span", { class: "person" }, said(person)), out), main, status);
  placed = "";
  show();
};

const HAS_ACCOUNTS = document.querySelector("meta[name=sign-in]").content === "on";
const VERSION = document.querySelector("meta[name=generator]").content.replace("Waitpoints", "").trim(); // of the stack

const brand = () => {
  const mark = el("span", { class: "mark", "aria-hidden": "true" });
  return el("span", { class: "brand" }, mark, "Waitpoints", VERSION && el("small", {}, VERSION));
};

// Forget the key and everything that is shown.
const leave = (reason = "") => {
  api.signOut();
  forgetDraft();
  current.abort();
  main.replaceChildren();
  status.replaceChildren();
  document.title = "Sign in · Waitpoints";
  const field = keyField();
  const attempt = async () => {
    await signIn(field);
    enter();
  };
  const told = reason ? el("p", { class: "problem", role: "alert" }, reason) : null;
  const title = el("h1", {}, "Sign in to the console");
  const byAccount = el("div", { role: "status" });
  const card = el("main", { class: "card" }, brand(), title, told, byAccount, form(field, submitButton("Sign in"), attempt));
  document.body.replaceChildren(card);
  field.querySelector("input").focus();
  if (HAS_ACCOUNTS) offerAccount(byAccount).catch((error) => fill(byAccount, problem(error)));
};

// Enter as who has signed in with the stack's issuer, or say where to.
const offerAccount = async (place) => {
  const found = await api.whoIsSignedIn();
  if (!place.isConnected) return;
  if (found.formToken) {
    await api.enterAs(found);
    enter();
    return;
  }
  const stranger = found.person && el("p", {}, said(found.person), " may not use the console.");
  const text = found.person ? "Sign in with another account" : "Sign in with your account";
  fill(place, stranger, el("p", {}, el("a", { href: found.signInUrl, class: "button primary" }, text)), el("p", {}, "Or with a key:"));
};

addEventListener("hashchange", show);
addEventListener("pagehide", () => leave()); // a page that comes back from the browser's cache asks again
addEventListener("pageshow", (event) => event.persisted && leave());
leave();
