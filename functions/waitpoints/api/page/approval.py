"""What one approver is shown behind their own link, and how their answer is received.

The hash of the link says whose it is. Whether they may answer is read from the token's page: see `approvers`.
"""

from dataclasses import replace
from typing import assert_never

from waitpoints import answers, telemetry
from waitpoints.api.http import RECEIVED, Request, Response
from waitpoints.api.page import definition, html, reception
from waitpoints.api.page.definition import Page
from waitpoints.api.page.form import Submission
from waitpoints.api.page.reception import Asked
from waitpoints.api.page.standing import Standing, find_asked
from waitpoints.decisions import Choice, Recorded, TooLate
from waitpoints.errors import BodyTooLarge, Forbidden
from waitpoints.token import Origin, Token
from waitpoints.wiring import services

MAX_ANSWER = 3_072  # bytes of JSON: the token's item has room for every answer


def show(request: Request, token_id: str, approver: str) -> Response:
    """The page of a token as one of its approvers sees it now. Raises TokenNotFound and Forbidden."""
    token = services.tokens.retrieve(token_id)
    return reception.answer(request, _page(request, _standing(token, approver)))


def show_plain(request: Request, token: Token, page: Page) -> Response:
    """The page behind the callback URL itself, where nobody can answer."""
    look = reception.look(request)
    if token.outcome is None:
        return reception.answer(request, html.unanswerable(page, look))
    return reception.answer(request, reception.page_of(token, page, look))


def refuse_plain(request: Request, token_id: str, sender: Origin) -> Response:
    """Refuse a choice that came to the callback URL itself. Raises Forbidden for a program."""
    services.tokens.count_delivery(token_id, None, sender)
    if not request.is_of_person:
        raise Forbidden("Each approver answers by a link of their own, which this URL is not")
    token = services.tokens.retrieve(token_id)
    return replace(show_plain(request, token, definition.load(token.page)), status=403)


def receive(request: Request, token_id: str, approver: str, body: bytes, sender: Origin) -> Response:
    """Record what an approver chose, or ask again. Raises TokenNotFound, Forbidden, and PayloadRefused for a program."""
    token = services.tokens.find(token_id)
    standing = _standing(token, approver)

    def settle(choice: Submission) -> Response:
        return _record(request, standing, choice, replace(sender, query=None))  # the query names the approver

    asked = Asked(request, token_id, standing.page, settle, lambda: token.timeout_at, standing)
    return reception.read_choice(asked, body, sender)


def _standing(token: Token, approver: str) -> Standing:
    page = definition.load(token.page)
    person = find_asked(token, page, approver)
    if person is None:
        raise Forbidden("This person is not, or not yet, among those who may answer")
    return Standing(page, token, person)


def _record(request: Request, standing: Standing, choice: Submission, sender: Origin) -> Response:
    person, token = standing.person, standing.token
    assert person is not None, "the link names a person"
    if len(choice.output.encode("utf-8", "surrogatepass")) > MAX_ANSWER:
        raise BodyTooLarge(f"An answer of one of several people can have at most {MAX_ANSWER:,} bytes of JSON")
    chosen = Choice(person.id, choice.action.id, choice.fields_text, choice.action.needs)
    people = len(standing.approval.everybody())
    match services.decisions.answer(token, people, chosen, sender, answers.decided_text):
        case Recorded(now, own, is_this):
            if not is_this:
                services.tokens.count_delivery(token.id, now.outcome, sender)
                telemetry.note(answered=own.action)
        case TooLate(now):
            services.tokens.count_delivery(token.id, now.outcome, sender)
        case never:
            assert_never(never)
    if not request.is_of_person:
        return RECEIVED
    return reception.answer(request, _page(request, replace(standing, token=now)))


def _page(request: Request, standing: Standing) -> str:
    look = reception.look(request)
    if standing.token.outcome is None and standing.own_answer:
        return html.answered(standing, look)
    return reception.page_of(standing.token, standing.page, look, standing)
