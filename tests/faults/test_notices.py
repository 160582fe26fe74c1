"""What tells people: every call fails in every way, and each is asked, once, unless an answer or a record was lost.

No button outlives the end of its token, but on a message whose record was lost. `make test` runs a choice, as in
`test_every_call`, and `make thorough` every other fault of the shorter flows, and a choice of the longer ones.
"""

import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from tests.support.faults.figures import Figures
from tests.support.faults.flows import HOUR
from tests.support.faults.matrix import Matrix
from tests.support.faults.notices import GO, NOTIFY, STOP, UNRECORDED, NoticeWorld
from tests.support.faults.wire import FAULTS, TOLD_APART, Fault, Killed
from tests.support.faults.world import Timeout
from tests.support.in_process.moto_stack import MotoStack
from waitpoints.access.caller import ROOT
from waitpoints.api import hand_over_request
from waitpoints.api.notices.plan import ENDED, NoticeKind
from waitpoints.notices import Channel
from waitpoints.wiring import services

Flow = Callable[[NoticeWorld], None]
FLOWS: dict[str, Flow] = {}
CHANNELS = tuple(f"{channel}." for channel in Channel)
OFTEN = ["ask", "an outcome", "an unrecorded message"]
"""The flows of which `make test` runs calls with faults. Between them, they make each kind of call."""
FAULT_RATE = 0.03
IN_A_CROWD = [fault for fault in FAULTS if fault.name in ("answer lost", "killed before", "killed after", "throttled")]


def flow(function: Flow) -> Flow:
    FLOWS[function.__name__.replace("_", " ")] = function
    return function


def decide(world: NoticeWorld, token: dict[str, Any], choice: str = STOP) -> None:
    world.answer(token, "ann", choice)


WITH_OUTCOME = {**NOTIFY, "outcome": True}


@flow
def ask(world: NoticeWorld) -> None:
    token = world.ask(WITH_OUTCOME, requestedBy="dee@example.com")
    with world.faulty():
        world.come_to_rest()
    world.deliver_all()
    assert world.lost() == [], "before the end"
    decide(world, token)
    world.deliver_all()


@flow
def an_answer_a_reminder_and_an_escalation(world: NoticeWorld) -> None:
    token = world.ask(timeout=9 * HOUR)
    world.deliver_all()
    world.clock.advance(2 * HOUR)
    world.answer(token, "bo", GO)
    services.timers.fire(token["id"])
    with world.faulty():
        world.come_to_rest()
    world.deliver_all()
    reminded = {it.target for it in world.post.messages if it.kind is NoticeKind.REMINDER}
    assert reminded == {"slack", "email.0"}
    assert world.post.asked(token["id"])["email.2"]
    world.answer(token, "ann", GO)
    world.deliver_all()


@flow
def an_end_that_a_run_waits_for(world: NoticeWorld) -> None:
    token = world.ask()
    execution = world.wait(token)
    world.deliver_all()
    with world.without_fast_path():
        decide(world, token)
    with world.faulty():
        world.come_to_rest()
    world.deliver_all()
    world.expect(execution, token, world.decision_of(token, ["ann"]))


