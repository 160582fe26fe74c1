"""What only LangGraph has: decisions that a program allows, interrupts of its own, graphs in graphs, and checkpoints."""

import asyncio
import json
import re
from functools import partial
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from pydantic import AnyUrl, TypeAdapter, ValidationError

from waitpoints_client.agents import approval_page
from waitpoints_client.agents.langgraph import aresume

pytestmark = pytest.mark.parametrize("desk", ["fake"], indirect=True)
FIRST, SECOND = {"order": "order-1001", "amount": 100}, {"order": "order-1002", "amount": 20}
PAID = [("order-1001", 100), ("order-1002", 20)]
in_one_mode = pytest.mark.parametrize("agent", ["batched"], indirect=True)


@pytest.mark.parametrize(
    ("allowed", "fields", "actions"),
    [
        (["approve", "edit", "reject"], ["order", "amount", "message"], ["approve", "reject"]),
        (["approve", "reject"], ["message"], ["approve", "reject"]),
        (["edit", "reject"], ["order", "amount", "message"], ["approve", "reject"]),
        ([], ["order", "amount", "message"], ["approve", "reject", "respond"]),
        (["respond"], ["message"], ["respond"]),
    ],
)
def test_a_page_offers_what_is_allowed(agent: Any, allowed: Any, fields: list[str], actions: list[str]) -> None:
    shown: list[Any] = []
    make, process = agent.how()["page"], agent.pause(agent.process(FIRST, allowed=allowed))

    def page(*call: Any, **options: Any) -> Any:
        shown.append(made := make(*call, **options))
        return made

    agent.resume(process, wait=False, page=page)
    assert [*shown[0].page["fields"]["properties"]] == fields
    [token] = agent.desk.tokens()
    assert list(token.page_actions) == actions


@pytest.mark.parametrize(
    ("allowed", "action", "said", "paid"),
    [
        (["edit", "reject"], "approve", "success: refunded 100", PAID[:1]),
        (["respond"], "respond", "success: It was paid yesterday", []),
        (["respond"], None, "success: This did not run: nobody decided in time.", []),
    ],
)
def test_what_is_not_allowed_is_not_needed(
    desk: Any, agent: Any, allowed: Any, action: str | None, said: str, paid: Any
) -> None:
    desk.edits, agent.options = "edit" in allowed, {} if action else {"timeout": "1s"}
    process = agent.pause(agent.process(FIRST, allowed=allowed))
    agent.resume(process, wait=False)
    if action:
        desk.answer(FIRST, action, message="It was paid yesterday")
    else:
        desk.advance(seconds=1)
    agent.resume(process)
    assert (agent.read(process), desk.paid) == ([said], paid)


def test_a_tool_whose_timeout_has_no_decision_is_not_asked_about(desk: Any, agent: Any) -> None:
    process = agent.pause(agent.process(FIRST, allowed=["approve", "respond"]))
    with pytest.raises(ValueError, match="refund allows approve, respond: allow reject too"):
        agent.resume(process)
    assert desk.tokens() == []


@pytest.mark.parametrize("agent", ["per_call"], indirect=True)  # where LangGraph checks the answer
def test_a_change_that_only_the_tool_refuses_is_a_reject(desk: Any, agent: Any) -> None:
    def pay(site: AnyUrl) -> str:
        """Pay to a site."""
        return "paid"

    gate = HumanInTheLoopMiddleware({"pay": True}, interrupt_mode="per_call")
    call: Any = {"name": "pay", "args": {"site": "https://a.example"}, "id": "call_1"}
    model = agent.model(AIMessage("", tool_calls=[call]), AIMessage("done"))
    process = agent.pause(create_agent(model, [tool(pay)], middleware=[gate], checkpointer=agent.saver))
    agent.options = {"page": approval_page}
    agent.resume(process, wait=False)
    desk.answer({}, "approve", site="to the shop")
    agent.resume(process)
    [said] = agent.read(process)
    assert said.startswith("error: A person's change does not fit: ")


def test_the_program_makes_the_page(desk: Any, agent: Any) -> None:
    agent.start(FIRST, approvers=["ann", "bo"], page=partial(approval_page, title="Pay a refund?", needs=2))
    [token] = desk.tokens()
    assert (token.page.title, token.needs["approve"]) == ("Pay a refund?", 2)
    assert (token.metadata["run"], token.metadata["tool"]) == (desk.run, "refund")


def test_an_agent_can_be_a_part_of_another_graph(desk: Any, agent: Any) -> None:
    graph: Any = StateGraph(MessagesState)
    graph.add_node("shop", agent.process(FIRST, saver=True))
    graph.add_edge(START, "shop")
    whole = agent.pause(graph.compile(checkpointer=agent.saver))
    assert agent.resume(whole, wait=False).interrupts
    desk.answer(FIRST, "approve")
    assert agent.resume(whole).tasks == ()
    assert (desk.paid, len(desk.tokens())) == (PAID[:1], 1)


