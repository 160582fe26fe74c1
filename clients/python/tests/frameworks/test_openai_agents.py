"""People decide about the calls of an agent of the OpenAI Agents SDK."""

import asyncio
import json
import re
import uuid
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

import pytest
from agents import Agent, Runner, RunResult, RunState, ShellTool, function_tool, set_tracing_disabled
from agents.items import TResponseOutputItem
from agents.testing import ModelCall, ModelStep, ScriptedModel, assistant_message, function_call
from pydantic import TypeAdapter

from waitpoints_client.agents import approval_page
from waitpoints_client.agents.openai_agents import ask_people

set_tracing_disabled(True)
Asked = Any  # of conftest.py
FIRST, SECOND = {"order": "1001", "amount": 100}, {"order": "1002", "amount": 20}


def model_of(*calls: Any) -> ScriptedModel:
    """Return a model that makes these calls, and then repeats what the tools returned."""

    def play(call: ModelCall) -> Any:
        outputs = [
            item["output"] for item in call.input if isinstance(item, dict) and item.get("type") == "function_call_output"
        ]
        return [assistant_message(" | ".join(outputs))] if outputs else list(calls)

    return ScriptedModel([ModelStep.respond(play)] * 9)


class Refunds:
    """An agent that refunds, and the refunds."""

    def __init__(self, *calls: Any, **options: Any) -> None:
        self.paid: list[tuple[str, int]] = []
        self.model = model_of(*calls or [function_call("refund", FIRST, call_id="call_1")])
        self.agent = Agent(name="support", model=self.model, tools=[function_tool(self.refund, needs_approval=True)], **options)

    def refund(self, order: str, amount: int) -> str:
        """Refund an order."""
        self.paid.append((order, amount))
        return f"refunded {amount}"

    async def pause(self) -> Any:
        """Run until the approval, and return what a program stores."""
        result = await Runner.run(self.agent, "Refund my order")
        assert result.interruptions
        return result.to_state().to_json()

    async def load(self, stored: Mapping[str, Any]) -> RunState[Any, Any]:
        return await RunState.from_json(self.agent, json.loads(json.dumps(stored)))

    async def go_on(self, state: RunState[Any, Any]) -> RunResult:
        return await Runner.run(self.agent, state)


@pytest.fixture
def ask(asked: Asked) -> Callable[..., Coroutine[Any, Any, list[str]]]:
    """Asks Ann, for a run of this test."""
    return partial(ask_people, asked.async_client(), run=f"run-{uuid.uuid4()}", approvers=["ann"])


@pytest.mark.parametrize(
    ("action", "message", "paid", "said"),
    [
        ("approve", "", [("1001", 100)], "refunded 100"),
        ("reject", "not this customer", [], "ann rejected this, so it did not run: not this customer"),
        ("reject", "", [], "ann rejected this, so it did not run."),
        ("respond", "refunded by hand", [], "refunded by hand"),
    ],
)
def test_a_person_decides(asked: Asked, ask: Any, action: str, message: str, paid: Any, said: str) -> None:
    refunds = Refunds()
    page = partial(approval_page, edit=False, respond=True)

    async def run() -> Any:
        state = await refunds.load(await refunds.pause())
        [token] = await ask(state, wait=False, page=page)
        asked.answer(token, action, {"message": message} if message else {})
        assert await ask(state, page=page) == []
        return (await refunds.go_on(state)).final_output

    assert asyncio.run(run()) == said
    assert refunds.paid == paid


def test_silence_rejects(ask: Any) -> None:
    refunds = Refunds()

    async def run() -> Any:
        state = await refunds.load(await refunds.pause())
        assert await ask(state, timeout="1s") == []
        return (await refunds.go_on(state)).final_output

    assert asyncio.run(run()) == "This did not run: nobody decided in time."
    assert refunds.paid == []


def test_a_page_has_no_field_for_the_arguments_and_a_change_of_them_is_told_to_the_model(asked: Asked, ask: Any) -> None:
    refunds = Refunds()

    async def run() -> Any:
        state = await refunds.load(await refunds.pause())
        [token] = await ask(state, wait=False, page=approval_page)
        asked.answer(token, "approve", {**FIRST, "amount": 50})
        await ask(state, page=approval_page)
        return (await refunds.go_on(state)).final_output

    [item] = asyncio.run(refunds_interruptions(refunds))
    shown = approval_page("refund", json.loads(item.arguments), edit=False).page["fields"]
    assert [*shown["properties"]] == ["message"]
    assert asyncio.run(run()) == 'This did not run. Call it with what ann wants: {"order":"1001","amount":50}'
    assert refunds.paid == []


async def refunds_interruptions(refunds: Refunds) -> Any:
    return (await refunds.load(await refunds.pause())).get_interruptions()


