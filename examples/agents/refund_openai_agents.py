"""A refund agent of the OpenAI Agents SDK that asks a person first, and can be killed at any time.

    python refund_openai_agents.py ticket-7 ann@example.com

It needs `waitpoints-client[openai-agents]`, WAITPOINTS_URL and WAITPOINTS_API_KEY. After a crash, the same command continues.
The model is the SDK's stand-in for tests: put the name of yours in its place.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from agents import Agent, Runner, RunState, function_tool, set_tracing_disabled
from agents.testing import ModelCall, ModelStep, ScriptedModel, assistant_message, function_call
from agents.tool_context import ToolContext
from waitpoints_client import AsyncWaitpoints
from waitpoints_client.agents.openai_agents import ask_people
from waitpoints_client.asking import People

BANK = Path("bank.txt")


def play(call: ModelCall) -> Any:
    """Answer as a model would: first with a call of the tool, then with what it returned."""
    outputs = [item["output"] for item in call.input if item.get("type") == "function_call_output"]
    return [
        assistant_message(outputs[0]) if outputs else function_call("refund", {"order": "1001", "euros": 100}, call_id="call_1")
    ]


def agent_of(ticket: str) -> Agent[Any]:
    @function_tool(needs_approval=True)
    def refund(call: ToolContext[Any], order: str, euros: int) -> str:
        """Refund an order."""
        with BANK.open("a+") as bank:  # it pays once for each key, although a crash can repeat a call
            bank.seek(0)
            if (payment := f"{ticket}/{call.tool_call_id}: {euros} euros for order {order}\n") not in bank:
                bank.write(payment)
        return f"Refunded {euros} euros for order {order}."

    model = ScriptedModel([ModelStep.respond(play)] * 2)
    return Agent(name="support", model=model, tools=[refund])


async def main(ticket: str, email: str) -> None:
    people: People = {"approvers": [{"id": "ann", "email": email}], "notify": {"email": True}, "timeout": "7d", "tags": ticket}
    agent, stored = agent_of(ticket), Path(f"{ticket}.json")
    if stored.exists():
        state = await RunState.from_string(agent, stored.read_text())
    else:
        state = (await Runner.run(agent, "Please refund order 1001.")).to_state()
    async with AsyncWaitpoints() as waitpoints:
        while state.get_interruptions():
            new = stored.with_suffix(".new")
            new.write_text(state.to_string())
            os.replace(new, stored)  # all of it, or nothing
            await ask_people(waitpoints, state, run=ticket, **people)
            result = await Runner.run(agent, state)
            state = result.to_state()
    print(result.final_output)
    stored.unlink()


if __name__ == "__main__":
    set_tracing_disabled(True)
    asyncio.run(main(*sys.argv[1:]))
