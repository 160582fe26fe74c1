"""The runs that could not be resumed: who marks their tokens, who lists them, and what happens if a mark cannot be written."""

import io
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.counting.meter import Meter
from tests.support.in_process.event_sources import Stream, failures
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.durable_functions import FakeDurableFunctions
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.fakes.waits import DENIED, THROTTLED, FakeWaits, Fault
from tests.support.in_process.moto_stack import MotoStack
from waitpoints import wiring
from waitpoints.errors import CannotResume, CannotResumeNow
from waitpoints.waiter_result import Success
from waitpoints.wiring import services

pytestmark = pytest.mark.slow  # each fails waiters of both kinds
MINUTE = 60_000
UNDELIVERED = f"{TOKENS}?filter[undelivered]=true"
Settle = Callable[..., tuple[str, str]]


@pytest.fixture
def stream(stack: MotoStack) -> Stream:
    return Stream(stack)


@pytest.fixture
def settle(api: Api, clock: FakeClock, waits: FakeWaits) -> Settle:
    def settle(fault: Fault = DENIED, times: int = 1000) -> tuple[str, str]:
        """Complete a token whose waiter cannot be resumed that many times. Returns its id and the waiter's handle."""
        clock.advance(1)
        handle = waits.start()
        token = api.create(**{waits.member: handle})
        waits.fail_next(fault, times=times, handle=handle)
        assert api.post(token["url"], {"n": 1}).status == 200
        return token["id"], handle

    return settle


@pytest.fixture
def resume(stack: MotoStack, stream: Stream) -> Callable[[], Any]:
    """What the stream gives to resume_waiters, and its answer."""
    function = stack.functions()["resume_waiters"]
    return lambda: function.call({"Records": stream.records("resume_waiters")})


def command(stack: MotoStack, name: str, *token_ids: str) -> Any:
    return stack.call("resume_waiters", {"command": name, "waitpointIds": [*token_ids]})


def listed(api: Api, query: str = "") -> list[str]:
    return [token["id"] for token in api.ask("GET", UNDELIVERED + query)["data"]]


def test_a_dead_lettered_token_is_listed_until_a_redrive_resumes_it(
    api: Api, stack: MotoStack, settle: Settle, resume: Callable[[], Any], waits: FakeWaits
) -> None:
    token_id, handle = settle()
    assert listed(api) == []
    assert failures(resume()) == []
    assert listed(api) == [token_id]
    [shown] = api.get(UNDELIVERED).json["data"]
    assert (shown["status"], shown["outputIsError"]) == ("COMPLETED", False)
    assert command(stack, "resume", token_id) == {"undelivered": 1}
    assert listed(api) == [token_id]
    waits.fail_no_more()
    assert command(stack, "resume", token_id) == {"undelivered": 0}
    assert waits.result(handle) == Success('{"ok":true,"output":{"n": 1}}')
    assert listed(api) == []
    assert marks() == []


def test_a_waiter_that_a_retry_may_resume_is_not_listed(api: Api, settle: Settle, resume: Callable[[], Any]) -> None:
    settle(THROTTLED)
    assert len(failures(resume())) == 1
    assert listed(api) == []


def test_one_waiter_that_fails_does_not_delay_the_others_of_its_batch(
    settle: Settle, resume: Callable[[], Any], waits: FakeWaits
) -> None:
    others = [settle(THROTTLED, times=1), settle(THROTTLED, times=1)]
    poison = settle(THROTTLED)
    others.append(settle(THROTTLED, times=1))
    assert len(failures(resume())) == 1
    assert waits.result(poison[1]) is None
    assert all(waits.result(handle) is not None for _, handle in others)


@pytest.mark.parametrize("answer", [lambda _: 1 / 0, lambda _: {}], ids=["fails", "leaves all out"])
def test_waiters_are_resumed_whatever_becomes_of_the_read_of_the_replies(
    settle: Settle, resume: Callable[[], Any], waits: FakeWaits, monkeypatch: pytest.MonkeyPatch, answer: Callable[..., Any]
) -> None:
    _, handle = settle()
    waits.fail_no_more()
    monkeypatch.setattr(services.store, "count_replies", answer)
    assert failures(resume()) == []
    assert waits.result(handle) is not None


