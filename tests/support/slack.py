"""Requests to the senders of Slack and Teams, and clicks in Slack."""

import importlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import urllib3

from tests.support.in_process.api_gateway import HttpAnswer, http_event
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.template import Context
from waitpoints import json_text
from waitpoints.api.notices import slack_message
from waitpoints.api.notices.plan import Notice, NoticeKind, Target
from waitpoints.api.page import page_checks
from waitpoints.approvers import Approver
from waitpoints.notices import Channel, NoticeRecord, Notify
from waitpoints.token import Answer, Completed, CompletedBy, Document, DocumentKind, NewToken, Output, Rules, Source, Token
from waitpoints.wiring import services
from waitpoints_local import slack_stand_in
from waitpoints_local.slack_stand_in import Message, Workspace

CREATED = 1_764_270_000_000  # 27 November 2025, 19:00 UTC
TOKEN_ID = "waitpoint_01kb3azhw0azrqym4cwq7bcew9"
LINK = "https://hooks.example.com/api/v1/waitpoints/tokens/x/callback/y"
PAGE: dict[str, Any] = {
    "title": "Deploy 4.2 to production?",
    "text": "All checks passed.\nAnn built it.",
    "links": [{"label": "Release notes", "url": "https://example.com/notes?a=1&b=2"}],
    "actions": [
        {"id": "approve", "label": "Approve it", "style": "primary"},
        {"id": "reject", "label": "Reject it", "style": "danger"},
    ],
}
PEOPLE: list[dict[str, str]] = [
    {"id": "ann", "name": "Ann Lee", "slack": "U024BE7LH"},
    {"id": "bo", "name": "Bo Chen", "slack": "U024BE7LJ"},
    {"id": "cy", "name": "Cy", "email": "cy@example.com"},
]
DEE = Approver("dee@example.com", email="dee@example.com", slack="U024BE7LK")
ANN, BO = PEOPLE[0]["slack"], PEOPLE[1]["slack"]
DECISION: dict[str, Any] = {
    **PAGE,
    "approvers": PEOPLE,
    "actions": [{**PAGE["actions"][0], "needs": 2}, PAGE["actions"][1]],
}
PATIENT = urllib3.Timeout(30)  # a test may be stopped for a while
FIELD: dict[str, Any] = {"type": "object", "properties": {"reason": {"type": "string", "title": "Reason"}}}
REQUIRED = {**FIELD, "required": ["reason"]}


class CachedSecret(FakeSecret):
    """Like a RotatingSecret: what it knows is read again only while the accepted versions are asked for."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.known, self.reads = value, 0

    def read_current(self) -> str:
        return self.known

    def read_accepted(self) -> Iterator[str]:
        yield self.known
        self.reads += 1
        self.known = super().read_current()
        yield from super().read_accepted()

    def read_latest(self) -> Iterator[str]:
        known = self.known
        yield known
        self.reads += 1
        self.known = super().read_current()
        if self.known != known:
            yield self.known


def token(**more: Any) -> Token:
    return Token(id=TOKEN_ID, created_at=CREATED, **{"timeout_at": CREATED + 86_400_000, **more})


def decided(approver: str | None = None, **origin: str) -> Completed:
    by = CompletedBy(source=Source.CALLBACK, approver=approver, **origin)
    return Completed(CREATED + 120_000, Output('{"action":"approve","fields":{}}'), by)


def answer(person: str, action: str = "approve", **fields: Any) -> Answer:
    return Answer(person, action, json_text.dumps(fields), CREATED + 60_000)


def notice(
    page: Mapping[str, Any] = PAGE,
    kind: NoticeKind = NoticeKind.FIRST,
    *,
    person: str | None = None,
    ref: str | None = None,
    link: str | None = LINK,
    channel: Channel = Channel.SLACK,
    requester: bool = False,
    **state: Any,
) -> Notice:
    """A step about a token with this page. To `person`, or to the channel, where approvers have no link.

    With `requester`, the outcome for Dee, who asked.
    """
    found = page_checks.parse(dict(page))[0]
    who = next((one for one in found.approval.everybody() if one.id == person), None) if found.approval else None
    if requester:
        who, kind = DEE, NoticeKind.OUTCOME
    if (found.approval and person is None) or kind is NoticeKind.OUTCOME:
        link = None
    to = {Channel.SLACK: "#deploys", Channel.TEAMS: "TEAMS_DEPLOYS", Channel.EMAIL: "team@example.com"}[channel]
    own = who and (who.email if channel is Channel.EMAIL else who.slack)
    target = Target(f"{channel}.0" if who else channel, channel, own or to, who)
    return Notice(kind, target, NoticeRecord(0), token(**state), found.for_reader(who), ref, link)


def create(page: Mapping[str, Any] = PAGE, *, slack: str | None = "#deploys", timeout_at: int | None = None) -> str:
    """Create a token that people are told of, as a create does, and return its id."""
    notify = json_text.dumps(Notify(email=("x@example.com",), slack=slack).members())
    document = Document(DocumentKind.PAGE, page_checks.parse(dict(page))[1], notify)
    new = NewToken(timeout_at=timeout_at, rules=Rules(has_approvers="approvers" in page), document=document)
    return services.tokens.create(new, services.now()).token_id


def message(page: Mapping[str, Any], token_id: str, workspace: Workspace) -> Message:
    """The channel's message about a token, in the stand-in."""
    asked = notice(page)
    content = slack_message.message(replace(asked, token=replace(asked.token, id=token_id)), "", lambda: True)
    ref = workspace.answer("/api/chat.postMessage", BEARER, {"channel": "#deploys", **content})[2]
    assert ref["ok"], ref
    return workspace.messages[-1]


BEARER = {"authorization": f"Bearer {slack_stand_in.BOT_TOKEN}"}


def post(body: bytes, headers: Mapping[str, str], query: str = "") -> HttpAnswer:
    """Send a notice to the route of Slack's clicks."""
    event = http_event("POST", "/api/v1/slack", query, body, headers, "POST /api/v1/slack", {})
    result = importlib.import_module("answer_slack").handler(event, Context("AnswerSlack"))
    return HttpAnswer(result["statusCode"], result["headers"], result["body"])


def press(workspace: Workspace, pressed: Message, action: str, user: str, name: str = "ada") -> HttpAnswer:
    """Click as a member does."""
    payload = workspace.click(pressed, button(pressed, action), user, name)
    return post(*slack_stand_in.signed(payload, time.time()))


def button(pressed: Message, action: str) -> dict[str, Any]:
    """A button of a message, also one that was edited away meanwhile."""
    usual = {"type": "button", "action_id": f"waitpoints:{action}", "text": {"type": "plain_text", "text": action}}
    return pressed.buttons().get(action) or {**usual, "value": pressed.content["token"]}


def output(token: Token) -> Any:
    assert isinstance(token.outcome, Completed)
    return json.loads(token.outcome.output.json or "")
