"""Show a token's page to a person, and receive what the person chose.

A browser is answered with a page, a program with JSON. Only a POST of an action with fields that fit settles the token.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, assert_never

from waitpoints import json_text, telemetry
from waitpoints.api.http import RECEIVED, Request, Response
from waitpoints.api.page import definition, form, render, words
from waitpoints.api.page.definition import Action, Page
from waitpoints.api.page.form import Errors, GoBack, NotConfirmed, Submission, Values
from waitpoints.api.page.theme import Theme
from waitpoints.errors import PayloadRefused
from waitpoints.token import Completed, DocumentKind, Failed, Origin, Output, TimedOut, Token
from waitpoints.tokens import Ended, RulesApply, Settled
from waitpoints.wiring import services

if TYPE_CHECKING:
    from waitpoints.api.page.people import People

MAX_ANSWER = 6_000_000  # bytes of a document as JSON: Lambda answers 6 MiB at most, headers included


@dataclass(frozen=True, slots=True)
class Asked:
    """A page that is asked of whoever has its link, or of one of its approvers, who is told of the `people`.

    `settle` does what a choice says. `read_timeout` is called only to show the form.
    """

    request: Request
    token_id: str
    page: Page
    settle: Callable[[Submission], Response]
    read_timeout: Callable[[], int | None]
    people: "People | None" = None

    def form(self, values: Values | None = None, errors: Errors | None = None) -> str:
        until, shown = self.read_timeout(), theme(self.request)
        return render.form(self.page, shown, until=_optional_time(until), values=values, errors=errors, people=self.people)

    def confirm(self, action: Action, values: Values) -> str:
        return render.confirm(self.page, action, values, theme(self.request), people=self.people)


def show(request: Request, token_id: str) -> Response:
    """The page of a token as it is now, for whoever opened it. Raises TokenNotFound."""
    token = services.tokens.retrieve(token_id)
    page = definition.load(token.page) if token.page else None
    return answer(request, page_of(token, page, theme(request)))


def show_refusal(request: Request, refusal: Response) -> Response:
    """The page of a refusal. One that a page never causes, such as 422 by a payloadSchema, stays JSON."""
    if refusal.status not in render.NOTICES:
        return refusal
    page = answer(request, render.notice(refusal.status, theme(request)), refusal.status)
    return replace(page, headers={**refusal.headers, **page.headers})


def receive(request: Request, token_id: str, body: bytes, sender: Origin) -> Response:
    """Settle a waiting token with a person's choice, or ask again. Raises PayloadRefused for a program."""
    page = definition.load(services.tokens.read_document(token_id, DocumentKind.PAGE))

    def settle(choice: Submission) -> Response:
        return _settle(request, token_id, page, choice, sender)

    def read_timeout() -> int | None:
        return services.tokens.find(token_id).timeout_at

    return read_choice(Asked(request, token_id, page, settle, read_timeout), body, sender)


def read_choice(asked: Asked, body: bytes, sender: Origin) -> Response:
    """Do what a body chooses, or ask again. Raises PayloadRefused for a program."""
    request, page = asked.request, asked.page
    choice = read(request, page, body)
    match choice:
        case Submission() if request.is_of_another_site:
            return _ask_here(asked, choice)
        case Submission():
            return asked.settle(choice)
        case NotConfirmed() | GoBack() if not request.is_of_person:
            raise PayloadRefused('The page asks a second time: add "confirmed=yes" to the form, or send JSON.')
        case NotConfirmed(action, values):
            return answer(request, asked.confirm(action, values))
        case GoBack(values):
            return answer(request, asked.form(values))
        case Errors():
            telemetry.count("PayloadsRefused")
            if not request.is_of_person:
                raise PayloadRefused(choice.message)
            services.tokens.count_delivery(asked.token_id, None, sender)
            return answer(request, asked.form(errors=choice), 422)
        case never:
            assert_never(never)


def read(request: Request, page: Page, body: bytes) -> Submission | NotConfirmed | GoBack | Errors:
    """Return what a body chooses on a page. A person's numbers are read as their page's language writes them."""
    decimal = theme(request).decimal if request.is_of_person else None
    return form.read(page, body, request.headers.get("content-type", ""), decimal)


def answer_after_end(request: Request) -> Response:
    """The answer to a choice that came too late. The browser is sent to the page itself, which says what was decided."""
    if not request.is_of_person:
        return RECEIVED
    return Response("", 303, {"location": request.path["hash"].lower(), "cache-control": "no-store"})


def theme(request: Request) -> Theme:
    """The page's language, which the browser asks for, and the stack's brand."""
    name, color = services.brand
    return Theme(words.language(request.headers.get("accept-language", "")), name, color)


def _ask_here(asked: Asked, choice: Submission) -> Response:
    """Ask the person on this page, whatever another site's page made their browser send. Raises PayloadRefused for a script."""
    request = asked.request
    if choice.values is not None and request.is_of_person:
        return answer(request, asked.confirm(choice.action, choice.values))
    if request.accepts_html:
        return answer(request, asked.form())
    raise PayloadRefused("A web page of another site cannot answer for a person: open the URL and answer there.")


def _settle(request: Request, token_id: str, page: Page, choice: Submission, sender: Origin) -> Response:
    match services.tokens.complete(token_id, choice.output, sender):
        case Settled():
            if not request.is_of_person:
                return RECEIVED
            return answer(request, render.done(page, choice, time_of(services.now()), theme(request)))
        case Ended(outcome, _):
            services.tokens.count_delivery(token_id, outcome, sender)
            return answer_after_end(request)
        case RulesApply():
            raise AssertionError("the choice was checked against the page, which is the token's only rule")
        case never:
            assert_never(never)


def page_of(token: Token, page: Page | None, theme: Theme, people: "People | None" = None) -> str:
    """The page of a token as it is: the form, or how it ended. `people` is for one of its approvers; only they can answer."""
    until = _optional_time(token.timeout_at)
    match token.outcome:
        case None if page and page.approval and not people:
            return render.unanswerable(page, theme, until=until)
        case None:
            return render.form(page, theme, until=until, people=people) if page else render.waiting(theme, until=until)
        case TimedOut(at):
            return render.timed_out(time_of(at), theme, page=page, people=people)
        case Failed(at):
            return render.failed(time_of(at), theme, page=page, people=people)
        case Completed(at, Output(json)):
            action = page.decided(json) if page and json else None
            return render.decided(page, action, time_of(at), theme, people=people) if page else render.ended(time_of(at), theme)
    assert_never(token.outcome)


def _optional_time(instant: int | None) -> datetime | None:
    return None if instant is None else time_of(instant)


def time_of(instant: int) -> datetime:
    return datetime.fromtimestamp(instant / 1000, UTC)


def answer(request: Request, document: str, status: int = 200) -> Response:
    """The answer with a document, or the 413 page if what a person sent makes the document larger than Lambda can answer."""
    if len(json_text.dumps(document).encode()) > MAX_ANSWER:
        document, status = render.notice(413, theme(request)), 413
    return Response(document, status, render.headers(theme(request)))
