"""An agent that refunds what `waitpoints mcp` says a person has approved, in processes that share a run."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mcp import Client

from waitpoints_client.agents.mcp_server import make_server
from waitpoints_client.agents.questions import Questions

LACKS = {
    mode: [
        "test_an_example_that_is_killed_asks_once_and_pays_once",
        "test_the_same_call_in_a_later_turn_is_asked_again",  # the model gives the key
        "test_who_is_asked_must_be_said",  # the command checks it
    ]
    for mode in ("legacy", "2026-07-28")
}
EDITS = False
READS = {
    "approve": "approved: Approved: do what was asked, and no more.",
    "reject without a word": "rejected: Rejected: do not do it.",
    "silence": "timed_out: Nobody answered in time. This is no approval. To ask again, give another key.",
}


class Agent:
    def __init__(self, desk: Any, mode: str) -> None:
        self.desk, self.mode, self.told = desk, mode, list[dict[str, Any]]()
        desk.tag = f"mcp-{hashlib.sha256(desk.run.encode()).hexdigest()[:16]}"

    @asynccontextmanager
    async def process(self) -> AsyncIterator[Client]:
        """Connect the official client with a server in this process."""
        people = {name: it for name, it in self.desk.people(**self.options).items() if name != "tags"}
        async with self.desk.async_client() as waitpoints:
            server = make_server(Questions(waitpoints, run=self.desk.run, title="Claude asks", **people))
            async with Client(server, mode=self.mode) as client:
                yield client

    async def ask(self, wait: bool) -> list[dict[str, Any]]:
        async with self.process() as client:
            asked = [{"question": f"Refund {call['order']}?", "key": "7", "wait_seconds": 50 * wait} for call in self.calls]
            found = await asyncio.gather(*(client.call_tool("ask_person", it) for it in asked))
        self.told += [dict(it.structured_content) for it in found]
        return self.told[-len(found) :]

    def start(self, *calls: Any, **options: Any) -> None:
        self.calls, self.options = calls, options
        assert {it["state"] for it in asyncio.run(self.ask(wait=False))} == {"waiting"}

    def go_on(self, wait: bool = True) -> list[str]:
        told = asyncio.run(self.ask(wait))
        if any(it["state"] == "waiting" for it in told):
            return []
        for call, it in zip(self.calls, told, strict=True):
            if it["state"] == "approved":
                self.desk.pay(**call)
        return [f"{it['state']}: {it['note']}" for it in told]

    def seen(self) -> str:
        return json.dumps(self.told)
