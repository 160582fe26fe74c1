"""Settled items have short names, and the stack's own ARNs lack their prefix: this version and the previous one read them.

Also those with whole names, as the previous version wrote them.
"""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.event_sources import Stream
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.durable_functions import FakeDurableFunctions
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import MotoStack
from tests.support.previous_functions import PreviousFunctions
from waitpoints import ids
from waitpoints.aws.short_names import OWN_EXECUTION, SHORT, WHOLE
from waitpoints.sign_in import SignedIn
from waitpoints.stream.record import token_of
from waitpoints.token import (
    ALL_CHECKED,
    Answer,
    Completed,
    CompletedBy,
    Document,
    DocumentKind,
    Failed,
    HandOver,
    Output,
    Source,
    Token,
    TokenError,
    Waiter,
    WaiterKind,
)
from waitpoints.wiring import services

OWN = "arn:aws:states:us-east-1:123456789012:execution:"
EXECUTIONS = [
    f"{OWN}orders:4711",
    "arn:aws:states:eu-west-1:123456789012:execution:orders:4711",
    "arn:aws:states:us-east-1:210987654321:execution:orders:4711",
    "arn:aws-cn:states:us-east-1:123456789012:execution:orders:4711",
    "arn:aws:states:us-east-1:123456789012:express:orders:4711:a",
]
DURABLE = "arn:aws:lambda:us-east-1:123456789012:function:orders:1/durable-execution/4711/0d0c5b1e"
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
DELIVERY = {"ip": "192.0.2.7", "user_agent": "curl", "query": "a=1", "delivery_id": "1", "record": "r", "key": "shop"}
BY = CompletedBy(source=Source.CALLBACK, content_type="text/csv", slack_user="U1", slack_name="Ann", **DELIVERY)
BY_ANN = CompletedBy(source=Source.CALLBACK, content_type="application/json", approver="ann")


def renamed(stored: dict[str, Any]) -> dict[str, Any]:
    return {WHOLE.get(name, name): value for name, value in stored.items()}


def lengthened(item: dict[str, Any], seen: set[str]) -> dict[str, Any]:
    """A settled token's item, in DynamoDB JSON, as the previous version wrote it. Adds the names it has now to those `seen`."""
    seen.update(item)
    item = renamed(copy.deepcopy(item))
    waiters, answers = item["waiters"]["M"].values(), item.get("answers", {"L": []})["L"]
    for stored in (*waiters, *answers, *filter(None, [item.get("completedBy")])):
        seen.update(stored["M"])
        stored["M"] = renamed(stored["M"])
        if OWN_EXECUTION in stored["M"]:
            stored["M"]["execution"] = {"S": OWN + stored["M"].pop(OWN_EXECUTION)["S"]}
    for stored in waiters:
        stored["M"].setdefault("unwrap", {"BOOL": False})
    return item


class Population:
    """A settled token of each kind, with waiters that are not yet resumed."""

    def __init__(self, now: int, states: FakeStepFunctions, functions: FakeDurableFunctions) -> None:
        self.now, self._states, self._functions = now, states, functions
        self.handles: list[str] = []
        store = services.store
        for execution in EXECUTIONS:
            self._settled(Completed(now, Output('{"paid": true}'), BY), self._waiter(execution=execution))
        options: dict[str, Any] = {"tags": ("a",), "traceparent": TRACEPARENT, "created_by": "shop", "metadata": '{"b": 1}'}
        self._settled(Failed(now, TokenError("no"), BY), self._waiter(unwrap=True), self._waiter(context=True), **options)
        waiter = Waiter(functions.start(), now, execution=DURABLE, kind=WaiterKind.DURABLE_FUNCTION)
        self._settled(Completed(now, services.outputs.store("large", json.dumps("o" * 200_000))), waiter)
        store.time_out(self._begin(self._waiter(), timeout_at=now - 1), now)
        page = Document(DocumentKind.PAGE, '{"title": "Pay?"}')
        token = store.find(self._begin(self._waiter(), document=page))
        assert token
        assert store.hand_over(token, HandOver(({"id": "bo"},), (), now, "shop"))
        for approver, outcome in (("ann", None), ("bo", Completed(now, Output('{"action": "pay"}'), BY_ANN))):
            fields, evidence = '{"amount": 1}', SignedIn("https://issuer.example.com", approver, None, now)
            assert store.answer(store.get(token.id), Answer(approver, "pay", fields, now, evidence), outcome)[0]

    def _waiter(self, **options: Any) -> Waiter:
        return Waiter(self._states.start(), self.now, **options)

    def _begin(self, *waiters: Waiter, document: Document | None = None, **options: Any) -> str:
        token_id = ids.new_id(self.now)
        self.handles += [waiter.handle for waiter in waiters]
        token = Token(id=token_id, created_at=self.now, waiters={it.key: it for it in waiters}, **options)
        services.store.create(token, None, self.now, document=document)
        return token_id

    def _settled(self, outcome: Completed | Failed, *waiters: Waiter, **options: Any) -> None:
        assert services.store.complete(self._begin(*waiters, **options), outcome, ALL_CHECKED)[0]

    def results(self) -> list[Any]:
        results = self._states.results() | self._functions.results()
        return [results[handle] for handle in self.handles]


