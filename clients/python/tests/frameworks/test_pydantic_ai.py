"""People decide about the deferred calls of Pydantic AI agents: in a process, in a durable run, and against a stack."""
# mypy: allow-subclassing-any

import asyncio
import base64
import json
import re
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic_ai import Agent, DeferredToolRequests, RunContext, Tool
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

from waitpoints_client import Token
from waitpoints_client.agents.pydantic_ai import AskPeople, ask_people
from waitpoints_client.asking import People
from waitpoints_client.testing import FakeWaitpoints

Asked = Any  # of conftest.py
REFUND = {"order": "order-7", "cents": 1250}
REFUSED = "ann rejected this, so it did not run"
TIMED_OUT = "This did not run: nobody decided in time."
Effects = list[dict[str, Any]]


def agent_of(*responses: list[ToolCallPart], effects: Effects, **options: Any) -> Agent[Any, Any]:
    """Return an agent whose model makes the calls of each response, and then repeats what the tools returned."""

    def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        made = sum(isinstance(message, ModelResponse) for message in messages)
        if made < len(responses):
            return ModelResponse(list(responses[made]))
        returned = [part for message in messages for part in message.parts if isinstance(part, ToolReturnPart)]
        return ModelResponse([TextPart(json.dumps([part.content for part in returned]))])

    def refund(ctx: RunContext[Any], order: str, cents: int) -> str:
        effects.append({"order": order, "cents": cents})
        return f"paid {cents}"

    def close(account: int) -> str:
        effects.append({"account": account})
        return "closed"

    city = {"type": "object", "properties": {"city": {"type": "string"}}}
    return Agent(
        FunctionModel(answer),
        output_type=[str, DeferredToolRequests],
        tools=[
            Tool(refund, requires_approval=True, metadata={"waitpoints": {"title": "Pay it back?"}}),
            Tool(close, requires_approval=True, metadata={"waitpoints": {"needs": 2}}),
        ],
        toolsets=[ExternalToolset([ToolDefinition(name="weather", parameters_json_schema=city)])],
        **options,
    )


def refund(call: str = "call_1", **changes: Any) -> ToolCallPart:
    return ToolCallPart("refund", {**REFUND, **changes}, tool_call_id=call)


def weather(call: str = "call_2") -> ToolCallPart:
    return ToolCallPart("weather", {"city": "Bonn"}, tool_call_id=call)


@pytest.fixture
def fake() -> FakeWaitpoints:
    return FakeWaitpoints(ignore_rules=True, now=datetime(2030, 1, 31, tzinfo=timezone.utc))


@pytest.fixture
def effects() -> Effects:
    return []


async def run(fake: FakeWaitpoints, agent: Agent[Any, Any]) -> str:
    """Run an agent to its end, as a program does."""
    async with fake.async_client() as waitpoints:
        result = await agent.run("Refund order 7")
        while isinstance(result.output, DeferredToolRequests):
            messages = result.all_messages()
            results = await ask_people(waitpoints, agent, result.output, messages, approvers=["ann"], timeout="1d")
            result = await agent.run(message_history=messages, deferred_tool_results=results)
        return str(result.output)


def run_in_place(fake: FakeWaitpoints, agent_with: Callable[..., Agent[Any, Any]]) -> str:
    people = AskPeople(connect=fake.async_client, approvers=["ann"], timeout="1d")
    return str(asyncio.run(agent_with(capabilities=[people]).run("Refund order 7")).output)


@pytest.fixture(params=["ask_people", "AskPeople"])
def work(request: pytest.FixtureRequest, fake: FakeWaitpoints, effects: Effects) -> Callable[..., str]:
    """Runs an agent whose model makes these calls: people are asked after the run, or within it."""

    def work(*responses: list[ToolCallPart]) -> str:
        def agent_with(**options: Any) -> Agent[Any, Any]:
            return agent_of(*responses, effects=effects, **options)

        return asyncio.run(run(fake, agent_with())) if request.param == "ask_people" else run_in_place(fake, agent_with)

    return work


