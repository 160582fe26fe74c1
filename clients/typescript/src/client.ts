import type { ApprovalPage } from "./approval-page.js";
import { type AskOptions, findOrCreate } from "./asking.js";
import { Endpoints } from "./endpoints.js";
import { isBrowser, variable } from "./environment.js";
import { WaitpointsError, WaitTimeoutError } from "./errors.js";
import { type ListFilters, tokenQuery } from "./filters.js";
import { type Api, Connection, segment } from "./http.js";
import { Keys } from "./keys.js";
import { Listing } from "./listing.js";
import { refuseUnknown } from "./options.js";
import { sleep } from "./sleep.js";
import { idOf } from "./token-id.js";
import type {
  Answer,
  Completion,
  CreatedToken,
  CreateOptions,
  KeyCompletion,
  ListedToken,
  Page,
  Result,
  Schemas,
  Timeout,
  Token,
  TokenError,
  TokenOrId,
} from "./types.js";

/** How `wait` and `ask` wait. Times are in milliseconds, as for `AbortSignal.timeout`. */
export interface WaitOptions {
  /** Throw `WaitTimeoutError` after this time. The token still waits. By default never. */
  readonly timeout?: number | undefined;
  /** Read the token every so often. By default after half a second, then at growing intervals of up to ten seconds. */
  readonly poll?: number | undefined;
  /** Stops waiting, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The stack, and the API key. */
export interface WaitpointsOptions {
  /** The stack's output `ApiUrl`. By default WAITPOINTS_URL. */
  readonly url?: string | undefined;
  /** The root key or a named key. By default WAITPOINTS_API_KEY. */
  readonly apiKey?: string | undefined;
  /** In place of the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/** Why a token is failed. */
export interface FailOptions {
  /** With `unwrap`, the state fails with this name. By default `WaitpointFailedError`. */
  readonly name?: string;
  readonly code?: string;
}

/** How long a completion by key is kept that came before its token: a duration such as "1h". */
export interface KeyOptions {
  readonly ttl?: string;
}

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 10_000;
const PAUSE_FACTOR = 1.6;

/** A client of one stack, for servers. In browsers use `PublicWaitpoints`.
 *
 * Every method can throw `WaitpointsError`. What can succeed later is tried up to five times within about ten seconds, and a
 * `create` whose answer was lost makes no second token.
 */
export class Waitpoints {
  /** The whole API, typed, for what no method does: `api.GET("/api/v1/endpoints", …)` of openapi-fetch. */
  readonly api: Api;
  /** URLs for a provider's whole account. */
  readonly endpoints: Endpoints;
  /** Named keys. Only the root key may use them. */
  readonly keys: Keys;
  readonly #connection: Connection;
  readonly #isNamedKey: boolean;

