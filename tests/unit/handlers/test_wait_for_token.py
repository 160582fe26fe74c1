"""The function with which a state waits for a token."""

from typing import Any

import pytest

from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.template import Template
from tests.support.in_process.world import World
from waitpoints.waiter_result import Failure, Success

FUNCTIONS = Template.load().functions()


def unable(*_: Any) -> None:
    raise ConnectionError("no table")


class TestContext:
    @pytest.mark.parametrize("late", [False, True])
    def test_gives_a_run_the_metadata_of_the_create_as_it_was_sent(
        self, api: Api, world: World, monkeypatch: pytest.MonkeyPatch, late: bool
    ) -> None:
        token = api.post(TOKENS, '{"metadata": {"price": 1.50, "n": 90071992547409930}}').json
        if late:
            api.complete(token, data=1)
        task_tokens = [api.wait(token, world.waits, context=True), api.wait(token, world.waits)]
        if not late:
            api.complete(token, data=1)
        with_context, without = map(world.waits.result, task_tokens)
        assert isinstance(with_context, Success)
        assert with_context.json.endswith(',"metadata":{"price": 1.50, "n": 90071992547409930}}')
        assert without == Success('{"ok":true,"output":1}')

    def test_alone_reads_metadata(self, api: Api, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        described, plain = api.create(metadata={"run": "r"}), api.create()
        task_tokens = [api.wait(described, world.waits), api.wait(described, world.waits, unwrap=True)]
        task_tokens.append(api.wait(plain, world.waits, context=True))
        monkeypatch.setattr(world.store, "read_document", lambda *_: pytest.fail("it was read"))
        for token in (described, plain):
            api.complete(token, data=1)
        assert all(world.waits.result(task_token) for task_token in task_tokens)

    def test_is_left_to_the_stream_if_metadata_cannot_be_read(
        self, api: Api, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = api.create(metadata={"run": "r"})
        task_token = api.wait(token, world.waits, context=True)
        with monkeypatch.context() as broken:
            broken.setattr(world.store, "read_document", unable)
            api.complete(token, data=1)
        assert world.waits.result(task_token) is None
        assert world.tokens.resume_waiters(token["id"]) == []
        assert world.waits.value(task_token)["metadata"] == {"run": "r"}

    @pytest.mark.parametrize("value", ["true", 1, None])
    def test_is_true_or_false(self, api: Api, world: World, value: Any) -> None:
        result = world.waits.result(api.wait(api.create(), world.waits, context=value))
        assert result == Failure("InvalidRequest", '"context" must be true or false')