def answering(fake: FakeWaitpoints, action: str, **fields: Any) -> list[Token]:
    """Let Ann answer each token as it is created. Returns the tokens."""
    asked: list[Token] = []

    def answer(token: Token) -> None:
        asked.append(token)
        assert fake.answer(token, "ann", action, fields).is_success

    fake.on_create(answer)
    return asked


def tokens_of(fake: FakeWaitpoints) -> list[Token]:
    with fake.client() as waitpoints:
        return [waitpoints.get(token) for token in waitpoints.list(oldest_first=True)]


def test_an_approved_call_runs_as_it_was(fake: FakeWaitpoints, effects: Effects, work: Callable[..., str]) -> None:
    asked = answering(fake, "approve", **REFUND)
    assert work([refund()]) == '["paid 1250"]'
    assert effects == [REFUND]
    assert [token.page.title for token in asked if token.page] == ["Pay it back?"]


def test_an_edited_call_runs_with_what_the_person_changed(
    fake: FakeWaitpoints, effects: Effects, work: Callable[..., str]
) -> None:
    answering(fake, "approve", order="order-7", cents=1000)
    assert work([refund()]) == '["paid 1000"]'
    assert effects == [{**REFUND, "cents": 1000}]


def test_an_edit_that_does_not_fit_the_tool_does_not_run(
    fake: FakeWaitpoints, effects: Effects, work: Callable[..., str]
) -> None:
    answering(fake, "approve", order="order-7", cents="all of it")
    assert "does not fit" in work([refund()])
    assert effects == []


def test_the_model_reads_why_a_call_was_rejected(fake: FakeWaitpoints, effects: Effects, work: Callable[..., str]) -> None:
    answering(fake, "reject", message="This is not his order")
    assert work([refund()]) == json.dumps([f"{REFUSED}: This is not his order"])
    assert effects == []


def test_a_person_answers_an_external_call(fake: FakeWaitpoints, work: Callable[..., str]) -> None:
    asked = answering(fake, "respond", message="It rains")
    assert work([weather()]) == '["It rains"]'
    assert len(asked) == 1


def test_an_external_call_has_nothing_to_approve(fake: FakeWaitpoints, work: Callable[..., str]) -> None:
    refused: list[int] = []
    fake.on_create(lambda token: refused.append(fake.answer(token, "ann", "approve").status_code))
    assert work([weather()]) == json.dumps([TIMED_OUT])
    assert refused == [422]


def test_the_model_reads_why_nobody_answers_an_external_call(fake: FakeWaitpoints, work: Callable[..., str]) -> None:
    answering(fake, "reject")
    assert work([weather()]) == json.dumps([f"{REFUSED}."])


def test_silence_approves_nothing(fake: FakeWaitpoints, effects: Effects, work: Callable[..., str]) -> None:
    assert work([refund(), weather()]) == json.dumps([TIMED_OUT, TIMED_OUT])
    assert effects == []
    assert [token.status for token in tokens_of(fake)] == ["TIMED_OUT", "TIMED_OUT"]


def test_people_are_asked_about_all_calls_at_once(fake: FakeWaitpoints, effects: Effects, work: Callable[..., str]) -> None:
    asked: list[Token] = []

    def answer_both(token: Token) -> None:
        asked.append(token)
        if len(asked) == 2:
            fake.answer(asked[1], "ann", "approve", {**REFUND, "cents": 2})
            fake.answer(asked[0], "ann", "reject", {"message": "no"})

    fake.on_create(answer_both)
    assert work([refund("one", cents=1), refund("two", cents=2)]) == json.dumps([f"{REFUSED}: no", "paid 2"])
    assert effects == [{**REFUND, "cents": 2}]


def test_a_call_with_the_id_of_an_earlier_one_is_asked_about_again(
    fake: FakeWaitpoints, effects: Effects, work: Callable[..., str]
) -> None:
    asked = answering(fake, "approve", **REFUND)
    assert work([refund("functions.refund:0")], [refund("functions.refund:0")]) == '["paid 1250", "paid 1250"]'
    assert len(asked) == 2


