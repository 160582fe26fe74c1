import type { paths } from "./api.js";
import type { Schemas } from "./types.js";

type Query = NonNullable<paths["/api/v1/waitpoints/tokens"]["get"]["parameters"]["query"]>;
type Status = Schemas["WaitpointTokenObject"]["status"];

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

const NAMES = {
  status: "filter[status]",
  tags: "filter[tags]",
  idempotencyKey: "filter[idempotencyKey]",
  createdWithin: "filter[createdAt][period]",
  createdFrom: "filter[createdAt][from]",
  createdTo: "filter[createdAt][to]",
  completedWithin: "filter[completedAt][period]",
  completedFrom: "filter[completedAt][from]",
  completedTo: "filter[completedAt][to]",
  failed: "filter[outputIsError]",
  undelivered: "filter[undelivered]",
  oldestFirst: "sort",
  pageSize: "page[size]",
  after: "page[after]",
} satisfies Record<keyof ListFilters, keyof Query>;

/** The query of a list. Throws RangeError for an empty filter, with which the API would list all. */
export function queryOf(filters: ListFilters): Query {
  const query: { [name: string]: string } = {};
  for (const [name, value] of Object.entries(filters) as [keyof ListFilters, unknown][]) {
    if (!(name in NAMES)) throw new TypeError(`Unknown filter "${name}": expected one of ${Object.keys(NAMES).join(", ")}`);
    if (value === undefined || (name === "oldestFirst" && !value)) continue;
    const text = name === "oldestFirst" ? "createdAt" : written(name, value);
    if (!text) throw new RangeError(`${name} is empty: leave it out to list all`);
    query[NAMES[name]] = text;
  }
  return query as Query;
}

function written(name: string, value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  const texts = (Array.isArray(value) ? value : [value]).map(String);
  const comma = name === "status" || name === "tags" ? texts.find((text) => text.includes(",")) : undefined;
  if (comma) throw new RangeError(`"${comma}" has a comma, at which the API separates values`);
  return texts.every(Boolean) ? texts.join(",") : "";
}
