"""What one approver is shown behind their own link, and how their answer is received.

The hash of the link says whose it is. Whether they may answer is read from the token's page: see `approvers`. A choice is
answered with the page itself: its URL names the approver, so a browser is sent nowhere else.
"""

from dataclasses import replace

from waitpoints import answers, json_text, telemetry
from waitpoints.api.http import RECEIVED, Request, Response
from waitpoints.api.page import definition, page_answer, render, words
from waitpoints.api.page.fields import Problem
from waitpoints.api.page.form import Errors, Submission, Values
from waitpoints.api.page.progress import Progress
from waitpoints.approvers import find_approver
from waitpoints.decisions import ApproverChoice, Differs, Recorded, Removed
from waitpoints.errors import NotAsked, PayloadRefused
from waitpoints.token import CompletedBy, Token
from waitpoints.wiring import services


def show(request: Request, token_id: str, approver: str) -> Response:
    """The page of a token as one of its approvers sees it now. Raises TokenNotFound and NotAsked."""
    token = services.tokens.retrieve(token_id)
    if token.has_removed(approver):
        return _refuse_removed(request, token)
    return _show(request, _progress(request, token, approver))


def refuse_plain(request: Request, token_id: str, by: CompletedBy) -> Response:
    """Refuse a choice that came to the callback URL itself. Raises NotAsked for a program."""
    services.tokens.count_delivery(token_id, None, by)
    if not request.is_of_person:
        raise NotAsked("Each approver answers by a link of their own, which this URL is not")
    return replace(page_answer.show(request, token_id), status=403)


def receive(request: Request, token_id: str, approver: str, body: bytes, by: CompletedBy) -> Response:
    """Record what an approver chose, or ask again. Raises TokenNotFound, NotAsked, and PayloadRefused for a program."""
    by = replace(by, query=None)  # it names the approver
    token = services.tokens.find(token_id)
    if token.has_removed(approver):
        return _refuse_removed(request, token)
    progress = _progress(request, token, approver)
    if not progress.is_open:
        return _receive_again(request, progress, body, by)
    try:
        choice = page_answer.read_choice(request, token_id, progress.page, body, by)
    except PayloadRefused:
        services.tokens.count_delivery(token_id, None, by)
        raise
    if isinstance(choice, Submission):
        answers.check_size(choice.output)
        return _record(request, progress, choice, by)
    return page_answer.ask_again(request, progress.page, choice, progress.token, progress)


def _progress(request: Request, token: Token, approver: str) -> Progress:
    page = definition.of_token(token).in_language(page_answer.wanted(request))
    person = find_approver(token, page.approval, approver)
    if person is None:
        raise NotAsked("This person is not, or not yet, among those who may answer")
    return Progress(page, token, person)


def _refuse_removed(request: Request, token: Token) -> Response:
    """Tell a person from whom a hand-over took the page. Raises NotAsked for a program."""
    if not request.is_of_person:
        raise NotAsked("This waitpoint was handed over: this person may no longer answer")
    page = definition.of_token(token).in_language(page_answer.wanted(request))
    theme = page_answer.theme(request, page)
    return page_answer.answer(theme, render.removed(page, theme), 403)


def _receive_again(request: Request, progress: Progress, body: bytes, by: CompletedBy) -> Response:
    """Answer a person who has answered before, or comes after the end. Nothing that they send changes anything.

    The same choice as before is theirs, and not counted as another delivery.
    """
    choice = page_answer.read(request, progress.page, body)
    if isinstance(choice, Submission):
        return _record(request, progress, choice, by)
    return _pass_over(request, progress, by)


def _record(request: Request, progress: Progress, choice: Submission, by: CompletedBy) -> Response:
    person = progress.person
    assert person is not None, "the link names a person"
    chosen = ApproverChoice(person.id, choice.action.id, choice.fields_text, choice.action.needs, progress.page.same_fields)
    result = services.decisions.answer(progress.token, chosen, by, answers.decided_text)
    if isinstance(result, Removed):
        return _refuse_removed(request, replace(result.token, page=progress.token.page))
    now = progress.as_of(result.token)
    if isinstance(result, Differs):
        return _refuse_difference(request, now, choice, result, by)
    if not (isinstance(result, Recorded) and result.is_this):
        return _pass_over(request, now, by)
    if not request.is_of_person:
        return RECEIVED
    if now.token.outcome is None or now.decided_by != person:
        return _show(request, now, choice.values)
    at, theme = now.token.outcome.at, page_answer.theme(request, now.page)
    return page_answer.answer(theme, render.done(now.page, choice, at, theme, progress=now))


def _refuse_difference(request: Request, progress: Progress, choice: Submission, found: Differs, by: CompletedBy) -> Response:
    """Ask for the values of the others who chose the same action. Raises PayloadRefused for a program."""
    telemetry.count("PayloadsRefused")
    services.tokens.count_delivery(progress.token.id, None, by)
    if not request.is_of_person:
        names = ", ".join(map(json_text.dumps, found.fields))
        raise PayloadRefused(f"Others who chose this action sent other values of {names}: send the same, or another action")
    page, others = progress.page, json_text.parse(found.others.fields)
    problems = {
        field.name: Problem("differs", others=words.value(page.language, field, others.get(field.name)))
        for field in page.fields
        if field.name in found.fields
    }
    return page_answer.ask_again(request, page, Errors(choice.values or {}, problems), progress.token, progress)


def _pass_over(request: Request, progress: Progress, by: CompletedBy) -> Response:
    """Count an answer that changed nothing, and show where the decision stands: `progress` is as of now."""
    services.tokens.count_delivery(progress.token.id, progress.token.outcome, by)
    telemetry.note(tokenId=progress.token.id, won=False)
    if not request.is_of_person:
        return RECEIVED
    return _show(request, replace(progress, is_late=True))


def _show(request: Request, progress: Progress, values: Values | None = None) -> Response:
    theme = page_answer.theme(request, progress.page)
    return page_answer.answer(theme, render.page_of(progress.token, progress.page, theme, progress, values))
