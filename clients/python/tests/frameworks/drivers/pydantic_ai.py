"""A Pydantic AI agent that refunds: people are asked after its run, within it, or while a durable engine waits."""
# mypy: allow-subclassing-any

import asyncio
import base64
import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from pydantic_ai import Agent as PydanticAgent
from pydantic_ai import DeferredToolRequests, RunContext, Tool
from pydantic_ai.durable_exec import (
    JSON_CODEC,
    BaseDurabilityCapability,
    DurabilityEngineSpec,
    ExternalEventError,
    ExternalEventWaiter,
    JournalCallableOperationBackend,
    RoleBasedOperationConfig,
    external_event_scope,
)
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import ExternalToolset

from waitpoints_client.agents.pydantic_ai import AskPeople, ask_people

EXAMPLE = "test_an_example_that_is_killed_asks_once_and_pays_once"
LACKS = {
    "after": [],
    "within": [EXAMPLE],
    "durable": [  # its page is about all calls, and a stack knows no such engine
        "stack",
        "test_two_calls_at_once_are_two_requests_each_with_its_own_decision",
        "test_the_same_call_in_a_later_turn_is_asked_again",
    ],
}
EDITS = True
REFUSED = "ann rejected this, so it did not run"
TIMED_OUT = "This did not run: nobody decided in time."
READS = {
    "approve": "refunded 100",
    "edit": "refunded 50",
    "reject": f"{REFUSED}: not this customer",
    "reject without a word": f"{REFUSED}.",
    "silence": TIMED_OUT,
}
A_MOMENT, PATIENCE = 0.3, 120  # seconds


class SuspendedError(BaseException):
    """Ends an invocation: the execution waits."""


class Journal(ExternalEventWaiter):
    """A durable engine that works as Lambda durable functions do: each step is recorded as JSON, and a replay reads it.

    A callback is a step too. Its result is the text that somebody has sent, or the error.
    """

    def __init__(self) -> None:
        self.steps: list[tuple[str, str]] = []
        self.callback = ""
        self.results: dict[str, str | ExternalEventError] = {}
        self.position = 0

    async def step(self, name: str, body: Callable[[], Any]) -> Any:
        if self.position == len(self.steps):
            self.steps.append((name, json.dumps(await body())))
        recorded, value = self.steps[self.position]
        assert recorded == name, "a replay does what the first run did"
        self.position += 1
        return json.loads(value)

    async def wait(self, name: str, *, ask: Callable[[str], Any], timeout: timedelta | None) -> Any:
        async def make() -> str:
            return base64.b64encode(f"the callback of step {len(self.steps)}".encode()).decode()

        token = self.callback = await self.step(name, make)
        answer = await self.step(f"{name}.ask", lambda: ask(token))
        if answer is not None:
            return answer
        if token not in self.results:
            raise SuspendedError(token)
        result = self.results[token]
        if isinstance(result, str):
            return json.loads(result)
        raise result


class JournalDurability(BaseDurabilityCapability[Any]):
    engine_spec = DurabilityEngineSpec(
        engine_name="Journal",
        durable_unit_noun="step",
        durable_container_noun="handler",
        codec=JSON_CODEC,
        sequential_tools_in_durable_context=True,
    )
    in_durable_context = True

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self.journal = journal

    def get_durable_operation_backend(self) -> Any:
        journal = self.journal

        class Backend(JournalCallableOperationBackend[None]):
            async def execute(self, *, name: str, body: Callable[[], Any], **_: Any) -> Any:
                return await journal.step(name, body)

        config = RoleBasedOperationConfig(model=None, event=None, capability=None, tool=None)
        return Backend(agent_name=self.name, config=config)

    async def wrap_run(self, ctx: RunContext[Any], *, handler: Any) -> Any:
        with external_event_scope(self.journal):
            return await super().wrap_run(ctx, handler=handler)