def test_it_works_with_asyncio(desk: Any, agent: Any) -> None:
    agent.start(FIRST, SECOND)
    for call in (FIRST, SECOND):
        desk.answer(call, "approve")

    async def run() -> Any:
        async with desk.async_client() as waitpoints:
            return await aresume(waitpoints, agent.process(), agent.thread, **agent.how())

    assert asyncio.run(run()).tasks == ()
    assert sorted(desk.paid) == PAID


def test_a_crash_between_two_steps_is_made_good(desk: Any, agent: Any) -> None:
    """A process that is killed can leave a finished step without the next checkpoint: `next` is empty then."""
    agent.start(FIRST)
    desk.answer(FIRST, "approve")
    written, put = agent.saver.put, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    agent.saver.put = put
    with pytest.raises(KeyboardInterrupt):
        agent.go_on()
    agent.saver.put = written

    state = agent.resume(agent.process())
    assert state.values["messages"][-1].content == "done"
    assert agent.resume(agent.process()).values == state.values  # nothing is left to do
    assert len(desk.tokens()) == 1


@in_one_mode
class TestOwnInterrupts:
    def graph(self, agent: Any, ask: Any) -> Any:
        graph: Any = StateGraph(MessagesState)
        graph.add_node("ask", ask)
        graph.add_edge(START, "ask")
        return agent.pause(graph.compile(checkpointer=agent.saver))

    def asks(self, agent: Any, value: Any) -> Any:
        return self.graph(agent, lambda _: {"messages": [("user", json.dumps(interrupt(value)))]})

    def test_a_page_is_asked_and_its_output_returned(self, desk: Any, agent: Any) -> None:
        graph = self.asks(agent, {"title": "Which account?", "actions": [{"id": "main", "label": "Main"}]})
        agent.resume(graph, wait=False)
        [token] = desk.tokens()
        desk.edits = False
        desk.answer({}, "main")
        answer = json.loads(agent.resume(graph).values["messages"][-1].content)
        assert (answer["action"], answer["approver"], list(token.page_actions)) == ("main", "ann", ["main"])

    def test_a_page_that_timed_out_returns_none(self, desk: Any, agent: Any) -> None:
        graph, agent.options = self.asks(agent, {"title": "Which account?"}), {"timeout": "1s"}
        agent.resume(graph, wait=False)
        desk.advance(seconds=1)
        assert agent.resume(graph).values["messages"][-1].content == "null"

    def test_a_page_does_not_choose_who_answers(self, desk: Any, agent: Any) -> None:
        eve = {"approvers": ["eve"], "escalate": {"after": "1m", "to": ["eve"]}, "signIn": {"domains": ["eve.example"]}}
        agent.resume(self.asks(agent, {"title": "Which account?", **eve}), wait=False)
        [token] = desk.tokens()
        assert ([it.id for it in token.approvers], token.escalation) == (["ann"], None)

    def test_an_error_of_the_graph_is_the_callers(self, desk: Any, agent: Any) -> None:
        graph = self.graph(agent, lambda _: TypeAdapter(int).validate_python(interrupt({"title": "How many?"})))
        agent.resume(graph, wait=False)
        desk.edits = False
        desk.answer({}, "submit")
        with pytest.raises(ValidationError, match="valid integer"):
            agent.resume(graph)

    @pytest.mark.parametrize("value", ["a question", {"question": "which?"}, None])
    def test_another_interrupt_stays(self, desk: Any, agent: Any, value: Any) -> None:
        [stopped] = agent.resume(self.asks(agent, value)).interrupts
        assert (stopped.value, desk.tokens()) == (value, [])


def test_a_breakpoint_is_not_passed(desk: Any, agent: Any) -> None:
    process = agent.pause(agent.process(FIRST, interrupt_before=["model"]))
    with pytest.raises(ValueError, match="A breakpoint names no call"):
        agent.resume(process)
    assert desk.paid == []


def test_a_thread_keeps_nothing_of_a_request(desk: Any, agent: Any) -> None:
    with SqliteSaver.from_conn_string(f"{desk.folder}/threads.db") as agent.saver:
        agent.start(FIRST)
        shown = repr(agent.process().get_graph())
        desk.answer(FIRST, "approve")
        agent.go_on()
        stored = b"".join(path.read_bytes() for path in desk.folder.iterdir()).decode("latin-1")
    assert desk.run in stored
    assert not re.search(r"waitpoint_|/callback/|approver|ann\b", stored + shown)
