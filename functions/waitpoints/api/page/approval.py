"""What one approver is shown behind their own link, and how their answer is received.

The hash of the link says whose it is. Whether they may answer is read from the token's page: see `approvers`. A choice is
answered with the page itself: its URL names the approver, so a browser is sent nowhere else.
"""

from dataclasses import replace

from waitpoints import answers, telemetry
from waitpoints.api.http import RECEIVED, Request, Response
from waitpoints.api.page import definition, html, reception
from waitpoints.api.page.form import Submission, Values
from waitpoints.api.page.people import People
from waitpoints.api.page.reception import Asked
from waitpoints.api.page.standing import Standing, find_asked
from waitpoints.decisions import Choice, Recorded
from waitpoints.errors import NotAsked, PayloadRefused
from waitpoints.token import Origin, Token
from waitpoints.wiring import services


def show(request: Request, token_id: str, approver: str) -> Response:
    """The page of a token as one of its approvers sees it now. Raises TokenNotFound and NotAsked."""
    return _show(request, _standing(services.tokens.retrieve(token_id), approver))


def refuse_plain(request: Request, token_id: str, sender: Origin) -> Response:
    """Refuse a choice that came to the callback URL itself. Raises NotAsked for a program."""
    services.tokens.count_delivery(token_id, None, sender)
    if not request.is_of_person:
        raise NotAsked("Each approver answers by a link of their own, which this URL is not")
    return replace(reception.show(request, token_id), status=403)


def receive(request: Request, token_id: str, approver: str, body: bytes, sender: Origin) -> Response:
    """Record what an approver chose, or ask again. Raises TokenNotFound, NotAsked, and PayloadRefused for a program."""
    sender = replace(sender, query=None)  # it names the approver
    token = services.tokens.find(token_id)
    standing = _standing(token, approver)
    if not standing.is_open:
        return _receive_again(request, standing, body, sender)

    def settle(choice: Submission) -> Response:
        answers.check_size(choice.output)
        return _record(request, standing, choice, sender)

    people = People(reception.look(request), standing)
    asked = Asked(request, token_id, standing.page, settle, lambda: token.timeout_at, people)
    try:
        return reception.read_choice(asked, body, sender)
    except PayloadRefused:
        services.tokens.count_delivery(token_id, None, sender)
        raise


def _standing(token: Token, approver: str) -> Standing:
    page = definition.load(token.page)
    person = find_asked(token, page, approver)
    if person is None:
        raise NotAsked("This person is not, or not yet, among those who may answer")
    return Standing(page, token, person)


def _receive_again(request: Request, standing: Standing, body: bytes, sender: Origin) -> Response:
    """Answer a person who has answered before, or comes after the end. Nothing that they send changes anything.

    The same choice as before is theirs, and not counted as another delivery.
    """
    choice = reception.read(request, standing.page, body)
    if isinstance(choice, Submission):
        return _record(request, standing, choice, sender)
    return _pass_over(request, standing, sender)


def _record(request: Request, standing: Standing, choice: Submission, sender: Origin) -> Response:
    person = standing.person
    assert person is not None, "the link names a person"
    chosen = Choice(person.id, choice.action.id, choice.fields_text, choice.action.needs)
    most = len(standing.approval.everybody())
    result = services.decisions.answer(standing.token, most, chosen, sender, answers.decided_text)
    now = replace(standing, token=result.token)
    if not (isinstance(result, Recorded) and result.is_this):
        return _pass_over(request, now, sender)
    if not request.is_of_person:
        return RECEIVED
    if now.token.outcome is None or now.decided_by != person:
        return _show(request, now, choice.values)
    people, at = People(reception.look(request), now), reception.time_of(now.token.outcome.at)
    return reception.answer(request, html.done(now.page, choice, at, people.look, people=people))


def _pass_over(request: Request, standing: Standing, sender: Origin) -> Response:
    """Count an answer that changed nothing, and show how the token stands now: it is as of now."""
    services.tokens.count_delivery(standing.token.id, standing.token.outcome, sender)
    telemetry.note(tokenId=standing.token.id, won=False)
    if not request.is_of_person:
        return RECEIVED
    return _show(request, replace(standing, is_late=True))


def _show(request: Request, standing: Standing, values: Values | None = None) -> Response:
    people = People(reception.look(request), standing)
    if standing.token.outcome is None and standing.own_answer:
        return reception.answer(request, html.answered(standing.page, people.look, people, values))
    return reception.answer(request, reception.page_of(standing.token, standing.page, people.look, people))
