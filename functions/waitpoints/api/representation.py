"""Tokens and named keys as the API returns them (contract R1): absent fields are omitted, times are ISO 8601."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, assert_never

from waitpoints import json_text
from waitpoints.json_text import present
from waitpoints.token import NOT_LISTED, Completed, Failed, Outcome, ReplyKind, TimedOut, Token, iso
from waitpoints.waiter_result import completed_by, error_output

if TYPE_CHECKING:
    from waitpoints.access.api_keys import NamedKey
    from waitpoints.approvers import Approver, LinkOf
    from waitpoints.complete_by_key import KeyCompletion

INLINE_LIMIT = 6_000_000  # bytes: a Lambda response is limited to 6 MiB


def retrieved(token: Token, url: str, link_of: "LinkOf | None" = str) -> dict[str, Any]:
    """Return one token in full. Trigger.dev has not all of these fields; its SDK ignores unknown ones.

    For a caller who may not complete it, `url` is empty and `link_of` None: the SDK wants a text (`z.string()`).
    """
    page = {}
    if token.page:
        from waitpoints.api import page_representation

        page = page_representation.members(token, token.page, link_of)
    return present(
        {
            **token.shown_members(),
            **_shared(token, url),
            "type": "MANUAL",
            "userProvidedIdempotencyKey": token.idempotency_key is not None,
            **_output(token.outcome),
            "completedBy": completed_by(token) if token.outcome else None,
            "waiters": [_waiter(token, key) for key in token.waiters],
            **page,
        }
    )


def _output(outcome: Outcome | None) -> dict[str, Any]:
    """Replace an output that is too large for a response by its path, which the packets route resolves to a link."""
    match outcome:
        case None:
            return {"outputType": "application/json", "outputIsError": False}
        case TimedOut() | Failed():
            return {"output": error_output(outcome), "outputType": "application/json", "outputIsError": True}
        case Completed(_, output):
            if output.json and bytes_in_an_answer(output.json) > INLINE_LIMIT:
                return {"output": output.stored_at, "outputType": "application/store", "outputIsError": False}
            return {"output": output.json, "outputType": "application/json", "outputIsError": False}
    assert_never(outcome)


def bytes_in_an_answer(text: str) -> int:
    """A text's size in Lambda's response: escaped once as a string in the body, and again as the body string."""
    return len(json_text.dumps(json_text.dumps(text)).encode())


def deadline_moved(token_id: str, timeout_at: int | None) -> dict[str, Any]:
    """Return a token's new timeout, or that it has none."""
    return present({"id": token_id, "timeoutAt": _iso(timeout_at)})


def handed_over(token: Token, added: Sequence["Approver"], link_of: "LinkOf | None") -> dict[str, Any]:
    """Return the links of those who were added, if the caller may have them."""
    from waitpoints import approvers

    approval = approvers.of_token(token)
    assert approval is not None, "a page without approvers is not handed over"
    return {"id": token.id, "links": approval.links(added, link_of) if link_of else {}}


def completed(settled: bool) -> dict[str, Any]:
    """Return what a completion came to: whether it settled the token, which had ended otherwise."""
    return {"success": True, "settled": settled}


def key_completed(completion: "KeyCompletion") -> dict[str, Any]:
    """Return what a completion by key came to: the token's id, and whether this completion made the token."""
    return {**completed(completion.has_settled), "id": completion.token_id, "created": completion.is_early}


def listed(token: Token, url: str) -> dict[str, Any]:
    """Return one token as in a list: without its output and waiters. `url` is empty as in `retrieved`."""
    return present(
        {
            **token.shown_members(NOT_LISTED),
            **_shared(token, url),
            "tags": sorted(token.tags),
            "outputIsError": isinstance(token.outcome, Failed | TimedOut),
            "page": token.listed_page,
        }
    )


def _shared(token: Token, url: str) -> dict[str, Any]:
    return {
        "url": url,
        "status": token.status,
        "completedAt": _iso(token.outcome.at if token.outcome else None),
        "completedAfter": _iso(token.timeout_at),
        "tags": list(token.tags),
    }


def _waiter(token: Token, key: str) -> dict[str, Any]:
    waiter, reply = token.waiters[key], token.replies.get(key)
    shown = {"id": key, "kind": waiter.kind, **waiter.shown_members()}
    if reply is None:
        return {**shown, "status": "UNDELIVERED" if token.outcome else "WAITING"}
    match reply.kind:
        case ReplyKind.GONE:
            return {**shown, "status": reply.kind}
        case ReplyKind.RESUMED:
            lag = reply.at - token.outcome.at if token.outcome else None
            return {**shown, "status": reply.kind, "resumedAt": iso(reply.at), "lagMs": lag}
    assert_never(reply.kind)


def _iso(instant: int | None) -> str | None:
    return None if instant is None else iso(instant)


def api_key(key: "NamedKey", used_at: int | None = None) -> dict[str, Any]:
    """Return a named key without the key itself, which is not stored."""
    return present({**key.shown_members(), "lastUsedAt": _iso(used_at)})
