"""Tokens as the API shows them: absent fields are left out, never null, and instants are ISO 8601 with milliseconds."""

import json
from dataclasses import replace

import pytest

from tools.openapi import answers
from waitpoints.api.representation import listed, retrieved
from waitpoints.notices import NoticeRecord
from waitpoints.token import Completed, Output, Reply, ReplyKind, TimedOut, Token, Waiter, WaiterKind, iso

CREATED = 1_800_000_000_005
WAITING = Token(id="waitpoint_0", created_at=CREATED)
FULL = Token(
    id="waitpoint_0",
    created_at=CREATED,
    timeout_at=CREATED + 60_000,
    tags=("b", "a", "b"),
    idempotency_key="order-1",
    idempotency_key_expires_at=CREATED + 1000,
)
URL = "https://hooks.example.com/callback"


def completed(output: Output, token: Token = WAITING) -> Token:
    return replace(token, outcome=Completed(CREATED + 7, output))


def test_an_instant_has_milliseconds_and_z() -> None:
    assert iso(CREATED) == "2027-01-15T08:00:00.005Z"
    assert iso(0) == "1970-01-01T00:00:00.000Z"
    assert iso(253_402_300_799_000) == "9999-12-31T23:59:59.000Z"


def test_absent_fields_are_left_out() -> None:
    shown = retrieved(WAITING, URL)
    assert None not in shown.values()
    absent = {"output", "completedAt", "timeoutAt", "completedAfter", "idempotencyKey", "idempotencyKeyExpiresAt"}
    assert absent.isdisjoint(shown)
    assert (shown["status"], shown["tags"], shown["url"]) == ("WAITING", [], URL)
    assert (shown["outputType"], shown["outputIsError"]) == ("application/json", False)
    assert (shown["type"], shown["userProvidedIdempotencyKey"]) == ("MANUAL", False)


def test_a_token_shows_every_field_given_at_creation() -> None:
    shown = retrieved(FULL, URL)
    assert shown["tags"] == ["b", "a", "b"]
    assert shown["timeoutAt"] == shown["completedAfter"] == "2027-01-15T08:01:00.005Z"
    assert (shown["idempotencyKey"], shown["userProvidedIdempotencyKey"]) == ("order-1", True)
    assert shown["idempotencyKeyExpiresAt"] == "2027-01-15T08:00:01.005Z"
    assert shown["createdAt"] == "2027-01-15T08:00:00.005Z"


def test_a_completed_token_shows_its_output_as_text() -> None:
    shown = retrieved(completed(Output('{"n": 1.50}')), URL)
    assert (shown["status"], shown["output"], shown["outputIsError"]) == ("COMPLETED", '{"n": 1.50}', False)
    assert shown["completedAt"] == "2027-01-15T08:00:00.012Z"


def test_an_absent_output_is_left_out_but_an_empty_one_is_shown() -> None:
    assert "output" not in retrieved(completed(Output()), URL)
    assert retrieved(completed(Output('""')), URL)["output"] == '""'


def test_a_timed_out_token_shows_the_error_that_the_sdk_decodes() -> None:
    timed_out = replace(FULL, outcome=TimedOut(CREATED + 60_000))
    shown = retrieved(timed_out, URL)
    assert (shown["status"], shown["outputIsError"], shown["outputType"]) == ("TIMED_OUT", True, "application/json")
    assert json.loads(shown["output"]) == {
        "code": "TRIGGER_WAITPOINT_TIMEOUT",
        "message": "Waitpoint timed out at 2027-01-15T08:01:00.005Z",
    }
    assert shown["completedAt"] == shown["timeoutAt"]


def test_a_list_shows_neither_output_nor_waiters_and_sorts_the_tags() -> None:
    shown = listed(completed(Output('"secret"'), FULL), URL)
    assert {"output", "outputType", "waiters"}.isdisjoint(shown)
    assert shown["tags"] == ["a", "b", "b"]
    assert (shown["id"], shown["status"], shown["url"]) == ("waitpoint_0", "COMPLETED", URL)


def test_waiters_show_their_status_and_never_their_task_token() -> None:
    waiters = {name: Waiter(f"task token {name}", CREATED) for name in ("resumed", "gone", "undelivered")}
    replies = {"resumed": Reply(ReplyKind.RESUMED, CREATED + 12), "gone": Reply(ReplyKind.GONE, CREATED + 13)}
    token = replace(completed(Output()), waiters=waiters, replies=replies)
    shown = {waiter["id"]: waiter for waiter in retrieved(token, URL)["waiters"]}
    assert {name: waiter["status"] for name, waiter in shown.items()} == {
        "resumed": "RESUMED",
        "gone": "GONE",
        "undelivered": "UNDELIVERED",
    }
    assert (shown["resumed"]["resumedAt"], shown["resumed"]["lagMs"]) == ("2027-01-15T08:00:00.017Z", 5)
    assert "task token" not in json.dumps(list(shown.values()))


