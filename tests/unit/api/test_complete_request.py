"""A request to fail a token: which errors it may name, and what becomes of them."""

import json
from typing import Any

import pytest

from tests.support.callbacks import assert_untouched, complete
from tests.support.in_process.api_gateway import Api


class TestFail:
    def test_has_a_name_and_a_code_of_its_own(self, api: Api) -> None:
        token = api.create()
        complete(api, token, {"error": {"message": "no"}})
        error = {"name": "WaitpointFailedError", "code": "WAITPOINT_FAILED", "message": "no"}
        assert json.loads(api.retrieve(token["id"])["output"]) == error

    @pytest.mark.parametrize("name", ["A", "a1", "x" * 64, "WaitpointFailedError", "TimeoutError"])
    def test_takes_a_name(self, api: Api, name: str) -> None:
        token = api.create()
        assert complete(api, token, {"error": {"message": "no", "name": name}}).status == 200

    @pytest.mark.parametrize(
        "name",
        [
            *("", "1a", "a_b", "a.b", "a b", "é", "x" * 65, "a\n", 7, None, ["a"]),
            *("States.ALL", "States.Timeout", "Lambda.Unknown", "TryAgain", "TokenNotFound", "InvalidRequest"),
            *("WaitpointTimeoutError", "WaitpointOutputRefused", "CannotResumeNow", "PayloadRefused", "WaitpointsError"),
        ],
    )
    def test_refuses_a_name_that_a_retry_must_not_match(self, api: Api, name: Any) -> None:
        token = api.create()
        assert complete(api, token, {"error": {"message": "no", "name": name}}).status == 400
        assert_untouched(api, token)

    @pytest.mark.parametrize(
        ("message", "status"), [("ü" * 2048, 200), ("ü" * 2048 + "x", 400), ("", 400), (7, 400), (None, 400)]
    )
    def test_takes_a_message_of_at_most_4_kib(self, api: Api, message: Any, status: int) -> None:
        assert complete(api, api.create(), {"error": {"message": message}}).status == status

    @pytest.mark.parametrize(("code", "status"), [("x" * 128, 200), ("x" * 129, 400), ("", 400), (7, 400), (None, 400)])
    def test_takes_a_code(self, api: Api, code: Any, status: int) -> None:
        assert complete(api, api.create(), {"error": {"message": "no", "code": code}}).status == status

    @pytest.mark.parametrize("more", [{"data": 1}, {"data": None}, {"more": 1}])
    def test_refuses_anything_beside_the_error(self, api: Api, more: Any) -> None:
        token = api.create()
        assert complete(api, token, {"error": {"message": "no"}, **more}).status == 400
        assert_untouched(api, token)
