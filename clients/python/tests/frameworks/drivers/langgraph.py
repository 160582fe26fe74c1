"""A LangGraph agent that refunds, in processes that share a thread, in both modes of LangChain's middleware."""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.checkpoint.memory import InMemorySaver

from waitpoints_client.agents import approval_page
from waitpoints_client.agents.langgraph import resume

EXAMPLE = ["test_an_example_that_is_killed_asks_once_and_pays_once"]  # tests/e2e/test_refund_langgraph.py has it
LACKS = {"batched": EXAMPLE, "per_call": EXAMPLE}
EDITS = True
READS = {
    "approve": "success: refunded 100",
    "edit": "success: refunded 50",
    "reject": "error: ann rejected this, so it did not run: not this customer",
    "reject without a word": "error: ann rejected this, so it did not run.",
    "respond": "success: refunded by hand",
    "silence": "error: This did not run: nobody decided in time.",
}


LANGCHAINS = r"^User rejected the tool call for `\w+` with reason: |^Note: a human .*Tool response:\n"


class Model(FakeMessagesListChatModel):
    """A fake model that continues where the thread is, also in another process."""

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self

    def _generate(self, messages: list[Any], *rest: Any, **options: Any) -> Any:
        self.i = sum(isinstance(message, AIMessage) for message in messages) % len(self.responses)
        return super()._generate(messages, *rest, **options)


class Agent:
    def __init__(self, desk: Any, mode: str) -> None:
        self.desk, self.mode, self.saver = desk, mode, InMemorySaver()
        self.thread: Any = {"configurable": {"thread_id": desk.run}}
        self.calls, self.options = list[Any](), dict[str, Any]()

    def process(self, *calls: Any, allowed: Sequence[str] = (), saver: Any = None, **options: Any) -> Any:
        """Return the agent of a new process, whose model makes these calls at once, and then ends."""
        self.calls = [{"name": "refund", "args": call, "id": f"call-{call['order']}"} for call in calls] or self.calls
        gated: Any = {"refund": {"allowed_decisions": [*allowed]} if allowed else True}
        gate = HumanInTheLoopMiddleware(gated, interrupt_mode=self.mode)
        model = self.model(AIMessage("", tool_calls=self.calls), AIMessage("done"))
        return create_agent(model, [self.tool()], middleware=[gate], checkpointer=saver or self.saver, **options)

    @staticmethod
    def model(*messages: AIMessage) -> Model:
        return Model(responses=list(messages))

    def tool(self) -> BaseTool:
        return StructuredTool.from_function(self.desk.pay, name="refund")

    def pause(self, agent: Any) -> Any:
        agent.invoke({"messages": [("user", "Refund my orders")]}, self.thread)
        return agent

    def how(self, **changes: Any) -> Any:
        schema: Any = self.tool().tool_call_schema
        known = {"schema": schema.model_json_schema()} if self.mode == "batched" else {}
        return self.desk.people(**{"page": partial(titled_page, **known), **self.options, **changes})

    def resume(self, agent: Any, **how: Any) -> Any:
        with self.desk.client() as waitpoints:
            return resume(waitpoints, agent, self.thread, **self.how(**how))

    def start(self, *calls: Any, **options: Any) -> None:
        self.options = options
        assert self.resume(self.pause(self.process(*calls)), wait=False).interrupts

    def go_on(self, wait: bool = True) -> list[str]:
        process = self.process()
        return [] if self.resume(process, wait=wait).tasks else self.read(process)[-len(self.calls) :]

    def read(self, agent: Any) -> list[str]:
        """What the model reads in place of its calls, without LangChain's own words."""
        found = [it for it in agent.get_state(self.thread).values["messages"] if isinstance(it, ToolMessage)]
        return [f"{it.status}: {re.sub(LANGCHAINS, '', str(it.content), flags=re.DOTALL)}" for it in found]

    def seen(self) -> str:
        """What the checkpointer has, and what LangGraph shows."""
        agent = self.process()
        return repr(
            [self.saver.storage, self.saver.blobs, self.saver.writes, agent.get_graph(), *agent.get_state_history(self.thread)]
        )


def titled_page(name: str, arguments: Any, schema: Any = None, **options: Any) -> Any:
    """Only the title names a call in a request."""
    return approval_page(name, arguments, schema, **{"title": f"Refund {arguments['order']}?", **options})
