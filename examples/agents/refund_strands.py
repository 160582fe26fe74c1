"""A refund agent of Strands that asks a person first, and can be killed at any time.

    python refund_strands.py ticket-7 ann@example.com

It needs `waitpoints-client[strands]`, WAITPOINTS_URL and WAITPOINTS_API_KEY. After a crash, the same command continues. The
model is a stand-in: leave it out for a model of Bedrock.
"""

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from strands import Agent, ToolContext, tool
from strands.models import Model
from strands.session.file_session_manager import FileSessionManager
from waitpoints_client import Waitpoints
from waitpoints_client.agents.strands import AskPeople
from waitpoints_client.asking import People

BANK = Path("bank.txt")


class StandIn(Model):
    """Answers as a model would: first with a call of the tool, then with what it returned."""

    async def stream(self, messages: Any, *_: Any, **__: Any) -> AsyncIterator[Any]:
        results = [block["toolResult"] for block in messages[-1]["content"] if "toolResult" in block]
        start: Any = {} if results else {"toolUse": {"name": "refund", "toolUseId": "call_1"}}
        call = {"toolUse": {"input": json.dumps({"order": "1001", "euros": 100})}}
        yield {"messageStart": {"role": "assistant"}}
        yield {"contentBlockStart": {"start": start}}
        yield {"contentBlockDelta": {"delta": {"text": results[0]["content"][0]["text"]} if results else call}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "end_turn" if results else "tool_use"}}

    def update_config(self, **_: Any) -> None: ...

    def get_config(self) -> Any: ...

    def structured_output(self, *_: Any, **__: Any) -> Any: ...


@tool(context=True)
def refund(order: str, euros: int, tool_context: ToolContext) -> str:
    """Refund an order."""
    ticket, call = tool_context.invocation_state["ticket"], tool_context.tool_use["toolUseId"]
    with BANK.open("a+") as bank:  # it pays once for each key, although a crash can repeat a call
        bank.seek(0)
        if (payment := f"{ticket}/{call}: {euros} euros for order {order}\n") not in bank:
            bank.write(payment)
    return f"Refunded {euros} euros for order {order}."


def has_answered(agent: Agent) -> bool:
    return agent.messages[-1]["role"] == "assistant" and not any("toolUse" in block for block in agent.messages[-1]["content"])


def main(ticket: str, email: str) -> None:
    who: People = {"approvers": [{"id": "ann", "email": email}], "notify": {"email": True}, "timeout": "7d", "tags": ticket}
    people = AskPeople(Waitpoints(), ["refund"], run=ticket, **who)
    agent = Agent(
        model=StandIn(),
        tools=[refund],
        hooks=[people],
        session_manager=FileSessionManager(ticket, storage_dir="sessions"),
    )
    prompt = None if agent.messages else "Please refund order 1001."  # of a session that begins
    while prompt or not has_answered(agent):
        agent(people.ask(agent) or prompt, invocation_state={"ticket": ticket})
        prompt = None


if __name__ == "__main__":
    main(*sys.argv[1:])
