import ky, { HTTPError, TimeoutError } from "ky";
import createClient, { type Client } from "openapi-fetch";
import type { paths } from "./api.js";
import { isBrowser } from "./environment.js";
import { type ErrorCode, WaitpointsError } from "./errors.js";
import { VERSION } from "./version.js";

/** The whole API, typed: `api.GET("/api/v1/endpoints/{name}", { params: { path: { name } } })`. */
export type Api = Client<paths>;
type Fetch = typeof globalThis.fetch;
interface Exchange<Data> {
  readonly data?: Data;
  readonly error?: unknown;
  readonly response: Response;
}

const ATTEMPTS = 5;
const LONGEST_REQUEST = 35_000; // milliseconds: API Gateway answers within 30 seconds
const RETRIED = new Set([408, 409, 429]);
const SECRET = /(\/callback\/|\/endpoints\/[a-z0-9-]+\/)[0-9a-f]{64,}/gi;

/** Requests to one stack. The same credential is sent with each, and none is followed to another address. */
export class Connection {
  readonly url: string;
  readonly api: Api;
  readonly fetch: Fetch;
  readonly #credential: string;

  constructor(url: string, credential: string, fetch?: Fetch) {
    this.url = addressOf(url);
    if (!/^[\x21-\x7e]+$/.test(credential)) throw new WaitpointsError("This is no key: it has spaces, line breaks or other letters");
    this.#credential = credential;
    this.fetch = retrying(fetch);
    const agent = isBrowser() ? {} : { "user-agent": `waitpoints-client-js/${VERSION}` };
    const headers = { authorization: `Bearer ${credential}`, accept: "application/json", ...agent };
    this.api = createClient<paths>({ baseUrl: this.url, fetch: this.fetch, headers, redirect: "manual" });
  }

  /** Return what the API answered, which has this member, with the response. Throws `WaitpointsError`. */
  async answer<Data>(exchange: Promise<Exchange<Data>>, member?: keyof Data): Promise<{ data: Data & object; response: Response }> {
    const { data, error, response } = await exchange.catch((thrown: unknown) => {
      throw thrown instanceof SyntaxError ? this.#notTheApi() : thrown;
    });
    if (!response.ok) throw this.#refusal(response, error);
    if (typeof data !== "object" || data === null || (member !== undefined && !(member in data))) throw this.#notTheApi(response.status);
    return { data, response };
  }

  async send<Data>(exchange: Promise<Exchange<Data>>, member?: keyof Data): Promise<Data & object> {
    return (await this.answer(exchange, member)).data;
  }

  #refusal(response: Response, body: unknown): WaitpointsError {
    const { error, message, code } = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
    const sentence = [error, message].find((said) => typeof said === "string") ?? (response.statusText || "no reason");
    const shown = String(sentence).replaceAll(this.#credential, "…").replace(SECRET, "$1…") + this.#advice(response, code);
    return new WaitpointsError(shown, response.status, typeof code === "string" ? (code as ErrorCode) : undefined);
  }

  /** What helps if the URL is not the stack's: the API has a code in each 404. */
  #advice({ status }: Response, code: unknown): string {
    if (status < 400) return ": a redirect is not followed. Check the URL";
    return status === 404 && code === undefined ? `: check the URL ${this.url}, expected the stack's ApiUrl` : "";
  }

  #notTheApi(status?: number): WaitpointsError {
    return new WaitpointsError(`${new URL(this.url).host} did not answer as the Waitpoints API does: check the URL`, status);
  }
}

function addressOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !/^https?:$/.test(parsed.protocol)) throw new WaitpointsError(`url must begin with https:// or http://: ${url}`);
  return parsed.href.replace(/\/+$/, "");
}

/** A fetch that repeats what can succeed later. Trigger.dev's SDK has the same rules. */
function retrying(fetch?: Fetch): Fetch {
  const client = ky.create({
    fetch: async (input, init) => whole(await (fetch ?? globalThis.fetch)(input, init)),
    timeout: LONGEST_REQUEST,
    retry: {
      limit: ATTEMPTS - 1,
      methods: ["get", "post", "put", "patch", "delete"],
      delay: (attempt) => 1_000 * 1.6 ** (attempt - 1),
      maxRetryAfter: 30_000,
      retryOnTimeout: true,
      statusCodes: [...RETRIED, ...Array.from({ length: 100 }, (_, number) => 500 + number)],
      shouldRetry: ({ error }) => (error instanceof HTTPError ? ASKED[error.response.headers.get("x-should-retry") ?? ""] : undefined),
    },
  });
  return async (input, init) => {
    const { host } = new URL(input instanceof Request ? input.url : input);
    try {
      return await client(input, init);
    } catch (error) {
      if (error instanceof HTTPError) return error.response;
      if (error instanceof TimeoutError) throw new WaitpointsError(`${host} did not answer in time`);
      if (error instanceof TypeError) throw new WaitpointsError(`${host} did not answer: ${reason(error)}`);
      throw error;
    }
  };
}

/** Return a response whose body has arrived: one that is cut off is an attempt that failed. */
async function whole(response: Response): Promise<Response> {
  await response.clone().arrayBuffer();
  return response;
}

const ASKED: { readonly [header: string]: boolean } = { true: true, false: false };

/** Node.js names the reason in the cause, such as ECONNREFUSED. */
function reason(error: Error): string {
  const { code, message } = (error.cause ?? {}) as { code?: string; message?: string };
  return code ?? (message || error.message);
}

/** A part of a path. Throws for one that would name another path. */
export function segment(text: string): string {
  if (["", ".", ".."].includes(text)) throw new RangeError(`"${text}" is no id and no name`);
  return text;
}
