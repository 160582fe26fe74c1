import { type Connection, segment } from "./http.js";
import type { CreatedKey, NamedKey } from "./types.js";

/** The named keys of a stack. Only a client with the root key may use them. */
export class Keys {
  readonly #connection: Connection;

  /** @internal */
  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Make a key for one program. No other answer has its `key`. `expires` is a duration such as "90d"; by default never. */
  async create(name: string, scopes: readonly string[], { expires }: { expires?: string } = {}): Promise<CreatedKey> {
    const body = { name, scopes: [...scopes], ...(expires !== undefined && { expiresIn: expires }) };
    return this.#connection.send(this.#connection.api.POST("/api/v1/keys", { body }));
  }

  /** List all keys by name, and when each was last used. */
  async list(): Promise<readonly NamedKey[]> {
    return (await this.#connection.send(this.#connection.api.GET("/api/v1/keys"))).data;
  }

  /** Take a key away: within a minute it opens nothing. */
  async revoke(name: string): Promise<void> {
    await this.#connection.send(this.#connection.api.DELETE("/api/v1/keys/{name}", { params: { path: { name: segment(name) } } }));
  }
}
