interface Surroundings {
  readonly process?: {
    readonly env?: { readonly [name: string]: string | undefined };
    readonly emitWarning?: (message: string, kind: string) => void;
  };
  readonly document?: unknown;
  readonly navigator?: { readonly userAgent?: string };
}
const surroundings = globalThis as Surroundings;

/** Whether this runs in a browser's page or worker, where everyone can read a key. */
export function isBrowser(): boolean {
  return surroundings.document !== undefined || (surroundings.navigator?.userAgent ?? "").startsWith("Mozilla/");
}

export function variable(name: string): string | undefined {
  return surroundings.process?.env?.[name] || undefined;
}

/** Show a warning as the runtime does: Node.js writes it to standard error, and to listeners of `warning`. */
export function warn(message: string): void {
  surroundings.process?.emitWarning?.(message, "WaitpointsWarning");
}
