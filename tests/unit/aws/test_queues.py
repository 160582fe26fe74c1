"""The stack's queues, on a fake SQS: what is sent in a request and again, what a message names, and when it comes."""

import json
from typing import Any

import pytest

from waitpoints.aws.services.queues import (
    ATTEMPTS,
    LONGEST_PAUSE,
    LONGEST_SPREAD,
    LONGEST_WISH,
    MAX_ENTRIES,
    NoticeQueue,
    TimerQueue,
    pause_after,
)
from waitpoints.ports import Timer

NOW = 1_800_000_000_000


class FakeSqs:
    """Refuses messages about some tokens within requests that it accepts, so many times each."""

    def __init__(self, refuses: dict[str, int] | None = None) -> None:
        self.refuses = refuses or {}
        self.requests: list[list[str]] = []
        """The tokens that each request names."""
        self.sent: list[dict[str, Any]] = []
        self.delays: list[int] = []
        self.changed: list[dict[str, Any]] = []

    def send_message_batch(self, QueueUrl: str, Entries: list[Any]) -> dict[str, Any]:
        assert QueueUrl == "queue"
        assert len({entry["Id"] for entry in Entries}) == len(Entries) <= MAX_ENTRIES
        bodies = {entry["Id"]: json.loads(entry["MessageBody"]) for entry in Entries}
        self.requests.append([body["waitpointId"] for body in bodies.values()])
        failed = [id_ for id_, body in bodies.items() if self.refuses.get(body["waitpointId"], 0)]
        for id_ in failed:
            self.refuses[bodies[id_]["waitpointId"]] -= 1
        self.sent += [body for id_, body in bodies.items() if id_ not in failed]
        return {"Failed": [{"Id": id_} for id_ in failed]} if failed else {}

    def send_message(self, QueueUrl: str, MessageBody: str, DelaySeconds: int = 0) -> None:
        assert QueueUrl == "queue"
        self.sent.append(json.loads(MessageBody))
        self.delays.append(DelaySeconds)

    def change_message_visibility(self, **parameters: Any) -> None:
        self.changed.append(parameters)


@pytest.fixture
def sqs() -> FakeSqs:
    return FakeSqs()


def notices(sqs: FakeSqs) -> NoticeQueue:
    return NoticeQueue(sqs, "queue")  # type: ignore[arg-type]


def timers(sqs: FakeSqs) -> TimerQueue:
    return TimerQueue(sqs, "queue")  # type: ignore[arg-type]


@pytest.mark.parametrize(("count", "requests"), [(0, 0), (1, 1), (10, 1), (11, 2), (30, 3)])
def test_ten_are_sent_in_a_request(sqs: FakeSqs, count: int, requests: int) -> None:
    assert notices(sqs).send_all([str(number) for number in range(count)]) == set()
    assert len(sqs.requests) == requests
    assert sqs.sent == [{"waitpointId": str(number), "undone": "notice"} for number in range(count)]


def test_only_what_is_refused_is_sent_again_and_given_back_in_the_end() -> None:
    sqs = FakeSqs({"1": 1, "3": ATTEMPTS - 1, "12": ATTEMPTS, "13": 99})
    assert timers(sqs).send_all([Timer(str(number), NOW) for number in range(14)], NOW) == {"12", "13"}
    assert sorted(int(body["waitpointId"]) for body in sqs.sent) == list(range(12))
    assert sqs.requests[1:3] == [["1", "3"], ["3"]]
    assert notices(sqs).send_all(["12", "13"]) == {"13"}


def test_a_message_comes_again_later_and_later() -> None:
    assert [pause_after(receives) for receives in (1, 2, 3, 7, 8, 100)] == [1, 2, 4, 64, LONGEST_PAUSE, LONGEST_PAUSE]


def test_a_stray_message_is_named_too(sqs: FakeSqs) -> None:
    notices(sqs).send_unrecorded("waitpoint_1", "C01/17.4")
    assert sqs.sent == [{"waitpointId": "waitpoint_1", "message": "C01/17.4", "undone": "notice"}]


@pytest.mark.parametrize(("receives", "after", "pause"), [(1, None, 1), (9, 0, 0), (1, 30, 30), (1, 10**9, LONGEST_WISH)])
def test_a_message_comes_again_when_its_channel_wants_it(sqs: FakeSqs, receives: int, after: int | None, pause: int) -> None:
    notices(sqs).come_again("handle", receives, after)
    assert sqs.changed == [{"QueueUrl": "queue", "ReceiptHandle": "handle", "VisibilityTimeout": pause}]


@pytest.mark.parametrize(("after", "least"), [(30, 30), (None, 1)])
@pytest.mark.parametrize(("receives", "most"), [(2, 2), (5, 16), (8, 128), (90, LONGEST_SPREAD)])
def test_many_that_come_again_are_spread(sqs: FakeSqs, receives: int, most: int, after: int | None, least: int) -> None:
    for _ in range(500):
        notices(sqs).come_again("handle", receives, after)
    pauses = {it["VisibilityTimeout"] - least for it in sqs.changed}
    assert 0 <= min(pauses) <= most // 10
    assert most * 9 // 10 <= max(pauses) + 1 <= most
    assert len(pauses) >= min(most, 100)


@pytest.mark.parametrize(("ahead", "delay"), [(-5_000, 0), (0, 0), (1, 1), (1_001, 2), (900_000, 900), (10**9, 900)])
def test_a_timer_fires_at_its_instant_or_up_to_a_second_later_and_after_fifteen_minutes_at_most(
    sqs: FakeSqs, ahead: int, delay: int
) -> None:
    timers(sqs).send(Timer("waitpoint_1", NOW + ahead), NOW)
    assert (sqs.sent, sqs.delays) == ([{"waitpointId": "waitpoint_1"}], [delay])


def test_a_timer_names_the_instant_that_its_token_may_not_have_yet(sqs: FakeSqs) -> None:
    timers(sqs).send(Timer("waitpoint_1", NOW + 1_000), NOW, names_instant=True)
    assert (sqs.sent, sqs.delays) == ([{"waitpointId": "waitpoint_1", "instant": NOW + 1_000}], [1])