def test_the_same_messages_find_the_same_token(fake: FakeWaitpoints, effects: Effects) -> None:
    async def ask_twice() -> list[Any]:
        agent = agent_of([refund()], effects=effects)
        result = await agent.run("Refund order 7")
        stored = ModelMessagesTypeAdapter.validate_json(result.all_messages_json())
        async with fake.async_client() as waitpoints:
            asked = [
                ask_people(waitpoints, agent, result.output, messages, approvers=["ann"])
                for messages in (result.all_messages(), stored)
            ]
            return await asyncio.gather(*asked)

    asked = answering(fake, "approve", **REFUND)
    first, second = asyncio.run(ask_twice())
    assert first == second
    assert first.answered_by == {"call_1": "ann"}
    assert len(asked) == 1


def test_a_run_that_goes_on_from_stored_messages_finds_the_token(effects: Effects) -> None:
    fake = FakeWaitpoints(ignore_rules=True)
    people = AskPeople(connect=fake.async_client, approvers=["ann"])
    stored = asyncio.run(agent_of([refund()], effects=effects).run("Refund order 7")).all_messages_json()

    async def go_on(seconds: float) -> str:
        agent = agent_of([refund()], effects=effects, capabilities=[people])
        messages = ModelMessagesTypeAdapter.validate_json(stored)
        return str((await asyncio.wait_for(agent.run(message_history=messages), seconds)).output)

    for _ in range(2):
        with pytest.raises(TimeoutError):
            asyncio.run(go_on(0.2))
    (token,) = tokens_of(fake)
    assert fake.answer(token, "ann", "approve", REFUND).is_success
    assert asyncio.run(go_on(30)) == '["paid 1250"]'
    assert effects == [REFUND]
    assert len(tokens_of(fake)) == 1


def test_messages_without_the_call_are_refused(fake: FakeWaitpoints) -> None:
    async def ask() -> None:
        requests = DeferredToolRequests(approvals=[refund()])
        async with fake.async_client() as waitpoints:
            await ask_people(waitpoints, agent_of(effects=[]), requests, [], approvers=["ann"])

    with pytest.raises(ValueError, match=r"No message has the calls \[.call_1.\]"):
        asyncio.run(ask())
    assert tokens_of(fake) == []


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


@pytest.mark.parametrize(("people", "error"), [({}, "Who may answer"), ({"approvers": ["ann"], "approver": "bo"}, "approver")])
def test_people_are_checked_before_an_agent_runs(people: Any, error: str) -> None:
    with pytest.raises((ValueError, TypeError), match=error):
        AskPeople(**people)


def invoke(journal: Journal, fake: FakeWaitpoints, effects: Effects, *calls: ToolCallPart) -> str | None:
    """Run or replay a durable agent. Returns its output, or None if it waits."""
    journal.position = 0
    people = AskPeople(connect=fake.async_client, approvers=["ann", "bo"], timeout="1d")
    agent = agent_of(list(calls), effects=effects, name="refunds", capabilities=[JournalDurability(journal), people])
    try:
        return str(asyncio.run(agent.run("Refund order 7")).output)
    except SuspendedError:
        return None


def settle(fake: FakeWaitpoints, journal: Journal, action: str | None, **fields: Any) -> None:
    """Answer the newest token, or let it time out. Resume its waiter with what the stack sends then."""
    token = tokens_of(fake)[-1]
    if action is None:
        fake.advance("2d")
    else:
        assert fake.answer(token, "ann", action, fields).is_success
    token = tokens_of(fake)[-1]
    sent = {"ok": False, "error": token.error.model_dump()} if token.error else {"ok": True, "output": token.output}
    journal.results[journal.callback] = json.dumps(sent)


def test_the_engine_holds_the_wait_of_a_durable_run(fake: FakeWaitpoints, effects: Effects) -> None:
    journal = Journal()
    assert invoke(journal, fake, effects, refund()) is None
    assert invoke(journal, fake, effects, refund()) is None, "the replay asks nobody, and waits again"
    (token,) = tokens_of(fake)
    assert [(waiter.kind, waiter.status) for waiter in token.waiters] == [("DURABLE_FUNCTION", "WAITING")]
    settle(fake, journal, "approve", **REFUND)
    for _ in range(2):
        assert invoke(journal, fake, effects, refund()) == '["paid 1250"]'
    assert effects == [REFUND]


