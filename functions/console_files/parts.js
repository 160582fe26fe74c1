// What several views show.
import { el, outward, said } from "./dom.js";
import { consoleAddress, duration, exactly, nameOf, pretty, relative, when } from "./text.js";

export const time = (instant) => el("time", { datetime: instant, title: when(instant) }, relative(instant));

export const moment = (instant) => el("time", { datetime: instant }, when(instant));

export const exactMoment = (instant) => el("time", { datetime: instant }, exactly(instant));

const STATES = {
  WAITING: ["waiting", "Waiting"],
  COMPLETED: ["good", "Completed"],
  FAILED: ["bad", "Failed"],
  TIMED_OUT: ["late", "Timed out"],
};

const stateOf = (token) => (token.status === "COMPLETED" && token.outputIsError ? "FAILED" : token.status);

export const badge = (kind, text) => el("span", { class: `badge ${kind}` }, text);

export const stateBadge = (token) => badge(...(STATES[stateOf(token)] ?? ["plain", token.status]));

export const tokenAddress = (id) => `#/tokens/${id}`;

export const tokenLink = (id) => el("a", { href: tokenAddress(id), class: "mono id" }, id);

// The execution that waits, with its page in the AWS console.
export const execution = (arn) => {
  const address = consoleAddress(arn);
  const name = said(nameOf(arn));
  return address ? outward(address, {}, name, el("span", { class: "hidden" }, " in the AWS console, in a new tab")) : name;
};

export const age = (instant, from = Date.now()) => duration(Math.max(0, from - Date.parse(instant)));

// A term and its description, or nothing without one.
export const fact = (term, ...description) =>
  description.every((it) => it === null || it === undefined || it === false || it.length === 0)
    ? null
    : el("div", {}, el("dt", {}, term), el("dd", {}, ...description));

const LONG = 60; // characters

// A text that somebody outside wrote, such as a user agent. If it is long, its end is folded away.
export const folded = (text) => {
  if (!text || text.length <= LONG) return text && said(text);
  const space = text.lastIndexOf(" ", LONG);
  const beginning = space > 0 ? text.slice(0, space) : Array.from(text).slice(0, LONG).join("");
  const summary = el("summary", {}, said(beginning), el("span", { class: "more" }, "…"));
  return el("details", { class: "folded" }, summary, said(text.slice(beginning.length).trimStart()));
};

export const facts = (...them) => el("dl", { class: "facts" }, ...them);

export const wideFacts = (...them) => el("dl", { class: "facts wide" }, ...them);

export const empty = (text) => el("p", { class: "empty" }, text);

export const cards = (them) => el("ul", { class: "cards" }, them);

export const card = (...children) => el("li", { class: "card" }, ...children);

export const buttons = (...them) => el("div", { class: "buttons" }, them);

export const tags = (names) =>
  el(
    "span",
    { class: "tags" },
    names.map((name) => el("span", { class: "tag" }, said(name))),
  );

export const copyButton = (text, what, say) =>
  el("button", { type: "button", class: "small", click: () => copy(text, what, say), "aria-label": `Copy ${what}` }, "Copy");

const copy = async (text, what, say) => {
  try {
    await navigator.clipboard.writeText(text);
    say(`Copied ${what}`);
  } catch {
    say("The browser does not allow copying: select the text instead");
  }
};

const MOST = 100_000; // characters that are shown at once

// JSON text, legible, with a button for the text as it is.
export const json = (text, what, say) => legible(pretty(text), text, what, say);

// A text that may be JSON.
export const body = (text, what, say) => legible(isJson(text) ? pretty(text) : text, text, what, say);

const isJson = (text) => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

const legible = (read, text, what, say) => {
  const shown = el("pre", { class: "json", tabindex: "0", role: "group", "aria-label": what }, said(read.slice(0, MOST)));
  const more = read.length > MOST && note(`The first ${MOST.toLocaleString()} characters. Copy has all.`);
  return el("div", { class: "output" }, copyButton(text, `the ${what.toLowerCase()}`, say), shown, more);
};

