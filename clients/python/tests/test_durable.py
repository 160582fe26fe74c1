"""What `wait_for_token` asks of the wait function, and what it makes of the callback's result.

The suite of the stack runs it in a durable function. Here a context stands in for AWS's SDK, which needs Python 3.11.
"""

import io
import json
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from waitpoints_client import TIMEOUT_CODE, ConfigurationError, Failed, Ok, durable
from waitpoints_client.durable import NotRegisteredError, StoredOutput, wait_for_token

ARN = "arn:aws:lambda:us-east-1:123456789012:function:orders:1/durable-execution/orders/4711"
TIMED_OUT = {"name": "WaitpointTimeoutError", "code": TIMEOUT_CODE, "message": "Waitpoint timed out"}
REJECTED = {"name": "OrderRejected", "code": "", "message": "It is out of stock"}
STORED = {"bucket": "outputs", "key": "waitpoint_01/1"}


class Context:
    """Runs the submitter once, and returns what the callback was settled with."""

    def __init__(self, result: str) -> None:
        self.execution_context = SimpleNamespace(durable_execution_arn=ARN)
        self.result = result
        self.options: dict[str, Any] = {}

    def wait_for_callback(self, submitter: Callable[[str, object], None], **options: Any) -> str:
        self.options = options
        submitter("callback-id", None)
        return self.result


class Lambda:
    def __init__(self) -> None:
        self.answer: dict[str, Any] = {"Payload": io.BytesIO(b"null")}
        self.invoked: list[tuple[str, Any]] = []

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        self.invoked.append((FunctionName, json.loads(Payload)))
        return self.answer


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> Lambda:
    functions = Lambda()
    durable._make_lambda_client.cache_clear()
    monkeypatch.setenv("WAITPOINTS_WAIT_FUNCTION", "WaitForToken")
    monkeypatch.setitem(sys.modules, "boto3", SimpleNamespace(client={"lambda": functions}.__getitem__))
    return functions


def wait(result: Any, **options: Any) -> Any:
    context: Any = Context(json.dumps(result))
    return wait_for_token(context, "waitpoint_01", **options)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"ok": True, "output": {"approved": True}}, Ok({"approved": True})),
        ({"ok": True, "output": None}, Ok(None)),
        ({"ok": True, "output": {"outputReference": STORED}}, Ok({"outputReference": STORED})),
        ({"ok": True, "outputReference": STORED}, Ok(StoredOutput("outputs", "waitpoint_01/1"))),
    ],
)
def test_a_completed_token_is_ok(functions: Lambda, result: Any, expected: Ok) -> None:
    assert wait(result) == expected


@pytest.mark.parametrize(("error", "timed_out"), [(REJECTED, False), (TIMED_OUT, True)])
def test_a_token_that_was_failed_or_timed_out_is_failed(functions: Lambda, error: dict[str, str], timed_out: bool) -> None:
    result = wait({"ok": False, "error": error})
    assert isinstance(result, Failed)
    assert (result.error.model_dump(), result.timed_out) == (error, timed_out)


def test_only_the_stack_can_say_that_a_token_timed_out(functions: Lambda) -> None:
    """Whoever fails a token chooses its code, but not this name."""
    assert not wait({"ok": False, "error": {**REJECTED, "code": TIMED_OUT["code"]}}).timed_out


@pytest.mark.parametrize("token", [None, {"id": "waitpoint_01"}, 7])
def test_what_is_no_token_is_refused(functions: Lambda, token: Any) -> None:
    context: Any = Context("{}")
    with pytest.raises(TypeError, match="Expected a token or its id"):
        wait_for_token(context, token)
    assert not functions.invoked


def test_with_unwrap_the_result_is_the_output(functions: Lambda) -> None:
    assert wait({"ok": False}, unwrap=True) == {"ok": False}
    [(_, payload)] = functions.invoked
    assert payload["unwrap"] is True


def test_the_wait_function_gets_the_callback_id_and_the_execution(functions: Lambda) -> None:
    wait({"ok": True, "output": 1})
    payload = {"waitpointId": "waitpoint_01", "callbackId": "callback-id", "unwrap": False, "execution": ARN}
    assert functions.invoked == [("WaitForToken", payload)]


def test_takes_a_token_of_the_client_a_function_and_options_of_the_sdk(functions: Lambda) -> None:
    context: Any = Context('{"ok":true,"output":1}')
    config: Any = object()
    token = SimpleNamespace(id="waitpoint_02")
    assert wait_for_token(context, token, function="Other", name="approval", config=config) == Ok(1)
    [(function, payload)] = functions.invoked
    assert (function, payload["waitpointId"]) == ("Other", "waitpoint_02")
    assert context.options == {"name": "approval", "config": config}


def test_an_error_of_the_wait_function_fails_the_step(functions: Lambda) -> None:
    functions.answer = {"FunctionError": "Unhandled", "Payload": io.BytesIO(b'{"errorType": "TryAgain"}')}
    with pytest.raises(NotRegisteredError, match="TryAgain"):
        wait({"ok": True, "output": 1})


def test_without_a_wait_function_the_error_says_what_to_set(functions: Lambda, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAITPOINTS_WAIT_FUNCTION")
    with pytest.raises(ConfigurationError, match="WAITPOINTS_WAIT_FUNCTION"):
        wait({"ok": True, "output": 1})
    assert functions.invoked == []


def test_a_number_of_any_length_can_be_read(functions: Lambda) -> None:
    context: Any = Context('{"ok":true,"output":' + "9" * 5_000 + "}")
    assert wait_for_token(context, "waitpoint_01") == Ok(float("inf"))


def test_without_the_extra_the_error_says_what_to_install(functions: Lambda, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ConfigurationError, match=r"Python 3\.11 or newer\): in a clone, pip install"):
        wait({"ok": True, "output": 1})
