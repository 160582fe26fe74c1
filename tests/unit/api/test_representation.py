"""Tokens as the API shows them: absent fields are left out, never null, and instants are ISO 8601 with milliseconds."""

import json
from dataclasses import replace

import pytest

from waitpoints.access.api_keys import NamedKey, Scope
from waitpoints.api.representation import INLINE_LIMIT, api_key, bytes_in_an_answer, listed, retrieved
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


@pytest.mark.parametrize(("more", "shown_as"), [(-1, "application/json"), (0, "application/json"), (1, "application/store")])
def test_an_output_is_inline_up_to_the_limit(more: int, shown_as: str) -> None:
    text = "1" * (INLINE_LIMIT - 6 + more)  # quoted, and quoted again with its quotes escaped
    assert bytes_in_an_answer(text) == INLINE_LIMIT + more
    shown = retrieved(completed(Output(text, "waitpoint_0/1.json")), URL)
    assert (shown["outputType"], shown["output"] == text) == (shown_as, shown_as == "application/json")


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


def test_a_key_is_shown_without_its_digest() -> None:
    key = NamedKey("job", "d" * 64, (Scope("create", "team-a"), Scope("read")), 0, 86_400_000)
    assert api_key(key, 1_500) == {
        "name": "job",
        "scopes": ["create:team-a", "read"],
        "createdAt": "1970-01-01T00:00:00.000Z",
        "lastUsedAt": "1970-01-01T00:00:01.500Z",
        "expiresAt": "1970-01-02T00:00:00.000Z",
    }
    assert api_key(replace(key, expires_at=None)).keys() == {"name", "scopes", "createdAt"}
