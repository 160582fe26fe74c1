"""What only Pydantic AI has: external calls, stored messages, and a durable engine that holds the wait."""

import asyncio
import json
from typing import Any

import pytest
from pydantic_ai import DeferredToolRequests, Tool
from pydantic_ai.durable_exec import ExternalEventError
from pydantic_ai.messages import ToolCallPart

from waitpoints_client.agents.pydantic_ai import AskPeople, ask_people

pytestmark = pytest.mark.parametrize("desk", ["fake"], indirect=True)
FIRST = {"order": "order-1001", "amount": 100}
PAID = ("order-1001", 100)
REFUSED = "ann rejected this, so it did not run"
TIMED_OUT = "This did not run: nobody decided in time."
WEATHER = ToolCallPart("weather", {"city": "Bonn"}, tool_call_id="call-weather")
without_an_engine = pytest.mark.parametrize("agent", ["after", "within"], indirect=True)
durable = pytest.mark.parametrize("agent", ["durable"], indirect=True)


@without_an_engine
def test_an_edit_that_does_not_fit_the_tool_does_not_run(desk: Any, agent: Any) -> None:
    agent.start(FIRST)
    assert [token.page.title for token in desk.tokens()] == ["Pay it back?"]
    desk.answer(FIRST, "approve", amount="all of it")
    [said] = agent.go_on()
    assert ("does not fit" in said, desk.paid) == (True, [])


@without_an_engine
@pytest.mark.parametrize(("action", "said"), [("respond", "It rains"), ("reject", f"{REFUSED}: It rains"), ("", TIMED_OUT)])
def test_a_person_answers_an_external_call_and_cannot_approve_it(desk: Any, agent: Any, action: str, said: str) -> None:
    desk.edits = False
    agent.start(WEATHER, timeout="1h" if action else "1s")
    [token] = desk.tokens()
    assert list(token.page_actions) == ["reject", "respond"]
    if action:
        desk.answer({}, action, message="It rains")
    else:
        desk.advance(seconds=1)
    assert agent.go_on() == [said]


def test_messages_without_the_call_are_refused(desk: Any, agent: Any) -> None:
    async def ask() -> None:
        requests = DeferredToolRequests(approvals=[ToolCallPart("refund", FIRST, tool_call_id="call-1")])
        async with desk.async_client() as waitpoints:
            await ask_people(waitpoints, agent.process(), requests, [], **desk.people())

    with pytest.raises(ValueError, match=r"No message has the calls \[.call-1.\]"):
        asyncio.run(ask())
    assert desk.tokens() == []


@pytest.mark.parametrize(("people", "error"), [({}, "Who may answer"), ({"approvers": ["ann"], "approver": "bo"}, "approver")])
def test_people_are_checked_before_an_agent_runs(desk: Any, people: Any, error: str) -> None:
    with pytest.raises((ValueError, TypeError), match=error):
        AskPeople(**people)


@durable
def test_the_engine_holds_the_wait_and_records_nothing_that_settles_it(desk: Any, agent: Any) -> None:
    agent.start(FIRST)
    assert agent.go_on(wait=False) == [], "the replay asks nobody, and waits again"
    [token] = desk.tokens()
    assert [(waiter.kind, waiter.status) for waiter in token.waiters] == [("DURABLE_FUNCTION", "WAITING")]
    recorded = json.dumps(agent.journal.steps)
    assert ("refund" in recorded, "http" in recorded) == (True, False)
    desk.answer(FIRST, "approve")
    for _ in range(2):
        assert agent.go_on() == ["refunded 100"]
    assert desk.paid == [PAID]


@durable
def test_nothing_runs_after_the_time_of_the_engine(desk: Any, agent: Any) -> None:
    agent.start(FIRST)
    agent.journal.results[agent.journal.callback] = ExternalEventError("Callback timed out")
    assert agent.go_on(wait=False) == [TIMED_OUT]
    assert desk.paid == []


@durable
def test_a_step_that_asks_again_finds_the_token(desk: Any, agent: Any) -> None:
    agent.start(FIRST)
    agent.journal.steps.pop()  # its end was not recorded: the engine runs it again
    assert agent.go_on(wait=False) == []
    assert len(desk.tokens()) == 1


@durable
def test_one_page_asks_about_all_calls(desk: Any, agent: Any) -> None:
    desk.edits = False
    agent.start(FIRST, {**FIRST, "order": "order-1002"}, WEATHER)
    chosen = {"call_1": "approve", "call_2": "reject", "message_2": "no", "call_3": "respond", "message_3": "It rains"}
    desk.answer({}, "decide", **chosen)
    assert agent.go_on() == ["refunded 100", f"{REFUSED}: no", "It rains"]
    assert desk.paid == [PAID]


@durable
@pytest.mark.parametrize("is_long", [False, True])
def test_a_page_for_all_calls_needs_as_many_approvers_as_each(desk: Any, agent: Any, is_long: bool) -> None:
    """Also if a call is too long for a page of its own."""

    def note(text: str) -> None: ...

    own = {"waitpoints": {"needs": 2, "text": "y" * 1_000}}
    agent.tools = [*agent.tools, Tool(note, requires_approval=True, metadata=own)]
    noted = {"text": "x" * 9_000 if is_long else "short"}
    agent.start(ToolCallPart("note", noted, tool_call_id="call-note"), FIRST, approvers=["ann", "bo"])
    [token] = desk.tokens()
    assert token.needs["decide"] == 2


@durable
def test_more_calls_than_a_page_has_room_for_have_several(desk: Any, agent: Any) -> None:
    desk.edits = False
    agent.start(*({**FIRST, "order": f"order-{number}"} for number in range(16)))
    for _ in range(2):
        desk.answer({}, "decide", **{f"call_{number}": "approve" for number in range(1, 15)})
        said = agent.go_on()
    assert (said, len(desk.paid), len(desk.tokens())) == (["refunded 100"] * 16, 16, 2)
