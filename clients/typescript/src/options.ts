/** Throws TypeError for an option that would change nothing, such as `timeOut`: programs in JavaScript have no types. */
export function refuseUnknown(options: unknown, known: readonly string[]): void {
  const unknown = Object.keys(options ?? {}).find((name) => !known.includes(name));
  if (unknown) throw new TypeError(`Unknown option "${unknown}": expected one of ${known.join(", ")}`);
}
