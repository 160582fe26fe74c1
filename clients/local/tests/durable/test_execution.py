"""What a test sees of a durable execution, whose history a script writes."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from waitpoints_client.testing import FakeWaitpoints

from waitpoints_local.durable import execution
from waitpoints_local.durable.execution import DurableExecution
from waitpoints_local.durable.live_run import DurableRun
from waitpoints_local.machine import clock, live_run, mails, rest
from waitpoints_local.machine.clock import Coming, Seen
from waitpoints_local.machine.live_run import RunError

CALLBACK = "a" * 40
NAMED = {"t": "m", "v": {"token": {"t": "s", "v": "it"}, "list": [{"t": "s", "v": "one"}]}}


class Lambda:
    """Stands in for the stack and its Lambda. Each look at the history lets a script write more of it."""

    def __init__(self, *script: Callable[["Lambda"], None]) -> None:
        self.fake, self.script = FakeWaitpoints(), list(script)
        self.history: list[dict[str, Any]] = []
        self.ended: dict[str, Any] = {"Status": "RUNNING"}
        self.stopped = False

    def client(self, service: str) -> Any:
        return self

    def invoke(self, **asked: Any) -> Any:
        self.invoked = asked
        return {"DurableExecutionArn": "arn:1"}

    def get_durable_execution(self, *, DurableExecutionArn: str) -> Any:
        if self.script:
            self.script.pop(0)(self)
        return self.ended

    def get_durable_execution_history(self, *, Marker: str = "0", **asked: Any) -> Any:
        page = self.history[int(Marker) : int(Marker) + 2]
        more = {"NextMarker": str(int(Marker) + 2)} if len(self.history) > int(Marker) + 2 else {}
        return {"Events": page, **more}

    def stop_durable_execution(self, *, DurableExecutionArn: str) -> None:
        self.stopped = True

    def note(self, kind: str, number: str = "", name: str | None = None, parent: str | None = None, **details: Any) -> None:
        written = {"EventType": kind, "EventTimestamp": datetime.now(UTC), f"{kind}Details": details}
        named = {
            "Id": number,
            "Name": name,
            "ParentId": parent,
            "SubType": "WaitForCallback" if kind == "ContextStarted" else None,
        }
        self.history.append({**written, **{member: it for member, it in named.items() if it}})

    def wait(self, number: str, callback: str, name: str = "approval") -> None:
        self.note("ContextStarted", number, name)
        self.note("CallbackStarted", f"{number}.1", f"{name} create callback id", number, CallbackId=callback)
        self.note("StepStarted", f"{number}.2", f"{name} submitter", number)

    def end(self, status: str, **more: Any) -> None:
        self.ended = {"Status": status, **more}


def begin(found: Lambda) -> None:
    found.note("ExecutionStarted", Input={"Payload": "{}"})
    found.note("StepStarted", "1", "create")
    token = found.fake.client().create(task_token=CALLBACK, timeout="1h")
    found.note("StepSucceeded", "1", "create", Result={"Payload": json.dumps({"id": token.id, "kept": NAMED})})


def ask(found: Lambda) -> None:
    found.wait("2", CALLBACK)


def quiet(found: Lambda) -> None:
    """Nothing happens."""


def answered(found: Lambda) -> None:
    found.note("CallbackSucceeded", "2.1", Result={"Payload": "{}"})
    found.note("ContextSucceeded", "2", "approval", Result={"Payload": json.dumps('{"ok": true}')})
    found.end("SUCCEEDED", Result='{"done": true}')


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_run, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(live_run, "LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(rest, "LASTS", 0.1)
    monkeypatch.setattr(clock, "look", lambda *_: Seen(True, [], 1))


def live(*script: Callable[[Lambda], None]) -> tuple[DurableRun, Lambda]:
    found = Lambda(*script)
    made = DurableExecution(found, found.fake.client())  # type: ignore[arg-type]  # it stands in
    made.start("function:$LATEST", {"order": 1})
    return DurableRun(made, "mine", 5), found  # type: ignore[arg-type]  # as DurableRun says


def test_a_wait_is_answered_and_its_states_are_the_steps_and_waits() -> None:
    run, found = live(begin, ask)
    run.waiting("approval").answer({"approved": True})
    found.script.append(answered)
    assert run.output == {"done": True}
    assert json.loads(found.invoked["Payload"]) == {"order": 1}
    assert found.invoked["InvocationType"] == "Event"
    [token] = found.fake.client().list()
    kept = {"id": token.id, "kept": {"token": "it", "list": ["one"]}}
    assert [(it.name, it.output) for it in run.states] == [("create", kept), ("approval", {"ok": True})]
    assert run.describe().splitlines()[1:4] == ['  1. "create"', f"     gave {json.dumps(kept)}", '  2. "approval"']


def test_its_mails_are_those_about_the_tokens_that_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mails, "read", lambda _, __, tokens: [f"about {token}" for token in tokens])
    run, _ = live(begin, ask)
    assert run.mails == []
    token = run.waiting("approval")
    assert [*map(str, run.mails)] == [f"about {token.id}"]


def test_the_only_wait_needs_no_name_and_several_of_one_name_are_counted() -> None:
    other = "b" * 40

    def ask_again(found: Lambda) -> None:
        found.fake.client().create(task_token=other, timeout="1h")
        found.wait("3", other)

    run, found = live(begin, ask)
    first = run.waiting()
    found.script += [ask_again, *[quiet] * execution.POLLS_PER_LIST]  # what it does not name is found among all that wait
    second = run.waiting("approval", item=1)
    assert second.id != first.id
    with pytest.raises(RunError, match='Several wait: name one of "approval", "approval", item 1'):
        run.waiting()


def test_a_wait_that_is_none_fails_with_what_waits() -> None:
    run, _ = live(begin, ask)
    with pytest.raises(
        RunError, match='"aproval" waits for no token: nothing happens in the run, which waits in "approval" for'
    ):
        run.waiting("aproval")


@pytest.mark.parametrize("kind", ["CallbackTimedOut", "CallbackFailed"])
def test_a_wait_that_has_failed_waits_no_longer(kind: str) -> None:
    def fail(found: Lambda) -> None:
        error = {"Payload": {"ErrorType": "Callback.Timeout", "ErrorMessage": "late"}}
        found.note(kind, "2.1", Error=error)
        found.note("ContextFailed", "2", "approval", Error=error)
        found.end("FAILED", Error={"ErrorType": "CallbackTimeoutError", "ErrorMessage": "late"})

    run, found = live(begin, ask)
    run.waiting("approval")
    found.script.append(fail)
    assert (run.error, run.cause, run.status) == ("CallbackTimeoutError", "late", "FAILED")
    assert (run.states[-1].error, run._run.waiting) == ("Callback.Timeout", {})
    assert 'It failed in "approval" with CallbackTimeoutError: late' in run.describe()


@pytest.mark.parametrize(
    ("error", "name"), [({"ErrorType": "ImportError", "ErrorMessage": "no x"}, "ImportError"), ({}, "Lambda.Unknown")]
)
def test_an_invocation_that_fails_ends_the_run(error: dict[str, str], name: str) -> None:
    run, _ = live(lambda found: found.note("InvocationCompleted", Error={"Payload": error}))
    assert run.error == name


def test_why_an_invocation_failed_is_kept_though_more_has_happened_since() -> None:
    def fail(found: Lambda) -> None:
        found.note("InvocationCompleted", Error={"Payload": {"ErrorType": "ImportError", "ErrorMessage": "no x"}})
        found.note("InvocationCompleted", Error={"Payload": {}})
        found.end("FAILED")

    run, _ = live(fail)
    assert (run.error, run.cause) == ("ImportError", "no x")


def test_an_invocation_that_failed_just_before_the_run_came_to_rest_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "LASTS", 0.0)
    run, found = live()

    def look(*_: Any) -> Seen:
        found.note("InvocationCompleted", Error={"Payload": {"ErrorType": "ImportError"}})
        return Seen(True, [Coming("function", "timeout", 86_400)], 0)

    monkeypatch.setattr(clock, "look", look)
    assert run.error == "ImportError"


def test_what_is_no_json_is_shown_as_it_is() -> None:
    def step(found: Lambda) -> None:
        found.note("StepStarted", "1", "odd")
        found.note("StepSucceeded", "1", "odd", Result={"Payload": "<a>"})
        found.note("WaitStarted", "2")
        found.note("WaitSucceeded", "2")
        found.end("SUCCEEDED", Result="1")

    run, _ = live(step)
    assert [(it.name, it.output, it.has_left) for it in run.states] == [("odd", "<a>", True), ("Wait", None, True)]
