"""The function with which a state waits for a token."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.callbacks import complete
from tests.support.fakes.in_memory import InMemory
from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.template import Template
from waitpoints.token import iso
from waitpoints.waiter_result import Failure, Success

FUNCTIONS = Template.load().functions()
JSON = {"content-type": "application/json"}
FITTING = b'{"approved": true}'


def unable(*_: Any) -> None:
    raise ConnectionError("no table")


class TestContext:
    def wait(self, token: Mapping[str, Any], world: InMemory, **options: Any) -> str:
        task_token = world.step_functions.start_task()
        FUNCTIONS["wait_for_token"].call({"waitpointId": token["id"], "taskToken": task_token, **options})
        return task_token

    @pytest.mark.parametrize("late", [False, True])
    def test_gives_a_run_who_settled_the_token(self, api: Api, world: InMemory, late: bool) -> None:
        token = api.create()
        task_tokens = [] if late else [self.wait(token, world, context=True), self.wait(token, world)]
        api.post(token["url"], FITTING, {**JSON, "webhook-id": "d-1"})
        task_tokens = task_tokens or [self.wait(token, world, context=True), self.wait(token, world)]
        with_context, without = map(world.step_functions.result, task_tokens)
        assert isinstance(with_context, Success)
        assert json.loads(with_context.json) == {
            "ok": True,
            "output": {"approved": True},
            "completedBy": api.retrieve(token["id"])["completedBy"],
        }
        assert without == Success('{"ok":true,"output":{"approved": true}}')

    @pytest.mark.parametrize("late", [False, True])
    def test_gives_a_run_the_traceparent_of_the_create(self, api: Api, world: InMemory, late: bool) -> None:
        traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        token = api.create(traceparent=traceparent)
        task_tokens = [] if late else [self.wait(token, world, context=True), self.wait(token, world)]
        complete(api, token, {"error": {"message": "no"}})
        task_tokens = task_tokens or [self.wait(token, world, context=True), self.wait(token, world)]
        with_context, without = map(world.step_functions.result, task_tokens)
        assert isinstance(with_context, Success)
        assert isinstance(without, Success)
        assert json.loads(with_context.json).keys() == {"ok", "error", "completedBy", "traceparent"}
        assert json.loads(with_context.json)["traceparent"] == traceparent
        assert json.loads(without.json).keys() == {"ok", "error"}

    @pytest.mark.parametrize("late", [False, True])
    def test_gives_a_run_the_metadata_of_the_create_as_it_was_sent(
        self, api: Api, world: InMemory, monkeypatch: pytest.MonkeyPatch, late: bool
    ) -> None:
        token = api.post(TOKENS, '{"metadata": {"price": 1.50, "n": 90071992547409930}}').json
        task_tokens = [] if late else [self.wait(token, world, context=True), self.wait(token, world)]
        complete(api, token, {"data": 1})
        task_tokens = task_tokens or [self.wait(token, world, context=True), self.wait(token, world)]
        with_context, without = map(world.step_functions.result, task_tokens)
        assert isinstance(with_context, Success)
        assert with_context.json.endswith(',"metadata":{"price": 1.50, "n": 90071992547409930}}')
        assert without == Success('{"ok":true,"output":1}')

    def test_alone_reads_metadata(self, api: Api, world: InMemory, monkeypatch: pytest.MonkeyPatch) -> None:
        described, plain = api.create(metadata={"run": "r"}), api.create()
        task_tokens = [
            self.wait(described, world),
            self.wait(described, world, unwrap=True),
            self.wait(plain, world, context=True),
        ]
        monkeypatch.setattr(world.store, "read_document", lambda *_: pytest.fail("it was read"))
        for token in (described, plain):
            complete(api, token, {"data": 1})
        assert all(world.step_functions.result(task_token) for task_token in task_tokens)

    def test_is_left_to_the_stream_if_metadata_cannot_be_read(
        self, api: Api, world: InMemory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = api.create(metadata={"run": "r"})
        task_token = self.wait(token, world, context=True)
        with monkeypatch.context() as broken:
            broken.setattr(world.store, "read_document", unable)
            complete(api, token, {"data": 1})
        assert world.step_functions.result(task_token) is None
        assert world.tokens.resume_waiters(token["id"]) == []
        result = world.step_functions.result(task_token)
        assert isinstance(result, Success)
        assert json.loads(result.json)["metadata"] == {"run": "r"}

    def test_is_taken_by_a_create_that_waits(self, api: Api, world: InMemory) -> None:
        task_token = world.step_functions.start_task()
        token = api.create(taskToken=task_token, context=True)
        complete(api, token, {"error": {"message": "no"}})
        result = world.step_functions.result(task_token)
        assert isinstance(result, Success)
        shown = json.loads(result.json)
        assert shown["error"] == {"name": "WaitpointFailedError", "code": "WAITPOINT_FAILED", "message": "no"}
        assert shown["completedBy"] == api.retrieve(token["id"])["completedBy"]

    def test_comes_with_a_timeout(self, api: Api, world: InMemory) -> None:
        token = api.create(timeout="1s")
        world.clock.advance(seconds=1)
        result = world.step_functions.result(self.wait(token, world, context=True))
        assert isinstance(result, Success)
        assert json.loads(result.json)["completedBy"] == {"source": "timeout", "at": iso(world.clock())}

    def test_and_unwrap_exclude_each_other(self, api: Api, world: InMemory) -> None:
        token = api.create()
        result = world.step_functions.result(self.wait(token, world, context=True, unwrap=True))
        assert isinstance(result, Failure)
        assert (result.error, "exclude each other" in result.cause) == ("InvalidRequest", True)
        answer = api.post(TOKENS, {"taskToken": world.step_functions.start_task(), "context": True, "unwrap": True})
        assert answer.status == 400
        assert "exclude each other" in answer.error

    @pytest.mark.parametrize("value", ["true", 1, None])
    def test_is_true_or_false(self, api: Api, world: InMemory, value: Any) -> None:
        result = world.step_functions.result(self.wait(api.create(), world, context=value))
        assert result == Failure("InvalidRequest", '"context" must be true or false')
