import type { ApprovalPage } from "./approval-page.js";
import type { Waitpoints } from "./client.js";
import { digest } from "./digest.js";
import { warn } from "./environment.js";
import { WaitpointsError } from "./errors.js";
import { refuseUnknown } from "./options.js";
import { sleep } from "./sleep.js";
import type { CreateOptions, Page } from "./types.js";

/** Who is asked, and how. Take it from how the program was set up, never from what a model wrote. */
export interface People {
  /** Who may answer, as in a page. Required, unless the page or `signIn` says it. */
  readonly approvers?: Page["approvers"];
  /** `signIn` of a page. */
  readonly signIn?: Page["signIn"];
  readonly notify?: CreateOptions["notify"];
  readonly timeout?: CreateOptions["timeout"];
  readonly tags?: CreateOptions["tags"];
  /** The tag that the API key is limited to, if it is: the token's key then begins with it. */
  readonly tag?: string;
}

/** Which call it is: the framework's ids of the run and of the call, or a key of your own. */
export type CallName = { readonly run: string; readonly call: string; readonly key?: never } | NamedByKey;
interface NamedByKey {
  readonly key: string;
  readonly run?: never;
  readonly call?: never;
}

/** The options of `ask`. */
export type AskOptions = People & CallName & { readonly attempt?: number };
const OPTIONS: { readonly [Name in keyof AskOptions]-?: true } = {
  run: true,
  call: true,
  key: true,
  attempt: true,
  approvers: true,
  signIn: true,
  notify: true,
  timeout: true,
  tags: true,
  tag: true,
};

const OF_ARGUMENTS = new Set(["text", "fields", "sameFields"]); // members of a page that show a call's arguments
const LONGEST = 200; // characters of a name in the metadata, which have 4 KiB for three of them
const PAUSES = [0, 200, 800, 2_000]; // milliseconds, since a list may not yet have what was created just now

type Wanted = CreateOptions & { readonly idempotencyKey: string; readonly page: Page; readonly metadata: { readonly page: string } };

/** Return what `ask` creates, for a program that ends while people decide. Throws TypeError for what names no call, and for an unknown option.
 *
 * The token's metadata has `run` and `call`, or `key`, and for a tool's page the `tool`: up to 200 characters of each.
 */
export async function request(asked: Page | ApprovalPage, options: AskOptions): Promise<Wanted> {
  if (typeof asked !== "object" || asked === null) throw new TypeError('Expected a page, such as { title: "Deploy?" }');
  const { tool, arguments: args, page } = "tool" in asked ? asked : { tool: null, arguments: null, page: asked };
  refuseUnknown(options, Object.keys(OPTIONS));
  const call = { tool, ...nameOfCall(options) };
  const key = `ask/${await digest({ ...call, arguments: args })}/${attemptOf(options)}`;
  const shown = withPeople(page, options);
  const seen = Object.entries(shown).filter(([name]) => tool === null || !OF_ARGUMENTS.has(name));
  const known = Object.entries(call).filter(([, text]) => text);
  return {
    ...given({ notify: options.notify, timeout: options.timeout, tags: options.tags }),
    idempotencyKey: options.tag ? `${options.tag}:${key}` : key,
    page: shown,
    metadata: {
      ...Object.fromEntries(known.map(([name, text]) => [name, shortened(String(text))])),
      page: await digest(Object.fromEntries(seen)),
    },
  };
}

/** Return the id of the token of a call: create it, or find it. Throws if it cannot stand for this request. */
export async function findOrCreate(waitpoints: Waitpoints, page: Page | ApprovalPage, options: AskOptions): Promise<string> {
  const wanted = await request(page, options);
  const [id, isNew] = await holderOf(waitpoints, wanted);
  if (isNew) return id;
  const found = await waitpoints.get(id);
  const hasSignIn = found.page?.signIn !== undefined;
  if (!hasSignIn && (!found.approvers?.length || wanted.page.signIn !== undefined)) {
    throw new WaitpointsError(`${id} holds the key of this call, and others could answer it`, 409, "KeyTaken");
  }
  if (found.metadata?.["page"] !== wanted.metadata.page) {
    warn(`${id} asks the same with another page or other approvers: it stays as it is`);
  }
  return id;
}

/** Return the id of the token that has the request's key, and whether it was created just now. */
async function holderOf(waitpoints: Waitpoints, wanted: Wanted): Promise<[id: string, isNew: boolean]> {
  try {
    const created = await waitpoints.create(wanted);
    return [created.id, !created.isCached];
  } catch (error) {
    // With a sign-in, the API refuses a key that a token with another page holds
    if (!(error instanceof WaitpointsError) || error.code !== "KeyTaken") throw error;
    for (const pause of PAUSES) {
      await sleep(pause);
      for await (const { id } of waitpoints.list({ idempotencyKey: wanted.idempotencyKey })) return [id, false];
    }
    throw error;
  }
}

function nameOfCall({ run, call, key }: Partial<CallName> = {}): { readonly [name: string]: string } {
  const names = given({ run, call, key });
  if (!["run,call", "key"].includes(Object.keys(names).join())) {
    throw new TypeError("Which call is it? Give run and call, which the framework names, or a key of your own");
  }
  for (const [name, text] of Object.entries(names)) {
    if (typeof text !== "string" || !text) throw new TypeError(`${name} must be a text that is not empty: it names the call`);
  }
  return names;
}

function attemptOf({ attempt = 1 }: AskOptions): number {
  if (!Number.isInteger(attempt) || attempt < 1) throw new RangeError(`attempt must be a whole number from 1: ${attempt}`);
  return attempt;
}

/** Return the page with those who may answer. Throws TypeError if anyone could. */
function withPeople(page: Page, { approvers, signIn }: AskOptions): Page {
  const people = given({ approvers: approvers?.length ? approvers : undefined, signIn: signIn || undefined });
  const twice = Object.keys(people).filter((name) => name in page);
  if (twice.length) throw new TypeError(`Both the page and the options have ${twice.join(", ")}`);
  const shown: Page = { ...page, ...people };
  if (!shown.approvers?.length && typeof shown.signIn !== "object") {
    throw new TypeError("Who may answer? Give approvers, or domains in signIn: else the URL alone answers, and an agent sees it");
  }
  return shown;
}

function given<Members extends object>(members: Members): { [Name in keyof Members]?: NonNullable<Members[Name]> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined && value !== null)) as never;
}

/** Characters are code points, as in the Python client. */
function shortened(text: string): string {
  const characters = Array.from(text);
  return characters.length <= LONGEST ? text : `${characters.slice(0, LONGEST - 1).join("")}…`;
}
