"""A click in Slack: whose counts, what it decides, and what the person is told privately."""

import hmac
import time
from typing import Any
from unittest.mock import Mock

import pytest

from tests.support.in_process.api_gateway import HttpAnswer
from tests.support.in_process.fakes.notices import FakeNoticeQueue as Queue
from tests.support.in_process.fakes.secret import FakeSecret, MissingSecret
from tests.support.in_process.world import World
from tests.support.slack import (
    ANN,
    BO,
    DECISION,
    FIELD,
    PAGE,
    PATIENT,
    PEOPLE,
    REQUIRED,
    button,
    create,
    message,
    output,
    post,
    press,
)
from waitpoints.api.notices import posting, slack_click
from waitpoints.aws.items import NOTICES
from waitpoints.notices import NoticeRecord
from waitpoints.token import Completed, CompletedBy, HandOver, Token
from waitpoints.wiring import services
from waitpoints_local.slack_stand_in import SIGNING_SECRET, Message, Workspace, signed

ADA = "U0ADA"
DECIDED = "Decided\n{choice} was chosen. No further answer is needed.\nDecided by {name}."


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture(autouse=True)
def stack(world: World, workspace: Workspace, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    world.install(monkeypatch)
    world.channel_secrets["SLACK_SIGNING_SECRET"] = FakeSecret(SIGNING_SECRET)
    monkeypatch.setitem(vars(services), "notice_queue", queue)
    monkeypatch.setenv("SLACK_API_URL", workspace.api_url)
    monkeypatch.setattr(slack_click, "PRIVATELY", PATIENT)


@pytest.fixture
def token_id() -> str:
    return create()


@pytest.fixture
def asked(token_id: str, workspace: Workspace) -> Message:
    """The message of a page that anybody answers."""
    return message(PAGE, token_id, workspace)


@pytest.fixture
def decision(workspace: Workspace) -> Message:
    """The message of a page that two of three people must approve."""
    return message(DECISION, create(DECISION), workspace)


def token_of(clicked: Message) -> Token:
    [token_id, *_] = {one["value"] for one in clicked.buttons().values()}
    return services.tokens.find(token_id)


def send(workspace: Workspace, asked: Message, user: str = ADA, **changed: Any) -> HttpAnswer:
    """Click "approve", with other members of what Slack sends."""
    payload = {**workspace.click(asked, button(asked, "approve"), user, "ada"), **changed}
    return post(*signed(payload, time.time()))


def told(workspace: Workspace) -> list[str]:
    return [str(body["text"]) for body in workspace.private]


def counted(world: World, token: Token) -> int:
    found = world.store.get(token.id).other_deliveries
    return found.count if found else 0


ONLY_THERE = "This can only be answered on its page."
ONLY_THEY = "Only these people can answer: "
NEEDS_NONE = [PAGE["actions"][0], {**PAGE["actions"][1], "needsFields": False}]
LATER = {"approvers": PEOPLE[:2], "escalate": {"after": "1d", "to": [{"id": "dee", "slack": "U0DEE"}]}}
HOSTILE = {"approvers": [{"id": "ann", "name": "<!channel> & <https://x|y>", "slack": ANN}, "bo"]}
CHOSEN = "Sie haben bereits Genehmigen gewählt und können das nicht mehr ändern."
LABELS = {"en": "Approve", "de": "Genehmigen"}
GERMAN = {
    "approvers": [{**PEOPLE[0], "language": "fr"}, {**PEOPLE[1], "language": "de"}],
    "actions": [{**DECISION["actions"][0], "label": LABELS}, DECISION["actions"][1]],
    "language": ["en", "de"],
}
CLICKS: list[tuple[dict[str, Any], list[str], str, str | None]] = [
    # the page, the actions that are pressed in turn, by whom, and what this person is told
    ({**PAGE, "fields": FIELD}, ["reject"], ADA, None),
    ({**PAGE, "fields": REQUIRED, "actions": NEEDS_NONE}, ["reject"], ADA, None),
    ({**PAGE, "fields": REQUIRED, "actions": NEEDS_NONE}, ["approve"], ADA, ONLY_THERE),
    ({**PAGE, "fields": REQUIRED}, ["approve"], ADA, ONLY_THERE),
    (PAGE, ["delete"], ADA, ONLY_THERE),
    (DECISION, ["approve"], ADA, f"{ONLY_THEY}Ann Lee, Bo Chen, Cy."),
    ({**DECISION, **LATER}, ["approve"], "U0DEE", f"{ONLY_THEY}Ann Lee, Bo Chen."),
    ({**DECISION, **HOSTILE}, ["approve"], ADA, f"{ONLY_THEY}&lt;!channel&gt; &amp; &lt;https://x|y&gt;, bo."),
    (
        {**DECISION, **GERMAN},
        ["approve", "reject"],
        BO,
        CHOSEN,
    ),
]


@pytest.mark.parametrize(("page", "actions", "user", "said"), CLICKS)
def test_a_click_counts_or_is_answered_privately(
    world: World, workspace: Workspace, page: dict[str, Any], actions: list[str], user: str, said: str | None
) -> None:
    clicked = message(PAGE, create(page), workspace)
    for action in actions:
        pressed = {**button(clicked, "approve"), "action_id": f"waitpoints:{action}"}
        assert send(workspace, clicked, user, actions=[pressed]).status == 200
    token = token_of(clicked)
    if said is None:
        assert output(token) == {"action": actions[0], "fields": {}, "slackUser": {"id": ADA, "name": "ada"}}
        assert told(workspace) == []
        return
    [body] = workspace.private
    assert (body["text"], body["response_type"], body["replace_original"]) == (said, "ephemeral", False)
    assert body["blocks"][0]["text"]["type"] == "plain_text"
    assert (token.outcome, len(token.answers), counted(world, token)) == (None, len(actions) - 1, 1)


class TestAPageThatAnybodyAnswers:
    def test_is_completed_by_whoever_clicks_and_says_who_that_was(self, workspace: Workspace, asked: Message) -> None:
        delivery = signed(workspace.click(asked, button(asked, "approve"), ADA, "ada"), time.time())
        answer = post(*delivery, "team=T024BE91L")
        assert (answer.status, answer.text) == (200, "")
        token = token_of(asked)
        assert output(token) == {"action": "approve", "fields": {}, "slackUser": {"id": ADA, "name": "ada"}}
        assert isinstance(token.outcome, Completed)
        assert token.outcome.completed_by is not None
        by = token.outcome.completed_by.members()
        assert CompletedBy.of(by) == token.outcome.completed_by
        assert (by["source"], by["slackUser"], by["slackName"]) == ("callback", ADA, "ada")
        assert "query" not in by
        assert told(workspace) == []

    @pytest.mark.parametrize(
        ("name", "shown"),
        [("a\x00d\u202ea\n!", "ada !"), ("x" * 300, "x" * 99 + "…"), ("\u0007", ADA), ("<!channel>", "<!channel>")],
    )
    def test_the_name_is_cleaned_and_cut(self, workspace: Workspace, asked: Message, name: str, shown: str) -> None:
        payload = workspace.click(asked, button(asked, "approve"), ADA, name)
        payload["user"]["username"] = ""
        assert post(*signed(payload, time.time())).status == 200
        assert output(token_of(asked))["slackUser"] == {"id": ADA, "name": shown}

    def test_a_click_after_the_end_reads_how_it_ended(self, world: World, workspace: Workspace, asked: Message) -> None:
        press(workspace, asked, "approve", ADA)
        before = output(token_of(asked))
        press(workspace, asked, "reject", "U0BOB", "bob")
        assert output(token_of(asked)) == before
        assert told(workspace) == [DECIDED.format(choice="Approve it", name="ada")]
        assert counted(world, token_of(asked)) == 1

    def test_a_click_past_the_timeout_decides_nothing(self, world: World, workspace: Workspace) -> None:
        clicked = message(PAGE, create(timeout_at=world.clock() + 1_000), workspace)
        world.advance(1_000)
        press(workspace, clicked, "approve", ADA)
        assert told(workspace) == ["This request has expired\nThe deadline has passed. No further answer is needed."]
        assert token_of(clicked).status == "TIMED_OUT"


class TestAPageWithApprovers:
    def test_is_answered_by_the_approver_with_this_slack_id(self, workspace: Workspace, decision: Message) -> None:
        press(workspace, decision, "approve", ANN)
        assert [(one.approver, one.action) for one in token_of(decision).answers] == [("ann", "approve")]
        assert token_of(decision).outcome is None
        press(workspace, decision, "approve", BO)
        token = token_of(decision)
        assert (output(token)["approver"], len(output(token)["answers"])) == ("bo", 2)
        assert isinstance(token.outcome, Completed)
        assert token.outcome.completed_by is not None
        assert (token.outcome.completed_by.approver, token.outcome.completed_by.slack_user) == ("bo", None)
        assert told(workspace) == []

    @pytest.mark.parametrize("comes_first", [True, False])
    def test_who_was_removed_reads_who_may_answer(
        self, world: World, workspace: Workspace, decision: Message, monkeypatch: pytest.MonkeyPatch, comes_first: bool
    ) -> None:
        """Also if the hand-over comes between the read and the write."""
        token, answer = token_of(decision), world.store.answer
        away = HandOver(({"id": "di", "name": "Di"},), ("ann",), world.clock())

        def hand_over_first(*arguments: Any) -> Any:
            monkeypatch.setattr(world.store, "answer", answer)
            world.store.hand_over(token, away)
            return answer(*arguments)

        if comes_first:
            world.store.hand_over(token, away)
        else:
            monkeypatch.setattr(world.store, "answer", hand_over_first)
        press(workspace, decision, "approve", ANN)
        assert told(workspace) == ["Only these people can answer: Bo Chen, Cy, Di."]
        assert (token_of(decision).answers, counted(world, token)) == ((), 1)

    @pytest.mark.parametrize(("second", "deliveries"), [("approve", 0), ("reject", 1)])
    def test_the_first_answer_stands(
        self, world: World, workspace: Workspace, decision: Message, second: str, deliveries: int
    ) -> None:
        press(workspace, decision, "approve", ANN)
        press(workspace, decision, second, ANN)
        token = token_of(decision)
        assert [(one.approver, one.action) for one in token.answers] == [("ann", "approve")]
        assert told(workspace) == ["You have already chosen Approve it and cannot change it."]
        assert counted(world, token) == deliveries

    @pytest.mark.parametrize("user", [BO, ADA])
    def test_after_the_end_everybody_reads_how_it_ended(self, workspace: Workspace, decision: Message, user: str) -> None:
        press(workspace, decision, "reject", ANN)
        press(workspace, decision, "approve", user)
        assert told(workspace) == [DECIDED.format(choice="Reject it", name="Ann Lee")]
        assert len(token_of(decision).answers) == 1


class TestAMessageThatStillHasButtons:
    def test_is_edited_by_the_click_that_ends_the_token_and_after_it(
        self, workspace: Workspace, queue: Queue, asked: Message
    ) -> None:
        press(workspace, asked, "approve", ADA)
        assert queue.unrecorded == [(token_of(asked).id, asked.ref)]
        press(workspace, asked, "approve", "U0BOB")
        assert queue.unrecorded == [(token_of(asked).id, asked.ref)] * 2

    def test_of_a_decision_too(self, workspace: Workspace, queue: Queue, decision: Message) -> None:
        press(workspace, decision, "reject", ANN)
        for user in (ANN, BO, ADA):
            press(workspace, decision, "reject", user)
        assert queue.unrecorded == [(token_of(decision).id, decision.ref)] * 4

    def test_but_not_where_it_is_recorded(self, world: World, workspace: Workspace, queue: Queue, asked: Message) -> None:
        world.store.change(token_of(asked).id, NOTICES, slack=NoticeRecord(1, ref=asked.ref).members())
        press(workspace, asked, "approve", ADA)
        press(workspace, asked, "approve", "U0BOB")
        assert queue.unrecorded == []

    def test_but_not_while_it_waits(self, workspace: Workspace, queue: Queue, decision: Message) -> None:
        for user in (ADA, ANN, ANN):
            press(workspace, decision, "approve", user)
        assert queue.unrecorded == []

    def test_a_queue_that_fails_changes_nothing_else(self, workspace: Workspace, queue: Queue, asked: Message) -> None:
        press(workspace, asked, "approve", ADA)
        queue.fails = ConnectionError()
        assert press(workspace, asked, "approve", "U0BOB").status == 200
        assert len(told(workspace)) == 1


def test_on_a_later_versions_token_is_answered_503(workspace: Workspace, world: World, asked: Message) -> None:
    token = token_of(asked)
    world.store.make_later(token.id)
    assert press(workspace, asked, "approve", ADA, "ada").status == 503
    assert token_of(asked).outcome is None


class TestATokenThatWasNotSentToSlack:
    @pytest.mark.parametrize(
        "value", ["", "x", "waitpoint_01ARZ3NDEKTSV4RRFFQ69G5FAV", "waitpoint_" + "0" * 26, None, "no page"]
    )
    def test_does_not_exist(self, world: World, workspace: Workspace, asked: Message, value: str | None) -> None:
        clicked = world.create() if value == "no page" else create(slack=None) if value is None else value
        assert send(workspace, asked, actions=[{**button(asked, "approve"), "value": clicked}]).status == 200
        assert told(workspace) == ["This request no longer exists."]
        assert world.store.tokens.get(clicked, token_of(asked)).outcome is None


class TestThePrivateAnswer:
    @pytest.mark.parametrize(
        ("url", "is_slacks"),
        [
            ("https://hooks.slack.com/actions/T1/2/3", True),
            ("https://hooks.slack.com.example/", False),
            ("http://hooks.slack.com/", False),
            ("http://127.0.0.1:7/response/1", True),
            ("http://127.0.0.1:78/response/1", False),
            ("https://127.0.0.1:7/response/1", False),
            ("file:///x", False),
            ("", False),
        ],
    )
    def test_is_recognized(
        self, workspace: Workspace, decision: Message, url: str, is_slacks: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tell = Mock(return_value=posting.ChannelResponse(200, b""))
        monkeypatch.setattr(posting, "post", tell)
        monkeypatch.setenv("SLACK_API_URL", "http://127.0.0.1:7/api")
        assert send(workspace, decision, response_url=url).status == 200
        assert [call.args[0] for call in tell.call_args_list] == ([url] if is_slacks else [])

    def test_that_fails_is_only_logged(self, workspace: Workspace, decision: Message) -> None:
        workspace.next_answers.append((500, {}, {}))
        assert press(workspace, decision, "approve", ADA).status == 200


@pytest.mark.parametrize(
    ("signs", "secret", "status"),
    [
        ("another secret", FakeSecret(SIGNING_SECRET), 401),
        (None, FakeSecret(SIGNING_SECRET), 401),
        (SIGNING_SECRET, MissingSecret("ResourceNotFoundException"), 401),
        (SIGNING_SECRET, MissingSecret("InvalidRequestException"), 401),
        (SIGNING_SECRET, MissingSecret("ThrottlingException"), 503),
    ],
    ids=["another's", "none", "without a secret", "with an unusable secret", "while the secret cannot be read"],
)
def test_without_slacks_signature_a_click_decides_nothing(
    world: World, workspace: Workspace, asked: Message, signs: str | None, secret: Any, status: int
) -> None:
    world.channel_secrets["SLACK_SIGNING_SECRET"] = secret
    body, headers = signed(workspace.click(asked, button(asked, "approve"), ADA, "ada"), time.time(), signs or "")
    answer = post(body, headers if signs else {"content-type": "application/x-www-form-urlencoded"})
    assert (answer.status, token_of(asked).outcome) == (status, None)
    if signs == "another secret":
        assert answer.error == "Invalid signature: it does not match the delivery"


class TestEverythingElseThatSlackSends:
    @pytest.mark.parametrize(
        "change",
        [
            {"type": "view_submission"},
            {"type": None},
            {"actions": []},
            {"actions": "x"},
            {"actions": [1]},
            {"actions": [{"action_id": "waitpoints-open", "type": "button"}]},
            {"actions": [{"action_id": "other", "value": "x"}]},
            {"actions": [{"action_id": 7, "value": "x"}]},
            {"actions": [{"action_id": "waitpoints:approve"}] * 2},
            {"user": None},
            {"user": {"id": "ada"}},
            {"user": {"id": "U<!channel>"}},
        ],
    )
    def test_is_answered_and_passed_over(self, workspace: Workspace, asked: Message, change: dict[str, Any]) -> None:
        answer = send(workspace, asked, **change)
        assert (answer.status, answer.text) == (200, "")
        assert token_of(asked).outcome is None
        assert told(workspace) == []

    @pytest.mark.parametrize(
        "body", [b"", b"payload=", b"payload=[1]", b"payload={", b"\xff", b"ssl_check=1", b"{}", b"a=1&" * 30]
    )
    def test_in_any_form(self, body: bytes) -> None:
        at = str(int(time.time()))
        signature = hmac.new(SIGNING_SECRET.encode(), f"v0:{at}:".encode() + body, "sha256").hexdigest()
        headers = {"x-slack-request-timestamp": at, "x-slack-signature": f"v0={signature}"}
        assert post(body, headers).status == 200

    def test_a_click_without_the_name_of_its_message_counts(self, workspace: Workspace, asked: Message, queue: Queue) -> None:
        for container in ({}, {"channel_id": "C1", "message_ts": "x"}, None):
            assert send(workspace, asked, container=container).status == 200
        assert token_of(asked).outcome is not None
        assert queue.unrecorded == []
