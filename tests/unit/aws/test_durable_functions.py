"""What each answer of Lambda to a callback means, over boto3's own client, and that the fake is as strict as AWS.

The operations and their errors are those of Lambda's service model in boto3.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

from tests.support.in_process.fakes.durable_functions import FakeDurableFunctions
from tests.support.in_process.fakes.waits import LOST_RESPONSE, OUTPUT_LIMIT, THROTTLED, UNAVAILABLE, UNREACHABLE, Fault
from waitpoints.aws.durable_functions import DurableFunctions
from waitpoints.errors import CannotResume, CannotResumeNow, OutputRefused
from waitpoints.token import ReplyKind
from waitpoints.waiter_result import RESULT_LIMIT, Failure, Success

CALLBACK_ID = "Ab9+/c2VjcmV0IG9mIGEgY2FsbGJhY2s="
DONE = Success('{"ok":true,"output":1}')
ERROR = Failure("WaitpointTimeoutError", "Waitpoint timed out at 2027-01-15T08:00:00.000Z", "TRIGGER_WAITPOINT_TIMEOUT")
MEANINGS: dict[str, ReplyKind | type[Exception]] = {
    "CallbackTimeoutException": ReplyKind.GONE,
    "ResourceNotFoundException": ReplyKind.GONE,
    "InvalidParameterValueException": CannotResume,
    "KMSAccessDeniedException": CannotResume,
    "KMSDisabledException": CannotResume,
    "KMSInvalidStateException": CannotResume,
    "KMSNotFoundException": CannotResume,
    "ServiceException": CannotResumeNow,
    "TooManyRequestsException": CannotResumeNow,
}
OPERATIONS: dict[str, Success | Failure] = {
    "SendDurableExecutionCallbackSuccess": DONE,
    "SendDurableExecutionCallbackFailure": ERROR,
}


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


@pytest.fixture
def fake() -> FakeDurableFunctions:
    return FakeDurableFunctions()


@pytest.fixture
def durable_functions(fake: FakeDurableFunctions) -> DurableFunctions:
    return DurableFunctions(lambda: fake)


def errors(wire: Wire, operation: str) -> Iterator[tuple[str, int]]:
    """Each error that the service model has for an operation, and its HTTP status."""
    for shape in wire.client.meta.service_model.operation_model(operation).error_shapes:
        yield shape.name, shape.metadata["error"]["httpStatusCode"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_error_of_the_service_model_has_a_meaning(wire: Wire, operation: str) -> None:
    found = dict(errors(wire, operation))
    assert found.keys() == MEANINGS.keys()
    for wire.code, wire.status in found.items():
        meaning = MEANINGS[wire.code]
        if isinstance(meaning, ReplyKind):
            assert DurableFunctions(lambda: wire.client).resume(CALLBACK_ID, OPERATIONS[operation]) is meaning
            continue
        with pytest.raises((CannotResume, CannotResumeNow), match=wire.code) as caught:
            DurableFunctions(lambda: wire.client).resume(CALLBACK_ID, OPERATIONS[operation])
        refused = wire.code.startswith("Invalid") and operation.endswith("Success")
        assert caught.type is (OutputRefused if refused else meaning)


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
    """An error of every service, which the model of none lists."""
    wire.status, wire.code = 403, "AccessDeniedException"
    with pytest.raises(CannotResume, match="AccessDenied"):
        DurableFunctions(lambda: wire.client).resume(CALLBACK_ID, result)


@pytest.mark.parametrize("result", [DONE, ERROR])
def test_a_boto3_without_callbacks_is_permanent(result: Success | Failure) -> None:
    too_old: Any = object()
    durable_functions = DurableFunctions(lambda: too_old)
    assert not durable_functions.can_resume
    with pytest.raises(CannotResume, match="Boto3TooOld"):
        durable_functions.resume(CALLBACK_ID, result)


def test_a_client_that_cannot_be_made_now_is_retried() -> None:
    def fails() -> Any:
        raise ReadTimeoutError(endpoint_url="x")  # of the credentials' endpoint

    with pytest.raises(CannotResumeNow, match="ReadTimeoutError"):
        DurableFunctions(fails).resume(CALLBACK_ID, DONE)


@pytest.mark.parametrize("result", [DONE, ERROR])
def test_a_waiting_callback_is_resumed_with_the_result(
    fake: FakeDurableFunctions, durable_functions: DurableFunctions, result: Success | Failure
) -> None:
    callback_id = fake.start_callback()
    assert durable_functions.resume(callback_id, result) is ReplyKind.RESUMED
    assert fake.result(callback_id) == result


def test_an_answered_or_stopped_callback_is_gone(fake: FakeDurableFunctions, durable_functions: DurableFunctions) -> None:
    answered, stopped, unknown = fake.start_callback(), fake.start_callback(), FakeDurableFunctions().start_callback()
    durable_functions.resume(answered, DONE)
    fake.stop(stopped)
    for callback_id in (answered, stopped, unknown):
        assert durable_functions.resume(callback_id, Success("2")) is ReplyKind.GONE
    assert (fake.result(answered), fake.result(stopped)) == (DONE, None)


@pytest.mark.parametrize(
    "fault", [THROTTLED, UNAVAILABLE, UNREACHABLE, LOST_RESPONSE, Fault(lambda _: ReadTimeoutError(endpoint_url="x"))]
)
def test_a_transient_failure_is_retried(fake: FakeDurableFunctions, durable_functions: DurableFunctions, fault: Fault) -> None:
    callback_id = fake.start_callback()
    fake.fail_next(fault)
    with pytest.raises(CannotResumeNow):
        durable_functions.resume(callback_id, DONE)
    expected = ReplyKind.GONE if fault.takes_effect else ReplyKind.RESUMED
    assert durable_functions.resume(callback_id, DONE) is expected
    assert fake.result(callback_id) == DONE


def test_a_result_that_is_too_large_is_refused_and_the_callback_waits_on(
    fake: FakeDurableFunctions, durable_functions: DurableFunctions
) -> None:
    callback_id = fake.start_callback()
    with pytest.raises(OutputRefused, match="InvalidParameterValue"):
        durable_functions.resume(callback_id, Success(json.dumps("x" * RESULT_LIMIT)))
    assert durable_functions.resume(callback_id, ERROR) is ReplyKind.RESUMED


def test_no_callback_id_is_refused_whatever_is_sent(durable_functions: DurableFunctions) -> None:
    with pytest.raises(CannotResume, match="InvalidParameterValue"):
        durable_functions.resume("not-base64", ERROR)


class TestTheFake:
    def test_gives_callback_ids_of_the_models_alphabet(self, fake: FakeDurableFunctions) -> None:
        callback_id = fake.start_callback(1024)
        assert len(callback_id) == 1024
        assert all(character in callback_id for character in "+/=")
        assert fake.start_callback() != fake.start_callback()

    def test_accepts_one_answer_for_each_callback(self, fake: FakeDurableFunctions) -> None:
        callback_id = fake.start_callback()
        fake.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"1")
        with pytest.raises(ClientError, match="CallbackTimeoutException"):
            fake.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"2")
        assert fake.result(callback_id) == Success("1")
        assert fake.calls[callback_id] == 2

    @pytest.mark.parametrize(("size", "accepted"), [(OUTPUT_LIMIT, True), (OUTPUT_LIMIT + 1, False)])
    def test_counts_the_bytes_of_a_result(self, fake: FakeDurableFunctions, size: int, accepted: bool) -> None:
        callback_id, result = fake.start_callback(), b"x" * size
        if accepted:
            fake.send_durable_execution_callback_success(CallbackId=callback_id, Result=result)
        else:
            with pytest.raises(ClientError, match="InvalidParameterValue"):
                fake.send_durable_execution_callback_success(CallbackId=callback_id, Result=result)
        assert (fake.result(callback_id) is not None) is accepted
