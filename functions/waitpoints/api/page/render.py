"""The pages behind a callback URL, one function for each state, and their headers. They work without JavaScript, which writes
times in the reader's zone and does nothing else.

Each function returns an HTML document. A form has no address: it is posted to the URL at which the page was opened.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, assert_never
from urllib.parse import quote

from waitpoints import json_text
from waitpoints.api.http import Request, Response
from waitpoints.api.page import form as page_form
from waitpoints.api.page import words
from waitpoints.api.page.definition import Action, Link, Page
from waitpoints.api.page.fields import YES, Field, Kind, Problem, from_texts, read_box
from waitpoints.api.page.form import Errors, Submission, Values
from waitpoints.api.page.markup import Element, Fragment, Markup, escaped, verbatim, visible
from waitpoints.api.page.progress import Account, Progress, Row, ending
from waitpoints.api.page.theme import SCRIPT, Theme, isolated, sheet, source
from waitpoints.token import Completed, Outcome, Token
from waitpoints.wiring import services

if TYPE_CHECKING:
    from waitpoints.api.page.facts.values import Fact, Group

MAX_ANSWER = 6_000_000  # bytes of a document as JSON: Lambda answers 6 MiB at most, headers included
MOST_BYTES = 12  # that a character takes in JSON. So only a large document is encoded to be measured
MAX_RADIOS = 7  # more choices are a list to open


def headers(theme: Theme, document: str) -> dict[str, str]:
    """Return the headers of a page. `referrer-policy` keeps the callback URL from the sites that it links to."""
    script = f"script-src {source(SCRIPT)}; " if document.endswith(_SCRIPT_END) else ""
    policy = f"default-src 'none'; style-src {source(sheet(theme.color))}; {script}img-src data:; form-action 'self'; "
    return {
        "content-type": "text/html; charset=utf-8",
        "content-language": theme.language,
        "content-security-policy": policy + "frame-ancestors 'none'; base-uri 'none'",
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "x-robots-tag": "noindex, nofollow",
        "vary": "Accept, Accept-Language",
    }


def answer(theme: Theme, document: str, status: int = 200) -> Response:
    """The answer with a document, or the 413 page if what a person sent makes the document larger than Lambda can answer."""
    if len(document) > MAX_ANSWER / MOST_BYTES and len(json_text.dumps(document).encode()) > MAX_ANSWER:
        document, status = notice(413, theme), 413
    return Response(document, status, headers(theme, document))


def show_refusal(request: Request, refusal: Response) -> Response:
    """The page of a refusal. One that a page never causes, such as 422 by a payloadSchema, stays JSON."""
    if refusal.status not in NOTICES:
        return refusal
    theme = theme_of(request)
    page = answer(theme, notice(refusal.status, theme), refusal.status)
    return replace(page, headers={**refusal.headers, **page.headers})


def theme_of(request: Request, page: Page | None = None) -> Theme:
    """The page's language, or without a page the one that the browser asks for, and the stack's brand."""
    return Theme(page.language if page else words.language(wanted(request)), *services.brand)


def wanted(request: Request) -> str:
    """The languages that the browser asks for."""
    return request.headers.get("accept-language", "")


def page_of(
    token: Token, page: Page | None, theme: Theme, progress: Progress | None = None, values: Values | None = None
) -> str:
    """The page of a token as it is: the form, or what was answered, or how it ended.

    `progress` is for one of its approvers; only they can answer. `values` are what this request filled in.
    """
    if token.outcome is not None:
        return ended(token.outcome, theme, page=page, progress=progress, values=values)
    if page is None:
        return waiting(theme, token)
    if progress and progress.own_answer:
        return _answered(theme, progress, values)
    if page.approval and not progress:  # nobody can answer by this link: everyone who may has one of their own
        why = [Element("h2", theme["own_link_heading"]), Element("p", theme["own_link_text"])]
        return _document(theme, page.title, _question(theme, page, token), Element("div", why, class_="note"))
    return form(page, theme, token=token, progress=progress)


def form(
    page: Page,
    theme: Theme,
    *,
    token: Token | None = None,
    values: Values | None = None,
    errors: Errors | None = None,
    progress: Progress | None = None,
    is_unsent: bool = False,
) -> str:
    """The form: empty (`values` None: with its defaults), as it was sent, or with its errors. `token` says since when it waits.

    With `progress`, it is that of one approver, and shows where the decision stands. `is_unsent`: the session of who sent it
    had ended.
    """
    problems = errors.problems if errors else {}
    if errors:
        values = errors.values
    if values is None:
        values = {field.name: field.default_texts(theme.decimal) for field in page.fields}
    fields = [
        _field(theme, at, field, values.get(field.name, ()), problems.get(field.name)) for at, field in enumerate(page.fields)
    ]
    why = theme["error"] if errors else theme["unsent_heading"] if is_unsent else None
    return _document(
        theme,
        f"{why}{theme.colon}{page.title}" if why else page.title,
        _summary(theme, page, errors) if errors else None,
        _unsent(theme, Unsent(is_kept=True), "unsent_again_text") if is_unsent else None,
        _question(theme, page, token, progress),
        _greeting(theme, progress),
        _answers_so_far(theme, progress),
        Element("form", _token(progress), _no_implicit_submission(page), fields, _buttons(theme, page), method="post"),
        _progress(theme, progress, has_answers=False),
    )


def confirm(page: Page, action: Action, values: Values, theme: Theme, *, progress: Progress | None = None) -> str:
    """The second question of a page with `confirm`. Its form repeats the values of the first, out of sight."""
    hidden = [_hidden("action", action.id)]
    hidden += [_hidden(page_form.PREFIX + field.name, text) for field in page.fields for text in values[field.name]]
    style = "danger full" if action.style == "danger" else "primary"
    yes = Element("button", theme.sentence("confirm", isolated, choice=action), name="confirmed", value="yes", class_=style)
    no = Element("button", theme["go_back"], name="confirmed", value="no")
    return _document(
        theme,
        f"{theme['confirm_heading']}{theme.colon}{page.title}",
        Element("p", page.title, class_="context", dir="auto"),
        Element("h1", theme["confirm_heading"]),
        Element("p", theme.sentence("confirm_text", choice=action)),
        _answers(theme, page, values),
        _greeting(theme, progress),
        Element("form", _token(progress), hidden, Element("div", yes, no, class_="buttons"), method="post"),
    )


def _answered(theme: Theme, progress: Progress, values: Values | None = None) -> str:
    """A page that waits for others, as somebody sees it who has answered, and may have tried to answer otherwise."""
    page, heading = progress.page, "first_heading" if progress.is_late else "recorded_heading"
    said = Element("p", theme.written(progress.own_choice()))
    rest = Element("p", theme["others_text"], " ", theme["close"], class_="muted")
    filled_in, state = _answers(theme, page, values, progress), _progress(theme, progress)
    about = _about(theme, progress.token, progress)
    return _state(theme, "good", theme[heading], said, filled_in, rest, about, state, page=page)


def done(page: Page, choice: Submission, at: int, theme: Theme, *, progress: Progress | None = None) -> str:
    """What the person chose and filled in, in the answer to the request that settled the token."""
    said = Element("p", theme.sentence("done_text", choice=choice.action))
    close = Element("p", theme["close"], class_="muted")
    filled_in, state = _answers(theme, page, choice.values), _progress(theme, progress)
    return _state(theme, "good", theme["done_heading"], said, _when(theme, at, progress), filled_in, close, state, page=page)


def ended(
    outcome: Outcome,
    theme: Theme,
    *,
    page: Page | None = None,
    progress: Progress | None = None,
    values: Values | None = None,
) -> str:
    """A token that has ended, with or without a page. Only one of its approvers, who has `progress`, sees names and answers.

    The reason of a failed one is not shown: anyone may open the link.
    """
    said = ending(outcome, page)
    name = said.word.removesuffix("_text")
    late = by = None
    if progress and progress.is_late:
        note = theme.written(progress.own_choice()) if progress.own_answer else theme["late_text"]
        late = Element("div", Element("p", note), class_="note")
    if progress and isinstance(outcome, Completed):
        by = Element("p", theme.written(progress.completed_by()))
    text, when = Element("p", theme.written(said)), _when(theme, outcome.at, progress)
    heading, filled_in = theme[f"{name}_heading"], _answers(theme, page, values, progress) if page else None
    state = _progress(theme, progress)
    return _state(theme, _ICON_OF.get(name, "good"), heading, late, text, by, when, filled_in, state, page=page)


def removed(page: Page, theme: Theme) -> str:
    """What a person sees from whom a hand-over took the page."""
    return _state(theme, "alert", theme["removed_heading"], Element("p", theme["removed_text"]), page=page)


_ICON_OF = {"failed": "alert", "ended": "clock"}


def _instant(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)


def waiting(theme: Theme, token: Token) -> str:
    """A waiting token without a page: nothing to press."""
    deadline = Element("p", at, class_="muted") if (at := _at(theme, "open_until", token.timeout_at)) else None
    return _state(theme, "clock", theme["waiting_heading"], Element("p", theme["waiting_text"]), deadline)


NOTICES = {401: "wrong_link", 403: "not_asked", 404: "gone", 413: "too_large", 500: "try_again", 503: "try_again"}
"""The words of a refusal by its status."""


def notice(status: int, theme: Theme) -> str:
    """The page of a refusal with one of the statuses in NOTICES."""
    name = NOTICES[status]
    return _state(theme, "alert", theme[f"{name}_heading"], Element("p", theme[f"{name}_text"]))


def sign_in_failed(theme: Theme, word: str | None, reason: str, again: str | None) -> str:
    """The page of a sign-in that failed. `reason` is the log's, for who is asked for help. `again` begins another one."""
    why = Element("p", theme[word]) if word else None
    link = _begin(theme, "sign_in_again", again) if again else None
    return _state(theme, "alert", theme["sign_in_failed_heading"], why, link, _reference(theme, reason))


