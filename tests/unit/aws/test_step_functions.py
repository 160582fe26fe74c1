"""What each answer of Step Functions means, and that the fake is as strict as AWS."""

import json

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.fakes.waits import (
    DENIED,
    LOST_RESPONSE,
    OUTPUT_LIMIT,
    THROTTLED,
    UNAVAILABLE,
    UNREACHABLE,
    Fault,
    refusal,
)
from waitpoints.aws.step_functions import StepFunctions
from waitpoints.errors import CannotResume, CannotResumeNow, OutputRefused
from waitpoints.token import ReplyKind
from waitpoints.waiter_result import RESULT_LIMIT, Failure, Success

DONE = Success('{"ok":true,"output":1}')
OPERATIONS: dict[str, Success | Failure] = {"SendTaskSuccess": DONE, "SendTaskFailure": Failure("WaitpointTimeoutError", "…")}
MEANINGS: dict[str, ReplyKind | type[Exception]] = {
    "TaskTimedOut": ReplyKind.GONE,
    "TaskDoesNotExist": ReplyKind.GONE,
    "InvalidOutput": OutputRefused,
    "InvalidToken": CannotResume,
    "KmsAccessDeniedException": CannotResume,
    "KmsInvalidStateException": CannotResume,
    "KmsThrottlingException": CannotResumeNow,
}


@pytest.fixture
def fake() -> FakeStepFunctions:
    return FakeStepFunctions()


@pytest.fixture
def step_functions(fake: FakeStepFunctions) -> StepFunctions:
    return StepFunctions(lambda: fake)


@pytest.mark.parametrize("result", [DONE, Failure("WaitpointTimeoutError", "Waitpoint timed out at …")])
def test_a_waiting_task_is_resumed_with_the_result(
    fake: FakeStepFunctions, step_functions: StepFunctions, result: Success | Failure
) -> None:
    task_token = fake.start_task()
    assert step_functions.resume(task_token, result) is ReplyKind.RESUMED
    assert fake.result(task_token) == result


def test_an_answered_or_stopped_task_is_gone(fake: FakeStepFunctions, step_functions: StepFunctions) -> None:
    answered, stopped = fake.start_task(), fake.start_task()
    step_functions.resume(answered, DONE)
    fake.stop(stopped)
    for task_token in (answered, stopped):
        assert step_functions.resume(task_token, Success("2")) is ReplyKind.GONE
    assert (fake.result(answered), fake.result(stopped)) == (DONE, None)


@pytest.mark.parametrize(
    "fault", [THROTTLED, UNAVAILABLE, UNREACHABLE, LOST_RESPONSE, Fault(lambda _: ReadTimeoutError(endpoint_url="x"))]
)
def test_a_transient_failure_is_retried(fake: FakeStepFunctions, step_functions: StepFunctions, fault: Fault) -> None:
    task_token = fake.start_task()
    fake.fail_next(fault)
    with pytest.raises(CannotResumeNow):
        step_functions.resume(task_token, DONE)
    expected = ReplyKind.GONE if fault.takes_effect else ReplyKind.RESUMED
    assert step_functions.resume(task_token, DONE) is expected
    assert fake.result(task_token) == DONE


@pytest.mark.parametrize("output", ["", "{", "not json", json.dumps("x" * RESULT_LIMIT)])
def test_a_refused_output_is_permanent_and_leaves_the_task_waiting(
    fake: FakeStepFunctions, step_functions: StepFunctions, output: str
) -> None:
    task_token = fake.start_task()
    for _ in range(2):
        with pytest.raises(OutputRefused, match="InvalidOutput"):
            step_functions.resume(task_token, Success(output))
    assert step_functions.resume(task_token, DONE) is ReplyKind.RESUMED


def test_a_task_token_that_was_never_issued_is_refused(step_functions: StepFunctions) -> None:
    with pytest.raises(CannotResume, match="InvalidToken"):
        step_functions.resume("never issued", DONE)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_error_of_the_service_model_has_a_meaning(
    fake: FakeStepFunctions, step_functions: StepFunctions, operation: str
) -> None:
    model = boto3.client("stepfunctions", "us-east-1").meta.service_model.operation_model(operation)
    codes = {shape.name for shape in model.error_shapes}
    assert codes == MEANINGS.keys() - (set() if operation == "SendTaskSuccess" else {"InvalidOutput"})
    for code in codes:
        meaning, task_token = MEANINGS[code], fake.start_task()
        fake.fail_next(Fault(refusal(code, "as the test says")))
        if isinstance(meaning, ReplyKind):
            assert step_functions.resume(task_token, OPERATIONS[operation]) is meaning
            continue
        with pytest.raises((CannotResume, CannotResumeNow), match=code) as caught:
            step_functions.resume(task_token, OPERATIONS[operation])
        assert caught.type is meaning


def test_access_denied_is_permanent(fake: FakeStepFunctions, step_functions: StepFunctions) -> None:
    fake.fail_next(DENIED)
    with pytest.raises(CannotResume, match="AccessDenied"):
        step_functions.resume(fake.start_task(), DONE)


class TestTheFake:
    """moto is too lenient here, so the tests of a second resume use this fake."""

    @pytest.mark.parametrize("length", [712, 1024, 2048])
    def test_gives_task_tokens_of_real_length_and_alphabet(self, fake: FakeStepFunctions, length: int) -> None:
        task_token = fake.start_task(length)
        assert len(task_token) == length
        assert all(character in task_token for character in "+/=")
        assert fake.start_task(length) != task_token

    def test_accepts_one_answer_for_each_task(self, fake: FakeStepFunctions) -> None:
        task_token = fake.start_task()
        fake.send_task_success(taskToken=task_token, output="1")
        for again in (fake.send_task_success, fake.send_task_failure):
            arguments = {"output": "2"} if again == fake.send_task_success else {"error": "E"}
            with pytest.raises(ClientError, match="TaskTimedOut"):
                again(taskToken=task_token, **arguments)
        assert fake.result(task_token) == Success("1")
        assert fake.calls[task_token] == 3

    @pytest.mark.parametrize(("size", "accepted"), [(OUTPUT_LIMIT, True), (OUTPUT_LIMIT + 1, False)])
    def test_counts_the_bytes_of_an_output(self, fake: FakeStepFunctions, size: int, accepted: bool) -> None:
        output = '"' + "ü" * (size // 2 - 1) + "x" * (size % 2) + '"'
        assert len(output.encode()) == size
        task_token = fake.start_task()
        if not accepted:
            with pytest.raises(ClientError, match="InvalidOutput"):
                fake.send_task_success(taskToken=task_token, output=output)
        else:
            fake.send_task_success(taskToken=task_token, output=output)
        assert (fake.result(task_token) is not None) is accepted

    def test_refuses_values_over_the_limits_of_the_api(self, fake: FakeStepFunctions) -> None:
        task_token = fake.start_task()
        for arguments in ({"error": "e" * 257}, {"cause": "c" * 32_769}):
            with pytest.raises(ClientError, match="ValidationException"):
                fake.send_task_failure(taskToken=task_token, **arguments)
        with pytest.raises(ClientError, match="ValidationException"):
            fake.send_task_success(taskToken="t" * 2049, output="1")
        assert fake.result(task_token) is None

    def test_fails_only_for_the_chosen_task(self, fake: FakeStepFunctions) -> None:
        one, other = fake.start_task(), fake.start_task()
        fake.fail_next(THROTTLED, handle=other)
        fake.send_task_success(taskToken=one, output="1")
        with pytest.raises(ClientError, match="ThrottlingException"):
            fake.send_task_success(taskToken=other, output="1")
        assert fake.result(other) is None