  /** Throws in a browser, where everyone could read the key. */
  constructor(options: WaitpointsOptions = {}) {
    refuseUnknown(options, ["url", "apiKey", "fetch"]);
    const { url = variable("WAITPOINTS_URL"), apiKey = variable("WAITPOINTS_API_KEY"), fetch } = options;
    if (isBrowser()) {
      throw new WaitpointsError("An API key must not be in a browser: create tokens on a server, and use PublicWaitpoints here");
    }
    if (!url || !apiKey) throw new WaitpointsError("Give url and apiKey, or set WAITPOINTS_URL and WAITPOINTS_API_KEY");
    this.#connection = new Connection(url, apiKey, fetch);
    this.#isNamedKey = apiKey.startsWith("tr_prod_sk_");
    this.api = this.#connection.api;
    this.endpoints = new Endpoints(this.#connection);
    this.keys = new Keys(this.#connection);
  }

  /** Create a token, or get the one that holds the `idempotencyKey`. */
  async create(options: CreateOptions = {}): Promise<CreatedToken> {
    const header = { "x-trigger-request-idempotency-key": crypto.randomUUID() };
    const exchange = this.api.POST("/api/v1/waitpoints/tokens", { params: { header }, body: options as Schemas["CreateWaitpointTokenRequest"] });
    const { data, response } = await this.#connection.answer(exchange, "id");
    return { ...data, publicAccessToken: response.headers.get("x-trigger-jwt") ?? "" };
  }

  /** Retrieve a token with its output, also a large one, its waiters and its answers. */
  async get<Output = unknown>(token: TokenOrId, options: { signal?: AbortSignal } = {}): Promise<Token<Output>> {
    const exchange = this.api.GET("/api/v1/waitpoints/tokens/{waitpointId}", { params: { path: path(token) }, ...options });
    const { output, outputType, ...found } = await this.#connection.send(exchange, "status");
    const text = outputType === "application/store" && output !== undefined ? await this.#download(output) : output;
    return { ...found, ...(text !== undefined && { outputText: text }), ...resultOf<Output>(found, text) };
  }

  /** List tokens, the newest first. Requests are made as the result is iterated. */
  list(filters: ListFilters = {}): Listing<ListedToken> {
    const query = tokenQuery(filters);
    return new Listing(async (after) => {
      const params = { query: after === undefined ? query : { ...query, "page[after]": after } };
      const { data, pagination } = await this.#connection.send(this.api.GET("/api/v1/waitpoints/tokens", { params }), "pagination");
      return { items: data, next: pagination.next };
    });
  }

  /** Complete a token with any JSON. The first completion counts; a later one succeeds with `settled` false. */
  async complete(token: TokenOrId, data?: unknown): Promise<Completion> {
    return this.#settle(token, outputOf(data));
  }

  /** Fail a token: what waits for it gets the error. */
  async fail(token: TokenOrId, message: string, options: FailOptions = {}): Promise<Completion> {
    return this.#settle(token, { error: { message, ...options } });
  }

  /** Complete the token that was created with this key, or keep the completion for the `create` that comes later. */
  async completeKey(key: string, data?: unknown, options: KeyOptions = {}): Promise<KeyCompletion> {
    return this.#settleKey(key, outputOf(data), options);
  }

  /** Fail the token that was created with this key. Else as `completeKey`. */
  async failKey(key: string, message: string, { ttl, ...options }: FailOptions & KeyOptions = {}): Promise<KeyCompletion> {
    return this.#settleKey(key, { error: { message, ...options } }, ttl === undefined ? {} : { ttl });
  }

  /** Move a waiting token's timeout: to a duration from now such as "7d", or to a date. Null removes it. */
  async extend(token: TokenOrId, timeout: Timeout | null): Promise<Schemas["MoveDeadlineResponse"]> {
    return this.#change(token, { timeout });
  }

  /** Change who may answer a waiting token's page. The same call again changes nothing. */
  async handOver(
    token: TokenOrId,
    approvers: { readonly add?: Page["approvers"]; readonly remove?: readonly string[] },
  ): Promise<Schemas["MoveDeadlineResponse"]> {
    return this.#change(token, { approvers: approvers as Schemas["MoveDeadlineRequest"]["approvers"] & object });
  }

  /** Delete a token that has settled, with all that is stored about it. One that is gone already is a success.
   *
   * With `force`, what waits for it fails first. `keptDelivery` stays, since it has settled another token, too.
   */
  async delete(token: TokenOrId, options: { force?: boolean } = {}): Promise<Schemas["DeleteWaitpointTokenResponse"]> {
    refuseUnknown(options, ["force"]);
    const params = { path: path(token), query: options.force ? { force: "true" as const } : {} };
    return this.#connection.send(this.api.DELETE("/api/v1/waitpoints/tokens/{waitpointId}", { params }));
  }

  /** Wait until a token is completed, fails or times out. It reads the token ever less often: see `WaitOptions`. */
  async wait<Output = unknown>(token: TokenOrId, options: WaitOptions = {}): Promise<Result<Output>> {
    refuseUnknown(options, ["timeout", "poll", "signal"]);
    const { timeout = Infinity, poll, signal } = options;
    const until = performance.now() + milliseconds("timeout", timeout);
    let pause = milliseconds("poll", poll ?? FIRST_PAUSE);
    for (;;) {
      const { id, result } = await this.get<Output>(token, signal && { signal });
      if (result) return result;
      const left = until - performance.now();
      if (left <= 0) throw new WaitTimeoutError(`${id} still waits`);
      await sleep(Math.min(pause, left), signal);
      if (poll === undefined) pause = Math.min(pause * PAUSE_FACTOR, LONGEST_PAUSE);
    }
  }

  /** Ask people, and wait until they decide. The same call finds the same token again, also after a crash.
   *
   * `page` is a `Page`, or the `approvalPage` of a tool's call. `run` and `call`, or `key`, name the call, with its tool and
   * arguments. A request that timed out stays so until `attempt: 2`. Warns if the call was asked before with another page or
   * other approvers. Throws TypeError if anyone with the URL could answer.
   */
  async ask<const Action extends string = "submit">(
    page: Page<Action> | ApprovalPage<Action>,
    options: AskOptions,
    waiting: Omit<WaitOptions, "timeout"> = {},
  ): Promise<Result<Answer<Action>>> {
    return this.wait<Answer<Action>>(await findOrCreate(this, page, options), waiting);
  }

  /** Create a public access token for a web page: it can complete only this token, or what `scopes` say.
   *
   * `expires` is a duration or a date, at most 30 days from now, by default "1h".
   */
  async createPublicToken(
    token: TokenOrId | null,
    options: { expires?: string | Date; scopes?: readonly string[] } = {},
  ): Promise<string> {
    refuseUnknown(options, ["expires", "scopes"]);
    const { expires = "1h", scopes = [] } = options;
    const expirationTime = expires instanceof Date ? Math.floor(expires.getTime() / 1_000) : expires;
    const all = [...scopes, ...(token === null ? [] : [`write:waitpoints:${idOf(token)}`])];
    const made = await this.#connection.send<Schemas["PublicToken"]>(
      this.#isNamedKey
        ? this.api.POST("/api/v1/auth/public-tokens", { body: { scopes: all, expirationTime } })
        : this.api.POST("/api/v1/auth/jwt", { body: { claims: { scopes: all }, expirationTime } }),
    );
    return made.token;
  }

  #settle(token: TokenOrId, body: Schemas["CompleteWaitpointTokenRequest"]): Promise<Completion> {
    return settle(this.#connection, token, body);
  }

  #settleKey(idempotencyKey: string, outcome: Schemas["CompleteWaitpointTokenRequest"], { ttl }: KeyOptions): Promise<KeyCompletion> {
    const body = { idempotencyKey, ...outcome, ...(ttl !== undefined && { idempotencyKeyTTL: ttl }) };
    return this.#connection.send(this.api.POST("/api/v1/waitpoints/complete", { body }));
  }

