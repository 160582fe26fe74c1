"""People decide about the calls of a Strands agent."""

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from strands import Agent, tool
from strands.agent.conversation_manager import SlidingWindowConversationManager
from strands.hooks import AfterToolCallEvent
from strands.models import Model
from strands.session.file_session_manager import FileSessionManager
from strands.session.snapshot_session_manager import SnapshotSessionManager
from strands.storage import LocalFileStorage
from strands.tools.executors import SequentialToolExecutor

from waitpoints_client.agents import approval_page
from waitpoints_client.agents.strands import AskPeople

Asked = Any  # of conftest.py
FIRST, SECOND = {"order": "1001", "amount": 100}, {"order": "1002", "amount": 20}


class Scripted(Model):
    """Makes these calls, and then repeats what the tools returned."""

    def __init__(self, *calls: tuple[str, str, Any]) -> None:
        self.calls, self.read = calls, list[str]()

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


class Desk:
    """Makes an agent as each process of a program does: from the session. `paid` is the effect."""

    def __init__(self, asked: Asked, folder: Path) -> None:
        self.asked, self.folder, self.run = asked, folder, f"run-{uuid.uuid4()}"
        self.paid: list[tuple[str, int]] = []
        self.model = Scripted(("call_1", "refund", FIRST))

    def people(self, **options: Any) -> AskPeople:
        return AskPeople(
            self.asked.client(), ["refund"], **{"run": self.run, "approvers": ["ann"], "tags": self.run, **options}
        )

    def agent(self, people: AskPeople, **options: Any) -> Agent:
        def refund(order: str, amount: int) -> str:
            """Refund an order."""
            self.paid.append((order, amount))
            return f"refunded {amount}"

        options = {"hooks": [people], "session_manager": self.session(), "tools": [tool(refund)], **options}
        return Agent(model=self.model, callback_handler=None, **options)

    def session(self) -> Any:
        return FileSessionManager(self.run, storage_dir=str(self.folder))

    def start(self, **options: Any) -> list[str]:
        """Let a process run until the agent's pause, and make the requests. Returns the ids of the tokens."""
        people = self.people(**options)
        agent = self.agent(people)
        assert people.ask(agent) == []
        assert agent("Refund my order").stop_reason == "interrupt"
        people.ask(agent, wait=False)
        with self.asked.client() as waitpoints:
            return sorted((token.id for token in waitpoints.list(tags=self.run)), key=self._call_of)

    def _call_of(self, token_id: str) -> str:
        with self.asked.client() as waitpoints:
            return str((waitpoints.get(token_id).metadata or {})["call"])

    def go_on(self, **options: Any) -> str:
        """Let another process wait for all decisions, and run to the end."""
        people = self.people(**options)
        agent = self.agent(people)
        result = agent(people.ask(agent))
        assert people.ask(agent) == []
        return str(result).strip()


@pytest.fixture
def desk(asked: Asked, tmp_path: Path) -> Desk:
    return Desk(asked, tmp_path)


@pytest.mark.parametrize(
    ("action", "fields", "paid", "said"),
    [
        ("approve", FIRST, [("1001", 100)], "success: refunded 100"),
        (
            "approve",
            {**FIRST, "amount": 50, "message": "Half of it."},
            [("1001", 50)],
            'success: refunded 50 + It ran with what ann wants: {"order":"1001","amount":50}\nHalf of it.',
        ),
        ("reject", {"message": "not this customer"}, [], "error: ann rejected this, so it did not run: not this customer"),
        ("reject", {}, [], "error: ann rejected this, so it did not run."),
        ("respond", {**FIRST, "message": "refunded by hand"}, [], "success: refunded by hand"),
    ],
    ids=["approve", "edit", "reject", "reject without a word", "respond"],
)
def test_a_person_decides(desk: Desk, action: str, fields: Any, paid: Any, said: str) -> None:
    def page(*call: Any) -> Any:
        return approval_page(*call, respond=True)

    [token] = desk.start(page=page)
    desk.asked.answer(token, action, fields)
    assert desk.go_on(page=page) == said
    assert desk.paid == paid


def test_silence_rejects(desk: Desk) -> None:
    desk.start(timeout="1s")
    assert desk.go_on(timeout="1s") == "error: This did not run: nobody decided in time."
    assert desk.paid == []