def settled_items(stack: MotoStack) -> list[Any]:
    return [it for it in stack.every_item() if it["item"]["S"] == "token" and it["status"]["S"] != "WAITING"]


def shown(api: Api, stack: MotoStack) -> list[str]:
    """Every answer that shows the tokens, to the byte."""
    answers = [api.get(f"{TOKENS}/{it['id']['S']}") for it in settled_items(stack)] + [api.get(TOKENS)]
    assert {answer.status for answer in answers} == {200}
    return [answer.text for answer in answers]


@pytest.mark.parametrize("resume", ["stream", "doctor", "operator"])
def test_are_read_as_those_with_whole_names(
    stack: MotoStack,
    api: Api,
    clock: FakeClock,
    strict_fakes: tuple[FakeStepFunctions, FakeDurableFunctions],
    resume: str,
) -> None:
    population, seen = Population(clock(), *strict_fakes), set[str]()
    before, stream = shown(api, stack), Stream(stack)
    short = {it["id"]["S"]: it for it in settled_items(stack)}
    whole = {id_: lengthened(it, seen) for id_, it in short.items()}
    assert seen >= {*WHOLE, OWN_EXECUTION}
    assert seen.isdisjoint(SHORT)
    for item in whole.values():
        stack.put(item)
    assert shown(api, stack) == before
    records = stream.records("resume_waiters")
    assert len(records) == len(whole)
    for record in records:
        image = short[record["dynamodb"]["Keys"]["id"]["S"]]
        assert token_of(record) == token_of({**record, "dynamodb": {"NewImage": image}})
    assert not any(population.results())
    functions = stack.functions()
    if resume == "stream":
        assert functions["resume_waiters"].call({"Records": records}) == {"batchItemFailures": []}
    elif resume == "doctor":
        clock.advance(3_600_000)
        assert functions["doctor"].call({"command": "scanAll"})["unrepaired"] == 0
    else:
        assert functions["resume_waiters"].call({"command": "resume", "waitpointIds": [*whole]}) == {"undelivered": 0}
    assert all(population.results())


def test_only_the_stacks_own_executions_lack_their_prefix(
    stack: MotoStack, clock: FakeClock, strict_fakes: tuple[FakeStepFunctions, FakeDurableFunctions]
) -> None:
    Population(clock(), *strict_fakes)
    waiters = [waiter["M"] for item in settled_items(stack) for waiter in item["waiters"]["M"].values()]
    stored = {(name, it[name]["S"]) for it in waiters for name in (OWN_EXECUTION, SHORT["execution"]) if name in it}
    own, *others = EXECUTIONS
    assert stored == {(OWN_EXECUTION, own.removeprefix(OWN)), *((SHORT["execution"], it) for it in (*others, DURABLE))}


@pytest.mark.slow
def test_the_previous_version_shows_and_resumes_what_this_one_settled(
    stack: MotoStack,
    api: Api,
    clock: FakeClock,
    strict_fakes: tuple[FakeStepFunctions, FakeDurableFunctions],
    tmp_path: Path,
) -> None:
    population, stream = Population(clock(), *strict_fakes), Stream(stack)
    for item in settled_items(stack):
        stack.put(item)  # again, into the stream
    before, previous = shown(api, stack), PreviousFunctions(stack, tmp_path)
    previous.use(clock, step_functions_client=strict_fakes[0], lambda_client=strict_fakes[1])
    old = Api(previous.template, stack.secret("ApiKey"))
    with previous.in_place():
        found = shown(old, stack)
    assert [*map(json.loads, found)] == [*map(json.loads, before)]
    assert previous.call("resume_waiters", {"Records": stream.records("resume_waiters")}) == {"batchItemFailures": []}
    assert all(population.results())


def test_an_early_completion_of_the_previous_version_is_claimed(stack: MotoStack, api: Api) -> None:
    api.complete_by_key("first", data=1)
    [early] = settled_items(stack)
    stack.put(lengthened(early, set()))
    token = api.create(idempotencyKey="first", traceparent=TRACEPARENT)
    found = api.retrieve(token["id"])
    assert (token["isCached"], found["output"], found["traceparent"]) == (True, "1", TRACEPARENT)
    assert found["completedBy"]["source"] == "complete"
