"""Show a token's page to a person, and receive what the person chose.

A browser is answered with a page, a program with JSON. Only a POST of an action with fields that fit is an answer.

Where a page says who may answer, the hash of their own link says who it is, or, if the page asks for it, their sign-in: see
`account`. Whether they may answer is read from the token's page: see `approvers`. A choice is answered with the page itself:
its URL names the approver, so a browser is sent nowhere else.
"""

from dataclasses import replace
from typing import assert_never

from waitpoints import approvers, json_text, telemetry
from waitpoints.api.http import RECEIVED, Request, Response
from waitpoints.api.page import definition, fields, form, render, words
from waitpoints.api.page.definition import Page
from waitpoints.api.page.fields import Problem
from waitpoints.api.page.form import Errors, GoBack, NotConfirmed, Submission, Values
from waitpoints.api.page.progress import Progress
from waitpoints.api.providers.completed_by import completed_by_of
from waitpoints.approvers import find_approver
from waitpoints.decisions import ApproverChoice, Differs, Recorded, Removed, TooLate
from waitpoints.errors import NotAsked, PayloadRefused
from waitpoints.token import CompletedBy, DocumentKind, Rules, Source, Token
from waitpoints.tokens import Ended, RulesApply, Settled
from waitpoints.wiring import services

Choice = Submission | NotConfirmed | GoBack | Errors
Answered = Recorded | TooLate | Differs | Removed


def show(request: Request, token: Token) -> Response:
    """The page of a token as it is now, for whoever opened it."""
    page = definition.of_token(token).in_language(render.wanted(request)) if token.page else None
    theme = render.theme_of(request, page)
    return render.answer(theme, render.page_of(token, page, theme))


def show_to_approver(request: Request, token: Token, approver: str | None) -> Response:
    """The page of a token as one of its approvers sees it now. Raises NotAsked."""
    progress = _identify(request, token, approver)
    if isinstance(progress, Response):
        return progress
    if progress.account:
        from waitpoints.api.page import account

        if draft := account.show_draft(request, progress):
            return draft
    return _show(request, progress)


def receive(request: Request, token_id: str, found: Ended | RulesApply, body: bytes, by: CompletedBy) -> Response:
    """Receive a POST to the callback URL of a token with a page, which has been found like this.

    Raises TokenNotFound, NotAsked, and PayloadRefused for a program.
    """
    rules = found.rules or Rules()
    if rules.has_sign_in:
        return receive_of_approver(request, token_id, None, body)
    if isinstance(found, Ended):
        return _receive_late(request, token_id, found, by)
    if rules.has_approvers:
        return _refuse_plain(request, token_id, by)
    document = services.tokens.read_document(token_id, DocumentKind.PAGE)
    page = definition.of_text(document).in_language(render.wanted(request))
    choice = _read_choice(request, token_id, page, body, by)
    if not isinstance(choice, Submission):
        token = None if isinstance(choice, NotConfirmed) else services.tokens.find(token_id)
        return _ask_again(request, page, choice, token)
    match services.tokens.complete(token_id, choice.output, by):
        case Settled():
            return _say_done(request, page, choice, services.now())
        case Ended() as ended:
            return _receive_late(request, token_id, ended, by)
        case RulesApply():
            raise AssertionError("the choice was checked against the page, which is the token's only rule")
        case never:
            assert_never(never)


