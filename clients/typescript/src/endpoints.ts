import { type Connection, segment } from "./http.js";
import { Listing } from "./listing.js";
import type { Endpoint, EndpointOptions, EndpointTrial, EndpointWithDeliveries, Schemas } from "./types.js";

const ENDPOINT = "/api/v1/endpoints/{name}";

/** The endpoints of a stack. An endpoint is one URL for a provider's whole account. */
export class Endpoints {
  readonly #connection: Connection;

  /** @internal */
  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Make an endpoint, or replace all settings of an existing one. */
  async put(name: string, options: EndpointOptions): Promise<Endpoint> {
    return this.#connection.send(this.#connection.api.PUT(ENDPOINT, { params: named(name), body: options as Schemas["PutEndpointRequest"] }));
  }

  /** Retrieve an endpoint, and what became of its deliveries. */
  async get(name: string): Promise<EndpointWithDeliveries> {
    return this.#connection.send(this.#connection.api.GET(ENDPOINT, { params: named(name) }));
  }

  /** List endpoints by name. Requests are made as the result is iterated. */
  list({ pageSize }: { pageSize?: number } = {}): Listing<Endpoint> {
    return new Listing(async (after) => {
      const query = { ...(pageSize !== undefined && { "page[size]": pageSize }), ...(after !== undefined && { "page[after]": after }) };
      const { data, pagination } = await this.#connection.send(this.#connection.api.GET("/api/v1/endpoints", { params: { query } }));
      return { items: data, next: pagination.next };
    });
  }

  /** Answer deliveries with 503, within a minute, so that the provider sends them again later. */
  async disable(name: string): Promise<Endpoint> {
    return this.#connection.send(this.#connection.api.PATCH(ENDPOINT, { params: named(name), body: { disabled: true } }));
  }

  /** Process the deliveries to a disabled endpoint again, within a minute. */
  async enable(name: string): Promise<Endpoint> {
    return this.#connection.send(this.#connection.api.PATCH(ENDPOINT, { params: named(name), body: { disabled: false } }));
  }

  /** Delete an endpoint. Its URL never becomes valid again. */
  async delete(name: string): Promise<void> {
    await this.#connection.send(this.#connection.api.DELETE(ENDPOINT, { params: named(name) }));
  }

  /** Say what would become of a delivery, step by step, and change nothing. */
  async test(name: string, delivery: { body?: unknown; headers?: Record<string, string>; query?: string } = {}): Promise<EndpointTrial> {
    return this.#connection.send(this.#connection.api.POST(`${ENDPOINT}/test`, { params: named(name), body: delivery }));
  }
}

function named(name: string): { path: { name: string } } {
  return { path: { name: segment(name) } };
}
