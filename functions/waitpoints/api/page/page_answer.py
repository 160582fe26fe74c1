"""Show a token's page to a person, and receive what the person chose.

A browser is answered with a page, a program with JSON. Only a POST of an action with fields that fit settles the token.
"""

from dataclasses import replace
from typing import assert_never

from waitpoints import json_text, telemetry
from waitpoints.api.http import RECEIVED, Request, Response
from waitpoints.api.page import definition, form, render, words
from waitpoints.api.page.definition import Page
from waitpoints.api.page.form import Errors, GoBack, NotConfirmed, Submission
from waitpoints.api.page.progress import Progress
from waitpoints.api.page.theme import Theme
from waitpoints.errors import PayloadRefused
from waitpoints.token import CompletedBy, DocumentKind, Token
from waitpoints.tokens import Ended, RulesApply, Settled
from waitpoints.wiring import services

MAX_ANSWER = 6_000_000  # bytes of a document as JSON: Lambda answers 6 MiB at most, headers included


def show(request: Request, token: Token) -> Response:
    """The page of a token as it is now, for whoever opened it."""
    page = definition.of_token(token).in_language(wanted(request)) if token.page else None
    shown = theme(request, page)
    return answer(shown, render.page_of(token, page, shown))


def show_refusal(request: Request, refusal: Response) -> Response:
    """The page of a refusal. One that a page never causes, such as 422 by a payloadSchema, stays JSON."""
    if refusal.status not in render.NOTICES:
        return refusal
    shown = theme(request)
    page = answer(shown, render.notice(refusal.status, shown), refusal.status)
    return replace(page, headers={**refusal.headers, **page.headers})


def receive(request: Request, token_id: str, body: bytes, by: CompletedBy) -> Response:
    """Settle a waiting token with a person's choice, or ask again. Raises PayloadRefused for a program."""
    document = services.tokens.read_document(token_id, DocumentKind.PAGE)
    page = definition.of_text(document, waits=True).in_language(wanted(request))
    choice = read_choice(request, token_id, page, body, by)
    if isinstance(choice, Submission):
        return _settle(request, token_id, page, choice, by)
    token = None if isinstance(choice, NotConfirmed) else services.tokens.find(token_id)
    return ask_again(request, page, choice, token)


def read_choice(
    request: Request, token_id: str, page: Page, body: bytes, by: CompletedBy
) -> Submission | NotConfirmed | GoBack | Errors:
    """Return what a body chooses on a page, or why to ask again. Raises PayloadRefused for a program that must be asked."""
    choice = read(request, page, body)
    match choice:
        case Submission() if request.is_of_another_site:
            return _not_here(request, choice)
        case NotConfirmed() | GoBack() if not request.is_of_person:
            raise PayloadRefused('The page asks a second time: add "confirmed=yes" to the form, or send JSON.')
        case Errors():
            telemetry.count("PayloadsRefused")
            if not request.is_of_person:
                raise PayloadRefused(choice.message)
            services.tokens.count_delivery(token_id, None, by)
    return choice


def read(request: Request, page: Page, body: bytes) -> Submission | NotConfirmed | GoBack | Errors:
    """Return what a body chooses on a page. A person's numbers are read as their page's language writes them."""
    decimal = words.decimal(page.language) if request.is_of_person else None
    return form.read(page, body, request.headers.get("content-type", ""), decimal)


def ask_again(
    request: Request, page: Page, choice: NotConfirmed | GoBack | Errors, token: Token | None, progress: Progress | None = None
) -> Response:
    """The answer to a body that does not choose yet. `token`: None for a question that only asks to confirm."""
    shown = theme(request, page)
    if isinstance(choice, NotConfirmed):
        return answer(shown, render.confirm(page, choice.action, choice.values, shown, progress=progress))
    errors = choice if isinstance(choice, Errors) else None
    document = render.form(page, shown, token=token, values=choice.values, errors=errors, progress=progress)
    return answer(shown, document, 422 if errors else 200)


def answer_after_end(request: Request) -> Response:
    """The answer to a choice that came too late. The browser is sent to the page itself, which says what was decided."""
    if not request.is_of_person:
        return RECEIVED
    return Response("", 303, {"location": request.path["hash"].lower(), "cache-control": "no-store"})


def theme(request: Request, page: Page | None = None) -> Theme:
    """The page's language, or without a page the one that the browser asks for, and the stack's brand."""
    name, color = services.brand
    return Theme(page.language if page else words.language(wanted(request)), name, color)


def wanted(request: Request) -> str:
    """The languages that the browser asks for."""
    return request.headers.get("accept-language", "")


def _not_here(request: Request, choice: Submission) -> NotConfirmed | GoBack:
    """Ask the person on this page, whatever another site's page made their browser send. Raises PayloadRefused for a script."""
    if choice.values is not None and request.is_of_person:
        return NotConfirmed(choice.action, choice.values)
    if request.accepts_html:
        return GoBack(None)
    raise PayloadRefused("A web page of another site cannot answer for a person: open the URL and answer there.")


def _settle(request: Request, token_id: str, page: Page, choice: Submission, by: CompletedBy) -> Response:
    match services.tokens.complete(token_id, choice.output, by):
        case Settled():
            if not request.is_of_person:
                return RECEIVED
            shown = theme(request, page)
            return answer(shown, render.done(page, choice, services.now(), shown))
        case Ended(outcome, _):
            services.tokens.count_delivery(token_id, outcome, by)
            return answer_after_end(request)
        case RulesApply():
            raise AssertionError("the choice was checked against the page, which is the token's only rule")
        case never:
            assert_never(never)


def answer(shown: Theme, document: str, status: int = 200) -> Response:
    """The answer with a document, or the 413 page if what a person sent makes the document larger than Lambda can answer."""
    if len(json_text.dumps(document).encode()) > MAX_ANSWER:
        document, status = render.notice(413, shown), 413
    return Response(document, status, render.headers(shown))
