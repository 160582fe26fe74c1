"""Skipped time on a table: its tokens get what is due, each at its instant. The execution is a clock in this process."""

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pytest

from tests.support.in_process.api_gateway import Api
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import MotoStack, client_of
from tests.support.local_stack import OnMoto, on_moto
from waitpoints_local.clocks import WAIT, Clock, Pause, Skipped
from waitpoints_local.machine import clock as command
from waitpoints_local.machine.clock import ClockProblem, skip, time_out

HOUR, DAY = 3600, 86_400
ASKING = {"title": "Go?", "approvers": ["ada"], "remind": ["4h", "1d"], "escalate": {"after": "6h", "to": ["lead"]}}


@dataclass
class Execution:
    """An execution that waits for tokens in one strand, and makes pauses in another, as the emulator tells of it."""

    clock: Clock
    tokens: list[str]
    waiters: dict[str, str]
    is_running: bool = True

    def rest(self) -> Any:
        self.clock.hold(60)
        while not self.clock.rests:
            time.sleep(0.001)
        status = "RUNNING" if self.is_running else "SUCCEEDED"
        return {"status": status, "now": self.clock.now(), "tokens": self.tokens, "waiters": self.waiters}

    def move(self, seconds: float) -> tuple[float, list[Skipped]]:
        return self.clock.move(seconds, 60), [Skipped(**asdict(it)) for it in self.clock.take_skipped(is_last=False)]

    def release(self) -> list[Skipped]:
        self.clock.release()
        return [Skipped(**asdict(it)) for it in self.clock.take_skipped(is_last=True)]

    def pause(self, *hours: int) -> None:
        self.clock.begin_strand()

        def run() -> None:
            for each in hours:
                self.clock.pause(Pause(f"{each} hours", WAIT, self.clock.now() + each * HOUR))
            self.clock.end_strand()

        threading.Thread(target=run, daemon=True).start()


@pytest.fixture
def local(stack: MotoStack, step_functions: FakeStepFunctions) -> OnMoto:
    return on_moto(stack)


@pytest.fixture
def execution(monkeypatch: pytest.MonkeyPatch) -> Execution:
    execution = Execution(Clock(), [], {})
    monkeypatch.setattr(command, "_Clock", lambda *_: execution)
    return execution


@pytest.fixture
def waiting(api: Api, execution: Execution, step_functions: FakeStepFunctions) -> Callable[..., str]:
    """Create a token that the state "Asks" waits for. Returns its id."""

    def create(**options: Any) -> str:
        token = api.create(**options)
        handle = api.wait(token, step_functions)
        execution.waiters[hashlib.sha256(handle.encode()).hexdigest()[:16]] = "Asks"
        return str(token["id"])

    return create


def seconds(written: str) -> float:
    return datetime.fromisoformat(written).timestamp()


def rounded(skipped: list[Skipped]) -> list[tuple[str, str, int]]:
    return [(it.state, it.what, round(it.seconds / HOUR)) for it in skipped]


def test_a_token_is_asked_and_times_out_in_order(
    local: OnMoto, api: Api, execution: Execution, waiting: Callable[..., str]
) -> None:
    token_id = waiting(timeout="2d", page=ASKING)
    execution.pause(5, 30)
    asked = [("Asks", "reminder", 4), ("5 hours", "Wait", 5), ("Asks", "escalation", 2), ("Asks", "reminder", 18)]
    assert rounded(skip(local, "arn", 30 * HOUR)) == [*asked, ("30 hours", "Wait", 25)]
    token = api.retrieve(token_id)
    assert (token["status"], token["reminders"]["count"], "askedAt" in token["escalation"]) == ("WAITING", 2, True)
    assert rounded(skip(local, "arn", 20 * HOUR)) == [("30 hours", "Wait", 5), ("Asks", "timeout", 18)]
    assert api.retrieve(token_id)["status"] == "TIMED_OUT"


def test_a_token_that_no_state_waits_for_yet_becomes_older_too(local: OnMoto, api: Api, execution: Execution) -> None:
    named, other = (api.create(timeout="1d") for _ in range(2))
    execution.tokens = [named["id"]]
    assert rounded(skip(local, "arn", 25 * HOUR)) == [("", "timeout", 24)]
    assert [api.retrieve(token["id"])["status"] for token in (named, other)] == ["TIMED_OUT", "WAITING"]


def test_a_token_keeps_its_age_and_what_is_left_of_its_timeout(local: OnMoto, api: Api, waiting: Callable[..., str]) -> None:
    token_id = waiting(timeout="10h")
    before = api.retrieve(token_id)
    assert skip(local, "arn", 4 * HOUR) == []
    after = api.retrieve(token_id)
    moved = {name: seconds(before[name]) - seconds(after[name]) for name in ("createdAt", "timeoutAt")}
    assert moved == pytest.approx({"createdAt": 4 * HOUR, "timeoutAt": 4 * HOUR}, abs=0.01)


def test_a_token_that_is_due_soon_gets_its_message(local: OnMoto, stack: MotoStack, waiting: Callable[..., str]) -> None:
    """No round of the timers looks back: a message has to be sent."""
    token_id = waiting(timeout="10h")
    skip(local, "arn", 10 * HOUR - 60)
    queue = client_of("sqs")
    counts = queue.get_queue_attributes(QueueUrl=stack.resources["TimerQueue"]["Ref"], AttributeNames=["All"])["Attributes"]
    assert (counts["ApproximateNumberOfMessagesDelayed"], token_id[:10]) == ("1", "waitpoint_")


def test_an_ended_execution_skips_nothing(local: OnMoto, api: Api, execution: Execution, waiting: Callable[..., str]) -> None:
    token_id, execution.is_running = waiting(timeout="1h"), False
    assert skip(local, "arn", DAY) == []
    assert api.retrieve(token_id)["status"] == "WAITING"


def test_a_token_times_out_after_its_reminders(local: OnMoto, api: Api, waiting: Callable[..., str]) -> None:
    token_id = waiting(timeout="5h", page={"title": "Go?", "remind": ["2h", "4h"]})
    time_out(local, token_id)
    token = api.retrieve(token_id)
    assert (token["status"], token["reminders"]["count"]) == ("TIMED_OUT", 2)


def test_only_a_waiting_token_with_a_timeout_can_time_out(local: OnMoto, api: Api) -> None:
    endless, ended = api.create()["id"], api.create(timeout="1h")["id"]
    time_out(local, ended.removeprefix("waitpoint_"))
    for token_id, why in ((endless, "has no timeout"), (ended, "has ended"), (f"{ended[:-4]}zzzz", "does not exist")):
        with pytest.raises(ClockProblem, match=f"^{token_id} {why}"):
            time_out(local, token_id)


def test_a_timer_that_does_nothing_is_told(local: OnMoto, waiting: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    token_id = waiting(timeout="1h")
    monkeypatch.setattr(OnMoto, "invoke", lambda *_: {"batchItemFailures": [{"itemIdentifier": "0"}]})
    with pytest.raises(ClockProblem, match=f"^{token_id} is due, but its timer does nothing"):
        skip(local, "arn", 2 * HOUR)