// The head of a view: its title, and what can be done with all of it.
export const heading = (title, tools, kind) =>
  el("div", { class: "heading" }, el("h1", { tabindex: "-1", class: kind }, title), tools);

export const back = (address, text) => el("p", { class: "back" }, el("a", { href: address }, text));

export const section = (id, title, ...children) =>
  el("section", { "aria-labelledby": id }, el("h2", { id }, title), children);

export const note = (...children) => el("p", { class: "hint" }, children);

export const button = (text, click, kind) => el("button", { type: "button", class: kind, click }, text);

export const submitButton = (text) => el("button", { type: "submit", class: "primary" }, text);

// A URL or a key, with a button to copy it.
export const secret = (text, what, say) =>
  el("div", { class: "secret" }, el("code", { class: "url" }, said(text)), copyButton(text, what, say));

// A link of a pager, or where there is no such page, its label alone.
export const pageLink = (address, text) =>
  address ? el("a", { href: address, class: "button" }, text) : el("span", { class: "button off" }, text);

export const pager = (...links) => el("nav", { class: "pager", "aria-label": "Pages" }, ...links);

export const row = (...children) => el("div", { class: "row" }, children);

// What a request was refused with.
export const problem = (error) =>
  el("div", { class: "problem", role: "alert", tabindex: "-1" }, el("strong", {}, "This did not work. "), said(error.message));

let fields = 0;

// A control with its label and a hint. `control` is made with the attributes that tie them together.
const labelled = (label, hint, make) => {
  const { about, shared } = described(hint);
  return el("div", { class: "field" }, el("label", { for: shared.id }, label), about, make(shared));
};

const described = (hint) => {
  fields += 1;
  const [id, hintId] = [`f${fields}`, hint ? `f${fields}-hint` : null];
  return { about: hint && el("p", { class: "hint", id: hintId }, hint), shared: { id, "aria-describedby": hintId } };
};

const UNCHECKED = { spellcheck: "false", autocapitalize: "off" };
const TEXT = { type: "text", autocomplete: "off", ...UNCHECKED };

export const input = (label, name, { hint, ...more } = {}) =>
  labelled(label, hint, (shared) => el("input", { ...TEXT, name, ...shared, ...more }));

export const area = (label, name, { hint, value = "", rows = 5, ...more } = {}) =>
  labelled(label, hint, (shared) => {
    const control = el("textarea", { name, rows, ...UNCHECKED, class: "mono", ...shared, ...more });
    control.value = value;
    return control;
  });

export const select = (label, name, options, { hint, value = "", ...more } = {}) =>
  labelled(label, hint, (shared) => {
    const made = options.map(([its, text]) => el("option", { value: its, selected: its === value }, text));
    return el("select", { name, ...shared, ...more }, made);
  });

export const box = (label, name, { hint, ...more } = {}) => {
  const { about, shared } = described(hint);
  const control = el("input", { type: "checkbox", name, ...shared, ...more });
  const choice = el("div", { class: "choice" }, control, el("label", { for: shared.id }, label));
  return el("div", { class: "field box" }, choice, about);
};

// A form that calls `act` with its FormData. Ctrl+Enter sends it from any field. A refusal is shown at its top.
export const form = (children, sending, act) => {
  const told = el("div", { class: "told" });
  const submit = async (event) => {
    event.preventDefault();
    if (event.target.getAttribute("aria-busy") === "true") return;
    const submits = event.target.querySelectorAll("button[type=submit]");
    event.target.setAttribute("aria-busy", "true");
    for (const button of submits) button.setAttribute("aria-disabled", "true"); // it keeps the focus
    told.replaceChildren();
    try {
      await act(new FormData(event.target));
    } catch (error) {
      if (error.name === "AbortError") return;
      const shown = problem(error);
      told.replaceChildren(shown);
      shown.focus();
    } finally {
      event.target.removeAttribute("aria-busy");
      for (const button of submits) button.removeAttribute("aria-disabled");
    }
  };
  const keydown = (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    event.currentTarget.requestSubmit();
  };
  return el("form", { submit, keydown, autocomplete: "off" }, told, children, buttons(sending));
};