@pytest.mark.parametrize(
    ("fault", "reasons"),
    [(DENIED, {"AccessDeniedException"}), (THROTTLED, {"ThrottlingException", "TooManyRequestsException"})],
)
def test_the_log_names_the_token_and_the_reason_whoever_tries_to_resume(
    stack: MotoStack,
    clock: FakeClock,
    settle: Settle,
    resume: Callable[[], Any],
    log: io.StringIO,
    fault: Fault,
    reasons: set[str],
) -> None:
    """docs/operation.md tells operators to look there."""
    token_id, _ = settle(fault)
    resume()
    clock.advance(2 * MINUTE)
    stack.call("doctor", {})
    found = [json.loads(line) for line in log.getvalue().splitlines()]
    found = [line for line in found if "left" in line and line["reason"] in reasons]
    told = {line["message"]: (line["tokenId"], line["left"]) for line in found}
    assert told == {"resume": (token_id, 1), "repair": (token_id, 1)}


def test_a_waiter_counts_as_repaired_only_once_it_is_resumed(
    settle: Settle, resume: Callable[[], Any], waits: FakeWaits, capsys: pytest.CaptureFixture[str]
) -> None:
    settle(THROTTLED)
    resume()
    assert "WaitersRepaired" not in capsys.readouterr().out
    waits.fail_no_more()
    settle(times=1)
    resume()
    assert '"WaitersRepaired":[1.0]' in capsys.readouterr().out


def test_the_doctor_lists_what_it_could_not_finish_and_removes_it_later(
    api: Api, stack: MotoStack, clock: FakeClock, settle: Settle, waits: FakeWaits
) -> None:
    token_id, _ = settle(THROTTLED)
    clock.advance(2 * MINUTE)
    doctor = stack.functions()["doctor"]
    assert (doctor.call({})["unrepaired"], listed(api)) == (1, [token_id])
    assert (doctor.call({})["unrepaired"], listed(api)) == (1, [token_id])
    waits.fail_no_more()
    assert (doctor.call({})["repaired"], marks()) == (1, [])


def test_what_nothing_can_resume_is_reported_no_longer_once_it_is_given_up(
    api: Api, stack: MotoStack, clock: FakeClock, settle: Settle, resume: Callable[[], Any]
) -> None:
    token_id, _ = settle()
    resume()
    clock.advance(2 * MINUTE)
    doctor = stack.functions()["doctor"]
    assert (doctor.call({})["unrepaired"], listed(api)) == (1, [token_id])

    assert command(stack, "giveUp", token_id, "waitpoint_" + "0" * 26) == {"givenUp": 1}
    assert marks() == []

    assert (doctor.call({})["unrepaired"], listed(api), marks()) == (0, [], [])
    assert [waiter["status"] for waiter in api.retrieve(token_id)["waiters"]] == ["GONE"]
    assert command(stack, "resume", token_id) == {"undelivered": 0}


def test_what_can_be_resumed_is_resumed_and_not_given_up(
    api: Api, stack: MotoStack, settle: Settle, resume: Callable[[], Any], waits: FakeWaits
) -> None:
    token_id, handle = settle()
    resume()
    waits.fail_no_more()
    assert command(stack, "giveUp", token_id) == {"givenUp": 0}
    assert waits.result(handle) is not None
    assert [waiter["status"] for waiter in api.retrieve(token_id)["waiters"]] == ["RESUMED"]


def test_what_a_retry_may_resume_cannot_be_given_up(api: Api, stack: MotoStack, settle: Settle) -> None:
    token_id, _ = settle(THROTTLED)
    with pytest.raises(CannotResumeNow):
        command(stack, "giveUp", token_id)
    assert [waiter["status"] for waiter in api.retrieve(token_id)["waiters"]] == ["UNDELIVERED"]


def test_pages_go_both_ways_in_both_orders(api: Api, settle: Settle, resume: Callable[[], Any]) -> None:
    made = [settle()[0] for _ in range(5)]
    resume()
    assert listed(api) == made[::-1]
    assert listed(api, "&sort=createdAt") == made
    for sort, expected in (("-createdAt", made[::-1]), ("createdAt", made)):
        first = api.get(f"{UNDELIVERED}&sort={sort}&page[size]=2").json
        assert [token["id"] for token in first["data"]] == expected[:2]
        second = api.get(f"{UNDELIVERED}&sort={sort}&page[size]=2&page[after]={first['pagination']['next']}").json
        assert [token["id"] for token in second["data"]] == expected[2:4]
        assert listed(api, f"&sort={sort}&page[size]=2&page[before]={second['pagination']['previous']}") == expected[:2]
    created = api.retrieve(made[2])["createdAt"]
    assert listed(api, f"&filter[createdAt][from]={created}&filter[createdAt][to]={created}") == [made[2]]


