"""Ask people about the deferred calls of a Pydantic AI agent: `ask_people` between two runs, `AskPeople` within one.

A tool's metadata can have options of `approval_page`: `metadata={"waitpoints": {"title": "Pay?"}}`. Extra: `pydantic-ai`.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from pydantic_ai import Agent, DeferredToolRequests, DeferredToolResults, RunContext, ToolApproved, ToolDenied, ToolFailed
from pydantic_ai.capabilities import AbstractCapability, CapabilityOrdering
from pydantic_ai.external_events import ExternalEventError, wait_for_external_event
from pydantic_ai.messages import ModelMessage
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.usage import RunUsage
from typing_extensions import Unpack

from waitpoints_client import AsyncWaitpoints
from waitpoints_client.agents import BatchPage, Decision, ToolCall, approval_page, approval_page_of, refusal
from waitpoints_client.agents.batch_page import MOST_CALLS
from waitpoints_client.asking import People, request
from waitpoints_client.durable import read_result


async def ask_people(
    waitpoints: AsyncWaitpoints,
    agent: Agent[Any, Any],
    requests: DeferredToolRequests,
    messages: Sequence[ModelMessage],
    *,
    deps: Any = None,
    **people: Unpack[People],
) -> DeferredToolResults:
    """Ask about all calls at once. Returns the results for the next run when people have decided.

    `messages` are those of the run that ended with the requests: the same ones find the same tokens. `deps` prepare tools.
    """
    context = RunContext(deps=deps, model=agent.model, usage=RunUsage(), agent=agent)
    tools = [tool.tool_def for toolset in agent.toolsets for tool in (await toolset.get_tools(context)).values()]
    made = {part.tool_call_id: message for message in messages for part in getattr(message, "tool_calls", ())}
    calls = _calls(requests)
    if missing := [call.id for call in calls if call.id not in made]:
        raise ValueError(f"No message has the calls {missing}: give the messages of the run that ended with these requests")

    async def decide(call: ToolCall) -> Decision:
        page, message = approval_page(call.name, call.arguments, **_options(call, tools)), made[call.id]
        name = f"{call.id} {message.timestamp.isoformat()}"  # some models number the calls of each response anew
        return page.decision(await waitpoints.ask(page, run=message.conversation_id, call=name, **people))

    return _results(requests, {call.id: it for call, it in zip(calls, await asyncio.gather(*map(decide, calls)), strict=True)})


class AskPeople(AbstractCapability[Any]):  # type: ignore[misc] # mypy runs without the framework
    """Asks about deferred calls and continues the same run: with one page while an engine waits, else as `ask_people`."""

    def __init__(
        self, *, connect: Callable[[], Any] = AsyncWaitpoints, backstop: timedelta | None = None, **people: Unpack[People]
    ) -> None:
        """`connect` makes an AsyncWaitpoints. An engine waits for `backstop` at most: it must be longer than `timeout`."""
        self.connect, self.backstop, self.people = connect, backstop, people
        request({"title": "?"}, key="?", **people)  # raises now what it would raise at the first call

    def get_ordering(self) -> CapabilityOrdering:
        """Ask after all that answer without a person."""
        return CapabilityOrdering(position="innermost")

    async def handle_deferred_tool_calls(self, ctx: RunContext[Any], *, requests: DeferredToolRequests) -> DeferredToolResults:
        """Ask, and wait."""
        if not ctx.in_durable_context:
            async with self.connect() as waitpoints:
                return await ask_people(waitpoints, ctx.agent, requests, ctx.messages, deps=ctx.deps, **self.people)
        calls, tools = _calls(requests), ctx.tool_manager.tool_defs
        decided = [await self._decide(calls[at : at + MOST_CALLS], tools) for at in range(0, len(calls), MOST_CALLS)]
        return _results(requests, {call: decision for part in decided for call, decision in part.items()})

    async def _decide(self, calls: list[ToolCall], tools: list[ToolDefinition]) -> dict[str, Decision]:
        """Ask with one page. Only that of a single call can be edited."""
        pages = [approval_page(call.name, call.arguments, **_options(call, tools)) for call in calls]  # refuses wrong options
        needs = max(_options(call, tools).get("needs", 1) for call in calls)
        shown = pages[0] if len(pages) == 1 else approval_page_of(calls, needs=needs)

        async def ask(callback_id: str) -> None:  # the engine may call it again
            wanted = request(shown, key=hashlib.sha256(callback_id.encode()).hexdigest(), **self.people)
            async with self.connect() as waitpoints:
                await waitpoints.create(**{**wanted, "callback_id": callback_id})

        try:
            result = read_result(await wait_for_external_event("ask_people", ask=ask, timeout=self.backstop))
        except ExternalEventError as error:
            result = read_result({"ok": False, "error": {"message": str(error)}})
        return shown.decisions(result) if isinstance(shown, BatchPage) else {calls[0].id: shown.decision(result)}


def _calls(requests: DeferredToolRequests) -> list[ToolCall]:
    asked = [(call, True) for call in requests.approvals] + [(call, False) for call in requests.calls]
    return [ToolCall(it.tool_call_id, it.tool_name, it.args_as_dict(), approve=may, respond=not may) for it, may in asked]


def _options(call: ToolCall, tools: list[ToolDefinition]) -> dict[str, Any]:
    """Return the options of a call's page, with those of its tool."""
    tool = next((tool for tool in tools if tool.name == call.name), None)
    own = {"schema": tool.parameters_json_schema, **(tool.metadata or {}).get("waitpoints", {})} if tool else {}
    return {**own, "approve": call.approve, "respond": call.respond}


def _results(requests: DeferredToolRequests, decisions: dict[str, Decision]) -> DeferredToolResults:
    return requests.build_results(
        approvals={call.tool_call_id: _result(decisions[call.tool_call_id], ToolDenied) for call in requests.approvals},
        calls={call.tool_call_id: _result(decisions[call.tool_call_id], ToolFailed) for call in requests.calls},
        answered_by={call: decision.by for call, decision in decisions.items() if decision.by},
    )


def _result(decision: Decision, refused: Callable[[str], Any]) -> Any:
    if decision.runs:
        return ToolApproved(override_args=decision.arguments if decision.type == "edit" else None)
    return decision.message if decision.type == "respond" else refused(refusal(decision))