def _reference(theme: Theme, reason: str) -> Markup:
    return Element("p", theme.sentence("reference", isolated, reason=reason), class_="muted")


@dataclass(frozen=True, slots=True)
class Unsent:
    """An answer that came after its session. If it `is_kept`, the form has it after the sign-in; else `texts` are shown."""

    is_kept: bool
    texts: Sequence[str] = ()


def sign_in(theme: Theme, link: str, *, is_signed_in: bool = False, unsent: Unsent | None = None) -> str:
    """What a page with a sign-in shows before it, or to who has signed in too long ago: nothing of what is asked."""
    text = Element("p", theme["sign_in_recent_text" if is_signed_in else "sign_in_text"])
    not_sent = _unsent(theme, unsent) if unsent else None
    return _state(theme, "lock", theme["sign_in_heading"], not_sent, text, _begin(theme, "sign_in", link))


def _unsent(theme: Theme, unsent: Unsent, kept: str = "unsent_kept_text") -> Markup:
    """Say that an answer was not sent. It has the focus when the page opens."""
    word = kept if unsent.is_kept else "unsent_copy_text" if unsent.texts else None
    texts = [Element("p", text, class_="text", dir="auto") for text in unsent.texts]
    said = Element("h2", theme["unsent_heading"], id="summary"), Element("p", theme[word]) if word else None
    return Element(
        "div", *said, texts, class_="summary", role="alert", tabindex="-1", autofocus=True, aria_labelledby="summary"
    )