class Agent:
    EXAMPLE = "refund_pydantic_ai.py"

    def __init__(self, desk: Any, mode: str) -> None:
        self.desk, self.mode, self.journal, self.stored = desk, mode, Journal(), b"[]"
        self.options: dict[str, Any] = {}
        self.tools = [Tool(self.refund, requires_approval=True, metadata={"waitpoints": {"title": "Pay it back?"}})]

    def refund(self, ctx: RunContext[Any], order: str, amount: int) -> str:
        return str(self.desk.pay(order, amount))

    def process(self, *capabilities: Any, **options: Any) -> PydanticAgent[Any, Any]:
        """Return the agent of a new process, whose model makes a turn's calls, and then repeats what the tools returned."""

        def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
            returned = [part for part in messages[-1].parts if isinstance(part, ToolReturnPart)]
            texts = [TextPart(json.dumps([part.content for part in returned]))]
            return ModelResponse(texts if returned else list(self.calls))

        city = {"type": "object", "properties": {"city": {"type": "string"}}}
        return PydanticAgent(
            FunctionModel(answer),
            output_type=[str, DeferredToolRequests],
            tools=self.tools,
            toolsets=[ExternalToolset([ToolDefinition(name="weather", parameters_json_schema=city)])],
            capabilities=capabilities,
            **options,
        )

    def people(self) -> AskPeople:
        return AskPeople(connect=self.desk.async_client, **self.desk.people(**self.options))

    def start(self, *calls: Any, **options: Any) -> None:
        made = (it if isinstance(it, ToolCallPart) else ToolCallPart("refund", it, f"call-{it['order']}") for it in calls)
        self.calls, self.options = list(made), options
        before = len(self.desk.tokens())
        if self.mode != "durable":
            history = ModelMessagesTypeAdapter.validate_json(self.stored)
            self.stored = asyncio.run(self.process().run("Refund my orders", message_history=history)).all_messages_json()
        until = time.monotonic() + PATIENCE
        assert self.go_on(wait=False) == []
        while len(self.desk.tokens()) == before and time.monotonic() < until:
            assert self.go_on(wait=False) == []

    def go_on(self, wait: bool = True) -> list[str]:
        if self.mode == "durable":
            return self.invoke(wait)
        try:
            return asyncio.run(asyncio.wait_for(self.run(), PATIENCE if wait else A_MOMENT))
        except TimeoutError:
            return []

    async def run(self) -> list[str]:
        """Let people decide about the calls of the stored messages, and run the agent with that."""
        messages = ModelMessagesTypeAdapter.validate_json(self.stored)
        if self.mode == "within":
            result = await self.process(self.people()).run(message_history=messages)
        else:
            agent, people = self.process(), self.desk.people(**self.options)
            requests = (await agent.run(message_history=messages)).output
            async with self.desk.async_client() as waitpoints:
                results = await ask_people(waitpoints, agent, requests, messages, **people)
            result = await agent.run(message_history=messages, deferred_tool_results=results)
        self.stored = result.all_messages_json()
        return list(json.loads(result.output))

    def invoke(self, wait: bool) -> list[str]:
        """Run or replay the durable agent, whose engine gets what the stack sends for the newest token."""
        with self.desk.client() as waitpoints:
            for token in self.desk.tokens()[:1]:
                result = waitpoints.wait(token) if wait else token.result
                if result:
                    sent = (
                        {"ok": True, "output": result.output} if result.ok else {"ok": False, "error": token.error.model_dump()}
                    )
                    self.journal.results[self.journal.callback] = json.dumps(sent)
        self.journal.position = 0
        try:
            agent = self.process(JournalDurability(self.journal), self.people(), name="refunds")
            return list(json.loads(asyncio.run(agent.run("Refund my orders")).output))
        except SuspendedError:
            return []

    def seen(self) -> str:
        """What the history keeps, and an engine records."""
        return self.stored.decode() + json.dumps(self.journal.steps) + str(self.calls)
