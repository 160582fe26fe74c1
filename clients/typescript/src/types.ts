import type { components } from "./api.js";

/** The schemas of `openapi.yaml`. */
export type Schemas = components["schemas"];

/** What callers give may be `as const`. */
type Immutable<Value> = Value extends readonly (infer Item)[]
  ? readonly Immutable<Item>[]
  : Value extends object
    ? { readonly [Name in keyof Value]: Immutable<Value[Name]> }
    : Value;

/** A token, by its id or by what `create`, `get` or `list` returned. */
export type TokenOrId = string | { readonly id: string };

/** A button of a page. Its `id` is what you get as `action`. */
export interface PageAction<Action extends string = string> extends Immutable<Omit<Schemas["RequestedAction"], "id">> {
  readonly id: Action;
}

/** The page that a person sees who opens the token's URL: `docs/pages.md` has it all. */
export interface Page<Action extends string = string> extends Immutable<Omit<Schemas["RequestedPage"], "actions">> {
  /** The buttons. Without them, there is one with the id `submit`. */
  readonly actions?: readonly PageAction<Action>[];
}

/** A person who may answer a page. */
export type Approver = Schemas["Approver"];

/** Who is notified of a page: by mail, in Slack or in Teams. */
export type Notify = Immutable<NonNullable<Schemas["CreateWaitpointTokenRequest"]["notify"]>>;

type Amount = `${number}${"w" | "d" | "h" | "hr" | "m" | "s"}`;

/** A duration from now: "30s", "10m", "1d12h", with up to four units. */
export type Duration = Amount | `${Amount}${Amount}` | `${Amount}${Amount}${Amount}` | `${Amount}${Amount}${Amount}${Amount}`;

/** A duration, or a future date in ISO 8601. For a text that is known only when the program runs: `text as Timeout`. */
export type Timeout = Duration | `${number}-${number}-${string}`;

/** What `create` accepts, as in `docs/api.md`. */
export interface CreateOptions
  extends Immutable<Omit<Schemas["CreateWaitpointTokenRequest"], "page" | "timeout" | "idempotencyKeyTTL">> {
  /** When the token times out. Absent or null: the stack's `DefaultTimeout`, or never without one. */
  readonly timeout?: Timeout | null;
  /** How long the token holds its key. Absent: as long as the token exists. */
  readonly idempotencyKeyTTL?: Duration | null;
  /** What a person is shown who opens the `url`. Excludes `verify`, `completeWhen` and `payloadSchema`. */
  readonly page?: Page;
}

/** A token that was created, or found by its `idempotencyKey` (`isCached`). */
export interface CreatedToken extends CreatedTokenAnswer {
  /** A credential that can complete this token alone, for 24 hours: see `PublicWaitpoints`. */
  readonly publicAccessToken: string;
}
type CreatedTokenAnswer = Schemas["CreateWaitpointTokenResponse"];

/** Why a token failed or timed out. */
export interface TokenError {
  /** `WaitpointTimeoutError` after a timeout. */
  readonly name: string;
  readonly code: string;
  readonly message: string;
}

/** What became of a token. */
export type Result<Output = unknown> =
  | { readonly ok: true; readonly output: Output }
  | { readonly ok: false; readonly error: TokenError; readonly timedOut: boolean };

/** A token as `list` shows it. */
export type ListedToken = Omit<Schemas["WaitpointTokenObject"], "output" | "outputType">;

/** A token as `get` shows it. */
export interface Token<Output = unknown> extends ListedToken {
  /** What became of it. Undefined while it waits. */
  readonly result?: Result<Output>;
  /** The output or the error as JSON text, with every digit. A large one has been downloaded. */
  readonly outputText?: string;
}

/** What people answered on a page. `Action` is the union of the ids of its actions. */
export interface Answer<Action extends string = string> {
  readonly action: Action;
  /** What was filled in. */
  readonly fields: { readonly [name: string]: unknown };
  /** Who decided. Undefined: nobody of the page's approvers, but your API key. */
  readonly approver?: string;
  readonly answers?: readonly Schemas["ApproverAnswer"][];
  readonly handOvers?: readonly Schemas["HandOver"][];
}

/** How an endpoint is set up. */
export type EndpointOptions = Immutable<Schemas["PutEndpointRequest"]>;
export type Endpoint = Schemas["EndpointObject"];
export type EndpointWithDeliveries = Schemas["EndpointWithDeliveries"];
export type EndpointTrial = Schemas["EndpointTrial"];
/** A delivery that an endpoint keeps. */
export type RecordedDelivery = Schemas["RecordedDelivery"];
export type Completion = Schemas["CompleteWaitpointTokenResponse"];
export type KeyCompletion = Schemas["CompleteWaitpointKeyResponse"];
export type NamedKey = Schemas["ListedKey"];
export type CreatedKey = Schemas["CreatedKey"];
