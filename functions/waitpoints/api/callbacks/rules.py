"""Check the rules in a request to create a token. Each function that returns a rule returns None if it is absent."""

from typing import TYPE_CHECKING, Any

from waitpoints.aws.services.secrets import read_usable
from waitpoints.errors import InvalidCompleteWhen, InvalidNotify, InvalidPage, InvalidVerification
from waitpoints.token import MAX_LISTED_TITLE, SINCE, Document, DocumentKind, Rules, Verification
from waitpoints.wiring import services

if TYPE_CHECKING:
    from waitpoints.api.models.create_token import CreateWaitpointTokenRequest


def check_rules(
    wanted: "CreateWaitpointTokenRequest", now: int, timeout_at: int | None
) -> tuple[Rules, Document | None, int | None]:
    """Return the rules of a request, its document, and when its page is asked again, or escalated, for the first time.

    Raises what the check of each raises, the cheapest first.
    """
    if wanted.page is not None:
        others = {"verify": wanted.verify, "completeWhen": wanted.complete_when, "payloadSchema": wanted.payload_schema}
        if other := next((name for name, value in others.items() if value is not None), None):
            raise InvalidPage("page", f"{other} is not accepted with it: a page says itself which bodies complete the token")
        rules, page = _check_page(wanted.page, wanted.notify)
        if wanted.page.keys().isdisjoint(("remind", "escalate")):
            return rules, page, None
        from waitpoints.api.page import reminder_checks

        return rules, page, now + reminder_checks.check_plan(wanted.page, timeout_at and timeout_at - now)
    if wanted.notify is not None:
        raise InvalidNotify("notify", "it needs a page: people are notified that it waits for their answer")
    document = None
    if wanted.payload_schema is not None:
        from waitpoints.api import payload_schema

        document = Document(DocumentKind.SCHEMA, payload_schema.check_schema(wanted.payload_schema))
    return Rules(check_verify(wanted.verify), check_complete_when(wanted.complete_when)), document, None


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
    from waitpoints.api.callbacks import expressions

    try:
        expressions.check_expression(expression)
    except expressions.ExpressionRefused as refusal:
        raise InvalidCompleteWhen(f"Invalid completeWhen: {refusal}") from None
    return expression


def _check_page(value: Any, wanted_notify: dict[str, Any] | None) -> tuple[Rules, Document]:
    from waitpoints.api.page import page_checks
    from waitpoints.api.page.markup import cut

    page, text = page_checks.parse(value, services.oidc_client, needs_sign_in=services.needs_sign_in)
    page_checks.check_size(page)
    notify = None
    if wanted_notify is not None:
        from waitpoints.api.notices import notify_request

        notify = notify_request.check_notify(wanted_notify, page.approval)
    rules = Rules(has_approvers=page.approval is not None, has_sign_in=page.sign_in is not None)
    since_version = max(page.since_version or 0, SINCE["outcome"] if (wanted_notify or {}).get("outcome") else 0) or None
    return rules, Document(DocumentKind.PAGE, text, notify, cut(page.title, MAX_LISTED_TITLE), since_version)
