// The only place where the console makes elements. Texts become text nodes: nothing that a caller wrote becomes markup.
import { visible } from "./text.js";

// An element. A property that is a function listens to the event of its name; null, undefined and false leave it out, and
// true sets it empty. Children are nodes, texts, arrays of them, or null.
export const el = (tag, properties = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(name, value);
    else made.setAttribute(name, name === "href" ? safe(String(value)) : value === true ? "" : String(value));
  }
  fill(made, children);
  return made;
};

// Give an element new children, as `el` takes them.
export const fill = (element, ...children) =>
  element.replaceChildren(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );

// A text that somebody outside wrote: apart from the text around it, its invisible characters shown.
export const said = (text) => el("bdi", { class: "said" }, visible(String(text)));

// The address of a view of the console, or of a site; anything else, such as `javascript:`, leads nowhere.
const safe = (address) => {
  if (address.startsWith("#")) return address;
  const scheme = URL.canParse(address) ? new URL(address).protocol : "";
  return scheme === "https:" || scheme === "http:" ? address : "#/";
};

// A link to another site or page, in a tab that cannot reach this one.
export const outward = (address, properties, ...children) =>
  el("a", { href: address, target: "_blank", rel: "noopener noreferrer", ...properties }, ...children);