def receive_of_approver(request: Request, token_id: str, approver: str | None, body: bytes) -> Response:
    """Record what an approver chose, or ask again. `approver`: None for a page with a sign-in.

    Raises TokenNotFound, NotAsked, and PayloadRefused for a program.
    """
    by = completed_by_of(request.headers, "", Source.CALLBACK, request.source_ip, None)  # the query names the approver
    progress = _identify(request, services.tokens.find(token_id), approver, body)
    if isinstance(progress, Response):
        return progress
    if progress.account:
        from waitpoints.api.page import account

        if not account.is_own_form(request, token_id, body):
            services.tokens.count_delivery(token_id, progress.token.outcome, by)
            return replace(account.show_unsent(request, progress, body) or _show(request, progress), status=403)
    if progress.is_open:
        choice = _read_choice(request, token_id, progress.page, body, by)
    else:  # nothing that they send changes anything
        choice = _read(request, progress.page, body)
    if isinstance(choice, Submission):
        result = _record(progress, choice, by)
        return _say_result(request, progress, choice, result, by)
    if progress.is_open:
        return _ask_again(request, progress.page, choice, progress.token, progress)
    return _pass_over(request, progress, by)


def _identify(request: Request, token: Token, approver: str | None, body: bytes = b"") -> Progress | Response:
    """Return the page as who asks for it sees it, or what they are answered instead. Raises NotAsked."""
    page = definition.of_token(token).in_language(render.wanted(request))
    if page.sign_in:
        from waitpoints.api.page import account

        found = account.identify(request, token, page, page.sign_in, body)
        is_removed = isinstance(found, Progress) and found.is_removed
        return _refuse_removed(request, page) if is_removed else found
    assert approver is not None, "without a sign-in, the link names the person"
    if token.has_removed(approver):
        return _refuse_removed(request, page)
    person = find_approver(token, page.approval, approver)
    if person is None:
        raise NotAsked("This person is not, or not yet, among those who may answer")
    return Progress(page, token, person)


def _read(request: Request, page: Page, body: bytes) -> Choice:
    """Return what a body chooses on a page. A person's numbers are read as their page's language writes them."""
    decimal = words.decimal(page.language) if request.is_of_person else None
    return form.read(page, body, request.headers.get("content-type", ""), decimal)


def _read_choice(request: Request, token_id: str, page: Page, body: bytes, by: CompletedBy) -> Choice:
    """Return what a body chooses on a page, or why to ask again. Raises PayloadRefused for a program that must be asked.

    Whatever another site's page made a browser send, the person is asked on this one.
    """
    choice = _read(request, page, body)
    match choice:
        case Submission() if not request.is_of_another_site:
            return choice
        case Submission(action, _, values):
            if values is not None and request.is_of_person:
                return NotConfirmed(action, values)
            if request.accepts_html:
                return GoBack(None)
            refusal = "A web page of another site cannot answer for a person: open the URL and answer there."
        case NotConfirmed() | GoBack():
            if request.is_of_person:
                return choice
            refusal = 'The page asks a second time: add "confirmed=yes" to the form, or send JSON.'
        case Errors():
            telemetry.count("PayloadsRefused")
            refusal = choice.message
    services.tokens.count_delivery(token_id, None, by)
    if not request.is_of_person:
        raise PayloadRefused(refusal)
    return choice


def _record(progress: Progress, choice: Submission, by: CompletedBy) -> Answered:
    assert progress.person is not None, "the link or the sign-in names a person"
    signed_in = progress.account.signed_in if progress.account else None
    if progress.is_open:
        approvers.check_size(choice.output, signed_in)
    action, same = choice.action, progress.page.same_fields if choice.action.needs_fields else ()
    chosen = ApproverChoice(progress.person.id, action.id, choice.fields_text, action.needs, same, signed_in)
    return services.decisions.answer(progress.token, chosen, by, approvers.decided_text)


def _say_result(request: Request, progress: Progress, choice: Submission, result: Answered, by: CompletedBy) -> Response:
    """Say what became of an approver's choice."""
    if isinstance(result, Removed):
        return _refuse_removed(request, progress.page)
    now = progress.as_of(result.token)
    if isinstance(result, Recorded):
        now = replace(now, person=now.approval.who_gave(result.answer))  # perhaps by another account, a moment ago
    if isinstance(result, Differs):
        return _refuse_difference(request, now, choice, result, by)
    if isinstance(result, TooLate) or not result.is_this:
        return _pass_over(request, now, by)
    if now.token.outcome is None or now.decided_by != now.person:
        return _show(request, now, choice.values) if request.is_of_person else RECEIVED
    return _say_done(request, now.page, choice, now.token.outcome.at, now)


