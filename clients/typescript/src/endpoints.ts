import { type DeliveryFilters, deliveryQuery } from "./filters.js";
import { type Connection, segment } from "./http.js";
import { Listing } from "./listing.js";
import { idOf } from "./token-id.js";
import type { Endpoint, EndpointOptions, EndpointTrial, EndpointWithDeliveries, RecordedDelivery, Schemas, TokenOrId } from "./types.js";

const ENDPOINT = "/api/v1/endpoints/{name}";
const DELIVERY = `${ENDPOINT}/deliveries/{deliveryId}` as const;

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

  /** List the deliveries that an endpoint recorded, the newest first. Needs the scope deliveries, as the next two methods. */
  deliveries(name: string, filters: DeliveryFilters = {}): Listing<RecordedDelivery> {
    const query = deliveryQuery(filters);
    return new Listing(async (after) => {
      const params = { ...named(name), query: after === undefined ? query : { ...query, "page[after]": after } };
      const { data, pagination } = await this.#connection.send(this.#connection.api.GET(`${ENDPOINT}/deliveries`, { params }));
      return { items: data, next: pagination.next };
    });
  }

  /** Retrieve a recorded delivery with its headers, query and body. */
  async delivery(name: string, delivery: TokenOrId): Promise<Schemas["RetrievedDelivery"]> {
    return this.#connection.send(this.#connection.api.GET(DELIVERY, { params: recorded(name, delivery) }));
  }

  /** Send a recorded delivery again: to the token that waits for its key now, or to a `token`.
   *
   * Returns the record of it. The same `idempotencyKey` sends it once. Also needs the scope complete.
   */
  async resend(
    name: string,
    delivery: TokenOrId,
    { token, idempotencyKey }: { readonly token?: TokenOrId; readonly idempotencyKey?: string } = {},
  ): Promise<RecordedDelivery> {
    const body = {
      ...(token !== undefined && { tokenId: idOf(token) }),
      ...(idempotencyKey !== undefined && { idempotencyKey }),
    };
    return this.#connection.send(this.#connection.api.POST(`${DELIVERY}/resend`, { params: recorded(name, delivery), body }));
  }
}

function recorded(name: string, delivery: TokenOrId): { path: { name: string; deliveryId: string } } {
  return { path: { name: segment(name), deliveryId: segment(idOf(delivery)) } };
}

function named(name: string): { path: { name: string } } {
  return { path: { name: segment(name) } };
}
