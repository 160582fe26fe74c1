"""Tokens as the API shows them (contract 2.2 and 2.3): absent fields are left out, instants are ISO 8601."""

from typing import Any

from waitpoints import json_text
from waitpoints.token import Answer, Status, Token, iso
from waitpoints.waiter_result import timeout_output

INLINE_LIMIT = 6_000_000  # bytes: Lambda answers with at most 6 MiB


def retrieved(token: Token, url: str) -> dict[str, Any]:
    """One token in full. `waiters` is ours; Trigger.dev's SDK drops what it does not know.

    An output too large for an answer is left out for its path, which the packets route turns into a download link.
    """
    outcome = token.settled
    timed_out = outcome is not None and outcome.status is Status.TIMED_OUT
    output, output_type = timeout_output(token) if timed_out else outcome and outcome.output.json, "application/json"
    if outcome and output and _bytes_in_an_answer(output) > INLINE_LIMIT:
        output, output_type = outcome.output.stored_at, "application/store"
    return _without_none(
        {
            **_shared(token, url),
            "type": "MANUAL",
            "userProvidedIdempotencyKey": token.idempotency_key is not None,
            "output": output,
            "outputType": output_type,
            "outputIsError": timed_out,
            "waiters": [_waiter(token, key) for key in token.waiters],
        }
    )


def _bytes_in_an_answer(output: str) -> int:
    """An output is text in the body, and the body is text in what Lambda hands to API Gateway: quotes grow twice."""
    return len(json_text.dumps(json_text.dumps(output)).encode())


def listed(token: Token, url: str) -> dict[str, Any]:
    """One token as a list shows it: without its output and its waiters."""
    return _without_none({**_shared(token, url), "tags": sorted(token.tags)})


def _shared(token: Token, url: str) -> dict[str, Any]:
    return {
        "id": token.id,
        "url": url,
        "status": token.settled.status if token.settled else Status.WAITING,
        "completedAt": _iso(token.settled.settled_at if token.settled else None),
        "timeoutAt": _iso(token.timeout_at),
        "completedAfter": _iso(token.timeout_at),
        "idempotencyKey": token.idempotency_key,
        "idempotencyKeyExpiresAt": _iso(token.idempotency_key_expires_at),
        "tags": list(token.tags),
        "createdAt": iso(token.created_at),
    }


def _waiter(token: Token, key: str) -> dict[str, Any]:
    waiter, delivery = token.waiters[key], token.deliveries.get(key)
    shown = {"id": key, "registeredAt": iso(waiter.registered_at)}
    if delivery is None:
        return {**shown, "status": "UNDELIVERED" if token.settled else "WAITING"}
    if delivery.answer is Answer.GONE:
        return {**shown, "status": delivery.answer}
    lag = delivery.at - token.settled.settled_at if token.settled else None
    return {**shown, "status": delivery.answer, "resumedAt": iso(delivery.at), "lagMs": lag}


def _iso(instant: int | None) -> str | None:
    return None if instant is None else iso(instant)


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
