import type { paths } from "./api.js";
import type { Schemas } from "./types.js";

type TokenQuery = NonNullable<paths["/api/v1/waitpoints/tokens"]["get"]["parameters"]["query"]>;
type DeliveryQuery = NonNullable<paths["/api/v1/endpoints/{name}/deliveries"]["get"]["parameters"]["query"]>;
type Status = Schemas["WaitpointTokenObject"]["status"];
type DeliveryKind = Schemas["RecordedDelivery"]["kind"];

/** Which tokens `list` returns: those that pass all filters. Instants are inclusive. */
export interface ListFilters {
  /** One status, or any of several. */
  readonly status?: Status | readonly Status[];
  /** A tag, or any of several. */
  readonly tags?: string | readonly string[];
  /** The key that the token was created with, even if it has expired. */
  readonly idempotencyKey?: string;
  /** Created within this duration before now, such as "7d". */
  readonly createdWithin?: string;
  readonly createdFrom?: Date | string;
  readonly createdTo?: Date | string;
  /** Completed or timed out within this duration before now. */
  readonly completedWithin?: string;
  readonly completedFrom?: Date | string;
  readonly completedTo?: Date | string;
  /** True: only tokens that failed or timed out. False: all others, also those that wait. */
  readonly failed?: boolean;
  /** Only settled tokens with a waiter that could not be resumed. Goes with `created…` and `oldestFirst` alone. */
  readonly undelivered?: true;
  /** By default the newest comes first. */
  readonly oldestFirst?: boolean;
  /** How many tokens one request asks for, 1 to 100. By default 25. */
  readonly pageSize?: number;
  /** Begin after this cursor: `next` of a page. */
  readonly after?: string;
}

/** Which recorded deliveries `endpoints.deliveries` returns: those that pass all filters. Instants are inclusive. */
export interface DeliveryFilters {
  /** What became of it: one kind, or any of several. */
  readonly kind?: DeliveryKind | readonly DeliveryKind[];
  /** The whole key that it named. */
  readonly key?: string;
  /** The provider's id of its event. */
  readonly deliveryId?: string;
  /** Received within this duration before now, such as "7d". */
  readonly createdWithin?: string;
  readonly createdFrom?: Date | string;
  readonly createdTo?: Date | string;
  /** How many deliveries one request asks for, 1 to 100. By default 25. */
  readonly pageSize?: number;
  /** Begin after this cursor: `next` of a page. */
  readonly after?: string;
}

const OF_ALL = {
  createdWithin: "filter[createdAt][period]",
  createdFrom: "filter[createdAt][from]",
  createdTo: "filter[createdAt][to]",
  pageSize: "page[size]",
  after: "page[after]",
} as const;
const OF_TOKENS = {
  ...OF_ALL,
  status: "filter[status]",
  tags: "filter[tags]",
  idempotencyKey: "filter[idempotencyKey]",
  completedWithin: "filter[completedAt][period]",
  completedFrom: "filter[completedAt][from]",
  completedTo: "filter[completedAt][to]",
  failed: "filter[outputIsError]",
  undelivered: "filter[undelivered]",
  oldestFirst: "sort",
} as const satisfies Record<keyof ListFilters, keyof TokenQuery>;
const OF_DELIVERIES = {
  ...OF_ALL,
  kind: "filter[kind]",
  key: "filter[key]",
  deliveryId: "filter[deliveryId]",
} as const satisfies Record<keyof DeliveryFilters, keyof DeliveryQuery>;

/** The query of a list. Throws RangeError for an empty filter, with which the API would list all. */
export function tokenQuery(filters: ListFilters): TokenQuery {
  return queryOf(filters, OF_TOKENS);
}

/** As `tokenQuery`. */
export function deliveryQuery(filters: DeliveryFilters): DeliveryQuery {
  return queryOf(filters, OF_DELIVERIES);
}

function queryOf(filters: object, names: { readonly [filter: string]: string }): object {
  const query: { [parameter: string]: string } = {};
  for (const [name, value] of Object.entries(filters) as [string, unknown][]) {
    const parameter = Object.hasOwn(names, name) ? names[name] : undefined;
    if (!parameter) throw new TypeError(`Unknown filter "${name}": expected one of ${Object.keys(names).sort().join(", ")}`);
    if (value === undefined || (name === "oldestFirst" && !value)) continue;
    const text = name === "oldestFirst" ? "createdAt" : written(name, value);
    if (!text) throw new RangeError(`${name} is empty: leave it out to list all`);
    query[parameter] = text;
  }
  return query;
}

function written(name: string, value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  const texts = (Array.isArray(value) ? value : [value]).map(String);
  const comma = ["status", "tags", "kind"].includes(name) ? texts.find((text) => text.includes(",")) : undefined;
  if (comma) throw new RangeError(`"${comma}" has a comma, at which the API separates values`);
  return texts.every(Boolean) ? texts.join(",") : "";
}
