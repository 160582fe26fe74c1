"""A Strands agent that refunds, in processes that share a session."""

import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from strands import Agent as StrandsAgent
from strands import tool
from strands.models import Model
from strands.session.file_session_manager import FileSessionManager

from waitpoints_client.agents import approval_page
from waitpoints_client.agents.strands import AskPeople

LACKS: dict[str, list[str]] = {"one": []}
CHANGED = 'success: refunded 50 + It ran with what ann wants: {"order":"order-1001","amount":50}\nHalf of it.'
EDITS = True
READS = {
    "approve": "success: refunded 100",
    "edit": CHANGED,
    "reject": "error: ann rejected this, so it did not run: not this customer",
    "reject without a word": "error: ann rejected this, so it did not run.",
    "respond": "success: refunded by hand",
    "silence": "error: This did not run: nobody decided in time.",
}


class Scripted(Model):
    """Makes these calls, and then repeats what the tools returned."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Any]] = []
        self.read: list[str] = []

    async def stream(self, messages: Any, *_: Any, **__: Any) -> AsyncIterator[Any]:
        self.read.append(json.dumps(messages))
        results = [block["toolResult"] for block in messages[-1]["content"] if "toolResult" in block]
        texts = [f"{result['status']}: {' + '.join(part['text'] for part in result['content'])}" for result in results]
        yield {"messageStart": {"role": "assistant"}}
        for call_id, name, arguments in () if results else self.calls:
            yield {"contentBlockStart": {"start": {"toolUse": {"name": name, "toolUseId": call_id}}}}
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": json.dumps(arguments)}}}}
            yield {"contentBlockStop": {}}
        if results:
            yield {"contentBlockStart": {"start": {}}}
            yield {"contentBlockDelta": {"delta": {"text": " | ".join(texts)}}}
            yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "end_turn" if results else "tool_use"}}

    def update_config(self, **_: Any) -> None: ...

    def get_config(self) -> dict[str, Any]:
        return {}

    def structured_output(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


class Agent:
    EXAMPLE = "refund_strands.py"

    def __init__(self, desk: Any, mode: str) -> None:
        self.desk, self.model, self.options = desk, Scripted(), dict[str, Any]()

    def process(self, **options: Any) -> tuple[AskPeople, StrandsAgent]:
        """Return the hook and the agent of a new process."""
        asked = {"run": self.desk.run, "page": partial(approval_page, respond=True)}
        people = AskPeople(self.desk.client(), ["refund"], **asked, **self.desk.people(**self.options))
        options = {
            "hooks": [people],
            "session_manager": self.session(),
            "tools": [tool(name="refund")(self.desk.pay)],
            **options,
        }
        return people, StrandsAgent(model=self.model, callback_handler=None, **options)

    def session(self) -> Any:
        return FileSessionManager(self.desk.run, storage_dir=str(self.desk.folder))

    def start(self, *calls: Any, **options: Any) -> None:
        self.options, self.model.calls = options, [(f"call-{call['order']}", "refund", call) for call in calls]
        people, agent = self.process()
        assert people.ask(agent) == []
        assert agent("Refund my orders").stop_reason == "interrupt"
        people.ask(agent, wait=False)

    def go_on(self, wait: bool = True) -> list[str]:
        people, agent = self.process()
        if not (decided := people.ask(agent, wait=wait)):
            return []
        result = agent(decided)
        return [] if result.stop_reason == "interrupt" else str(result).strip().split(" | ")

    def seen(self) -> str:
        """What the model read, and the session has."""
        return "\n".join([*self.model.read, *(file.read_text() for file in self.desk.folder.rglob("*.json"))])
