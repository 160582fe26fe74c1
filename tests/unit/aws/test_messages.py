"""Messages of a queue, on a fake SQS."""

from typing import Any

import pytest

from waitpoints.aws import messages
from waitpoints.aws.messages import ATTEMPTS, LONGEST_PAUSE, MAX_ENTRIES


class FakeSqs:
    """Refuses some messages within requests that it accepts, so many times each."""

    def __init__(self, refuses: dict[str, int] | None = None) -> None:
        self.refuses = refuses or {}
        self.requests: list[list[str]] = []
        self.sent: list[str] = []

    def send_message_batch(self, QueueUrl: str, Entries: list[Any]) -> dict[str, Any]:
        assert QueueUrl == "queue"
        assert len({entry["Id"] for entry in Entries}) == len(Entries) <= MAX_ENTRIES
        self.requests.append([entry["MessageBody"] for entry in Entries])
        failed = []
        for entry in Entries:
            if self.refuses.get(entry["MessageBody"], 0):
                self.refuses[entry["MessageBody"]] -= 1
                failed.append({"Id": entry["Id"]})
            else:
                self.sent.append(entry["MessageBody"])
        return {"Failed": failed} if failed else {}


def bodies(count: int) -> list[dict[str, str]]:
    return [{"MessageBody": str(number)} for number in range(count)]


@pytest.mark.parametrize(("count", "requests"), [(0, 0), (1, 1), (10, 1), (11, 2), (30, 3)])
def test_ten_are_sent_in_a_request(count: int, requests: int) -> None:
    sqs = FakeSqs()
    assert list(messages.send_all(sqs, "queue", bodies(count))) == []  # type: ignore[arg-type]
    assert (len(sqs.requests), sqs.sent) == (requests, [str(number) for number in range(count)])


def test_only_what_is_refused_is_sent_again_and_given_back_in_the_end() -> None:
    sqs = FakeSqs({"1": 1, "3": ATTEMPTS - 1, "12": ATTEMPTS, "13": 99})
    assert list(messages.send_all(sqs, "queue", bodies(14))) == [12, 13]  # type: ignore[arg-type]
    assert sorted(map(int, sqs.sent)) == list(range(12))
    assert sqs.requests[1:3] == [["1", "3"], ["3"]]


def test_a_message_comes_again_later_and_later() -> None:
    assert [messages.pause_after(receives) for receives in (1, 2, 3, 7, 8, 100)] == [1, 2, 4, 64, LONGEST_PAUSE, LONGEST_PAUSE]
