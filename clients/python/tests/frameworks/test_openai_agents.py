"""What only the OpenAI Agents SDK has: it runs the model's own arguments, of which some are no JSON, and shells."""

import asyncio
from typing import Any

import pytest
from agents import Agent as OpenAIAgent
from agents import Runner, RunState, ShellTool
from agents.items import TResponseOutputItem
from agents.testing import ScriptedModel, assistant_message, function_call
from pydantic import TypeAdapter

from waitpoints_client.agents import approval_page

FIRST = {"order": "order-1001", "amount": 100}


def test_a_page_has_no_field_for_the_arguments_and_a_change_of_them_is_told_to_the_model(desk: Any, agent: Any) -> None:
    shown = approval_page("refund", FIRST, edit=False).page["fields"]
    assert [*shown["properties"]] == ["message"]
    desk.edits, agent.page = True, approval_page
    agent.start(FIRST)
    desk.answer(FIRST, "approve", amount=50)
    assert agent.go_on() == ['This did not run. Call it with what ann wants: {"order":"order-1001","amount":50}']
    assert desk.paid == []


def test_a_call_of_an_agent_that_is_a_tool_is_asked_of_its_own_agent(desk: Any, agent: Any) -> None:
    inner = agent.process(function_call("refund", FIRST, call_id="call-1")).as_tool("refunds", "Refunds orders")
    outer = type(agent)(desk, "one")
    lead = outer.process(function_call("refunds", {"input": "go"}, call_id="outer"), tools=[inner])
    asyncio.run(outer.pause(lead))
    assert asyncio.run(outer.run(lead, wait=False)) == []
    desk.answer(FIRST, "approve")
    assert asyncio.run(outer.run(lead, wait=True)) == ["refunded 100"]
    assert desk.paid == [("order-1001", 100)]


@pytest.mark.parametrize("arguments", ['{"order": ', '{"amount": NaN}', '{"amount": 1e999}'])
def test_arguments_that_are_no_json_are_shown_as_text(desk: Any, agent: Any, arguments: str) -> None:
    process = agent.process(function_call("refund", arguments, call_id="call-1"))
    asyncio.run(agent.pause(process))
    assert agent.go_on(wait=False) == []
    desk.answer(FIRST, "reject")
    assert agent.go_on() == ["ann rejected this, so it did not run."]


def test_a_shell_command_is_shown_before_and_after_it_is_stored(desk: Any, agent: Any) -> None:
    called = {"type": "shell_call", "id": "item", "call_id": "call_1", "status": "completed"}
    call = TypeAdapter(TResponseOutputItem).validate_python({**called, "action": {"commands": ["rm -rf build"]}})
    ran: list[Any] = []
    shown = []

    def page(name: str, arguments: Any, schema: Any) -> Any:
        shown.append(arguments)
        return approval_page(name, arguments, schema, edit=False)

    def execute(request: Any) -> str:
        ran.extend(request.data.action.commands)
        return "done"

    async def run() -> None:
        shell = OpenAIAgent(
            name="shell",
            model=ScriptedModel([[call], [assistant_message("done")]]),
            tools=[ShellTool(executor=execute, needs_approval=True)],
        )
        live = (await Runner.run(shell, "Clean up")).to_state()
        stored = await RunState.from_json(shell, live.to_json())
        [first], [again] = await agent.ask(live, wait=False, page=page), await agent.ask(stored, wait=False, page=page)
        assert first == again
        desk.answer(FIRST, "approve")
        await agent.ask(stored, page=page)
        await Runner.run(shell, stored)

    asyncio.run(run())
    assert ran == ["rm -rf build"]
    assert all(arguments == {"commands": ["rm -rf build"]} for arguments in shown)