@flow
def a_timeout(world: NoticeWorld) -> None:
    token = world.ask(WITH_OUTCOME, timeout=HOUR // 6)
    execution = world.wait(token)
    world.deliver_all()
    world.clock.advance(HOUR // 6)
    with world.faulty():
        world.come_to_rest()
    world.advance(HOUR)
    world.deliver_all()
    world.expect(execution, token, Timeout())


@flow
def an_outcome(world: NoticeWorld) -> None:
    token = world.ask(WITH_OUTCOME, requestedBy="dee@example.com")
    world.deliver_all()
    decide(world, token)
    with world.faulty():
        world.come_to_rest()
    world.deliver_all()
    told = [it.target for it in world.post.messages if it.kind is NoticeKind.OUTCOME]
    assert {*told} == {"email.0", "slack.1", "email.requester"}


@flow
def a_timeout_that_is_moved(world: NoticeWorld) -> None:
    token = world.ask(WITH_OUTCOME, timeout=9 * HOUR)
    world.deliver_all()
    assert services.timers.move_deadline(token["id"], world.clock() + 8 * HOUR)
    with world.faulty():
        world.come_to_rest()
    world.deliver_all()
    assert any(it.kind is NoticeKind.EDIT for it in world.post.messages)


@flow
def a_hand_over(world: NoticeWorld) -> None:
    token = world.ask()
    world.deliver_all()
    wanted = hand_over_request.parse({"add": [{"id": "cy", "slack": "U01CY"}], "remove": ["bo"]})
    services.hand_overs.hand_over(token["id"], partial(wanted.of, key=None), ROOT)
    with world.faulty():
        world.come_to_rest()
    world.deliver_all()
    assert world.post.asked(token["id"])["slack.3"]
    decide(world, token)
    world.deliver_all()


@flow
def asked_after_it_is_decided(world: NoticeWorld) -> None:
    token = world.ask()
    decide(world, token)
    with world.faulty():
        world.come_to_rest()
    world.deliver_all()
    assert world.post.messages == []


@flow
def a_message_that_comes_twice(world: NoticeWorld) -> None:
    token = world.ask()
    world.read_stream()
    with world.faulty():
        for _ in range(2):
            notice_queue().send_all([token["id"]])
        world.come_to_rest()
    world.deliver_all()


@flow
def a_redrive(world: NoticeWorld) -> None:
    token = world.ask()
    world.post.refuses, world.has_letters = {"slack"}, True
    world.deliver_all()
    assert {letter["reason"] for letter in world.letters()} == {"slack: channel_not_found"}
    redrive = {"command": "sendNotices", "waitpointIds": [token["id"]]}
    assert world.lambdas.invoke("send_notices", redrive) == {"notSent": 1}
    assert len(world.letters()) == 1
    world.post.refuses = set()
    with world.faulty():
        for _ in range(9):
            with suppress(Exception, Killed):
                if world.lambdas.invoke("send_notices", redrive) == {"notSent": 0}:
                    break
            world.clock.advance(seconds=91)  # a claim of one that was killed ends
    assert world.post.asked(token["id"])["slack"]
    decide(world, token)
    world.deliver_all()


@flow
def an_unrecorded_message(world: NoticeWorld) -> None:
    """Its record was lost, and it is clicked on after the end."""
    token = world.ask()
    decide(world, token)
    world.deliver_all()
    world.post.shown[UNRECORDED] = "as it was posted"
    with world.faulty():
        notice_queue().send_unrecorded(token["id"], UNRECORDED)
        world.come_to_rest()
    world.deliver_all()
    assert world.post.shown[UNRECORDED] == ENDED
    assert services.store.get(token["id"]).notices == {}


def notice_queue() -> Any:
    return services.notice_queue


def repeats(calls: list[str], number: int, fault: Fault) -> int:
    """How many messages may be repeated: one, if the answer of a channel is lost, or what was to record it fails."""
    is_lost = calls[number].startswith(CHANNELS) and fault.after_effect
    is_not_recorded = number > 0 and calls[number - 1].startswith(CHANNELS) and calls[number] == "dynamodb.UpdateItem"
    return int(is_lost or (is_not_recorded and not (fault.attempts == 1 and fault.name.endswith("once"))))


OTHERS = [name for name in FLOWS if name not in OFTEN]
FREE = ["ask", "a message that comes twice", "a timeout that is moved"]
"""The flows in which anything else may happen at any moment."""


@pytest.fixture(scope="module")
def matrix(stack: MotoStack, figures: Figures) -> Matrix[NoticeWorld]:
    def allow(world: NoticeWorld, calls: list[str], number: int, fault: Fault) -> None:
        world.may_repeat = repeats(calls, number, fault)

    return Matrix(FLOWS, lambda: NoticeWorld(stack), figures, allow=allow)


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_without_faults_asks_everybody_once(matrix: Matrix[NoticeWorld], name: str) -> None:
    assert matrix.lost_without_faults(name) == []


@pytest.mark.parametrize("name", OFTEN)
def test_nobody_is_left_out_when_a_call_fails(matrix: Matrix[NoticeWorld], name: str) -> None:
    assert matrix.lost_in_choice(name, OFTEN) == {}


@pytest.mark.thorough
@pytest.mark.parametrize("name", OTHERS)
def test_nobody_is_left_out_when_a_call_of_a_longer_flow_fails(matrix: Matrix[NoticeWorld], name: str) -> None:
    assert matrix.lost_in_choice(name, OTHERS) == {}


@pytest.mark.thorough
@pytest.mark.parametrize("fault", TOLD_APART, ids=lambda fault: fault.name)
@pytest.mark.parametrize("name", OFTEN)
def test_nobody_is_left_out_when_any_call_fails_in_any_way(matrix: Matrix[NoticeWorld], name: str, fault: Fault) -> None:
    assert matrix.lost_in_any(name, fault) == {}


def it_is_decided(world: NoticeWorld) -> None:
    for token in world.tokens:
        decide(world, token)


def another_person_answers(world: NoticeWorld) -> None:
    for token in world.tokens:
        world.answer(token, "bo", GO)


def another_function_gets_its_message(world: NoticeWorld) -> None:
    notice_queue().send_all(world.told)
    world.notices.pass_on()


@pytest.mark.parametrize(
    ("name", "act"),
    [
        pytest.param(name, act, marks=[] if name == "ask" and act is not another_person_answers else pytest.mark.thorough)
        for name in FREE
        for act in (it_is_decided, another_person_answers, another_function_gets_its_message)
    ],
)
def test_each_is_asked_once_and_no_button_is_left_when_something_else_happens_between_calls(
    matrix: Matrix[NoticeWorld], name: str, act: Flow
) -> None:
    assert matrix.lost_between_calls(name, act) == {}


@pytest.mark.parametrize("count", [pytest.param(8, marks=pytest.mark.few), pytest.param(40, marks=pytest.mark.thorough)])
def test_each_person_is_asked_for_each_of_many_tokens_at_once(stack: MotoStack, figures: Figures, count: int) -> None:
    """Slack takes a message a second for a channel, and functions die."""
    chance, world, tried = random.Random(count), NoticeWorld(stack), 0  # noqa: S311

    def plan(_: int, call: str) -> Fault | None:
        nonlocal tried
        if chance.random() >= FAULT_RATE:
            return None
        tried += 1
        return chance.choice(IN_A_CROWD)

    world.plan, world.post.takes_one_a_second = plan, True
    with world.alive():
        tokens = [world.ask() for _ in range(count)]
        with world.faulty():
            world.deliver_all()
        world.may_repeat = tried
        asked = [world.post.asked(token["id"]) for token in tokens]
        assert all(places.keys() == {"slack", "email.0", "slack.1"} for places in asked)
        for token in tokens:
            decide(world, token)
        world.deliver_all()
        lost = world.lost()
    figures.storms[-count] = tried
    figures.lost += bool(lost)
    assert lost == []
