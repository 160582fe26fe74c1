"""The function with which a state completes a token."""

from typing import Any

import pytest

import complete_token_in_state
from tests.support.in_process.template import Context
from tests.support.in_process.world import World
from waitpoints.errors import InvalidRequest


class TestInAState:
    @pytest.fixture(autouse=True)
    def installed(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        world.install(monkeypatch)

    def invoke(self, payload: Any) -> Any:
        context: Any = Context("CompleteTokenInState")
        return complete_token_in_state.handler(payload, context)

    def test_says_whether_it_settled_the_token(self, world: World) -> None:
        token = world.create(key="a")
        assert [self.invoke({"waitpointId": token, "data": 1}) for _ in range(2)] == [
            {"success": True, "settled": True},
            {"success": True, "settled": False},
        ]

    @pytest.mark.parametrize(
        "payload",
        [{"idempotencyKey": "a", "waitpointId": "b"}, {"idempotencyKey": None, "waitpointId": "b"}, {"waitpointId": 7}, {}],
    )
    def test_refuses_two_names_or_none(self, payload: Any) -> None:
        with pytest.raises(InvalidRequest):
            self.invoke(payload)
