"""People decide about the calls at which LangGraph threads have stopped, in both modes of LangChain's middleware."""

import asyncio
import json
import re
from collections.abc import Sequence
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import BaseTool, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from pydantic import AnyUrl, TypeAdapter, ValidationError

from waitpoints_client import Token
from waitpoints_client.agents import approval_page
from waitpoints_client.agents.langgraph import Options, aresume, resume
from waitpoints_client.testing import FakeWaitpoints

THREAD: Any = {"configurable": {"thread_id": "ticket-7"}}
ASK: Any = {"messages": [("user", "Refund order 1")]}


class Model(FakeMessagesListChatModel):
    """A fake model that continues where the thread is, also in another process."""

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self

    def _generate(self, messages: list[Any], *rest: Any, **options: Any) -> Any:
        self.i = sum(isinstance(message, AIMessage) for message in messages)
        return super()._generate(messages, *rest, **options)


def call(order: int = 1, **changes: Any) -> dict[str, Any]:
    return {"name": "refund", "args": {"order": order, "cents": 1250, **changes}, "id": f"call_{order}"}


def turn(*calls: dict[str, Any]) -> list[AIMessage]:
    return [AIMessage("", tool_calls=list(calls or [call()])), AIMessage("done")]


class Stack(FakeWaitpoints):
    """Keeps the fields of each page that it is sent."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and request.url.path.endswith("/waitpoints/tokens"):
            self.fields = [*json.loads(request.read())["page"].get("fields", {}).get("properties", ())]
        return super().handle_request(request)


class Shop:
    """A shop whose agent pays refunds, and its stack."""

    def __init__(self, mode: str) -> None:
        self.mode, self.saver = mode, InMemorySaver()
        self.fake = Stack(ignore_rules=True, now=datetime(2030, 1, 31, tzinfo=timezone.utc))
        self.asked: list[Token] = []
        self.fake.on_create(self.asked.append)
        self.paid: list[tuple[int, int]] = []
        """The orders and cents of the calls that ran."""

    def agent(self, *calls: dict[str, Any], allowed: Sequence[str] = (), saver: Any = None, **options: Any) -> Any:
        """Return an agent whose model makes these calls at once, and then ends."""
        model = Model(responses=[*turn(*calls), *turn(*calls)])
        gated: Any = {"refund": {"allowed_decisions": [*allowed]} if allowed else True}
        gate = HumanInTheLoopMiddleware(gated, interrupt_mode=self.mode)
        return create_agent(model, [self.tool()], middleware=[gate], checkpointer=saver or self.saver, **options)

    def tool(self) -> BaseTool:
        @tool
        def refund(order: int, cents: int, receipt: AnyUrl | str = "none") -> str:
            """Pay a refund."""
            self.paid.append((order, cents))
            return f"paid {cents} for order {order}"

        return refund

    def resume(self, agent: Any, **how: Any) -> Any:
        with self.fake.client() as waitpoints:
            return resume(waitpoints, agent, THREAD, **self.how(**how))

    def how(self, **changes: Any) -> Options:
        schema: Any = self.tool().tool_call_schema
        known = {"schema": schema.model_json_schema()} if self.mode == "batched" else {}
        how: Any = {"approvers": ["ann"], "page": partial(approval_page, **known), **changes}
        return how  # type: ignore[no-any-return]

    def answer(self, number: int, action: str, **fields: Any) -> None:
        answer = self.fake.answer(self.asked[number], "ann", action, fields)
        assert answer.status_code == 200, answer.text

    def will_answer(self, action: str, **fields: Any) -> None:
        self.fake.on_create(lambda token: self.fake.answer(token, "ann", action, fields))


@pytest.fixture(params=["batched", "per_call"])
def shop(request: pytest.FixtureRequest) -> Shop:
    return Shop(request.param)


def tool_messages(state: Any) -> list[tuple[str, str]]:
    """What the model reads in place of its calls."""
    return [(it.status, it.content) for it in state.values["messages"] if isinstance(it, ToolMessage)]


def test_an_approved_call_runs_once_as_it_was(shop: Shop) -> None:
    agent = shop.agent()
    agent.invoke(ASK, THREAD)
    shop.will_answer("approve")

    state = shop.resume(agent)
    assert state.values["messages"][-1].content == "done"
    assert shop.resume(agent).values == state.values  # nothing is left to do
    assert (shop.paid, len(shop.asked)) == ([(1, 1250)], 1)


def test_the_model_reads_why_a_call_was_rejected(shop: Shop) -> None:
    agent = shop.agent()
    agent.invoke(ASK, THREAD)
    shop.will_answer("reject", message="The order is not theirs")

    [(status, text)] = tool_messages(shop.resume(agent))
    assert (status, text.rpartition(": ")[2]) == ("error", "The order is not theirs")
    assert shop.paid == []


def test_a_changed_call_runs_with_what_the_person_entered(shop: Shop) -> None:
    agent = shop.agent()
    agent.invoke(ASK, THREAD)
    shop.will_answer("approve", order=1, cents=900)

    [(status, text)] = tool_messages(shop.resume(agent))
    assert (shop.paid, status) == ([(1, 900)], "success")
    assert "paid 900 for order 1" in text


@pytest.mark.parametrize(("allowed", "fields"), [(["edit"], ["order", "cents", "message"]), ([], ["message"])])
def test_a_change_is_offered_if_it_is_allowed(shop: Shop, allowed: list[str], fields: list[str]) -> None:
    agent = shop.agent(allowed=["approve", "reject", *allowed])
    agent.invoke(ASK, THREAD)
    shop.resume(agent, wait=False)

    assert [name for name in shop.fake.fields if name != "receipt"] == fields
    assert shop.asked[0].page_actions == ("approve", "reject")


def test_a_call_that_may_only_be_changed_runs_unchanged_after_approve(shop: Shop) -> None:
    agent = shop.agent(allowed=["edit", "reject"])
    agent.invoke(ASK, THREAD)
    shop.will_answer("approve", order=1, cents=1250)

    shop.resume(agent)
    assert (shop.paid, shop.asked[0].page_actions) == ([(1, 1250)], ("approve", "reject"))


@pytest.mark.parametrize("allowed", [[], ["respond"]])
def test_a_person_can_answer_in_place_of_the_tool(shop: Shop, allowed: list[str]) -> None:
    agent = shop.agent(allowed=allowed)
    agent.invoke(ASK, THREAD)
    shop.will_answer("respond", message="It was paid yesterday")

    assert tool_messages(shop.resume(agent)) == [("success", "It was paid yesterday")]
    assert shop.paid == []
    assert shop.asked[0].page_actions == (("approve", "reject", "respond") if not allowed else ("respond",))


def test_a_timeout_is_a_reject(shop: Shop) -> None:
    agent = shop.agent()
    agent.invoke(ASK, THREAD)

    [(status, text)] = tool_messages(shop.resume(agent, timeout="1h"))  # the fake's clock moves to the timeout
    assert (shop.paid, status) == ([], "error")
    assert text.endswith("This did not run: nobody decided in time.")
    assert shop.resume(agent).tasks == ()
    assert len(shop.asked) == 1


def test_a_tool_that_people_answer_gets_a_sentence_after_a_timeout(shop: Shop) -> None:
    agent = shop.agent(allowed=["respond"])
    agent.invoke(ASK, THREAD)

    [(_, text)] = tool_messages(shop.resume(agent, timeout="1h"))
    assert text == "This did not run: nobody decided in time."


def test_an_unknown_option_is_refused(shop: Shop) -> None:
    agent = shop.agent()
    agent.invoke(ASK, THREAD)

    with pytest.raises(TypeError, match="Unknown option 'notfy': did you mean 'notify'"):
        shop.resume(agent, notfy={"email": True})
    assert shop.asked == []


def test_a_tool_whose_timeout_has_no_decision_is_not_asked_about(shop: Shop) -> None:
    agent = shop.agent(allowed=["approve", "respond"])
    agent.invoke(ASK, THREAD)

    with pytest.raises(ValueError, match="refund allows approve, respond: allow reject too"):
        shop.resume(agent)
    assert shop.asked == []


def test_two_calls_at_once_are_two_requests(shop: Shop) -> None:
    agent = shop.agent(call(1), call(2))
    agent.invoke(ASK, THREAD)
    assert shop.resume(agent, wait=False).interrupts
    assert len(shop.asked) == 2
    shop.answer(1, "approve")

    assert shop.resume(agent, wait=False).interrupts
    assert shop.paid == ([] if shop.mode == "batched" else [(2, 1250)])
    shop.answer(0, "reject", message="Not this one")
    state = shop.resume(agent)
    assert [status for status, _ in tool_messages(state)] == ["error", "success"]
    assert (shop.paid, len(shop.asked)) == ([(2, 1250)], 2)


def test_a_process_that_has_ended_asks_once(shop: Shop) -> None:
    shop.agent().invoke(ASK, THREAD)
    for _ in range(3):
        assert shop.resume(shop.agent(), wait=False).interrupts
    shop.answer(0, "approve")

    assert shop.resume(shop.agent(), wait=False).tasks == ()
    assert (shop.paid, len(shop.asked)) == ([(1, 1250)], 1)
    metadata = dict(shop.asked[0].metadata or {})
    assert (metadata["run"], metadata["tool"]) == ("ticket-7", "refund")


def test_the_same_call_in_a_later_turn_is_asked_again(shop: Shop) -> None:
    """Also if it has the same id: some models count their calls anew."""
    agent = shop.agent()
    shop.will_answer("approve")
    for _ in range(2):
        agent.invoke(ASK, THREAD)
        shop.resume(agent)

    assert (len(shop.asked), len(shop.paid)) == (2, 2)


def test_a_change_that_only_the_tool_refuses_is_a_reject() -> None:
    shop = Shop("per_call")  # where LangGraph checks the answer

    def pay(site: AnyUrl) -> str:
        """Pay to a site."""
        return "paid"

    gate = HumanInTheLoopMiddleware({"pay": True}, interrupt_mode="per_call")
    model = Model(responses=turn({"name": "pay", "args": {"site": "https://a.example"}, "id": "call_1"}))
    agent: Any = create_agent(model, [tool(pay)], middleware=[gate], checkpointer=shop.saver)
    agent.invoke(ASK, THREAD)
    shop.will_answer("approve", site="to the shop")

    [(status, text)] = tool_messages(shop.resume(agent))
    assert status == "error"
    assert "change does not fit" in text


def test_the_program_makes_the_page(shop: Shop) -> None:
    agent = shop.agent()
    agent.invoke(ASK, THREAD)
    shop.resume(agent, wait=False, approvers=["ann", "bo"], page=partial(approval_page, title="Pay a refund?", needs=2))

    [token] = shop.asked
    assert (token.page and token.page.title, token.needs["approve"]) == ("Pay a refund?", 2)


def test_an_agent_can_be_a_part_of_another_graph(shop: Shop) -> None:
    graph: Any = StateGraph(MessagesState)
    graph.add_node("shop", shop.agent(saver=True))
    graph.add_edge(START, "shop")
    whole = graph.compile(checkpointer=shop.saver)
    whole.invoke(ASK, THREAD)
    shop.will_answer("approve")

    assert shop.resume(whole).tasks == ()
    assert (shop.paid, len(shop.asked)) == ([(1, 1250)], 1)


def test_it_works_with_asyncio(shop: Shop) -> None:
    async def run() -> Any:
        agent = shop.agent(call(1), call(2))
        await agent.ainvoke(ASK, THREAD)
        async with shop.fake.async_client() as waitpoints:
            return await aresume(waitpoints, agent, THREAD, **shop.how())

    shop.will_answer("approve")
    assert asyncio.run(run()).tasks == ()
    assert sorted(shop.paid) == [(1, 1250), (2, 1250)]


def test_a_crash_between_two_steps_is_made_good(shop: Shop) -> None:
    """A process that is killed can leave a finished step without the next checkpoint: `next` is empty then."""
    agent = shop.agent()
    agent.invoke(ASK, THREAD)
    shop.will_answer("approve")
    written, put = shop.saver.put, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    shop.saver.put = put
    with pytest.raises(KeyboardInterrupt):
        shop.resume(agent)
    shop.saver.put = written

    assert shop.resume(agent).values["messages"][-1].content == "done"
    assert len(shop.asked) == 1


class TestOwnInterrupts:
    def graph(self, shop: Shop, value: Any) -> Any:
        graph: Any = StateGraph(MessagesState)
        graph.add_node("ask", lambda _: {"messages": [("user", json.dumps(interrupt(value)))]})
        graph.add_edge(START, "ask")
        compiled = graph.compile(checkpointer=shop.saver)
        compiled.invoke(ASK, THREAD)
        return compiled

    def test_a_page_is_asked_and_its_output_returned(self) -> None:
        shop = Shop("batched")
        graph = self.graph(shop, {"title": "Which account?", "actions": [{"id": "main", "label": "Main"}]})
        shop.will_answer("main")

        answer = json.loads(shop.resume(graph).values["messages"][-1].content)
        assert (answer["action"], answer["approver"], shop.asked[0].page_actions) == ("main", "ann", ("main",))

    def test_a_page_that_timed_out_returns_none(self) -> None:
        shop = Shop("batched")
        graph = self.graph(shop, {"title": "Which account?"})

        assert shop.resume(graph, timeout="1h").values["messages"][-1].content == "null"

    def test_a_page_does_not_choose_who_answers(self) -> None:
        shop = Shop("batched")
        eve = {"approvers": ["eve"], "escalate": {"after": "1m", "to": ["eve"]}, "signIn": {"domains": ["eve.example"]}}
        shop.resume(self.graph(shop, {"title": "Which account?", **eve}), wait=False)

        [token] = shop.asked
        assert ([it.id for it in token.approvers], token.escalation) == (["ann"], None)

    def test_an_error_of_the_graph_is_the_callers(self) -> None:
        shop = Shop("batched")
        graph: Any = StateGraph(MessagesState)
        graph.add_node("ask", lambda _: TypeAdapter(int).validate_python(interrupt({"title": "How many?"})))
        graph.add_edge(START, "ask")
        compiled = graph.compile(checkpointer=shop.saver)
        compiled.invoke(ASK, THREAD)
        shop.will_answer("submit")

        with pytest.raises(ValidationError, match="valid integer"):
            shop.resume(compiled)

    @pytest.mark.parametrize("value", ["a question", {"question": "which?"}, None])
    def test_another_interrupt_stays(self, value: Any) -> None:
        shop = Shop("batched")
        [stopped] = shop.resume(self.graph(shop, value)).interrupts

        assert (stopped.value, shop.asked) == (value, [])


def test_a_breakpoint_is_not_passed(shop: Shop) -> None:
    agent = shop.agent(interrupt_before=["model"])
    agent.invoke(ASK, THREAD)

    with pytest.raises(ValueError, match="A breakpoint names no call"):
        shop.resume(agent)
    assert shop.paid == []


def test_what_an_agent_sees_answers_nothing(shop: Shop, tmp_path: Path) -> None:
    """It posts to all that it was given, and to the request's own URL, should it guess its id."""
    with SqliteSaver.from_conn_string(f"{tmp_path}/threads.db") as saver:
        agent = shop.agent(call(1, receipt="https://evil.example/approve"), saver=saver)
        agent.invoke(ASK, THREAD)
        state = shop.resume(agent, wait=False)
        [token] = shop.asked
        stored = b"".join(path.read_bytes() for path in tmp_path.iterdir()).decode("latin-1")
        seen = stored + repr(state) + repr(agent.get_graph()) + repr(list(agent.get_state_history(THREAD)))
        assert "ticket-7" in stored
        assert not re.search(r"waitpoint_|/callback/|approver|ann\b", seen)

        urls = {*re.findall(r"https?://[!-&*-~]+", seen), token.url, f"{token.url}?approver=ann"}
        complete = f"{shop.fake.url}/api/v1/waitpoints/tokens/{token.id}/complete"
        for url in (*urls, complete):
            assert not shop.fake.deliver(url, {"action": "approve", "data": {"action": "approve"}}).is_success
        assert shop.resume(agent, wait=False).interrupts
        assert shop.paid == []

        shop.answer(0, "approve")
        shop.resume(agent)
        after = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert not re.search(rb"waitpoint_|/callback/|ann\b", after)
    assert shop.paid == [(1, 1250)]
