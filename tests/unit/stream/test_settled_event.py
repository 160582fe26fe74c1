"""What an event says (docs/events.md)."""

import json
from typing import Any

import pytest

from waitpoints import ids
from waitpoints.aws.services.event_bus import REQUEST_LIMIT
from waitpoints.aws.services.outputs import IN_ITEM_LIMIT
from waitpoints.stream.settled_event import settled_event
from waitpoints.token import (
    MAX_LISTED_TITLE,
    Completed,
    CompletedBy,
    Failed,
    Outcome,
    Output,
    Rules,
    Source,
    TimedOut,
    Token,
    TokenError,
)

CREATED, SETTLED = 1_795_529_546_123, 1_795_529_551_007
TOKEN_ID = ids.new_id(CREATED)
BUCKET = "outputs"


def token(outcome: Outcome, **more: Any) -> Token:
    return Token(id=TOKEN_ID, created_at=CREATED, outcome=outcome, **more)


def detail(outcome: Outcome, **more: Any) -> dict[str, Any]:
    return json.loads(settled_event(token(outcome, **more), BUCKET).detail)


def test_of_a_completed_token_says_its_output_and_who_completed_it() -> None:
    by = CompletedBy(source=Source.CALLBACK, ip="192.0.2.1", delivery_id="d-1")
    event = settled_event(
        token(Completed(SETTLED, Output('{"approved":true}'), by), tags=("order-1",), idempotency_key="orders:1"), BUCKET
    )
    assert (event.type, event.at) == ("waitpoint.completed", SETTLED)
    assert json.loads(event.detail) == {
        "id": TOKEN_ID,
        "tags": ["order-1"],
        "idempotencyKey": "orders:1",
        "createdAt": "2026-11-24T14:12:26.123Z",
        "completedAt": "2026-11-24T14:12:31.007Z",
        "completedBy": {"source": "callback", "at": "2026-11-24T14:12:31.007Z", "ip": "192.0.2.1", "deliveryId": "d-1"},
        "ok": True,
        "output": {"approved": True},
    }


def test_says_whose_answer_decided_or_that_the_api_key_did() -> None:
    asked = {"rules": Rules(has_page=True, has_approvers=True)}
    ann = CompletedBy(source=Source.CALLBACK, approver="ann")
    assert detail(Completed(SETTLED, Output("{}"), ann), **asked)["completedBy"]["approver"] == "ann"
    by_key = detail(Completed(SETTLED, Output("{}"), CompletedBy(source=Source.COMPLETE)), **asked)["completedBy"]
    assert (by_key["override"], "approver" in by_key) == (True, False)
    assert "override" not in detail(TimedOut(SETTLED), **asked)["completedBy"]
    assert "override" not in detail(Completed(SETTLED, Output("{}"), CompletedBy(source=Source.COMPLETE)))["completedBy"]


def test_has_the_traceparent_of_the_create() -> None:
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert detail(TimedOut(SETTLED), traceparent=traceparent)["traceparent"] == traceparent
    assert "traceparent" not in detail(TimedOut(SETTLED))


def test_has_the_metadata_of_the_create_as_it_was_sent() -> None:
    text = settled_event(token(TimedOut(SETTLED), metadata='{"price": 1.50, "n": 90071992547409930}'), BUCKET).detail
    assert ',"metadata":{"price": 1.50, "n": 90071992547409930},' in text
    assert json.loads(text)["error"]["name"] == "WaitpointTimeoutError"
    assert "metadata" not in detail(TimedOut(SETTLED))


def test_has_the_title_of_the_page() -> None:
    assert detail(TimedOut(SETTLED), page_title="Größe 42?")["page"] == {"title": "Größe 42?"}
    assert "page" not in detail(TimedOut(SETTLED))


def test_of_a_failed_token_is_completed_like_its_status_and_not_ok() -> None:
    failed = Failed(SETTLED, TokenError("It is out of stock: Größe", "OutOfStock", "E_STOCK"))
    event = settled_event(token(failed), BUCKET)
    assert event.type == "waitpoint.completed"
    said = json.loads(event.detail)
    assert said["ok"] is False
    assert said["error"] == {"name": "OutOfStock", "code": "E_STOCK", "message": "It is out of stock: Größe"}
    assert said.keys().isdisjoint({"output", "outputReference"})


def test_of_a_timed_out_token_has_a_type_of_its_own() -> None:
    event = settled_event(token(TimedOut(SETTLED), timeout_at=SETTLED), BUCKET)
    assert event.type == "waitpoint.timed_out"
    said = json.loads(event.detail)
    assert (said["ok"], said["error"]["name"]) == (False, "WaitpointTimeoutError")
    assert said["completedBy"] == {"source": "timeout", "at": "2026-11-24T14:12:31.007Z"}


def test_absent_fields_are_left_out_and_tags_are_always_a_list() -> None:
    said = detail(Completed(SETTLED))
    assert "idempotencyKey" not in said
    assert (said["tags"], said["output"]) == ([], None)


def test_an_output_in_the_bucket_is_referred_to() -> None:
    said = detail(Completed(SETTLED, Output(None, "waitpoint_1/a.json")))
    assert said["outputReference"] == {"bucket": BUCKET, "key": "waitpoint_1/a.json"}
    assert "output" not in said


@pytest.mark.parametrize("text", ["12345678901234567890123", '{"a": 1, "a":2}', '"\\ud800"', "[ 1.10 ]"])
def test_an_output_is_kept_as_its_own_text(text: str) -> None:
    assert settled_event(token(Completed(SETTLED, Output(text))), BUCKET).detail.endswith(f',"output":{text}}}')


def test_an_output_that_eventbridge_refuses_is_left_out_and_the_event_says_so() -> None:
    completed = token(Completed(SETTLED, Output("1e999999")))
    said = json.loads(settled_event(completed, BUCKET, with_output=False).detail)
    assert said["outputRefused"] is True
    assert (said["ok"], "output" in said) == (True, False)


def test_nothing_but_an_output_is_left_out() -> None:
    stored = token(Completed(SETTLED, Output(None, "waitpoint_1/a.json")))
    timed_out = token(TimedOut(SETTLED))
    for one in stored, timed_out:
        assert settled_event(one, BUCKET, with_output=False) == settled_event(one, BUCKET)


def test_never_holds_what_completes_or_resumes_a_token() -> None:
    said = settled_event(token(Completed(SETTLED)), BUCKET).detail
    assert all(secret not in said for secret in ("url", "callback", "hash", "taskToken", "waiters", "listShard"))


def test_the_largest_event_fits_one_request() -> None:
    """And with the envelope of a delivered event, the 262,144 bytes that Step Functions and SQS take."""
    widest = "\u0001"  # six bytes in JSON
    by = CompletedBy(
        source=Source.CALLBACK,
        ip=widest * 256,
        user_agent=widest * 256,
        content_type=widest * 256,
        query=widest * 256,
        delivery_id=widest * 256,
    )
    largest = token(
        Completed(SETTLED, Output('"' + "x" * (IN_ITEM_LIMIT - 2) + '"'), by),
        tags=tuple([widest * 128] * 10),
        idempotency_key=widest * 2048,
        page_title=widest * MAX_LISTED_TITLE,
    )
    assert settled_event(largest, BUCKET).size < REQUEST_LIMIT < 262_144 - 2_000
