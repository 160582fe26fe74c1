"""Apply a token's rules to a delivery to its callback URL, or to a request to complete it.

A token without rules settles in one conditional write. If the token has rules, that write fails and returns them:

    verify          401 unless the delivery is signed. A handshake of Zoom, Xero or Discord is answered after that.
    completeWhen    200, but the token settles only if the delivery matches
    payloadSchema   422 unless the body matches; also for a request to complete
    page            422 unless the body is one of the page's actions, with fields that fit; also for a request to complete
    its approvers   403: only they answer, each by a link of their own. An API key completes the token all the same
    its sign-in     403: only who signs in answers. The root key alone completes the token all the same, by its id

A delivery that does not settle the token is counted in a separate item and changes nothing else. Each rule imports what it
needs, so only tokens with that rule pay for it.
"""

from typing import TYPE_CHECKING, assert_never

from waitpoints import telemetry
from waitpoints.access.caller import ROOT, Caller
from waitpoints.api.callbacks import callback_body
from waitpoints.api.http import RECEIVED, Request, Response
from waitpoints.api.providers.completed_by import read_completed_by
from waitpoints.errors import Forbidden, PayloadRefused, ResendRefused, WrongSignature
from waitpoints.token import (
    ALL_BUT_APPROVERS,
    ALL_BUT_DOCUMENT,
    ALL_CHECKED,
    NOTHING_CHECKED,
    OVERRIDDEN,
    CompletedBy,
    IdempotencyKey,
    Rule,
    Rules,
    Source,
    TokenError,
)
from waitpoints.tokens import Ended, Result, RulesApply, Settled
from waitpoints.wiring import services

if TYPE_CHECKING:
    from waitpoints.complete_by_key import KeyCompletion

_SIGN_IN = "Only who signs in, and the root key by its id, complete this waitpoint"


def receive(request: Request, token_id: str, body: bytes) -> Response:
    """Settle a token with a delivery, or count the delivery. Raises WrongSignature, PayloadRefused and NotAsked."""
    by = read_completed_by(request, Source.CALLBACK)
    output = callback_body.output(body, request.headers.get("content-type", ""))
    match services.tokens.complete(token_id, output, by, NOTHING_CHECKED):
        case Settled():
            return RECEIVED
        case Ended(_, Rules(has_page=True)) | RulesApply(Rules(has_page=True)) as found:
            from waitpoints.api.page import visit

            return visit.receive(request, token_id, found, body, by)
        case Ended(outcome, _):
            services.tokens.count_delivery(token_id, outcome, by)
            return RECEIVED
        case RulesApply(rules):
            try:
                return _receive_by_rules(rules, request, token_id, body, output, by)
            except (WrongSignature, PayloadRefused):
                services.tokens.count_delivery(token_id, None, by)
                raise
        case never:
            assert_never(never)


def complete(
    token_id: str,
    result: Result,
    by: CompletedBy,
    caller: Caller = ROOT,
    *,
    by_api_key: bool = True,
    by_root_key: bool = False,
) -> bool:
    """Settle a token as an authorized caller requests. Returns whether this did.

    Raises PayloadRefused, Forbidden without the API key, or without the root key where people sign in, and OutsideTag unless
    it has the tag that limits the caller.
    """
    final = OVERRIDDEN if by_root_key else ALL_CHECKED
    checked = final if by_api_key else ALL_BUT_APPROVERS
    if not isinstance(result, TokenError):
        checked = ALL_BUT_DOCUMENT
    completion = services.tokens.complete(token_id, result, by, checked, caller)
    if isinstance(completion, RulesApply):
        if completion.rules.has_sign_in and not by_root_key:
            raise Forbidden(_SIGN_IN)
        if completion.rules.has_approvers and not by_api_key:
            raise Forbidden("Only its approvers and the API key complete this waitpoint")
        assert not isinstance(result, TokenError), "only an output is checked"
        accepted = _check_output(token_id, completion.rules, result)
        completion = services.tokens.complete(token_id, accepted, by, final, caller)
    return isinstance(completion, Settled)


def complete_by_key(
    key: IdempotencyKey, result: Result, by: CompletedBy, checked: frozenset[Rule] = ALL_CHECKED
) -> "KeyCompletion":
    """Complete the token of a key as an authorized caller requests, or keep the completion. `checked`: all but its document.

    Raises PayloadRefused, also if the token has other rules.
    """
    completion = services.completions_by_key.complete(key, result, by, checked=checked)
    while isinstance(completion.result, RulesApply):
        assert completion.token_id is not None
        if completion.result.rules.has_approvers and by.source is Source.ENDPOINT:
            raise PayloadRefused("The token of this key is answered by its approvers only")
        if completion.result.rules.has_sign_in:
            raise Forbidden(_SIGN_IN)
        if not completion.result.rules.are_met(checked):
            raise PayloadRefused(ResendRefused.sentence)
        assert not isinstance(result, TokenError), "only an output is checked"
        accepted = _check_output(completion.token_id, completion.result.rules, result)
        completion = services.completions_by_key.complete(key, accepted, by, completion.token_id, checked)
    return completion


def _receive_by_rules(
    rules: Rules, request: Request, token_id: str, body: bytes, output: str | None, by: CompletedBy
) -> Response:
    if rules.verify:
        from waitpoints.api.providers import verification

        if answer := verification.check(rules.verify, request, services.urls.url(token_id, request.api_url), body):
            return answer
    if rules.complete_when:
        from waitpoints.api.callbacks import expressions

        scope = expressions.scope(output or "null", request.headers, request.raw_query)
        if not expressions.matches(rules.complete_when, scope):
            telemetry.count("DeliveriesPassedOver")
            services.tokens.count_delivery(token_id, None, by)
            return RECEIVED
    _check_output(token_id, rules, output)
    match services.tokens.complete(token_id, output, by):
        case Ended(outcome, _):
            services.tokens.count_delivery(token_id, outcome, by)
        case Settled() | RulesApply():
            pass
    return RECEIVED


def _check_output(token_id: str, rules: Rules, output: str | None) -> str | None:
    """Return the output that the run gets. Raises PayloadRefused unless it fits the token's payloadSchema or page."""
    from waitpoints.api.callbacks import output_check

    try:
        return output_check.accept(token_id, rules, output)
    except PayloadRefused:
        telemetry.count("PayloadsRefused")
        raise