@pytest.mark.parametrize(
    ("action", "fields", "output", "paid"),
    [
        ("approve", {**REFUND, "cents": 1000}, '["paid 1000"]', [{**REFUND, "cents": 1000}]),
        ("reject", {"message": "no"}, json.dumps([f"{REFUSED}: no"]), []),
        (None, {}, json.dumps([TIMED_OUT]), []),
    ],
)
def test_a_durable_run_does_what_a_person_decided(
    fake: FakeWaitpoints, effects: Effects, action: str | None, fields: Any, output: str, paid: Effects
) -> None:
    journal = Journal()
    assert invoke(journal, fake, effects, refund()) is None
    settle(fake, journal, action, **fields)
    assert invoke(journal, fake, effects, refund()) == output
    assert effects == paid


def test_nothing_runs_after_the_time_of_the_engine(fake: FakeWaitpoints, effects: Effects) -> None:
    journal = Journal()
    assert invoke(journal, fake, effects, refund()) is None
    journal.results[journal.callback] = ExternalEventError("Callback timed out")
    assert invoke(journal, fake, effects, refund()) == json.dumps([TIMED_OUT])
    assert effects == []


def test_a_step_that_asks_again_finds_the_token(fake: FakeWaitpoints, effects: Effects) -> None:
    journal = Journal()
    assert invoke(journal, fake, effects, refund()) is None
    journal.steps.pop()  # its end was not recorded: the engine runs it again
    assert invoke(journal, fake, effects, refund()) is None
    assert len(tokens_of(fake)) == 1


def test_one_page_asks_about_all_calls_of_a_durable_run(fake: FakeWaitpoints, effects: Effects) -> None:
    journal, calls = Journal(), [refund("one", cents=1), refund("two", cents=2), weather("three")]
    assert invoke(journal, fake, effects, *calls) is None
    chosen = {"call_1": "approve", "call_2": "reject", "message_2": "no", "call_3": "respond", "message_3": "It rains"}
    settle(fake, journal, "decide", **chosen)
    assert invoke(journal, fake, effects, *calls) == json.dumps(["paid 1", f"{REFUSED}: no", "It rains"])
    assert effects == [{**REFUND, "cents": 1}]


def test_a_page_for_all_calls_needs_as_many_approvers_as_each(fake: FakeWaitpoints, effects: Effects) -> None:
    journal, calls = Journal(), [refund(), ToolCallPart("close", {"account": 7}, tool_call_id="call_2")]
    assert invoke(journal, fake, effects, *calls) is None
    (token,) = tokens_of(fake)
    assert fake.answer(token, "bo", "decide", {"call_1": "approve", "call_2": "approve"}).is_success
    assert [token.status for token in tokens_of(fake)] == ["WAITING"]
    settle(fake, journal, "decide", call_1="approve", call_2="approve")
    assert invoke(journal, fake, effects, *calls) == '["paid 1250", "closed"]'
    assert effects == [REFUND, {"account": 7}]


def test_a_call_too_long_for_its_own_page_needs_as_many_approvers(fake: FakeWaitpoints) -> None:
    def note(text: str) -> None: ...

    def look() -> None: ...

    calls = [ToolCallPart("note", {"text": "x" * 9_000}, tool_call_id="one"), ToolCallPart("look", {}, tool_call_id="two")]
    own = {"waitpoints": {"needs": 2, "text": "y" * 1_000}}
    people = AskPeople(connect=fake.async_client, approvers=["ann", "bo"])
    agent: Any = Agent(
        FunctionModel(lambda *_: ModelResponse(calls)),
        name="notes",
        tools=[Tool(note, requires_approval=True, metadata=own), Tool(look, requires_approval=True)],
        output_type=[str, DeferredToolRequests],
        capabilities=[JournalDurability(Journal()), people],
    )
    with pytest.raises(SuspendedError):
        asyncio.run(agent.run("Note it"))
    assert [token.needs["decide"] for token in tokens_of(fake)] == [2]