def _refuse_difference(request: Request, progress: Progress, choice: Submission, found: Differs, by: CompletedBy) -> Response:
    """Ask for the values of the others who chose the same action. Raises PayloadRefused for a program."""
    telemetry.count("PayloadsRefused")
    services.tokens.count_delivery(progress.token.id, None, by)
    if not request.is_of_person:
        names = ", ".join(map(json_text.dumps, found.fields))
        raise PayloadRefused(f"Others who chose this action sent other values of {names}: send the same, or another action")
    page, others = progress.page, fields.entered(progress.page.fields, found.others.fields)
    problems = {
        field.name: Problem("differs", others=words.value(page.language, field, others.get(field.name)))
        for field in page.fields
        if field.name in found.fields
    }
    return _ask_again(request, page, Errors(choice.values or {}, problems), progress.token, progress)


def _refuse_removed(request: Request, page: Page) -> Response:
    """Tell a person from whom a hand-over took the page. Raises NotAsked for a program."""
    if not request.is_of_person:
        raise NotAsked("This waitpoint was handed over: this person may no longer answer")
    theme = render.theme_of(request, page)
    return render.answer(theme, render.removed(page, theme), 403)


def _refuse_plain(request: Request, token_id: str, by: CompletedBy) -> Response:
    """Refuse a choice that came to the callback URL itself. Raises NotAsked for a program."""
    services.tokens.count_delivery(token_id, None, by)
    if not request.is_of_person:
        raise NotAsked("Each approver answers by a link of their own, which this URL is not")
    return replace(show(request, services.tokens.retrieve(token_id)), status=403)


def _receive_late(request: Request, token_id: str, ended: Ended, by: CompletedBy) -> Response:
    """Count a choice that came too late. The browser is sent to the page itself, which says what was decided."""
    services.tokens.count_delivery(token_id, ended.outcome, by)
    if not request.is_of_person:
        return RECEIVED
    return Response("", 303, {"location": request.path["hash"].lower(), "cache-control": "no-store"})


def _pass_over(request: Request, progress: Progress, by: CompletedBy) -> Response:
    """Count an answer that changed nothing, and show where the decision stands: `progress` is as of now."""
    services.tokens.count_delivery(progress.token.id, progress.token.outcome, by)
    telemetry.note(tokenId=progress.token.id, won=False)
    return _show(request, replace(progress, is_late=True)) if request.is_of_person else RECEIVED


def _ask_again(
    request: Request, page: Page, choice: NotConfirmed | GoBack | Errors, token: Token | None, progress: Progress | None = None
) -> Response:
    """The answer to a body that does not choose yet. `token`: None for a question that only asks to confirm."""
    theme = render.theme_of(request, page)
    if isinstance(choice, NotConfirmed):
        return render.answer(theme, render.confirm(page, choice.action, choice.values, theme, progress=progress))
    errors = choice if isinstance(choice, Errors) else None
    document = render.form(page, theme, token=token, values=choice.values, errors=errors, progress=progress)
    return render.answer(theme, document, 422 if errors else 200)


def _say_done(request: Request, page: Page, choice: Submission, at: int, progress: Progress | None = None) -> Response:
    """The answer to the choice that settled the token at this time."""
    if not request.is_of_person:
        return RECEIVED
    theme = render.theme_of(request, page)
    return render.answer(theme, render.done(page, choice, at, theme, progress=progress))


def _show(request: Request, progress: Progress, values: Values | None = None) -> Response:
    theme = render.theme_of(request, progress.page)
    return render.answer(theme, render.page_of(progress.token, progress.page, theme, progress, values))
