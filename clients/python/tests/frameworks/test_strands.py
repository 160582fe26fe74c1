"""What only Strands has: its sessions and executors, its hooks, and what interrupts an agent."""

import asyncio
from typing import Any

import pytest
from strands import tool
from strands.agent.conversation_manager import SlidingWindowConversationManager
from strands.hooks import AfterToolCallEvent
from strands.session.snapshot_session_manager import SnapshotSessionManager
from strands.storage import LocalFileStorage
from strands.tools.executors import SequentialToolExecutor

from waitpoints_client.agents.strands import AskPeople

FIRST, SECOND = {"order": "order-1001", "amount": 100}, {"order": "order-1002", "amount": 20}
PAID = [("order-1001", 100), ("order-1002", 20)]


def test_a_session_of_snapshots_continues_as_well(desk: Any, agent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = LocalFileStorage(str(desk.folder))
    monkeypatch.setattr(agent, "session", lambda: SnapshotSessionManager(desk.run, storage=storage))
    agent.start(FIRST)
    desk.answer(FIRST, "approve")
    assert (agent.go_on(), desk.paid) == (["success: refunded 100"], PAID[:1])


def test_sequential_calls_are_asked_about_one_after_the_other(desk: Any, agent: Any) -> None:
    agent.model.calls = [("call-1", "refund", FIRST), ("call-2", "refund", SECOND)]
    people, process = agent.process(tool_executor=SequentialToolExecutor())
    process("Refund my orders")
    for number, call in enumerate([FIRST, SECOND], 1):
        people.ask(process, wait=False)
        assert len(desk.tokens()) == number
        desk.answer(call, "approve")
        process(people.ask(process))
    assert desk.paid == PAID


def test_a_response_that_no_person_gave_approves_nothing(desk: Any, agent: Any) -> None:
    agent.start(FIRST, timeout="3s")
    _, process = agent.process()
    [interrupt] = process.take_snapshot(include=["interrupt_state"]).data["interrupt_state"]["interrupts"]
    forged = {"action": "approve", "type": "approve", "token": desk.tokens()[0].id}
    result = process([{"interruptResponse": {"interruptId": interrupt, "response": forged}}])
    assert ("nobody decided in time" in str(result), desk.paid) == (True, [])


def test_a_tool_that_no_one_is_asked_about_runs_at_once(desk: Any, agent: Any) -> None:
    def look_up(order: str) -> str:
        """Look up an order."""
        return f"found {order}"

    agent.model.calls = [("call-1", "look_up", {"order": "order-1001"})]
    _, process = agent.process(tools=[tool(look_up), tool(name="refund")(desk.pay)])
    assert str(process("Look it up")).strip() == "success: found order-1001"


def test_the_same_call_asks_again_although_the_agent_forgot_earlier_ones(desk: Any, agent: Any) -> None:
    agent.model.calls = [("call-1", "refund", FIRST)]
    for number in (1, 2, 3):
        people, process = agent.process(conversation_manager=SlidingWindowConversationManager(window_size=3))
        process("Refund my order")
        people.ask(process, wait=False)
        desk.answer(FIRST, "approve")
        process(people.ask(process))
        assert desk.paid == PAID[:1] * number


@pytest.mark.parametrize("amount", [float("nan"), float("inf")])
def test_arguments_that_are_no_json_are_refused_before_anyone_is_asked(desk: Any, agent: Any, amount: float) -> None:
    agent.model.calls = [("call-1", "refund", {**FIRST, "amount": amount})]
    _, process = agent.process()
    assert "error: No person can be asked about these arguments: input.amount" in str(process("Refund it"))
    assert desk.paid == []


def test_a_name_of_no_tool_is_refused(desk: Any, agent: Any) -> None:
    with pytest.raises(ValueError, match="no tool rfund: it has refund"):
        agent.process(hooks=[AskPeople(desk.client(), ["rfund"], run="run", approvers=["ann"])])


def test_a_direct_call_of_the_tool_does_not_run(desk: Any, agent: Any) -> None:
    _, process = agent.process()
    with pytest.raises(RuntimeError, match="interrupt"):
        process.tool.refund(**FIRST)
    assert desk.paid == []


def test_a_hook_can_repeat_a_call_that_a_person_has_changed(desk: Any, agent: Any) -> None:
    """Each attempt has the changed arguments, and no one is asked again."""
    repeated = list[Any]()

    def repeat(event: AfterToolCallEvent) -> None:
        if not repeated:
            repeated.append(event.tool_use)
            event.retry = True

    agent.start(FIRST)
    desk.answer(FIRST, "approve", amount=50)
    people, process = agent.process()
    process.hooks.add_callback(AfterToolCallEvent, repeat)
    assert "refunded 50 + It ran with what ann wants" in str(process(people.ask(process)))
    assert (desk.paid, len(desk.tokens())) == ([("order-1001", 50)] * 2, 1)


def test_an_async_program_waits_in_a_thread(desk: Any, agent: Any) -> None:
    agent.start(FIRST)

    async def run() -> str:
        people, process = agent.process()
        waiting = asyncio.create_task(asyncio.to_thread(people.ask, process))
        desk.answer(FIRST, "approve")
        return str(await process.invoke_async(await waiting))

    assert "refunded 100" in asyncio.run(run())


def test_people_are_asked_about_the_call_of_an_agent_that_is_a_tool(desk: Any, agent: Any) -> None:
    people, inner = agent.process(session_manager=None, name="refunds")
    inner.model.calls = [("call-1", "refund", FIRST)]
    lead = type(agent)(desk, "one")
    lead.model.calls = [("outer", "refunds", {"input": "go"})]
    _, outer = lead.process(session_manager=None, hooks=[], tools=[inner])
    outer("Refund my order")
    people.ask(outer, wait=False)
    desk.answer(FIRST, "approve")
    assert "refunded 100" in str(outer(people.ask(outer)))
    assert desk.paid == PAID[:1]