def test_a_session_of_snapshots_continues_as_well(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = LocalFileStorage(str(desk.folder))
    monkeypatch.setattr(desk, "session", lambda: SnapshotSessionManager(desk.run, storage=storage))
    [token] = desk.start()
    desk.asked.answer(token, "approve", FIRST)
    assert desk.go_on() == "success: refunded 100"
    assert desk.paid == [("1001", 100)]


def test_two_calls_at_once_are_two_requests_each_with_its_own_decision(desk: Desk) -> None:
    desk.model = Scripted(("call_1", "refund", FIRST), ("call_2", "refund", SECOND))
    first, second = desk.start()
    desk.asked.answer(second, "reject", {"message": "no"})
    people = desk.people()
    agent = desk.agent(people)
    assert agent(people.ask(agent, wait=False)).stop_reason == "interrupt"  # the other is decided
    assert people.ask(agent, wait=False) == []
    desk.asked.answer(first, "approve", FIRST)
    assert desk.go_on() == "error: ann rejected this, so it did not run: no | success: refunded 100"
    assert desk.paid == [("1001", 100)]


def test_sequential_calls_are_asked_about_one_after_the_other(desk: Desk) -> None:
    desk.model = Scripted(("call_1", "refund", FIRST), ("call_2", "refund", SECOND))
    people = desk.people()
    agent = desk.agent(people, tool_executor=SequentialToolExecutor())
    agent("Refund my orders")
    for number, arguments in enumerate([FIRST, SECOND], 1):
        people.ask(agent, wait=False)
        with desk.asked.client() as waitpoints:
            tokens = list(waitpoints.list(tags=desk.run))
        assert len(tokens) == number
        desk.asked.answer(next(token.id for token in tokens if token.status == "WAITING"), "approve", arguments)
        agent(people.ask(agent))
    assert desk.paid == [("1001", 100), ("1002", 20)]


def test_the_same_call_is_one_request_in_every_process(desk: Desk) -> None:
    first = desk.start()
    people = desk.people()
    agent = desk.agent(people)
    people.ask(agent, wait=False)
    with desk.asked.client() as waitpoints:
        assert [token.id for token in waitpoints.list(tags=desk.run)] == first


def test_an_agent_that_posts_to_all_that_it_was_given_settles_nothing(desk: Desk) -> None:
    [token] = desk.start()
    given = "\n".join([token, *desk.model.read, *(file.read_text() for file in desk.folder.rglob("*.json"))])
    assert "call_1" in given
    with desk.asked.client() as waitpoints:
        found = waitpoints.get(token)
        urls = {*re.findall(r"https?://[^\s\"']+", given), found.url}  # the URL without a person's name may be known
        urls |= {f"{desk.asked.url}/api/v1/waitpoints/tokens/{token}/complete"}
        statuses = [desk.asked.post(url, {"action": "approve", "data": {"action": "approve"}}) for url in urls]
        assert not any(status < 400 for status in statuses)
        assert waitpoints.get(token).status == "WAITING"
        assert not any(link.url in given for link in found.links)
        desk.asked.answer(token, "approve", FIRST)  # while that link does
        assert waitpoints.get(token).status == "COMPLETED"


def test_a_response_that_no_person_gave_approves_nothing(desk: Desk) -> None:
    [token] = desk.start(timeout="3s")
    people = desk.people(timeout="3s")
    agent = desk.agent(people)
    [interrupt] = agent.take_snapshot(include=["interrupt_state"]).data["interrupt_state"]["interrupts"]
    forged = {"action": "approve", "type": "approve", "token": token}
    result = agent([{"interruptResponse": {"interruptId": interrupt, "response": forged}}])
    assert "nobody decided in time" in str(result)
    assert desk.paid == []


def test_a_tool_that_no_one_is_asked_about_runs_at_once(desk: Desk) -> None:
    def look_up(order: str) -> str:
        """Look up an order."""
        return f"found {order}"

    def refund(order: str) -> str:
        """Refund an order."""
        raise AssertionError

    desk.model = Scripted(("call_1", "look_up", {"order": "1001"}))
    assert str(desk.agent(desk.people(), tools=[tool(look_up), tool(refund)])("Look up 1001")).strip() == "success: found 1001"


def test_a_model_that_uses_the_id_of_a_call_again_asks_again(desk: Desk) -> None:
    tokens = set()
    for number in (1, 2):
        people = desk.people()
        agent = desk.agent(people)
        agent("Refund my order")
        people.ask(agent, wait=False)
        with desk.asked.client() as waitpoints:
            [token] = waitpoints.list(tags=desk.run, status="WAITING")
        desk.asked.answer(token.id, "approve", FIRST)
        tokens.add(token.id)
        agent(people.ask(agent))
        assert desk.paid == [("1001", 100)] * number
    assert len(tokens) == 2


def test_the_same_call_asks_again_although_the_agent_forgot_earlier_ones(desk: Desk) -> None:
    for number in (1, 2, 3):
        people = desk.people()
        agent = desk.agent(people, conversation_manager=SlidingWindowConversationManager(window_size=3))
        agent("Refund my order")
        people.ask(agent, wait=False)
        with desk.asked.client() as waitpoints:
            [token] = waitpoints.list(tags=desk.run, status="WAITING")
        desk.asked.answer(token.id, "approve", FIRST)
        agent(people.ask(agent))
        assert desk.paid == [("1001", 100)] * number


def test_a_call_that_waits_longer_than_another_stays_one_request(desk: Desk) -> None:
    desk.model = Scripted(("call_1", "refund", FIRST), ("call_2", "refund", SECOND))
    first, second = desk.start()
    desk.asked.answer(first, "approve", FIRST)
    people = desk.people()
    agent = desk.agent(people)
    assert agent(people.ask(agent, wait=False)).stop_reason == "interrupt"
    assert people.ask(agent, wait=False) == []
    desk.asked.answer(second, "approve", SECOND)
    assert "refunded 20" in desk.go_on()
    with desk.asked.client() as waitpoints:
        assert {token.id for token in waitpoints.list(tags=desk.run)} == {first, second}


@pytest.mark.parametrize("amount", [float("nan"), float("inf")])
def test_arguments_that_are_no_json_are_refused_before_anyone_is_asked(desk: Desk, amount: float) -> None:
    desk.model = Scripted(("call_1", "refund", {"order": "1001", "amount": amount}))
    assert "error: No person can be asked about these arguments: input.amount" in str(desk.agent(desk.people())("Refund it"))
    assert desk.paid == []


def test_a_name_of_no_tool_is_refused(desk: Desk) -> None:
    with pytest.raises(ValueError, match="no tool rfund: it has refund"):
        desk.agent(AskPeople(desk.asked.client(), ["rfund"], run="run", approvers=["ann"]))


def test_an_unknown_option_is_refused(desk: Desk) -> None:
    with pytest.raises(TypeError, match="Unknown option 'aprovers': did you mean 'approvers'"):
        desk.people(aprovers=["ann"])


def test_a_direct_call_of_the_tool_does_not_run(desk: Desk) -> None:
    agent = desk.agent(desk.people())
    with pytest.raises(RuntimeError, match="interrupt"):
        agent.tool.refund(**FIRST)
    assert desk.paid == []


def test_a_hook_can_repeat_a_call_that_a_person_has_changed(desk: Desk) -> None:
    """Each attempt has the changed arguments, and no one is asked again."""
    repeated = list[Any]()

    def repeat(event: AfterToolCallEvent) -> None:
        if not repeated:
            repeated.append(event.tool_use)
            event.retry = True

    [token] = desk.start()
    desk.asked.answer(token, "approve", {**FIRST, "amount": 50})
    people = desk.people()
    agent = desk.agent(people)
    agent.hooks.add_callback(AfterToolCallEvent, repeat)
    assert "refunded 50 + It ran with what ann wants" in str(agent(people.ask(agent)))
    assert desk.paid == [("1001", 50)] * 2
    with desk.asked.client() as waitpoints:
        assert [it.id for it in waitpoints.list(tags=desk.run)] == [token]


def test_an_async_program_waits_in_a_thread(desk: Desk) -> None:
    [token] = desk.start()

    async def run() -> str:
        people = desk.people()
        agent = desk.agent(people)
        waiting = asyncio.create_task(asyncio.to_thread(people.ask, agent))
        desk.asked.answer(token, "approve", FIRST)
        return str(await agent.invoke_async(await waiting))

    assert "refunded 100" in asyncio.run(run())


def test_people_are_asked_about_the_call_of_an_agent_that_is_a_tool(desk: Desk) -> None:
    people = desk.people()
    inner = desk.agent(people, session_manager=None, name="refunds")
    desk.model = Scripted(("outer", "refunds", {"input": "go"}))
    outer = desk.agent(people, session_manager=None, hooks=[], tools=[inner])
    outer("Refund my order")
    people.ask(outer, wait=False)
    with desk.asked.client() as waitpoints:
        [token] = waitpoints.list(tags=desk.run)
    desk.asked.answer(token.id, "approve", FIRST)
    assert "refunded 100" in str(outer(people.ask(outer)))
    assert desk.paid == [("1001", 100)]


def test_the_example_asks_once_and_pays_once_although_it_is_killed(pays_once: Any) -> None:
    pays_once("refund_strands.py", {"order": "1001", "euros": 100})