def test_more_calls_than_a_page_has_room_for_have_several(fake: FakeWaitpoints, effects: Effects) -> None:
    journal, calls = Journal(), [refund(f"call_{number}") for number in range(16)]
    for _ in range(2):
        assert invoke(journal, fake, effects, *calls) is None
        settle(fake, journal, "decide", **{f"call_{number}": "approve" for number in range(1, 15)})
    assert invoke(journal, fake, effects, *calls) == json.dumps(["paid 1250"] * 16)
    assert effects == [REFUND] * 16
    assert len(tokens_of(fake)) == 2


def urls_in(*texts: str) -> set[str]:
    return {url for text in texts for url in re.findall(r"https?://[^\s\"'\\]+", text)}


def test_what_an_agent_sees_and_an_engine_records_settles_nothing(fake: FakeWaitpoints, effects: Effects) -> None:
    journal = Journal()
    assert invoke(journal, fake, effects, refund()) is None
    recorded = json.dumps(journal.steps)
    assert "refund" in recorded
    assert urls_in(recorded) == set()
    (token,) = tokens_of(fake)
    assert not fake.deliver(token.url, {"action": "approve", "fields": REFUND}).is_success
    assert [token.status for token in tokens_of(fake)] == ["WAITING"]
    assert effects == []


def answer_all(asked: Asked, tag: str, *answers: tuple[str, dict[str, Any]]) -> None:
    """Answer so many tokens of a tag as they come. The first two are there before one is answered."""
    until, answered = time.monotonic() + 120, set[str]()
    with asked.client() as waitpoints:
        while len(answered) < len(answers) and time.monotonic() < until:
            waiting = [it for it in waitpoints.list(tags=tag, oldest_first=True) if it.id not in answered]
            if len(answered) + len(waiting) >= 2:
                for token in sorted(waiting, key=lambda it: str(it.page)):
                    assert asked.post(token.url, {"action": answers[len(answered)][0], "fields": {}}) == 403
                    asked.answer(token.id, *answers[len(answered)])
                    answered.add(token.id)
            time.sleep(0.1)


@pytest.mark.parametrize("is_within", [False, True])
def test_people_decide_with_their_links(asked: Asked, effects: Effects, is_within: bool) -> None:
    tag = f"agent-{uuid.uuid4()}"
    people: People = {"approvers": ["ann"], "tags": tag, "timeout": "1h"}
    responses = [[refund("one"), weather("two")], [refund("three")]]

    async def work() -> Any:
        within = [AskPeople(connect=asked.async_client, **people)] if is_within else []
        agent = agent_of(*responses, effects=effects, capabilities=within)
        async with asked.async_client() as waitpoints:
            result = await agent.run("Refund order 7")
            while isinstance(result.output, DeferredToolRequests):
                results = await ask_people(waitpoints, agent, result.output, result.all_messages(), **people)
                result = await agent.run(message_history=result.all_messages(), deferred_tool_results=results)
            return result

    edit, answer, reject = {**REFUND, "cents": 1000}, {"message": "It rains"}, {"message": "once is enough"}
    with ThreadPoolExecutor() as threads:
        answered = threads.submit(answer_all, asked, tag, ("approve", edit), ("respond", answer), ("reject", reject))
        result = asyncio.run(work())
        answered.result()
    assert json.loads(result.output) == ["paid 1000", "It rains", f"{REFUSED}: once is enough"]
    assert effects == [edit]
    with asked.client() as waitpoints:
        links = [link.url for token in waitpoints.list(tags=tag) for link in waitpoints.get(token).links]
    assert len(links) == 3
    assert urls_in(result.all_messages_json().decode()) == set(), "what the model sees and the history keeps settles nothing"


def test_it_asks_once_and_pays_once_when_killed(pays_once: Callable[..., None]) -> None:
    pays_once("refund_pydantic_ai.py", {"order": "1001", "euros": 100})
