"""What is sent to Lambda over boto3's own client. What its answers mean is in test_step_functions.py."""

import json
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError

from waitpoints.aws.services.durable_functions import DurableFunctions
from waitpoints.errors import CannotResume, CannotResumeNow
from waitpoints.token import ReplyKind
from waitpoints.waiter_result import Failure, Success

CALLBACK_ID = "Ab9+/c2VjcmV0IG9mIGEgY2FsbGJhY2s="
DONE = Success('{"ok":true,"output":1}')
ERROR = Failure("WaitpointTimeoutError", "Waitpoint timed out at 2027-01-15T08:00:00.000Z", "TRIGGER_WAITPOINT_TIMEOUT")


@dataclass
class Wire:
    """Lambda's end of the wire: keeps each request, and answers each with the same status and error."""

    client: Any
    status: int = 200
    code: str = ""
    requests: list[Any] = field(default_factory=list)

    def answer(self, request: Any, **_: Any) -> Any:
        self.requests.append(request)
        answer: Any = AWSResponse  # its types ask for an HTTP connection
        response = answer(request.url, self.status, {"x-amzn-errortype": self.code}, None)
        response._content = b'{"message": "as the test says"}' if self.code else b""
        return response


@pytest.fixture
def wire() -> Wire:
    once = Config(retries={"total_max_attempts": 1})
    client = boto3.client("lambda", "us-east-1", aws_access_key_id="key", aws_secret_access_key="secret", config=once)
    made = Wire(client)
    client.meta.events.register("before-send.lambda", made.answer)
    return made


def test_the_result_is_sent_as_the_bodys_own_text(wire: Wire) -> None:
    text = '{"ok":true,"output":{"n":12345678901234567890,"text":"Größe 🎈"}}'
    assert DurableFunctions(lambda: wire.client).resume(CALLBACK_ID, Success(text)) is ReplyKind.RESUMED
    [request] = wire.requests
    callback = CALLBACK_ID.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    assert request.url.endswith(f"/2025-12-01/durable-execution-callbacks/{callback}/succeed")
    assert request.body == text.encode()


@pytest.mark.parametrize("code", ["TRIGGER_WAITPOINT_TIMEOUT", None])
def test_a_failure_has_its_name_and_its_code_as_data(wire: Wire, code: str | None) -> None:
    DurableFunctions(lambda: wire.client).resume(CALLBACK_ID, Failure(ERROR.error, ERROR.cause, code))
    [request] = wire.requests
    assert request.url.endswith("/fail")
    sent = json.loads(request.body)
    data = json.loads(sent.pop("ErrorData"))
    assert sent == {"ErrorType": ERROR.error, "ErrorMessage": ERROR.cause}
    assert data == {"name": ERROR.error, "message": ERROR.cause} | ({"code": code} if code else {})


@pytest.mark.parametrize("result", [DONE, ERROR])
def test_access_denied_is_permanent(wire: Wire, result: Success | Failure) -> None:
    """An error of every service, which the model of none lists. boto3 takes its name from the answer's header."""
    wire.status, wire.code = 403, "AccessDeniedException"
    with pytest.raises(CannotResume, match="AccessDenied"):
        DurableFunctions(lambda: wire.client).resume(CALLBACK_ID, result)


def test_a_boto3_without_callbacks_is_permanent() -> None:
    too_old: Any = object()
    durable_functions = DurableFunctions(lambda: too_old)
    assert not durable_functions.can_resume
    with pytest.raises(CannotResume, match="Boto3TooOld"):
        durable_functions.resume(CALLBACK_ID, ERROR)


def test_a_client_that_cannot_be_made_now_is_retried() -> None:
    def fails() -> Any:
        raise ReadTimeoutError(endpoint_url="x")  # of the credentials' endpoint

    with pytest.raises(CannotResumeNow, match="ReadTimeoutError"):
        DurableFunctions(fails).resume(CALLBACK_ID, DONE)
