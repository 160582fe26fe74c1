"""Check the rules in a request to create a token. Each function that returns a rule returns None if it is absent."""

from typing import TYPE_CHECKING, Any

from waitpoints import json_text
from waitpoints.aws.secrets import read_usable
from waitpoints.errors import InvalidCompleteWhen, InvalidNotify, InvalidPage, InvalidVerification
from waitpoints.token import MAX_LISTED_TITLE, Document, DocumentKind, Rules, Verification
from waitpoints.wiring import services

if TYPE_CHECKING:
    from waitpoints.api.create_request import CreateWaitpointTokenRequest


def check(wanted: "CreateWaitpointTokenRequest") -> Rules:
    """Return the rules of a request but for its document. Raises what the check of each raises."""
    return Rules(check_verify(wanted.verify), check_complete_when(wanted.complete_when))


def check_verify(value: Any) -> Verification | None:
    """Parse `verify`. Raises InvalidVerification if it is malformed, or its secret does not exist or has the wrong form."""
    if value is None:
        return None
    from waitpoints.api.providers import signatures, verify_request

    verify = verify_request.parse_verify(value)
    secret = read_usable(services.webhook_secret(verify.secret))
    if secret is None:
        name = services.webhook_secret_name(verify.secret)
        store = f"store it: waitpoints secrets put {verify.secret}"
        raise InvalidVerification(f'Invalid verify: Secrets Manager has no secret "{name}" with a text; {store}')
    signatures.check_secret(verify, secret)
    return verify


def check_complete_when(expression: str | None) -> str | None:
    """Check and return the expression. Raises InvalidCompleteWhen."""
    if expression is None:
        return None
    from waitpoints.api.deliveries import expressions

    try:
        expressions.check(expression)
    except expressions.ExpressionRefused as refusal:
        raise InvalidCompleteWhen(f"Invalid completeWhen: {refusal}") from None
    return expression


def check_document(wanted: "CreateWaitpointTokenRequest") -> Document | None:
    """Return the payloadSchema or the page of a request, with its `notify`; call it before any other rule is checked.

    Raises InvalidPayloadSchema, InvalidPage or InvalidNotify.
    """
    if wanted.page is not None:
        _check_alone(wanted)
        return _check_page(wanted.page, wanted.notify)
    if wanted.notify is not None:
        raise InvalidNotify("notify", "it needs a page: people are notified that it waits for their answer")
    return None if wanted.payload_schema is None else _check_schema(wanted.payload_schema)


def check_plan(page: Any, now: int, timeout_at: int | None) -> int | None:
    """Return when a valid page is asked again, or escalated, for the first time. Raises InvalidPage if that is too late."""
    if page is None or page.keys().isdisjoint(("remind", "escalate")):
        return None
    from waitpoints.api.page import reminder_checks

    return now + reminder_checks.check_in_time(page, None if timeout_at is None else timeout_at - now)


def _check_schema(value: Any) -> Document:
    from waitpoints.api import payload_schema

    text = json_text.dumps(value)
    payload_schema.check(text)
    return Document(DocumentKind.SCHEMA, text)


def _check_alone(wanted: "CreateWaitpointTokenRequest") -> None:
    """Check that a page comes without other rules. Raises InvalidPage."""
    others = {"verify": wanted.verify, "completeWhen": wanted.complete_when, "payloadSchema": wanted.payload_schema}
    for name, value in others.items():
        if value is not None:
            raise InvalidPage("page", f"{name} is not accepted with it: a page says itself which bodies complete the token")


def _check_page(value: Any, wanted_notify: dict[str, Any] | None) -> Document:
    from waitpoints.api.page import page_request, render

    page, text = page_request.parse(value)
    render.check_size(page)
    notify = None
    if wanted_notify is not None:
        from waitpoints.api.notices import notify_request

        notify = notify_request.check(wanted_notify, page.approval)
    return Document(DocumentKind.PAGE, text, notify, page.title[:MAX_LISTED_TITLE], has_approvers=page.approval is not None)
