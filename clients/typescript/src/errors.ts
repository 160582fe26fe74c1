import type { components } from "./api.js";

type Schemas = components["schemas"];

/** What a refusal is known by: it never changes, but the message may. */
export type ErrorCode = Schemas["Refusal"]["code"] | Schemas["ScopeRefusal"]["code"];

/** The `code` of the error of a token that timed out. Trigger.dev's SDK knows it by this text. */
export const TIMEOUT_CODE = "TRIGGER_WAITPOINT_TIMEOUT";

/** The API refused a request, or did not answer. No message has the API key or the hash of a URL. */
export class WaitpointsError extends Error {
  override readonly name: string = "WaitpointsError";
  /** HTTP's status. Undefined: there was no answer, or no request. */
  readonly status: number | undefined;
  /** Undefined: API Gateway refused, something else than a Waitpoints stack answered, or nothing did. */
  readonly code: ErrorCode | undefined;

  constructor(message: string, status?: number, code?: ErrorCode) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** `wait` gave up: the token still waits. */
export class WaitTimeoutError extends WaitpointsError {
  override readonly name = "WaitTimeoutError";
}
