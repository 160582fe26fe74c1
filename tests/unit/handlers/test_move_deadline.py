"""The route that moves the timeout of a waiting token."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.fakes.in_memory import InMemory
from tests.support.in_process.api_gateway import TOKENS, Api, HttpAnswer
from waitpoints.timeouts import Limits
from waitpoints.token import iso

HOUR, DAY = 3_600_000, 86_400_000
UNKNOWN = "waitpoint_" + "0" * 26


def move(api: Api, token: Any, timeout: str | None) -> HttpAnswer:
    return api.request("PATCH", f"{TOKENS}/{token['id']}", {"timeout": timeout})


class TestMoveDeadline:
    @pytest.mark.parametrize("before", [None, "5m", "1h", "30d"])
    @pytest.mark.parametrize(("timeout", "ahead"), [("10m", HOUR // 6), ("7d", 7 * DAY)])
    def test_moves_it_either_way_from_now(
        self, api: Api, world: InMemory, before: str | None, timeout: str, ahead: int
    ) -> None:
        token = api.create(timeout=before)
        world.clock.advance(60_000)
        answer = move(api, token, timeout)
        moved = iso(world.clock() + ahead)
        assert (answer.status, answer.json) == (200, {"id": token["id"], "timeoutAt": moved})
        shown = api.retrieve(token["id"])
        assert (shown["status"], shown["timeoutAt"]) == ("WAITING", moved)

    @pytest.mark.parametrize("before", [None, "1h"])
    def test_removes_it(self, api: Api, world: InMemory, before: str | None) -> None:
        token = api.create(timeout=before)
        answer = move(api, token, None)
        assert (answer.status, answer.json) == (200, {"id": token["id"]})
        world.clock.advance(365 * DAY)
        shown = api.retrieve(token["id"])
        assert (shown["status"], "timeoutAt" in shown) == ("WAITING", False)

    def test_takes_an_id_without_its_prefix(self, api: Api) -> None:
        token = api.create()
        assert move(api, {"id": token["id"].removeprefix("waitpoint_")}, "1h").json["id"] == token["id"]

    @pytest.mark.parametrize("timeout", ["1h", None])
    @pytest.mark.parametrize(
        "end",
        [
            lambda api, _, token: api.post(token["url"], {}),
            lambda api, _, token: api.post(f"{TOKENS}/{token['id']}/complete", {"error": {"message": "no"}}),
            lambda _, world, __: world.clock.advance(600_000),
        ],
        ids=["completed", "failed", "due"],
    )
    def test_of_what_has_ended_is_409_and_changes_nothing(
        self, api: Api, world: InMemory, end: Callable[..., object], timeout: str | None
    ) -> None:
        token = api.create(timeout="10m")
        end(api, world, token)
        before = api.retrieve(token["id"])
        answer = move(api, token, timeout)
        assert (answer.status, answer.error) == (409, "The waitpoint has ended, so its timeout can no longer be changed")
        assert answer.headers["x-should-retry"] == "false"
        assert api.retrieve(token["id"]) == before

    @pytest.mark.parametrize("written", ["x", "0" * 26, UNKNOWN])
    def test_of_an_invalid_or_unknown_id_is_404(self, api: Api, written: str) -> None:
        assert move(api, {"id": written}, "1h").status == 404

    def test_over_the_longest_timeout_of_the_stack_is_422_and_changes_nothing(
        self, api: Api, world: InMemory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.install(monkeypatch, Limits(default="1h", longest="1d"))
        token = api.create()
        before = api.retrieve(token["id"])
        for timeout in ("25h", None, "soon"):
            assert move(api, token, timeout).status == 422
        assert api.retrieve(token["id"]) == before
        assert move(api, token, "1d").status == 200

    def test_that_other_requests_change_each_time_is_503(self, api: Api, world: InMemory) -> None:
        token = api.create(timeout="1h")
        world.store.move_deadline = lambda *_: False  # type: ignore[method-assign]
        answer = move(api, token, "2h")
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
