"""A message of the timer queue: its delay, and what it names."""

import json
from typing import Any

import pytest

from waitpoints.aws.timer_queue import TimerQueue
from waitpoints.ports import Timer

NOW = 1_800_000_000_000


class FakeSqs:
    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send_message(self, **message: Any) -> None:
        self.sent.append((message["QueueUrl"], json.loads(message["MessageBody"]), message["DelaySeconds"]))


@pytest.mark.parametrize(("ahead", "delay"), [(-5_000, 0), (0, 0), (1, 1), (1_001, 2), (900_000, 900), (10**9, 900)])
def test_comes_at_its_instant_or_up_to_a_second_later_and_after_fifteen_minutes_at_most(ahead: int, delay: int) -> None:
    sqs = FakeSqs()
    TimerQueue(sqs, "timers").send(Timer("waitpoint_1", NOW + ahead), NOW)  # type: ignore[arg-type]
    assert sqs.sent == [("timers", {"waitpointId": "waitpoint_1"}, delay)]


def test_names_the_instant_that_its_token_may_not_have_yet() -> None:
    sqs = FakeSqs()
    TimerQueue(sqs, "timers").send(Timer("waitpoint_1", NOW + 1_000), NOW, names_instant=True)  # type: ignore[arg-type]
    assert sqs.sent == [("timers", {"waitpointId": "waitpoint_1", "instant": NOW + 1_000}, 1)]
