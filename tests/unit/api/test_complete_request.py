"""A request to fail a token: which errors it may name, and what becomes of them."""

import json
from typing import Any

import pytest

from tests.support.callbacks import assert_untouched, complete
from tests.support.fakes.in_memory import InMemory
from tests.support.in_process.api_gateway import TOKENS, Api
from tests.support.in_process.template import Template
from waitpoints.waiter_result import Failure, Success

FUNCTIONS = Template.load().functions()


class TestFail:
    def test_settles_with_an_error_that_the_sdk_and_the_runs_read(self, api: Api, world: InMemory) -> None:
        wrapped, unwrapped = world.step_functions.start_task(), world.step_functions.start_task()
        token = api.create(taskToken=wrapped)
        FUNCTIONS["wait_for_token"].call({"waitpointId": token["id"], "taskToken": unwrapped, "unwrap": True})
        error = {"message": "Größe 🎈", "name": "OutOfStock", "code": "E_1"}
        assert complete(api, token, {"error": error}).json == {"success": True, "settled": True}
        shown = api.retrieve(token["id"])
        assert (shown["status"], shown["outputIsError"], shown["outputType"]) == ("COMPLETED", True, "application/json")
        assert json.loads(shown["output"]) == error
        result = world.step_functions.result(wrapped)
        assert isinstance(result, Success)
        assert json.loads(result.json) == {"ok": False, "error": error}
        assert world.step_functions.result(unwrapped) == Failure("OutOfStock", "Größe 🎈")

    def test_has_a_name_and_a_code_of_its_own(self, api: Api) -> None:
        token = api.create()
        complete(api, token, {"error": {"message": "no"}})
        error = {"name": "WaitpointFailedError", "code": "WAITPOINT_FAILED", "message": "no"}
        assert json.loads(api.retrieve(token["id"])["output"]) == error

    def test_is_open_to_a_state_machine(self, api: Api) -> None:
        token = api.create()
        FUNCTIONS["complete_token_in_state"].call({"waitpointId": token["id"], "error": {"message": "no"}})
        assert api.retrieve(token["id"])["outputIsError"] is True

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

    def test_changes_nothing_of_a_token_that_has_ended(self, api: Api) -> None:
        token = api.create()
        complete(api, token, {"data": 1})
        before = api.retrieve(token["id"])
        assert complete(api, token, {"error": {"message": "no"}}).status == 200
        assert api.retrieve(token["id"]) == before

    def test_is_shown_in_a_list_as_completed(self, api: Api) -> None:
        token = api.create()
        complete(api, token, {"error": {"message": "no"}})
        [shown] = api.get(TOKENS).json["data"]
        assert (shown["id"], shown["status"]) == (token["id"], "COMPLETED")
