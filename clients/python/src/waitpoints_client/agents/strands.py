"""Ask people about calls of some tools of a Strands agent. Extra: `strands`.

    people = AskPeople(waitpoints, ["refund"], run="ticket-7", approvers=["ann@example.com"])
    agent = Agent(tools=[refund], hooks=[people], session_manager=FileSessionManager("ticket-7"))
    todo = people.ask(agent) or "Refund order 1001"
    while todo:
        result = agent(todo)
        todo = people.ask(agent)

The session has the agent's interrupt. After a crash, the same program finds the same requests.
"""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from strands import Agent
from strands.hooks import AfterToolCallEvent, AgentInitializedEvent, BeforeToolCallEvent, HookRegistry
from strands.types.interrupt import InterruptResponseContent
from strands.types.tools import ToolUse
from typing_extensions import Unpack

from waitpoints_client.agents.approval_page import ApprovalPage, approval_page
from waitpoints_client.agents.decision import Decision, refusal
from waitpoints_client.agents.requires_approval import MakePage
from waitpoints_client.asking import AskOptions, People, find_or_create
from waitpoints_client.canonical_json import digest
from waitpoints_client.client import Waitpoints
from waitpoints_client.wire import refuse_unknown, write_json


class AskPeople:
    """The hook of one agent in one run. Put it last: what a later hook changes, people do not see."""

    INTERRUPT = "waitpoints"

    def __init__(
        self, waitpoints: Waitpoints, tools: list[str], *, run: str, page: MakePage = approval_page, **people: Unpack[People]
    ) -> None:
        """Ask about each call of these tools. `run` names the run: a session of yours.

        `page` makes the page of a call from the tool's name, arguments and schema.
        """
        refuse_unknown(people, People.__annotations__)
        self._waitpoints, self._tools, self._run, self._page, self._people = waitpoints, frozenset(tools), run, page, people
        self._schemas: dict[str, Mapping[str, Any]] = {}
        self._decided: dict[str, Decision] = {}

    def register_hooks(self, registry: HookRegistry, **_: Any) -> None:  # Strands calls it
        registry.add_callback(AgentInitializedEvent, self._check_names)
        registry.add_callback(BeforeToolCallEvent, self._before)
        registry.add_callback(AfterToolCallEvent, self._after)

    def ask(self, agent: Agent, *, wait: bool = True) -> list[InterruptResponseContent]:
        """Ask about all pending calls at once, and return what to call the agent with when people have decided; else [].

        Without `wait`, it has only what is decided by now, and the program can end: the session has the rest.
        """
        state = _state(agent)
        done = {result["toolUseId"] for result in (state.get("pending_tool_execution") or {}).get("completed_tool_results", ())}
        tokens = {}
        for interrupt in state["interrupts"].values():
            if interrupt["name"] == self.INTERRUPT and (call := interrupt["reason"])["toolUseId"] not in done:
                flow = find_or_create(self._waitpoints._session, *self._request(call, call["call"]))
                tokens[interrupt["id"]] = self._waitpoints._run(flow)
        return [
            {"interruptResponse": {"interruptId": interrupt_id, "response": token}}
            for interrupt_id, token in tokens.items()
            if (self._waitpoints.wait(token) if wait else self._waitpoints.get(token).result)
        ]

    def _request(self, call: ToolUse, name: str) -> tuple[ApprovalPage, AskOptions]:
        named: AskOptions = {"run": self._run, "call": name}
        return self._page(call["name"], call["input"], self._schemas[call["name"]]), {**self._people, **named}

    def _check_names(self, event: AgentInitializedEvent) -> None:
        tools = event.agent.tool_registry.registry
        if unknown := sorted(self._tools - tools.keys()):
            raise ValueError(f"The agent has no tool {', '.join(unknown)}: it has {', '.join(sorted(tools))}")
        self._schemas = {name: tools[name].tool_spec["inputSchema"]["json"] for name in self._tools}

    async def _before(self, event: BeforeToolCallEvent) -> None:
        call, decided = event.tool_use, self._decided.get(self._name(event))
        if call["name"] not in self._tools or (decided and decided.type == "edit" and decided.arguments == call["input"]):
            return  # another hook lets it run again
        try:
            digest({"input": call["input"]})
        except ValueError as error:
            event.cancel_tool = f"No person can be asked about these arguments: {error}"
            return
        event.interrupt(self.INTERRUPT, reason={**call, "call": f"{call['toolUseId']} {uuid4()}"})
        name = self._name(event)
        # The response decides nothing: whoever gave it, people's decision is read from the stack.
        shown, options = self._request(call, name)
        result = await asyncio.to_thread(self._waitpoints.ask, shown, **options)
        decision = self._decided[name] = shown.decision(result)
        if decision.runs:
            event.tool_use = {**call, "input": decision.arguments}
        else:
            event.cancel_tool = refusal(decision)

    async def _after(self, event: AfterToolCallEvent) -> None:
        decision = self._decided.get(self._name(event))
        if decision and decision.type == "respond":
            event.result = {**event.result, "status": "success"}
        elif decision and decision.type == "edit":
            note = f"It ran with what {decision.by or 'the owner'} wants: {write_json(decision.arguments)}"
            note = "\n".join(filter(None, [note, decision.message]))
            event.result = {**event.result, "content": [*event.result["content"], {"text": note}]}

    def _name(self, event: BeforeToolCallEvent | AfterToolCallEvent) -> str:
        """Return the name of a call in its run, which its interrupt has: some models use the id of a call again."""
        found = [it["reason"] for it in _state(event.agent)["interrupts"].values() if it["name"] == self.INTERRUPT]
        return next((it["call"] for it in found if it["toolUseId"] == event.tool_use["toolUseId"]), "")


def _state(agent: Agent) -> Any:
    return agent.take_snapshot(include=["interrupt_state"]).data["interrupt_state"]