@pytest.mark.parametrize("kind", WaiterKind)
def test_a_waiter_shows_its_kind(kind: WaiterKind) -> None:
    [shown] = retrieved(replace(WAITING, waiters={"a": Waiter("handle", CREATED, kind=kind)}), URL)["waiters"]
    assert shown["kind"] == kind.value


def test_a_waiter_shows_its_execution_if_it_gave_one() -> None:
    arn = "arn:aws:states:us-east-1:123456789012:execution:orders:4711"
    [shown] = retrieved(replace(WAITING, waiters={"a": Waiter("task token", CREATED, execution=arn)}), URL)["waiters"]
    assert shown["execution"] == arn


def test_a_waiter_of_a_waiting_token_waits() -> None:
    [shown] = retrieved(replace(WAITING, waiters={"a": Waiter("task token", CREATED + 1)}), URL)["waiters"]
    assert shown == {"id": "a", "kind": "STEP_FUNCTIONS", "status": "WAITING", "registeredAt": "2027-01-15T08:00:00.006Z"}


TOLD = replace(
    WAITING,
    page=json.dumps(
        {
            "title": "Go?",
            "approvers": [
                {"id": "ann", "name": "Ann Lee", "email": "ann@example.com", "slack": "U024BE7LH"},
                "bo@example.com",
            ],
            "escalate": {"after": "1d", "to": ["cy@example.com"]},
        }
    ),
    has_notify=True,
    notify='{"email": true, "slack": "#deploys", "teams": "TEAMS_DEPLOYS"}',
)


def test_each_targets_notice_is_shown_in_the_order_in_which_they_are_sent() -> None:
    """Never how the channel names a message, nor a link."""
    sent = {
        "email.2": NoticeRecord(CREATED + 5, ref="010001", reminded=2),
        "email.1": NoticeRecord(CREATED + 4, refused="MessageRejected"),
        "slack.0": NoticeRecord(CREATED + 3, ref="D1/1.2", reminded=1, refused="account_inactive"),
        "email.0": NoticeRecord(CREATED + 2, ref="010000"),
        "teams": NoticeRecord(CREATED + 1),
        "slack": NoticeRecord(CREATED, ref="C1/1.1", shows="0/0/0", notified_last=True),
    }
    shown = retrieved(replace(TOLD, notices=sent, escalated_at=CREATED), URL)
    assert shown["notify"] == {"email": True, "slack": "#deploys", "teams": "TEAMS_DEPLOYS"}
    assert shown["notices"] == [
        {"channel": "slack", "to": "#deploys", "status": "sent", "at": iso(CREATED)},
        {"channel": "teams", "to": "TEAMS_DEPLOYS", "status": "sent", "at": iso(CREATED + 1)},
        {"channel": "email", "to": "ann@example.com", "approver": "ann", "status": "sent", "at": iso(CREATED + 2)},
        {
            "channel": "slack",
            "to": "U024BE7LH",
            "approver": "ann",
            "status": "refused",
            "at": iso(CREATED + 3),
            "reminders": 1,
            "reason": "account_inactive",
        },
        {
            "channel": "email",
            "to": "bo@example.com",
            "approver": "bo@example.com",
            "status": "refused",
            "at": iso(CREATED + 4),
            "reason": "MessageRejected",
        },
        {
            "channel": "email",
            "to": "cy@example.com",
            "approver": "cy@example.com",
            "status": "sent",
            "at": iso(CREATED + 5),
            "reminders": 2,
        },
    ]
    answers.Notify.model_validate(shown["notify"])
    assert [answers.Notice.model_validate(notice) for notice in shown["notices"]]


def test_an_address_that_is_nobodys_in_particular_is_shown_without_an_approver() -> None:
    notify = '{"email": ["ann@example.com", "bo@example.com"]}'
    token = replace(
        WAITING, page='{"title": "Go?"}', has_notify=True, notify=notify, notices={"email.1": NoticeRecord(CREATED)}
    )
    assert retrieved(token, URL)["notices"] == [
        {"channel": "email", "to": "bo@example.com", "status": "sent", "at": iso(CREATED)}
    ]


def test_a_list_shows_nobody_who_is_told() -> None:
    assert listed(TOLD, URL) == listed(WAITING, URL)
