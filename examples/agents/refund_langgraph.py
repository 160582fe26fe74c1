"""A refund agent of LangGraph that asks a person first, and can be killed at any time.

    python refund_langgraph.py ticket-7 ann@example.com

It needs `waitpoints-client[langgraph]`, langchain, langgraph-checkpoint-sqlite, WAITPOINTS_URL and WAITPOINTS_API_KEY. After a
crash, the same command continues. With --ask it asks and ends: woken_langgraph.py goes on then. The model is a stand-in.
"""

import sqlite3
import sys
from functools import partial
from typing import Annotated, Any
from uuid import uuid4

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import StateSnapshot
from waitpoints_client import Waitpoints
from waitpoints_client.agents import approval_page
from waitpoints_client.agents.langgraph import resume
from waitpoints_client.asking import People

THREADS, BANK = "threads.db", "bank.db"


class Model(FakeMessagesListChatModel):
    """Stands in for a model: the thread, not the process, says how far it is."""

    def bind_tools(self, *_: Any, **__: Any) -> Any:
        return self

    def _generate(self, messages: list[Any], *rest: Any, **options: Any) -> Any:
        self.i = sum(isinstance(message, AIMessage) for message in messages)
        return super()._generate(messages, *rest, **options)


@tool
def refund(order: int, cents: int, tool_call_id: Annotated[str, InjectedToolCallId]) -> str:
    """Pay a refund. After a crash it may run again: the call's id is the payment's key, so it is paid once."""
    with sqlite3.connect(BANK) as bank:
        bank.execute("create table if not exists payments (key text primary key, of integer, cents integer)")
        bank.execute("insert or ignore into payments values (?, ?, ?)", (tool_call_id, order, cents))
    return f"paid {cents} cents for order {order}"


def make_agent(saver: SqliteSaver) -> Any:
    call = {"name": "refund", "args": {"order": 7, "cents": 1250}, "id": f"call_{uuid4().hex}"}
    model = Model(responses=[AIMessage("", tool_calls=[call]), AIMessage("Order 7 is settled.")])
    people = HumanInTheLoopMiddleware({"refund": True}, interrupt_mode="per_call")
    return create_agent(model, [refund], middleware=[people], checkpointer=saver)


def go_on(agent: Any, ticket: str, email: str, *, wait: bool) -> StateSnapshot:
    people: People = {"approvers": [{"id": "ann", "email": email}], "notify": {"email": True}, "timeout": "7d", "tags": ticket}
    page = partial(approval_page, title="Pay a refund?")
    with Waitpoints() as waitpoints:
        return resume(waitpoints, agent, thread_of(ticket), wait=wait, page=page, **people)


def thread_of(ticket: str) -> Any:
    return {"configurable": {"thread_id": ticket}}


def main(ticket: str, email: str, *, wait: bool) -> None:
    with SqliteSaver.from_conn_string(THREADS) as saver:
        agent = make_agent(saver)
        if not agent.get_state(thread_of(ticket)).created_at:
            agent.invoke({"messages": [("user", "Please refund order 7.")]}, thread_of(ticket))
        state = go_on(agent, ticket, email, wait=wait)
        print("People decide." if state.tasks else state.values["messages"][-1].content)


if __name__ == "__main__":
    main(*[it for it in sys.argv[1:] if it != "--ask"], wait="--ask" not in sys.argv)