def test_two_calls_at_once_are_two_requests_each_with_its_own_decision(asked: Asked, ask: Any) -> None:
    refunds = Refunds(function_call("refund", FIRST, call_id="call_1"), function_call("refund", SECOND, call_id="call_2"))

    async def run() -> Any:
        stored = await refunds.pause()
        first, second = await ask(await refunds.load(stored), wait=False)  # and the program ends
        asked.answer(second, "reject", {"message": "no"})
        state = await refunds.load(stored)
        assert await ask(state, wait=False) == [first]  # the other is decided
        result = await refunds.go_on(state)
        assert [item.call_id for item in result.interruptions] == ["call_1"]
        state = await refunds.load(result.to_state().to_json())
        asked.answer(first, "approve")
        assert await ask(state) == []
        return (await refunds.go_on(state)).final_output

    assert sorted(asyncio.run(run()).split(" | ")) == ["ann rejected this, so it did not run: no", "refunded 100"]
    assert refunds.paid == [("1001", 100)]


def test_the_same_call_is_one_request_in_every_process(asked: Asked, ask: Any) -> None:
    refunds = Refunds()

    async def run() -> tuple[list[str], list[str]]:
        stored = await refunds.pause()
        first = await ask(await refunds.load(stored), wait=False, tags=ask.keywords["run"])
        later = Refunds()  # another process
        return first, await ask(await later.load(stored), wait=False)

    first, again = asyncio.run(run())
    assert first == again
    with asked.client() as waitpoints:
        assert [token.id for token in waitpoints.list(tags=ask.keywords["run"])] == first


def test_an_agent_that_posts_to_all_that_it_was_given_settles_nothing(asked: Asked, ask: Any) -> None:
    refunds = Refunds()

    async def run() -> tuple[str, str]:
        state = await refunds.load(await refunds.pause())
        [token] = await ask(state, wait=False)
        await ask(state, wait=False)
        given = [state.to_json(), [call.input for call in refunds.model.calls], token]
        return token, json.dumps(given, default=str)

    token, given = asyncio.run(run())
    with asked.client() as waitpoints:
        found = waitpoints.get(token)
        urls = {*re.findall(r"https?://[^\s\"']+", given), found.url}  # the URL without a person's name may be known
        urls |= {f"{asked.url}/api/v1/waitpoints/tokens/{token}/complete"}
        statuses = [asked.post(url, {"action": "approve", "data": {"action": "approve"}}) for url in urls]
        assert not any(status < 400 for status in statuses)
        assert waitpoints.get(token).status == "WAITING"
        assert not any(link.url in given for link in found.links)
        asked.answer(token, "approve")  # while that link does
        assert waitpoints.get(token).status == "COMPLETED"


def test_a_call_of_an_agent_that_is_a_tool_is_asked_of_its_own_agent(asked: Asked, ask: Any) -> None:
    refunds = Refunds()
    tool = refunds.agent.as_tool("refunds", "Refunds orders")
    lead = Agent(name="lead", model=model_of(function_call("refunds", {"input": "go"}, call_id="outer")), tools=[tool])

    async def run() -> Any:
        result = await Runner.run(lead, "Refund my order")
        state = await RunState.from_json(lead, result.to_state().to_json())
        [token] = await ask(state, wait=False)
        asked.answer(token, "approve")
        await ask(state)
        return (await Runner.run(lead, state)).final_output

    assert asyncio.run(run()) == "refunded 100"
    assert refunds.paid == [("1001", 100)]


@pytest.mark.parametrize("arguments", ['{"order": ', '{"amount": NaN}', '{"amount": 1e999}'])
def test_arguments_that_are_no_json_are_shown_as_text(asked: Asked, ask: Any, arguments: str) -> None:
    refunds = Refunds(function_call("refund", arguments, call_id="call_1"))

    async def run() -> Any:
        state = (await Runner.run(refunds.agent, "Refund my order")).to_state()
        [token] = await ask(state, wait=False)
        asked.answer(token, "reject")
        await ask(state)
        return (await refunds.go_on(state)).final_output

    assert asyncio.run(run()) == "ann rejected this, so it did not run."


def test_a_shell_command_is_shown_before_and_after_it_is_stored(asked: Asked, ask: Any) -> None:
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
        shell = ShellTool(executor=execute, needs_approval=True)
        agent = Agent(name="shell", model=ScriptedModel([[call], [assistant_message("done")]]), tools=[shell])
        live = (await Runner.run(agent, "Clean up")).to_state()
        stored = await RunState.from_json(agent, live.to_json())
        [first], [again] = await ask(live, wait=False, page=page), await ask(stored, wait=False, page=page)
        assert first == again
        asked.answer(first, "approve")
        await ask(stored, page=page)
        await Runner.run(agent, stored)

    asyncio.run(run())
    assert ran == ["rm -rf build"]
    assert all(arguments == {"commands": ["rm -rf build"]} for arguments in shown)


def test_who_may_answer_must_be_said(asked: Asked) -> None:
    refunds = Refunds()

    async def run() -> None:
        with pytest.raises(ValueError, match="Who may answer"):
            await ask_people(asked.async_client(), await refunds.load(await refunds.pause()), run="run")

    asyncio.run(run())


def test_the_example_asks_once_and_pays_once_although_it_is_killed(pays_once: Any) -> None:
    pays_once("refund_openai_agents.py")
