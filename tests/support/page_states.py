"""Every state of a page, as HTML."""

import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from waitpoints import json_text
from waitpoints.api.http import FORM
from waitpoints.api.page import form, page_checks, render
from waitpoints.api.page.definition import Page, of_token
from waitpoints.api.page.form import Errors, Submission
from waitpoints.api.page.progress import Account, Progress
from waitpoints.api.page.theme import Theme
from waitpoints.approvers import Approver
from waitpoints.sign_in import SignedIn
from waitpoints.token import (
    Answer,
    Completed,
    CompletedBy,
    Failed,
    HandOver,
    Outcome,
    Output,
    Source,
    TimedOut,
    Token,
    TokenError,
)

AT = 1_795_615_500_000
THEME = Theme("en", "Example Ltd")
OPEN: dict[str, Any] = {
    "title": "Deploy 4.2 to production?",
    "signIn": {"domains": ["example.com"]},
    "actions": [{"id": "approve", "label": "Approve", "needs": 2}, {"id": "reject", "label": "Reject", "style": "danger"}],
}
PAGE: dict[str, Any] = {
    "title": "Deploy 4.2 to production?",
    "text": "All 812 checks passed.\n\nAnn and Bo reviewed it on Tuesday.",
    "links": [{"label": "Release notes", "url": "https://example.com/4.2"}, {"label": "Ann", "url": "mailto:ann@example.com"}],
    "actions": [{"id": "approve", "label": "Approve"}, {"id": "reject", "label": "Reject", "style": "danger"}],
    "fields": {
        "required": ["reason", "risk", "read"],
        "properties": {
            "reason": {"type": "string", "title": "Reason", "maxLength": 80, "description": "One line.", "pattern": "^[A-Z]"},
            "notes": {"type": "string", "format": "textarea", "default": "\n<b>"},
            "share": {"type": "number", "title": "Share, in percent", "minimum": 0, "maximum": 100, "default": 2.5},
            "servers": {"type": "integer"},
            "from": {"type": "string", "format": "date"},
            "contact": {"type": "string", "format": "email"},
            "read": {"type": "boolean", "const": True, "title": "I have read the notes"},
            "risk": {"oneOf": [{"const": "low", "title": "Low"}, {"const": "high", "title": "High"}], "default": "low"},
            "window": {"enum": [1, 2]},
            "regions": {"type": "array", "minItems": 1, "items": {"enum": ["eu", "us"]}, "default": ["us"]},
        },
    },
}
SENT = b"action=approve&field.reason=All green&field.share=12.5&field.risk=high&field.read=yes&field.regions=eu"
WRONG = b"action=submit&field.reason=all green&field.from=soon&field.risk=high"
PEOPLE = ["ann", {"id": "bo", "name": "Bo <Berg>"}, "cy"]
NOTE = "Fine <b>\nby me"
DECISION: dict[str, Any] = {
    "title": "Deploy?",
    "approvers": PEOPLE,
    "requestedBy": "dee",
    "escalate": {"after": "4h", "to": [{"id": "lead", "name": "Lea Lead"}]},
    "actions": [{"id": "approve", "label": "Approve", "needs": 2}, {"id": "reject", "label": "Reject"}],
    "fields": {"properties": {"share": {"type": "number", "title": "Share"}, "note": {"type": "string", "title": "Note"}}},
}