  #change(token: TokenOrId, body: Schemas["MoveDeadlineRequest"]): Promise<Schemas["MoveDeadlineResponse"]> {
    const params = { path: path(token) };
    return this.#connection.send(this.api.PATCH("/api/v1/waitpoints/tokens/{waitpointId}", { params, body }));
  }

  /** The link's host is not the API's: it gets no key. */
  async #download(stored: string): Promise<string> {
    const params = { path: { path: stored } };
    const { presignedUrl } = await this.#connection.send(this.api.GET("/api/v1/packets/{path}", { params }));
    const answer = await this.#connection.fetch(presignedUrl);
    if (!answer.ok) throw new WaitpointsError("The large output could not be downloaded", answer.status);
    return answer.text();
  }
}

/** Complete a token with one of the credentials that may. */
export function settle(connection: Connection, token: TokenOrId, body: Schemas["CompleteWaitpointTokenRequest"]): Promise<Completion> {
  const params = { path: path(token) };
  return connection.send(connection.api.POST("/api/v1/waitpoints/tokens/{waitpointId}/complete", { params, body }));
}

function path(token: TokenOrId): { waitpointId: string } {
  return { waitpointId: segment(idOf(token)) };
}

/** Throws TypeError for what JSON would leave out: a token cannot be completed again with what was meant. */
export function outputOf(data: unknown): { data?: unknown } {
  if (typeof data === "function" || typeof data === "symbol") throw new TypeError(`A ${typeof data} is no JSON`);
  return data === undefined ? {} : { data };
}

function resultOf<Output>(token: ListedToken, text: string | undefined): { result?: Result<Output> } {
  if (token.status === "WAITING") return {};
  const value = text === undefined ? undefined : (JSON.parse(text) as unknown);
  if (!token.outputIsError) return { result: { ok: true, output: value as Output } };
  const error = { name: "WaitpointTimeoutError", code: "", ...(value as Partial<TokenError> & { message: string }) };
  return { result: { ok: false, error, timedOut: token.status === "TIMED_OUT" } };
}

function milliseconds(name: string, value: number): number {
  if (!(value >= 0)) throw new RangeError(`${name} must be zero or more milliseconds: ${value}`);
  return value;
}
