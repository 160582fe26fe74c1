"""A request to fail a token: which errors it may name, and what becomes of them."""

import json
from typing import Any

import pytest

from tests.support.callbacks import complete
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.world import World
from tests.support.refusals import is_refused

NO = {"message": "no"}
ACCEPTED = [
    *({**NO, "name": name} for name in ("A", "a1", "x" * 64, "WaitpointFailedError", "TimeoutError")),
    {"message": "ü" * 2048},
    {**NO, "code": "x" * 128},
]
RESERVED = [
    *("States.ALL", "States.Timeout", "Lambda.Unknown", "TryAgain", "TokenNotFound", "InvalidRequest"),
    *("WaitpointTimeoutError", "WaitpointOutputRefused", "CannotResumeNow", "PayloadRefused", "WaitpointsError"),
]
"""Names that the retry of a state matches."""
REFUSED: list[dict[str, Any]] = [
    *(
        {"error": {**NO, "name": name}}
        for name in ("", "1a", "a_b", "a.b", "a b", "é", "x" * 65, "a\n", 7, None, ["a"], *RESERVED)
    ),
    *({"error": {"message": message}} for message in ("ü" * 2048 + "x", "", 7, None)),
    *({"error": {**NO, "code": code}} for code in ("x" * 129, "", 7, None)),
    *({"error": NO, **more} for more in ({"data": 1}, {"data": None}, {"more": 1})),
]


class TestFail:
    def test_has_a_name_and_a_code_of_its_own(self, api: Api) -> None:
        token = api.create()
        complete(api, token, {"error": NO})
        error = {"name": "WaitpointFailedError", "code": "WAITPOINT_FAILED", "message": "no"}
        assert json.loads(api.retrieve(token["id"])["output"]) == error

    @pytest.mark.parametrize("error", ACCEPTED)
    def test_takes_an_error(self, api: Api, error: Any) -> None:
        assert complete(api, api.create(), {"error": error}).status == 200

    @pytest.mark.parametrize("body", REFUSED)
    def test_refuses_any_other_and_anything_beside_it(self, api: Api, world: World, body: Any) -> None:
        token = api.create()
        is_refused(world, lambda: complete(api, token, body), 400)