def other_account(
    theme: Theme, account: Account, link: str, *, lacks_address: bool = False, unsent: Unsent | None = None
) -> str:
    """What somebody reads who has signed in and may not answer: who they are, and no one else."""
    said = Element("p", theme["no_address_text" if lacks_address else "other_account_text"])
    reference = _reference(theme, "no_address") if lacks_address else None
    begin, not_sent = _begin(theme, "other_account", link), _unsent(theme, unsent) if unsent else None
    return _state(theme, "lock", theme["other_account_heading"], not_sent, said, begin, reference, _account(theme, account))


def sign_in_changed(theme: Theme) -> str:
    """What a page shows whose stack has another issuer or client than when it was created."""
    return _state(theme, "alert", theme["sign_in_changed_heading"], Element("p", theme["sign_in_changed_text"]))


def _begin(theme: Theme, word: str, link: str) -> Markup:
    """A link, not a form: `form-action` stops a form whose answer leads to another site."""
    return Element("div", Element("a", theme[word], href=link, class_="go primary"), class_="buttons")


_ICONS = {
    "good": "m4 13 5 5L20 6",
    "clock": "M12 4v9l6 4",
    "lock": "M5 11h14v10H5zM8 11V7a4 4 0 0 1 8 0v4",
    "alert": "M12 3v12m0 5v.5",
}
_ARROW = '<path d="M6 3H3v10h10v-3M9.5 3H13v3.5M13 3 7.5 8.5"/>'
_SVG = '<svg class="icon {}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2.5" stroke-linecap="round" '
_SVG += 'stroke-linejoin="round" aria-hidden="true"><path d="{}"/></svg>'


