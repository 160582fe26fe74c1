"""What each answer of Step Functions, and of Lambda to a callback, means, and that their fakes are as strict as AWS."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from tests.support.in_process.fakes.durable_functions import FakeDurableFunctions
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.fakes.waits import (
    DENIED,
    LOST_RESPONSE,
    OUTPUT_REFUSED,
    THROTTLED,
    UNAVAILABLE,
    UNREACHABLE,
    Fault,
    refusal,
)
from waitpoints.aws.services.durable_functions import DurableFunctions
from waitpoints.aws.services.step_functions import StepFunctions
from waitpoints.errors import CannotResume, CannotResumeNow, OutputRefused
from waitpoints.token import ReplyKind
from waitpoints.waiter_result import RESULT_LIMITS, Failure, Success

DONE = Success('{"ok":true,"output":1}')
ERROR = Failure("WaitpointTimeoutError", "Waitpoint timed out at …")
TOO_LARGE = json.dumps("x" * max(RESULT_LIMITS.values()))
TRANSIENT = [THROTTLED, UNAVAILABLE, UNREACHABLE, LOST_RESPONSE, Fault(lambda _: ReadTimeoutError(endpoint_url="x"))]

Meaning = ReplyKind | type[Exception]
OF_STEP_FUNCTIONS: dict[str, Meaning] = {
    "TaskTimedOut": ReplyKind.GONE,
    "TaskDoesNotExist": ReplyKind.GONE,
    "InvalidOutput": OutputRefused,
    "InvalidToken": CannotResume,
    "KmsAccessDeniedException": CannotResume,
    "KmsInvalidStateException": CannotResume,
    "KmsThrottlingException": CannotResumeNow,
}
OF_LAMBDA: dict[str, Meaning] = {
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


@dataclass(frozen=True)
class Service:
    """One of the services that resume a waiter: its fake, the operations for a result and an error, and what their errors
    mean. `only_for_result` is the error that a result alone can get, and what it means then.
    """

    make: Any
    fake: Any
    model: str
    operations: tuple[str, str]
    meanings: Mapping[str, Meaning]
    only_for_result: str
    refused: tuple[str, ...]


SERVICES = {
    "Step Functions": Service(
        StepFunctions,
        FakeStepFunctions,
        "stepfunctions",
        ("SendTaskSuccess", "SendTaskFailure"),
        OF_STEP_FUNCTIONS,
        "InvalidOutput",
        ("", "{", "not json", TOO_LARGE),
    ),
    "Lambda": Service(
        DurableFunctions,
        FakeDurableFunctions,
        "lambda",
        ("SendDurableExecutionCallbackSuccess", "SendDurableExecutionCallbackFailure"),
        OF_LAMBDA,
        "InvalidParameterValueException",
        (TOO_LARGE,),
    ),
}


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> Service:
    return SERVICES[request.param]


@pytest.fixture
def fake(service: Service) -> Any:
    return service.fake()


@pytest.fixture
def waits(service: Service, fake: Any) -> Any:
    return service.make(lambda: fake)


@pytest.mark.parametrize("result", [DONE, ERROR])
def test_what_waits_is_resumed_with_the_result(fake: Any, waits: Any, result: Success | Failure) -> None:
    handle = fake.start()
    assert waits.resume(handle, result) is ReplyKind.RESUMED
    assert fake.result(handle) == result


def test_what_was_answered_or_stopped_is_gone(fake: Any, waits: Any) -> None:
    answered, stopped = fake.start(), fake.start()
    waits.resume(answered, DONE)
    fake.stop(stopped)
    for handle in (answered, stopped):
        assert waits.resume(handle, Success("2")) is ReplyKind.GONE
    assert (fake.result(answered), fake.result(stopped)) == (DONE, None)


@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_transient_failure_is_retried(fake: Any, waits: Any, fault: Fault) -> None:
    handle = fake.start()
    fake.fail_next(fault)
    with pytest.raises(CannotResumeNow):
        waits.resume(handle, DONE)
    assert waits.resume(handle, DONE) is (ReplyKind.GONE if fault.takes_effect else ReplyKind.RESUMED)
    assert fake.result(handle) == DONE


def test_a_refused_output_is_permanent_and_leaves_it_waiting(service: Service, fake: Any, waits: Any) -> None:
    for output in service.refused:
        handle = fake.start()
        for _ in range(2):
            with pytest.raises(OutputRefused, match=service.only_for_result):
                waits.resume(handle, Success(output))
        assert waits.resume(handle, ERROR) is ReplyKind.RESUMED


@pytest.mark.parametrize("fault", [DENIED, Fault("output refused")])
def test_access_denied_is_permanent_as_is_a_refused_output(fake: Any, waits: Any, fault: Fault) -> None:
    fake.fail_next(fault)
    with pytest.raises(OutputRefused if fault == OUTPUT_REFUSED else CannotResume) as caught:
        waits.resume(fake.start(), DONE)
    assert caught.type is (OutputRefused if fault == OUTPUT_REFUSED else CannotResume)


@pytest.mark.parametrize(
    ("service", "handle"), [("Step Functions", "never issued"), ("Lambda", "not-base64")], indirect=["service"]
)
def test_a_handle_that_was_never_issued_is_refused_whatever_is_sent(waits: Any, handle: str) -> None:
    with pytest.raises(CannotResume, match="Invalid"):
        waits.resume(handle, ERROR)


@pytest.mark.parametrize(("number", "result"), [(0, DONE), (1, ERROR)])
def test_every_error_of_the_service_model_has_a_meaning(
    service: Service, fake: Any, waits: Any, number: int, result: Success | Failure
) -> None:
    model = boto3.client(service.model, "us-east-1").meta.service_model.operation_model(service.operations[number])
    codes = {shape.name for shape in model.error_shapes}
    assert codes == service.meanings.keys() - ({"InvalidOutput"} if number else set())
    for code in codes:
        meaning = OutputRefused if code == service.only_for_result and not number else service.meanings[code]
        handle = fake.start()
        fake.fail_next(Fault(refusal(code, "as the test says")))
        if isinstance(meaning, ReplyKind):
            assert waits.resume(handle, result) is meaning
            continue
        with pytest.raises((CannotResume, CannotResumeNow), match=code) as caught:
            waits.resume(handle, result)
        assert caught.type is meaning


class TestTheFakes:
    """moto is too lenient here, so the tests of a second resume use these."""

    @pytest.mark.parametrize(
        ("start", "length"),
        [
            *((FakeStepFunctions().start_task, length) for length in (712, 1024, 2048)),
            (FakeDurableFunctions().start_callback, 1024),
        ],
    )
    def test_give_handles_of_real_length_and_alphabet(self, start: Any, length: int) -> None:
        handle = start(length)
        assert len(handle) == length
        assert all(character in handle for character in "+/=")
        assert start(length) != handle

    @pytest.mark.parametrize(("more", "accepted"), [(0, True), (1, False)])
    def test_count_the_bytes_of_a_result(self, fake: Any, waits: Any, more: int, accepted: bool) -> None:
        size = RESULT_LIMITS[fake.kind] + more
        output = '"' + "ü" * (size // 2 - 1) + "x" * (size % 2) + '"'
        assert len(output.encode()) == size
        handle = fake.start()
        if accepted:
            waits.resume(handle, Success(output))
        else:
            with pytest.raises(OutputRefused):
                waits.resume(handle, Success(output))
        assert (fake.result(handle) is not None) is accepted

    def test_refuse_values_over_the_limits_of_step_functions(self) -> None:
        fake = FakeStepFunctions()
        task_token = fake.start_task()
        for arguments in ({"error": "e" * 257}, {"cause": "c" * 32_769}):
            with pytest.raises(ClientError, match="ValidationException"):
                fake.send_task_failure(taskToken=task_token, **arguments)
        with pytest.raises(ClientError, match="ValidationException"):
            fake.send_task_success(taskToken="t" * 2049, output="1")
        assert fake.result(task_token) is None
