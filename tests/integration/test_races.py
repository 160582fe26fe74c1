"""Many requests at once for one token, on moto's DynamoDB and a fake Step Functions that accepts one answer per task."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.support.in_process.api_gateway import COMPLETE_BY_KEY, JSON, TOKENS, Api, HttpAnswer
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.fakes.waits import FakeWaits
from tests.support.in_process.moto_stack import MotoStack
from tests.support.races import race
from tools.openapi.operations import ENDPOINTS
from waitpoints import ids
from waitpoints.endpoint import DeliveryKind
from waitpoints.token import MAX_WAITERS, Token, Waiter
from waitpoints.waiter_result import Failure, Success
from waitpoints.wiring import services

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_metrics")]

CROWD = 100


def crowd(request: Callable[[int], HttpAnswer]) -> list[HttpAnswer]:
    """Send a hundred requests at the same moment."""
    return race([partial(request, number) for number in range(CROWD)])


def test_one_of_one_hundred_callbacks_wins_and_the_execution_resumes_once_with_its_body(
    api: Api, stack: MotoStack, step_functions: FakeStepFunctions
) -> None:
    token = api.create()
    task_token = api.wait(token, step_functions)
    answers = crowd(lambda number: api.deliver(token, json.dumps({"number": number})))
    assert {(answer.status, answer.text) for answer in answers} == {(200, '{"success":true}')}
    shown = api.retrieve(token["id"])
    assert json.loads(shown["output"])["number"] in range(CROWD)
    assert step_functions.result(task_token) == Success(f'{{"ok":true,"output":{shown["output"]}}}')
    assert step_functions.calls[task_token] == 1
    assert [waiter["status"] for waiter in shown["waiters"]] == ["RESUMED"]


def test_one_hundred_creates_with_one_key_make_one_token(api: Api, stack: MotoStack) -> None:
    answers = crowd(lambda _: api.post("/api/v1/waitpoints/tokens", {"idempotencyKey": "crowd", "tags": ["crowd"]}))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.json["id"] for answer in answers}) == len({answer.json["url"] for answer in answers}) == 1
    assert [answer.json["isCached"] for answer in answers].count(True) == CROWD - 1
    assert [item["idempotencyKey"]["S"] for item in stack.every_item() if "crowd" in str(item.get("tags"))] == ["crowd"]


def test_one_hundred_creates_with_one_key_make_one_token_for_those_with_its_page(
    api: Api, stack: MotoStack, step_functions: FakeStepFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People sign in on half of the pages. Each run waits for its own page's answer, or fails."""
    monkeypatch.setenv("OIDC_ISSUER", "https://issuer.example.com")
    monkeypatch.setenv("OIDC_CLIENT_ID", "waitpoints")
    pages = [{"title": "Go?"}, *({"title": "Go?", "approvers": [f"{who}@example.com"], "signIn": True} for who in ("a", "b"))]
    task_tokens = [step_functions.start_task() for _ in range(CROWD)]
    functions = stack.functions()

    def create(number: int) -> HttpAnswer:
        body = {"idempotencyKey": "crowd", "page": pages[number % 3], "taskToken": task_tokens[number]}
        return HttpAnswer(200, {}, json.dumps(functions["create_token_in_state"].call(body)))

    created = [answer.json for answer in crowd(create)]
    [token_id] = {one["id"] for one in created if one}
    first = next(number for number, one in enumerate(created) if one and not one["isCached"])
    joins = {number for number in range(CROWD) if number % 3 in (first % 3, 0)}
    assert {number for number, one in enumerate(created) if one} == joins
    assert {getattr(step_functions.result(task_tokens[number]), "error", None) for number in joins} == {None}
    refused = [step_functions.result(task_tokens[number]) for number in range(CROWD) if number not in joins]
    assert {it.error for it in refused if isinstance(it, Failure)} == {"KeyTaken"}
    assert None not in refused
    assert len(api.retrieve(token_id)["waiters"]) == len(joins)


def test_one_hundred_moves_callbacks_and_waiters_leave_one_outcome(
    api: Api, stack: MotoStack, step_functions: FakeStepFunctions
) -> None:
    """Of its timeout, to other instants or none. A move that is beaten too often is 503, and one that comes too late 409."""
    token = api.create(timeout="1h", page={"title": "Go on?"}, idempotencyKey="moved", idempotencyKeyTTL="1h")
    choice, callbacks = {"action": "submit", "fields": {}}, range(51, CROWD, 4)
    waiting: list[str] = []

    def act(number: int) -> HttpAnswer:
        if number % 4 == 0:
            waiting.append(api.wait(token, step_functions))
        if number in callbacks:
            return api.deliver(token, choice)
        return api.request("PATCH", f"{TOKENS}/{token['id']}", {"timeout": f"{number}h" if number % 3 else None})

    answers = crowd(act)
    assert {answers[number].status for number in callbacks} == {200}
    assert {200} <= {answer.status for answer in answers} <= {200, 409, 503}
    shown = api.retrieve(token["id"])
    assert (shown["status"], json.loads(shown["output"])) == ("COMPLETED", choice)
    assert {str(step_functions.result(it)) for it in waiting} == {str(Success(f'{{"ok":true,"output":{shown["output"]}}}'))}
    assert {step_functions.calls[it] for it in waiting} == {1}