def hostile(attack: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A page, and one with approvers, that say it wherever a caller may write."""
    short = attack[:100]
    actions = [{"id": "approve", "label": short}, {"id": "reject", "label": f"{attack[:90]} 2", "style": "danger"}]
    given = PAGE["fields"]["properties"]
    fields = {name: {**schema, "title": f"{short} {name}"} for name, schema in given.items()}
    fields |= {short: {"type": "string", "title": short, "description": attack, "default": attack}}
    links = [{"label": short, "url": f"https://example.com/?{quote(attack)}"}]
    page = {**PAGE, "title": short, "text": attack, "actions": actions, "links": links}
    people = [{"id": name, "name": f"{attack[:90]} {name}"} for name in ("ann", "bo", "cy")]
    needs = [{**action, "needs": needed} for action, needed in zip(actions, (2, 1), strict=True)]
    entered = {"properties": {"note": {"type": "string", "title": short}}}
    escalate = {"after": "4h", "to": [{"id": "lead", "name": f"{attack[:90]} lead"}]}
    decision = {"title": short, "approvers": people, "escalate": escalate, "actions": needs, "fields": entered}
    return {**page, "fields": {**PAGE["fields"], "properties": fields}}, decision


def page_of(definition: dict[str, Any]) -> Page:
    return page_checks.parse(definition)[0]


def states(theme: Theme = THEME, definition: dict[str, Any] = PAGE) -> dict[str, str]:
    """The pages that anyone with the link may see."""
    page, short = page_of(definition), page_of({"title": "How was it?"})
    few = {name: PAGE["fields"]["properties"][name] for name in ("reason", "from", "read", "risk")}
    some = page_of({"title": "Deploy?", "fields": {**PAGE["fields"], "properties": few}})
    choice, wrong = form.read(page, SENT, FORM), form.read(some, WRONG, FORM)
    assert isinstance(choice, Submission)
    assert isinstance(wrong, Errors)
    assert choice.values is not None
    done, waiting = Completed(AT, Output(choice.output)), Token(id="t", created_at=AT - 86_400_000, timeout_at=AT)
    return {
        "form": render.form(page, theme, token=waiting),
        "form without fields": render.form(short, theme),
        "errors": render.form(some, theme, errors=wrong),
        "confirm": render.confirm(page, choice.action, choice.values, theme),
        "confirm what is dangerous": render.confirm(short, page.actions[1], {}, theme),
        "done": render.done(page, choice, AT, theme),
        "decided": render.ended(done, theme, page=page),
        "completed in another way": render.ended(replace(done, output=Output("1")), theme, page=page),
        "failed": render.ended(Failed(AT, TokenError("why")), theme, page=page),
        "timed out": render.ended(TimedOut(AT), theme, page=page),
        "waiting without a page": render.page_of(waiting, None, theme),
        "refusal": render.notice(403, theme),
        "sign-in failed": render.sign_in_failed(
            theme, "sign_in_denied_text", "response_access_denied", "https://hooks.example.com/again"
        ),
        **sign_in_states(theme),
    }


def sign_in_states(theme: Theme) -> dict[str, str]:
    """A page for the people of a domain, before the sign-in, and as two of them see it."""
    page = page_checks.parse(OPEN, ("https://issuer.example.com", "waitpoints"))[0]
    ann, eve = (SignedIn("https://issuer.example.com", f"{who}-1", f"{who}@example.com", AT) for who in ("ann", "eve"))
    account = Account(ann, "0a" * 32, "/page", "https://hooks.example.com/out")
    token = Token(id="waitpoint_1", created_at=AT, answers=(Answer(eve.subject, "approve", "{}", AT, eve),))
    progress = Progress(page, token, Approver.who_signed_in(ann), account=account)
    return {
        "before the sign-in": render.sign_in(theme, "https://hooks.example.com/in"),
        "signed in too long ago": render.sign_in(theme, "https://hooks.example.com/in", is_signed_in=True),
        "before the sign-in, not sent": render.sign_in(
            theme, "https://hooks.example.com/in", unsent=render.Unsent(is_kept=True)
        ),
        "before the sign-in, to copy": render.sign_in(
            theme,
            "https://hooks.example.com/in",
            unsent=render.Unsent(is_kept=False, texts=("Line one\nLine two", "2026-05-04")),
        ),
        "signed in": render.page_of(token, page, theme, progress),
        "signed in again, not sent": render.form(page, theme, token=token, values={}, progress=progress, is_unsent=True),
        "signed in without an address": render.other_account(
            theme, account, "https://hooks.example.com/in", lacks_address=True
        ),
        "signed in as another": render.other_account(theme, account, "https://hooks.example.com/in"),
        "sign-in changed": render.sign_in_changed(theme),
    }


def approver_states(theme: Theme = THEME, definition: dict[str, Any] = DECISION, note: str = NOTE) -> dict[str, str]:
    """A page with approvers, as the first of them sees it. Each has entered `note`."""
    page, text = page_checks.parse(definition)
    by_bo = Completed(AT, Output('{"action":"approve"}'), CompletedBy(source=Source.CALLBACK, approver="bo"))

    def shown(
        *answers: tuple[str, str], is_late: bool = False, outcome: Outcome | None = None, hand_overs: tuple[HandOver, ...] = ()
    ) -> str:
        given = tuple(Answer(person, action, json_text.dumps({"share": 2.5, "note": note}), AT) for person, action in answers)
        token = Token(
            id="t", created_at=AT - 86_400_000, timeout_at=AT, page=text, answers=given, outcome=outcome, hand_overs=hand_overs
        )
        now = of_token(token)
        assert now.approval
        progress = Progress(now, token, now.approval.approvers[0], is_late)
        return render.page_of(token, now, theme, progress)

    mine, bo = ("ann", "approve"), ("bo", "approve")
    di = HandOver(({"id": "di", "name": definition["approvers"][1]["name"]},), ("cy",), AT, "ci")
    return {
        "asked": shown(bo),
        "answered": shown(mine),
        "answered before": shown(mine, is_late=True),
        "decided by another": shown(mine, bo, outcome=by_bo),
        "too late": shown(bo, ("cy", "approve"), is_late=True, outcome=by_bo),
        "completed with the API key": shown(mine, outcome=replace(by_bo, completed_by=CompletedBy(source=Source.COMPLETE))),
        "timed out with an answer": shown(bo, outcome=TimedOut(AT)),
        "handed over": shown(bo, hand_overs=(di, HandOver((), ("di",), AT))),
        "removed": render.removed(page, theme),
        "plain URL": render.page_of(Token(id="t", created_at=AT - 86_400_000, timeout_at=AT), page, theme),
    }


def document() -> str:
    """All of them for a reader of a diff: what is in `main`, a line for each block."""
    return "".join(f"<!-- {name} -->\n{_lines(html)}\n\n" for name, html in {**states(), **approver_states()}.items())


def _lines(html: str) -> str:
    [main] = re.findall(r"<main>(.*)</main>", re.sub(r"<svg.*?</svg>", "", html, flags=re.S), re.S)
    return re.sub(r"(?=<(?:h1|h2|p|li|form|fieldset|label|input|select|textarea|button|dt)\b)", "\n", main).strip()
