"""An agent of the OpenAI Agents SDK that refunds, in processes that share a stored state."""

import asyncio
import json
from functools import partial
from typing import Any

from agents import Agent as OpenAIAgent
from agents import Runner, RunState, function_tool, set_tracing_disabled
from agents.testing import ModelCall, ModelStep, ScriptedModel, assistant_message, function_call

from waitpoints_client.agents import approval_page
from waitpoints_client.agents.openai_agents import ask_people

set_tracing_disabled(True)
LACKS = {"one": ["test_the_same_call_in_a_later_turn_is_asked_again"]}  # `run` names a turn
EDITS = False
READS = {
    "approve": "refunded 100",
    "reject": "ann rejected this, so it did not run: not this customer",
    "reject without a word": "ann rejected this, so it did not run.",
    "respond": "refunded by hand",
    "silence": "This did not run: nobody decided in time.",
}


def model_of(*calls: Any) -> ScriptedModel:
    """Return a model that makes these calls, and then repeats what the tools returned."""

    def play(call: ModelCall) -> Any:
        outputs = [
            item["output"] for item in call.input if isinstance(item, dict) and item.get("type") == "function_call_output"
        ]
        return [assistant_message(" | ".join(outputs))] if outputs else list(calls)

    return ScriptedModel([ModelStep.respond(play)] * 9)


class Agent:
    EXAMPLE = "refund_openai_agents.py"

    def __init__(self, desk: Any, mode: str) -> None:
        self.desk, self.stored, self.calls, self.options = desk, None, list[Any](), dict[str, Any]()
        self.page: Any = partial(approval_page, edit=False, respond=True)

    def process(self, *calls: Any, **options: Any) -> Any:
        """Return the agent of a new process, whose model makes these calls."""
        self.calls = list(calls) or self.calls
        self.model = model_of(*self.calls)
        refund = function_tool(self.desk.pay, name_override="refund", needs_approval=True)
        return OpenAIAgent(**{"name": "support", "model": self.model, "tools": [refund], **options})

    async def ask(self, state: RunState[Any, Any], **options: Any) -> list[str]:
        people = self.desk.people(**self.options)
        return await ask_people(
            self.desk.async_client(), state, **{"run": self.desk.run, "page": self.page, **people, **options}
        )

    async def run(self, agent: Any, wait: bool) -> list[str]:
        """Let people decide about the calls of a stored state, and run the agent with that."""
        state = await RunState.from_json(agent, json.loads(json.dumps(self.stored)))
        calls = len(state.get_interruptions())
        if len(await self.ask(state, wait=wait)) == calls:
            return []
        result = await Runner.run(agent, state)
        self.stored = result.to_state().to_json()
        return [] if result.interruptions else str(result.final_output).split(" | ")

    async def pause(self, agent: Any) -> None:
        result = await Runner.run(agent, "Refund my orders")
        assert result.interruptions
        self.stored = result.to_state().to_json()

    def start(self, *calls: Any, **options: Any) -> None:
        self.options = options
        agent = self.process(*(function_call("refund", call, call_id=f"call-{call['order']}") for call in calls))
        asyncio.run(self.pause(agent))
        assert self.go_on(wait=False) == []

    def go_on(self, wait: bool = True) -> list[str]:
        return asyncio.run(self.run(self.process(), wait))

    def seen(self) -> str:
        """What is stored, and what the model read."""
        return json.dumps([self.stored, [call.input for call in self.model.calls]], default=str)
