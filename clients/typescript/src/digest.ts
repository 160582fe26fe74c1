import canonicalize from "canonicalize";

type Path = readonly (string | number)[];

/** Return the SHA-256 of a value's canonical JSON (RFC 8785), as the Python client does. Throws TypeError for what is no JSON.
 *
 * For RFC 8785, numbers are doubles. So that no two ids of a database are one, a larger bigint becomes text, and the paths of
 * all such texts are part of what is digested.
 */
export async function digest(value: { readonly [name: string]: unknown }): Promise<string> {
  const large: Path[] = [];
  const plain = plainOf(value, [], large);
  const text = canonicalize(large.length ? [plain, large] : plain);
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Return the value as RFC 8785 can write it. Adds the paths of larger integers to `large`. */
function plainOf(value: unknown, path: Path, large: Path[]): unknown {
  if (path.length > 500) throw new TypeError("It is nested too deeply for JSON");
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "string") return text(value, path);
  if (typeof value === "bigint") return integer(value, path, large);
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (Array.isArray(value)) return Array.from(value, (item, at) => plainOf(item, [...path, at], large));
  if (isPlain(value)) return membersOf(value, path, large);
  throw refusal(path, `${kind(value)} is no type of JSON`);
}

function membersOf(value: object, path: Path, large: Path[]): { [name: string]: unknown } {
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  const sorted = members.sort(([one], [other]) => (byCodePoint(one) < byCodePoint(other) ? -1 : 1));
  return Object.fromEntries(sorted.map(([name, member]) => [text(name, path), plainOf(member, [...path, name], large)]));
}

/** Python compares texts by code points, JavaScript by halves of surrogate pairs. */
function byCodePoint(name: string): string {
  return Array.from(name, (character) => character.codePointAt(0)?.toString(16).padStart(6, "0")).join("");
}

function integer(value: bigint, path: Path, large: Path[]): number | string {
  if (BigInt.asIntN(54, value) === value && value > -(2n ** 53n)) return Number(value);
  large.push(path);
  return value.toString(16);
}

function text(value: string, path: Path): string {
  if (/\p{Surrogate}/u.test(value)) throw refusal(path, "half of a surrogate pair is no text");
  return value;
}

function isPlain(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value) as unknown;
  return prototype === null || Object.getPrototypeOf(prototype as object) === null;
}

function kind(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  return (value.constructor as { name?: string } | undefined)?.name ?? "object";
}

function refusal(path: Path, reason: string): TypeError {
  const shown = path.map((name) => (typeof name === "number" ? `[${name}]` : `.${name}`)).join("");
  return new TypeError(`${shown.replace(/^\./, "")}: ${reason}`);
}
