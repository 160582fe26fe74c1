import type { TokenOrId } from "./types.js";

/** The id of a token, or of what else has an `id`. Throws TypeError for what is none. */
export function idOf(token: TokenOrId): string {
  const id: unknown = typeof token === "object" && token !== null ? token.id : token;
  if (typeof id !== "string") throw new TypeError("Expected a token, or its id");
  if (/^https?:/.test(id)) throw new TypeError("Expected a token, or its id, not its URL");
  return id;
}