def _state(theme: Theme, icon: str, heading: str, *children: Markup | None, page: Page | None = None) -> str:
    return _document(
        theme,
        f"{heading}{theme.colon}{page.title}" if page else heading,
        Markup(_SVG.format(icon, _ICONS[icon])),
        Element("p", page.title, class_="context", dir="auto") if page else None,
        Element("h1", heading),
        *children,
    )


_SCRIPT = Element("script", Markup(SCRIPT))
_SCRIPT_END = f"{_SCRIPT}</body></html>"


def _document(theme: Theme, title: str, *main: Markup | None) -> str:
    name = f" · {theme.name}" if theme.name else ""
    head = Element(
        "head",
        Element("meta", charset="utf-8"),
        Element("title", title + name),
        Element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        Element("link", rel="icon", href=_icon(theme.color)),
        Element("style", Markup(sheet(theme.color))),
    )
    brand = Element("header", theme.name, dir="auto") if theme.name else None
    shown = Element("main", *main)
    body = Element("body", brand, shown, _SCRIPT if "<time " in shown else None)
    return "<!doctype html>" + Element("html", head, body, lang=theme.language)


def _icon(color: str) -> str:
    """Return the tab's icon, without a request."""
    square = f'<rect width="16" height="16" rx="4" fill="{color}"/>'
    return "data:image/svg+xml," + quote(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">{square}</svg>')


def _question(theme: Theme, page: Page, token: Token | None, progress: Progress | None = None) -> Markup:
    """What a page asks, above its form."""
    links = [Element("li", _link(theme, link)) for link in page.links]
    return Fragment(
        Element("h1", page.title, dir="auto"),
        _about(theme, token, progress) if token else None,
        Element("p", page.text, class_="text", dir="auto") if page.text.strip() else None,
        [_group_of_facts(theme, group) for group in page.facts],
        Element("ul", links, class_="links", aria_label=theme["links"]) if links else None,
    )


def _group_of_facts(theme: Theme, group: "Group") -> Markup:
    rows = [Element("div", Element("dt", fact.label, dir="auto"), _value(theme, fact)) for fact in group.facts]
    return Fragment(Element("h2", group.title, dir="auto") if group.title else None, Element("dl", rows))


def _value(theme: Theme, fact: "Fact") -> Markup:
    from waitpoints.api.page.facts import values

    text = values.written(theme.language, fact)
    if fact.instant is not None:
        return Element("dd", theme.time(_instant(fact.instant)))
    if fact.url is None:
        return Element("dd", text, dir="auto")
    kind = Element("span", Element("bdi", fact.kind), class_="muted") if fact.kind else None
    return Element("dd", _link(theme, Link(text, fact.url)), Markup("<br>") if kind else None, kind)


def _greeting(theme: Theme, progress: Progress | None) -> Markup | None:
    person = progress.person if progress else None
    word = "answer_signed_in" if progress and progress.account else "answer_as"
    return Element("p", theme.sentence(word, name=person), class_="note") if person else None


def _token(progress: Progress | None) -> Markup | None:
    """What shows that a form is of the page that this session was shown."""
    return _hidden(page_form.SESSION, progress.account.form_token) if progress and progress.account else None


def _account(theme: Theme, account: Account) -> Markup:
    """Who has signed in, and how to sign out."""
    who = Element("span", theme.sentence("signed_in_as", isolated, name=account.shown))
    button = Element("button", theme["sign_out"])
    return Element(
        "form", _hidden("to", account.path), who, button, method="post", action=account.sign_out_url, class_="muted buttons"
    )


def _answers_so_far(theme: Theme, progress: Progress | None) -> Markup | None:
    """Who has answered what, above the buttons of who has not."""
    rows = [row for row in progress.rows() if row.at is not None] if progress else []
    return _people(theme, "answers_heading", None, rows) if rows else None


def _progress(theme: Theme, progress: Progress | None, *, has_answers: bool = True) -> Markup | None:
    """What is needed, each person with their answer, and the hand-overs. Of a token that has ended, the answers that came."""
    if progress is None:
        return None
    rows, changes, later = progress.rows(), progress.handed_over(), _escalation(theme, progress)
    needed = [theme.written(sentence) for sentence in progress.needed()]
    listed = Element("ul", [Element("li", one) for one in needed]) if len(needed) > 1 else Element("p", *needed)
    heading = "answers_heading" if progress.token.outcome else "progress_heading"
    shown = [row for row in rows if has_answers or row.at is None]
    return Fragment(
        _people(theme, heading, listed if needed else None, shown, later) if rows or needed or later else None,
        _people(theme, "handed_over_heading", None, changes) if changes else None,
        _account(theme, progress.account) if progress.account else None,
    )


def _people(theme: Theme, heading: str, needed: Markup | None, rows: Sequence[Row], later: Markup | None = None) -> Markup:
    shown = Element("dl", [_row(theme, row) for row in rows]) if rows else None
    return Element("section", Element("h2", theme[heading]), needed, shown, later, class_="people")


def _row(theme: Theme, row: Row) -> Markup:
    said = theme.written(row.said, isolated)
    at = Fragment(" ", Element("small", theme.time(_instant(row.at)))) if row.at is not None else None
    who = Element("dt", theme.written(row.who, isolated))
    entered = row.values(theme.language)
    values = [Element("li", Element("bdi", title), theme.colon, Element("bdi", text)) for title, text in entered]
    listed = Element("dd", Element("ul", values), class_="entered") if values else None
    return Element("div", who, Element("dd", said, at, class_=None if at else "muted"), listed)


def _about(theme: Theme, token: Token, progress: Progress | None = None) -> Markup | None:
    """Who asks, and the deadline. Only who may answer reads the name; the brand's is above."""
    approval = progress.page.approval if progress else None
    name = approval.requested_by if approval else None
    asks = theme.sentence("requested_by", name=name) if name else None if theme.name else escaped(theme["requested"])
    shown = [Element("li", one) for one in (asks, _at(theme, "open_until", token.timeout_at)) if one]
    return Element("ul", shown, class_="about") if shown else None


def _escalation(theme: Theme, progress: Progress) -> Markup | None:
    """Who else may answer later."""
    token, later = progress.token, progress.approval.escalated_to
    if token.outcome or not later or token.escalated_at is not None:
        return None
    from waitpoints.timers.reminders import escalation_at, plan_of

    names = Markup(", ".join(isolated(person.shown) for person in later))
    return Element(
        "p", _at(theme, "escalates", escalation_at(token, plan_of(progress.page.source)), names=names), class_="muted"
    )


def _at(theme: Theme, word: str, at: int | None, **parts: Markup) -> Markup | None:
    return None if at is None else theme.sentence(word, Markup, time=theme.time(_instant(at)), **parts)


def _when(theme: Theme, at: int, progress: Progress | None) -> Markup | None:
    """When it ended, unless the answer that decided it says so."""
    is_said = progress and progress.decided_by and progress.rows()
    return None if is_said else Element("p", theme.time(_instant(at)), class_="muted")


def _link(theme: Theme, link: Link) -> Markup:
    """A link to a site opens in a new tab, so that what was filled in is not lost."""
    label = Element("bdi", link.label)
    if link.url.lower().startswith("mailto:"):
        return Element("a", label, href=link.url)
    arrow = Element("svg", Markup(_ARROW), viewBox="0 0 16 16", role="img", aria_label=theme["new_tab"])
    return Element("a", label, " ", arrow, href=link.url, target="_blank", rel="noopener noreferrer")


def _no_implicit_submission(page: Page) -> Markup | None:
    """Enter in a text field presses a form's first button. Of several, none is meant: the first is one that does nothing."""
    return Element("button", type="submit", disabled=True, hidden=True) if len(page.actions) > 1 else None


def _buttons(theme: Theme, page: Page) -> Markup:
    plain = "" if any(action.style == "primary" for action in page.actions) else "primary"
    buttons = [
        Element(
            "button",
            theme.written(action, isolated),
            name="action",
            value=action.id,
            formnovalidate=not action.needs_fields,
            class_=(action.style or plain) + (" full" if len(page.actions) == 1 else ""),
        )
        for action in page.actions
    ]
    return Element("div", buttons, class_="buttons")


def _hidden(name: str, value: str) -> Markup:
    return Element("input", type="hidden", name=name, value=value)


def _summary(theme: Theme, page: Page, errors: Errors) -> Markup:
    """The errors, each with a link to its field. It has the focus when the page opens."""
    whole = Element("p", _problem(theme, errors.whole)) if errors.whole else None
    found = [
        Element("li", Element("a", Element("bdi", field.title), theme.colon, _problem(theme, problem), href=f"#f{at}"))
        for at, field in enumerate(page.fields)
        if (problem := errors.problems.get(field.name))
    ]
    heading = Element("h2", theme["summary"], id="summary")
    listed = Element("ul", found) if found else None
    return Element(
        "div", heading, whole, listed, class_="summary", role="alert", tabindex="-1", autofocus=True, aria_labelledby="summary"
    )


def _problem(theme: Theme, problem: Problem) -> str:
    if problem.others is not None:
        return theme.sentence(problem.word, isolated, others=problem.others)
    return words.problem(theme.language, problem)


def _answers(theme: Theme, page: Page, values: Values | None, progress: Progress | None = None) -> Markup | None:
    """What a person has filled in, as it was understood: with this request, or, as one of the approvers, before it."""
    entered: Mapping[str, Any] = progress.own_values() if progress else {}
    if values is not None:
        entered = {field.name: from_texts(field, values[field.name], theme.decimal) for field in page.fields}
    if not entered:
        return None
    rows = [
        [Element("dt", field.title, dir="auto"), Element("dd", _entered(theme, field, entered.get(field.name)), dir="auto")]
        for field in page.fields
    ]
    return Fragment(Element("h2", theme["answers"]), Element("dl", [Element("div", row) for row in rows]))


def _entered(theme: Theme, field: Field, value: Any) -> str:
    return words.value(theme.language, field, None if isinstance(value, Problem) else value)


def _field(theme: Theme, at: int, field: Field, texts: Sequence[str], problem: Problem | None) -> Markup:
    """Return a field with its label, description and error. Its control, or its first one, has the id `f<at>`."""
    hint = Element("p", field.description, class_="hint", id=f"f{at}-hint", dir="auto") if field.description.strip() else None
    limits = words.limits(theme.language, field)
    limit = Element("p", limits, class_="hint", id=f"f{at}-limit") if limits else None
    error = Element("p", _problem(theme, problem), class_="error", id=f"f{at}-error") if problem else None
    parts = {"hint": hint, "limit": limit, "error": error}
    described = " ".join(f"f{at}-{name}" for name, shown in parts.items() if shown) or None
    shared = {"aria_describedby": described, "aria_invalid": "true" if problem else None}
    invalid = " invalid" if problem else ""
    if field.kind is Kind.YES_NO:
        box = _choice(
            f"f{at}", "checkbox", field, YES, field.title, read_box(texts) is True, required=field.must_be_ticked, **shared
        )
        return Element("div", box, hint, error, class_=f"field box{invalid}")
    optional = None if field.required else Element("span", f" ({theme['optional']})", class_="optional")
    title = Fragment(Element("bdi", field.title), _unit(field), optional)
    if kind := _group(field):
        choices = _choices(f"f{at}", kind, field, texts)
        legend = Element("legend", title)
        return Element("fieldset", legend, hint, limit, error, choices, class_=f"field{invalid}", aria_describedby=described)
    control = _control(theme, field, texts[0] if texts else "", problem, id=f"f{at}", **shared)
    label = Element("label", title, for_=f"f{at}")
    return Element("div", label, hint, limit, error, control, class_=f"field{invalid}")


def _unit(field: Field) -> Markup | None:
    """The currency or the percent sign beside the title of a field."""
    if field.number_format is None:
        return None
    from waitpoints.api.page.facts import amounts

    unit = amounts.unit(field.number_format)
    return Element("span", f" ({unit})", class_="optional") if unit else None


def _group(field: Field) -> str | None:
    """Return the type of the inputs of a field that is a group of them. An optional choice must be left open again: a list."""
    if field.kind is Kind.SEVERAL_OF:
        return "checkbox"
    return "radio" if field.kind is Kind.ONE_OF and field.required and len(field.choices) <= MAX_RADIOS else None


def _choices(id_: str, type_: str, field: Field, texts: Sequence[str]) -> list[Markup]:
    needed = field.required and type_ == "radio"
    ids = [id_, *(f"{id_}-{at}" for at in range(1, len(field.choices)))]
    return [
        _choice(own, type_, field, choice.text, choice.title, choice.text in texts, required=needed)
        for own, choice in zip(ids, field.choices, strict=True)
    ]


def _choice(id_: str, type_: str, field: Field, value: str, title: str, chosen: bool, **attributes: Any) -> Markup:
    name = page_form.PREFIX + field.name
    box = Element("input", type=type_, id=id_, name=name, value=value, checked=chosen, **attributes)
    return Element("div", box, Element("label", title, for_=id_, dir="auto"), class_="choice")


def _control(theme: Theme, field: Field, text: str, problem: Problem | None, **attributes: Any) -> Markup:
    shared = {"name": page_form.PREFIX + field.name, "required": field.required, "class_": "control", **attributes}
    short = {**shared, "class_": "control short"}
    schema = field.schema
    # No maxlength: browsers count UTF-16 units, so an emoji is two, and cut what is pasted without a word.
    lengths = {"minlength": schema.get("minLength")}
    match field.kind:
        case Kind.ONE_OF:
            options = [
                Element("option", choice.title, value=choice.text, selected=choice.text == text, dir="auto")
                for choice in field.choices
            ]
            return Element("select", Element("option", theme["choose"], value=""), options, **shared)
        case Kind.LONG_TEXT:  # HTML drops the first line break
            return Element("textarea", Markup("\n"), verbatim(text), dir="auto", rows="5", **lengths, **shared)
        case Kind.TEXT | Kind.EMAIL:
            type_ = "email" if field.kind is Kind.EMAIL else "text"
            return Element("input", type=type_, value=text, dir="auto", **lengths, **_pattern(field), **shared)
        case Kind.DATE:
            is_shown = problem is None or problem.word not in _UNSHOWN
            return Element("input", type="date" if is_shown else "text", value=text, **short)
        case Kind.NUMBER | Kind.INTEGER:  # no type=number: browsers drop a separator that their own language does not have
            return Element("input", type="text", inputmode=_keyboard(field), value=text, **short)
        case Kind.YES_NO | Kind.SEVERAL_OF:
            raise AssertionError("drawn as boxes to tick")
    assert_never(field.kind)


_UNSHOWN = ("date", "invalid")
"""Problems with a text that <input type=date> would not show again."""


def _keyboard(field: Field) -> str | None:
    """Return a phone's keyboard. Its keyboards for numbers have no minus."""
    least = field.schema.get("minimum", field.schema.get("exclusiveMinimum", -1))
    if least < 0:
        return None
    return "numeric" if field.kind is Kind.INTEGER else "decimal"


# What JavaScript reads with the flag v as the server does, given that the server could compile it.
_ESCAPED = r"\\[dDwWsS^$\\.*+?()\[\]{}|/]"
_IN_CLASS = rf"(?:{_ESCAPED}|\\-|[A-Za-z0-9]-[A-Za-z0-9]|[A-Za-z0-9_ '\"]|(?P<mark>[!#$%&*+,.:;<=>?@`~])(?!(?P=mark)))"
_ATOM = rf"(?:{_ESCAPED}|\[\^?{_IN_CLASS}+\]|[^\x00-\x1f\\^$.*+?()\[\]{{}}|/]|\.|\))"
_PLAIN_PATTERN = re.compile(rf"(?:{_ATOM}(?:[*+?]|\{{[0-9]+(?:,[0-9]*)?\}})?\??|\((?:\?:)?|[|^$])*")


def _pattern(field: Field) -> dict[str, str]:
    """HTML's pattern is of the whole text, JSON Schema's of any part. Browsers show the title with their message.

    Browsers compile it with the flag v, which has stricter classes: another pattern is left to the server.
    """
    pattern = field.schema.get("pattern")
    if pattern is None or not _PLAIN_PATTERN.fullmatch(pattern):
        return {}
    title = {"title": visible(field.description)} if field.description else {}
    return {"pattern": rf"[\s\S]*(?:{pattern})[\s\S]*", **title}