const ID = /waitpoint_[0-9a-z]{26}/;
const NO_ID = "no token's id: waitpoint_ and 26 letters and digits.";

// Opens a token by its id, or by anything that contains it, such as a callback URL. Above a list, `search` is called with
// what is typed, shows only the tokens that have it, and returns their addresses: the only one can be opened, too.
export const finder = (go, search) => {
  const [label, placeholder] = search
    ? ["Search in these tokens, or open one by its id or its callback URL", "Search or id"]
    : ["Open a token by its id or its callback URL", "Id or callback URL"];
  const idIn = (text) => ID.exec(text)?.[0];
  const typed = (event) => search?.(idIn(event.target.value) ?? event.target.value);
  const field = input(label, "id", { type: "search", placeholder, input: typed });
  return el(
    "div",
    { class: "finder" },
    form(field, el("button", { type: "submit" }, "Find"), async (data) => {
      const text = String(data.get("id"));
      const found = idIn(text) ? [tokenAddress(idIn(text))] : text.trim() && search ? search(text) : [];
      if (found.length > 1) throw new Error(`${found.length} of these tokens have it: type more of it.`);
      if (!found.length) throw new Error(`${search ? "None of these tokens has it, and it" : "This"} contains ${NO_ID}`);
      go(found[0]);
    }),
  );
};

// A dialog with a form, shown. `act` is called with the form's data; if it does not reject, the dialog closes.
export const dialog = (heading, children, [label, kind], act) => {
  fields += 1;
  const id = `d${fields}`;
  const close = () => made.close();
  const cancel = el("button", { type: "button", click: close }, "Cancel");
  const send = async (data) => {
    await act(data);
    made.close();
  };
  const sending = [el("button", { type: "submit", class: kind }, label), cancel];
  const remove = () => made.remove();
  const made = el("dialog", { "aria-labelledby": id, close: remove }, el("h2", { id }, heading), form(children, sending, send));
  document.body.append(made);
  made.showModal();
  return made;
};

// A JSON text that a person typed, checked; undefined if there is none. Rejects with what is wrong.
export const jsonOf = (data, name, what) => {
  const text = String(data.get(name) ?? "").trim();
  if (!text) return undefined;
  try {
    JSON.parse(text);
  } catch (error) {
    throw new Error(`${what} is not JSON: ${error.message}`);
  }
  return text;
};

// A JSON object's text of members' JSON texts; those that are undefined are left out.
export const objectOf = (members) =>
  `{${Object.entries(members)
    .filter(([, text]) => text !== undefined)
    .map(([name, text]) => `${JSON.stringify(name)}:${text}`)
    .join(",")}}`;

// The JSON text of a text field; undefined if it is empty.
export const textOf = (data, name) => {
  const text = String(data.get(name) ?? "");
  return text ? JSON.stringify(text) : undefined;
};

// The JSON texts of text fields, by their names.
export const textsOf = (data, ...names) => Object.fromEntries(names.map((name) => [name, textOf(data, name)]));

// The filter of a list, folded. `set`: what it selects now.
export const filterOf = (isOpen, set, asked) =>
  el("details", { class: "filters", open: isOpen }, el("summary", {}, "Filter ", tags(set)), asked);

export const tableRow = (kind, cells) =>
  el("tr", { role: "row", class: kind }, cells.map((cell) => el("td", { role: "cell" }, cell)));

// A table. The roles are said again because the narrow layout shows rows as blocks, which takes them away.
export const tableOf = (caption, columns, lines, attributes = {}) =>
  el(
    "table",
    { role: "table", ...attributes },
    el("caption", { class: "hidden" }, caption),
    el(
      "thead",
      { role: "rowgroup" },
      el(
        "tr",
        { role: "row" },
        columns.map((name) => el("th", { scope: "col", role: "columnheader" }, name)),
      ),
    ),
    el("tbody", { role: "rowgroup" }, lines),
  );