class TestCreatesAndCompletionsOfOneKey:
    """Invariant 5: they meet. There is one token, which is completed once, listed once, and resumes who waits."""

    @pytest.fixture
    def url(self, api: Api) -> Iterator[str]:
        """The URL of an endpoint, whose deliveries complete keys that begin with "crowd:"."""
        yield api.put_endpoint("crowd", output="body.n")["url"]
        api.request("DELETE", f"{ENDPOINTS}/crowd")

    @pytest.fixture
    def meet(
        self, api: Api, stack: MotoStack, step_functions: FakeStepFunctions, url: str, counted: list[DeliveryKind]
    ) -> Callable[[], str]:
        """Send fifty creates, half of which wait in the same request, and fifty completions. Returns the token's id."""

        def send() -> str:
            waiting = [step_functions.start_task() for _ in range(CROWD // 4)]

            def request(number: int) -> HttpAnswer:
                if number % 2:
                    return self.complete(api, url, number)
                body: dict[str, Any] = {"idempotencyKey": "crowd:1", "idempotencyKeyTTL": "1h", "tags": ["crowd"]}
                if number % 4:
                    body["taskToken"] = waiting[number // 4]
                    created = stack.call("create_token_in_state", body)
                    return HttpAnswer(200, {}, json.dumps(created))
                return api.post(TOKENS, body)

            answers = crowd(request)
            assert {answer.status for answer in answers} == {200}
            created, completed = answers[0::2], [answer for answer in answers[1::2] if "id" in answer.json]
            [token_id] = {answer.json["id"] for answer in created + completed}
            made_by_create = [answer.json["isCached"] for answer in created].count(False)
            kept_by_complete = [answer.json["created"] for answer in completed].count(True)
            assert len(counted) == CROWD // 4
            assert made_by_create + kept_by_complete + counted.count(DeliveryKind.KEPT) == 1
            shown = api.retrieve(token_id)
            assert (shown["status"], shown["tags"]) == ("COMPLETED", ["crowd"])
            assert json.loads(shown["output"]) in range(1, CROWD, 2)
            expected = Success(f'{{"ok":true,"output":{shown["output"]}}}')
            assert {step_functions.result(task_token) for task_token in waiting} == {expected}
            assert {step_functions.calls[task_token] for task_token in waiting} == {1}
            listed = api.get(f"{TOKENS}?filter%5BidempotencyKey%5D=crowd:1&filter%5Btags%5D=crowd").json["data"]
            assert [one["id"] for one in listed] == [token_id]
            return str(token_id)

        return send

    def test_make_one_completed_token(self, meet: Callable[[], str]) -> None:
        meet()

    @pytest.mark.parametrize(
        ("is_created", "ttl"),
        [(True, "60s"), (False, "60s"), (True, None)],
        ids=["its key has expired", "it was kept in vain", "retention has removed it"],
    )
    def test_make_one_completed_token_after_an_earlier_one(
        self, api: Api, clock: FakeClock, meet: Callable[[], str], is_created: bool, ttl: str | None
    ) -> None:
        key = {"idempotencyKey": "crowd:1", **({"idempotencyKeyTTL": ttl} if ttl else {})}
        created = api.create(**key) if is_created else None
        earlier = api.post(COMPLETE_BY_KEY, {**({"idempotencyKey": "crowd:1"} if created else key), "data": "earlier"}).json
        assert earlier["created"] is not is_created
        clock.advance(60_000 if ttl else services.retention * 1000)
        assert meet() != earlier["id"]

    def test_settle_a_token_that_waits_past_its_key_and_keep_the_next(
        self, api: Api, stack: MotoStack, step_functions: FakeStepFunctions, clock: FakeClock, url: str
    ) -> None:
        """The second completion finds a token that has ended, and a create with the key would make a new one."""
        token = api.create(idempotencyKey="crowd:1", idempotencyKeyTTL="60s")
        task_token = api.wait(token, step_functions)
        clock.advance(60_000)
        answers = crowd(lambda number: api.post(COMPLETE_BY_KEY, {"idempotencyKey": "crowd:1", "data": number}))
        [kept] = {answer.json["id"] for answer in answers} - {token["id"]}
        assert [answer.json["id"] for answer in answers if answer.json["created"]] == [kept]
        output = step_functions.value(task_token)["output"]
        assert answers[output].json == {"success": True, "settled": True, "id": token["id"], "created": False}
        assert sum(answer.json["settled"] for answer in answers) == 1
        assert step_functions.calls[task_token] == 1
        assert api.create(idempotencyKey="crowd:1").items() >= {"id": kept, "isCached": True}.items()
        assert json.loads(api.retrieve(kept)["output"]) != output

    def test_at_the_millisecond_of_the_timeout_do_not_change_it(
        self, api: Api, stack: MotoStack, step_functions: FakeStepFunctions, clock: FakeClock, url: str
    ) -> None:
        token = api.create(idempotencyKey="crowd:1", timeout="2s")
        task_token = api.wait(token, step_functions)
        clock.advance(2000)
        answers = crowd(lambda number: self.complete(api, url, number))
        assert {answer.status for answer in answers} == {200}
        assert {answer.json.get("id", token["id"]) for answer in answers} == {token["id"]}
        assert api.retrieve(token["id"])["status"] == "TIMED_OUT"
        assert step_functions.calls[task_token] == 1

    def complete(self, api: Api, url: str, number: int) -> HttpAnswer:
        """Complete the key by the API or, every second time, by a delivery to the endpoint."""
        if number % 4 == 1:
            return api.post(COMPLETE_BY_KEY, {"idempotencyKey": "crowd:1", "data": number})
        return api.post(url, {"id": 1, "n": number}, JSON)


@pytest.mark.usefixtures("counted")
def test_each_delivery_while_an_endpoint_is_disabled_settles_or_gets_503(
    api: Api, stack: MotoStack, step_functions: FakeStepFunctions
) -> None:
    path = f"{ENDPOINTS}/crowd"
    url = api.request("PUT", path, {"key": "body.id", "verify": "none"}).json["url"]
    created = [api.create(idempotencyKey=f"crowd:{number}") for number in range(1, CROWD)]
    waiting = [(token, api.wait(token, step_functions)) for token in created]

    def request(number: int) -> HttpAnswer:
        if number == 0:
            return api.request("PATCH", path, {"disabled": True})
        return api.post(url, {"id": number}, JSON)

    answers = crowd(request)
    assert answers[0].status == 200
    for number, (token, task_token) in enumerate(waiting, 1):
        settled = answers[number].status == 200
        assert settled or answers[number].status == 503
        assert api.retrieve(token["id"])["status"] == ("COMPLETED" if settled else "WAITING")
        assert step_functions.calls[task_token] == settled
        assert api.post(url, {"id": number}, JSON).status == 503
    api.request("DELETE", path)


def test_one_hundred_executions_of_both_kinds_that_register_while_the_callback_comes_are_all_resumed(
    api: Api, stack: MotoStack, strict_fakes: tuple[FakeWaits, ...]
) -> None:
    token, waiting = api.create(), list[tuple[FakeWaits, str]]()

    def request(number: int) -> HttpAnswer:
        if number < CROWD - 1:
            waits = strict_fakes[number % 2]
            waiting.append((waits, api.wait(token, waits, unwrap=True)))
            return HttpAnswer(200, {}, "")
        return api.deliver(token, b'"done"')

    crowd(request)
    assert {waits.result(handle) for waits, handle in waiting} == {Success('"done"')}
    assert {count for waits in strict_fakes for count in waits.calls.values()} == {1}
    assert {waiter["status"] for waiter in api.retrieve(token["id"])["waiters"]} <= {"RESUMED"}


def test_the_hundred_and_first_waiter_fails_and_the_others_are_resumed(
    api: Api, stack: MotoStack, step_functions: FakeStepFunctions
) -> None:
    waiters = [Waiter(step_functions.start_task(2048), services.now()) for _ in range(MAX_WAITERS + 1)]
    registered = {waiter.key: waiter for waiter in waiters[: MAX_WAITERS - 1]}
    token = Token(id=ids.new_id(services.now()), created_at=services.now(), waiters=registered)
    services.store.create(token, None, services.now())
    for waiter in waiters[-2:]:
        stack.call("wait_for_token", {"waitpointId": token.id, "taskToken": waiter.handle})
    refusal = step_functions.failure(waiters[-1].handle)
    assert (refusal.error, "100 waiters" in refusal.cause) == ("TooManyWaiters", True)
    assert api.post(services.urls.url(token.id, "https://hooks.example.com"), b"1", JSON).status == 200
    results = {step_functions.result(waiter.handle) for waiter in waiters[:-1]}
    assert results == {Success('{"ok":true,"output":1}')}