def test_a_mark_that_was_left_behind_shows_nothing_and_the_doctor_removes_it(
    api: Api, stack: MotoStack, settle: Settle, resume: Callable[[], Any], waits: FakeWaits
) -> None:
    token_id, _ = settle()
    resume()
    waits.fail_no_more()
    resume_without_marks(token_id)
    unknown = "waitpoint_" + "0" * 26
    services.store.mark_unresumed(unknown, services.now())
    assert marks() == sorted([token_id, unknown])
    assert listed(api) == []
    answer = stack.call("doctor", {})
    assert (answer["repaired"], answer["unrepaired"], marks()) == (0, 0, [])


def test_a_mark_that_cannot_be_written_fails_nothing(
    api: Api,
    stack: MotoStack,
    clock: FakeClock,
    settle: Settle,
    resume: Callable[[], Any],
    waits: FakeWaits,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token_id, handle = settle()
    letters: list[str] = []
    with monkeypatch.context() as broken:
        broken.setattr(services.dead_letters, "put", lambda token_id, _reason: letters.append(token_id))
        broken.setattr(services.store, "mark_unresumed", _throttled)
        broken.setattr(services.store, "unmark_unresumed", _throttled)
        assert failures(resume()) == []
        assert letters == [token_id]
        assert marks() == []
        clock.advance(2 * MINUTE)
        assert stack.call("doctor", {})["undelivered"] == [token_id]
        waits.fail_no_more()
        assert command(stack, "resume", token_id) == {"undelivered": 0}
    assert waits.result(handle) is not None


def test_a_mark_expires_after_its_token_and_is_never_renewed(stack: MotoStack, clock: FakeClock, settle: Settle) -> None:
    token_id, _ = settle()
    services.store.mark_unresumed(token_id, clock())
    [written] = stack.items("undelivered")
    clock.advance(MINUTE)
    services.store.mark_unresumed(token_id, clock())
    assert stack.items("undelivered") == [written]
    assert written["item"] == {"S": token_id}
    ended = services.store.get(token_id).outcome
    assert ended is not None
    assert int(written["expiresAt"]["N"]) >= ended.at // 1000 + services.store.retention


def test_a_page_takes_a_query_and_one_for_each_token(
    api: Api, settle: Settle, resume: Callable[[], Any], waits: FakeWaits
) -> None:
    for _ in range(4):
        settle()
    resume()
    meter = Meter()
    services.reset()
    meter.watch(wiring.session())
    assert len(listed(api, "&page[size]=2")) == 2
    queries = [call for call in meter.take() if call.operation == "DynamoDB:Query"]
    assert len(queries) == 1 + 3  # the marks, and one token more than the page holds
    services.reset()  # the next test has clients that nobody watches


def test_a_boto3_without_callbacks_loses_no_durable_function_and_resumes_states(
    api: Api, stack: MotoStack, strict_fakes: tuple[FakeStepFunctions, FakeDurableFunctions], resume: Callable[[], Any]
) -> None:
    """The Lambda runtime's own boto3 may be older than 1.42.1, the first that knows callbacks."""
    states, durable_functions = strict_fakes
    resume_waiters, token = stack.functions()["resume_waiters"], api.create()
    handles = {fake.member: api.wait(token, fake) for fake in strict_fakes}
    vars(services)["lambda_client"] = object()

    assert resume_waiters.call({"command": "describe"}) == {"boto3": boto3.__version__, "resumesDurableFunctions": False}
    assert api.post(token["url"], {"n": 1}).status == 200
    assert failures(resume()) == []
    [shown] = api.get(UNDELIVERED).json["data"]
    assert shown["id"] == token["id"]
    assert {one["kind"]: one["status"] for one in api.retrieve(token["id"])["waiters"]} == {
        "STEP_FUNCTIONS": "RESUMED",
        "DURABLE_FUNCTION": "UNDELIVERED",
    }
    with pytest.raises(CannotResume, match="Boto3TooOld"):
        api.wait(token, durable_functions)  # so the step is retried

    vars(services)["lambda_client"] = durable_functions  # as in an environment that starts with a newer one
    del vars(services)["durable_functions"]
    assert resume_waiters.call({"command": "describe"})["resumesDurableFunctions"] is True
    assert resume_waiters.call({"command": "resume", "waitpointIds": [token["id"]]}) == {"undelivered": 0}
    assert durable_functions.result(handles["callbackId"]) == Success('{"ok":true,"output":{"n": 1}}')
    assert sum(states.calls.values()) == 1
    assert marks() == []


def marks() -> list[str]:
    return sorted(services.doctor._store.read_marks())


def resume_without_marks(token_id: str) -> None:
    assert services.resumer.resume(services.store.get(token_id)) == []


def _throttled(*_: Any) -> None:
    raise RuntimeError("throttled")
