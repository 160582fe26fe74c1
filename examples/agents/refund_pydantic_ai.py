"""A refund agent of Pydantic AI that asks a person first, and can be killed at any time.

    python refund_pydantic_ai.py ticket-7 ann@example.com

It needs `waitpoints-client[pydantic-ai]`, WAITPOINTS_URL and WAITPOINTS_API_KEY. After a crash, the same command continues.
The model is a function: put the name of yours in its place.
"""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic_ai import Agent, DeferredToolRequests, RunContext, Tool
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import FunctionModel
from waitpoints_client import AsyncWaitpoints
from waitpoints_client.agents.pydantic_ai import ask_people
from waitpoints_client.asking import People

BANK = Path("bank.txt")


def play(messages: list[ModelMessage], _: Any) -> ModelResponse:
    """Answer as a model would: first with a call of the tool, then with what it returned."""
    returned = [part.content for part in messages[-1].parts if isinstance(part, ToolReturnPart)]
    call = ToolCallPart("refund", {"order": "1001", "euros": 100}, tool_call_id="call_1")
    return ModelResponse([TextPart(returned[0]) if returned else call])


def refund(ctx: RunContext[None], order: str, euros: int) -> str:
    """Refund an order."""
    with BANK.open("a+") as bank:  # it pays once for each key, although a crash can repeat a call
        bank.seek(0)
        if (payment := f"{ctx.conversation_id}/{ctx.tool_call_id}: {euros} euros for order {order}\n") not in bank:
            bank.write(payment)
    return f"Refunded {euros} euros for order {order}."


agent = Agent(FunctionModel(play), tools=[Tool(refund, requires_approval=True)], output_type=[str, DeferredToolRequests])


@dataclass
class Stored:
    messages: list[ModelMessage]
    output: DeferredToolRequests | str


STORED = TypeAdapter(Stored)


async def main(ticket: str, email: str) -> None:
    people: People = {"approvers": [{"id": "ann", "email": email}], "notify": {"email": True}, "timeout": "7d", "tags": ticket}
    file = Path(f"{ticket}.json")

    def store(result: Any) -> Stored:
        new = file.with_suffix(".new")
        new.write_bytes(STORED.dump_json(Stored(result.all_messages(), result.output)))
        os.replace(new, file)  # all of it, or nothing
        return STORED.validate_json(file.read_bytes())

    if file.exists():
        stored = STORED.validate_json(file.read_bytes())
    else:
        stored = store(await agent.run("Please refund order 1001.", conversation_id=ticket))
    async with AsyncWaitpoints() as waitpoints:
        while isinstance(stored.output, DeferredToolRequests):
            results = await ask_people(waitpoints, agent, stored.output, stored.messages, **people)
            stored = store(await agent.run(message_history=stored.messages, deferred_tool_results=results))
    print(stored.output)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
