import { outputOf, settle } from "./client.js";
import { WaitpointsError } from "./errors.js";
import { Connection } from "./http.js";
import type { Completion, TokenOrId } from "./types.js";

const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** A client that can only complete: for a web page, with a public access token that a server made. */
export class PublicWaitpoints {
  readonly #connection: Connection;

  /** Throws for an API key, which must not be in a browser. */
  constructor({ url, publicAccessToken }: { readonly url: string; readonly publicAccessToken: string }) {
    if (!JWT.test(publicAccessToken)) {
      throw new WaitpointsError("This is no public access token: use that of `create` or `createPublicToken`, never an API key");
    }
    this.#connection = new Connection(url, publicAccessToken);
  }

  /** Complete the token with any JSON. The first completion counts; a later one succeeds with `settled` false. */
  async complete(token: TokenOrId, data?: unknown): Promise<Completion> {
    return settle(this.#connection, token, outputOf(data));
  }
}
