"""What waits answers as it does with botocore around it."""

from typing import Any
from unittest import mock

from botocore.exceptions import ClientError, ParamValidationError

from tests.support.faults.wire import Wire
from tests.support.faults.world import World
from tests.support.in_process import moto_shortcut
from tests.support.in_process.moto_stack import MotoStack
from waitpoints.wiring import services

ERROR = {"ErrorType": "Error", "ErrorMessage": "text", "ErrorData": "{}"}


def answers(world: World) -> list[Any]:
    task_tokens, callback_ids = ([waits.start() for _ in range(2)] for waits in (world.step_functions, world.durable_functions))
    step_functions, lambda_ = services.step_functions_client, services.lambda_client
    success, failure = lambda_.send_durable_execution_callback_success, lambda_.send_durable_execution_callback_failure
    return [
        answer(step_functions.send_task_success, taskToken=task_tokens[0], output="1"),
        answer(step_functions.send_task_success, taskToken=task_tokens[0], output="1"),
        answer(step_functions.send_task_success, taskToken=task_tokens[1], output="no JSON"),
        answer(step_functions.send_task_success, taskToken=task_tokens[1], output=1),
        answer(step_functions.send_task_failure, taskToken=task_tokens[1], error="Error", cause="text"),
        answer(step_functions.send_task_failure, taskToken="unknown"),
        answer(success, CallbackId=callback_ids[0], Result=b"1"),
        answer(success, CallbackId=callback_ids[0], Result=b"1"),
        answer(success, CallbackId=callback_ids[1]),
        answer(failure, CallbackId=callback_ids[1], Error=ERROR),
        answer(failure, CallbackId=callback_ids[1], Error=ERROR),
        answer(failure, CallbackId="AAAA", Error=ERROR),
    ]


def answer(call: Any, **parameters: Any) -> Any:
    try:
        answered = call(**parameters)
    except ClientError as error:
        return str(error), error.response["Error"], [kind.__name__ for kind in type(error).__mro__]
    except (ParamValidationError, TypeError) as error:
        return str(error)
    return answered["ResponseMetadata"]["HTTPStatusCode"]


def test_what_waits_answers_the_same_without_botocore(stack: MotoStack) -> None:
    world = World(stack)
    with world.alive():
        direct = answers(world)
        with mock.patch.object(Wire, "_resumes_directly", return_value=False):
            ordinary = answers(world)
    assert direct == ordinary
    assert direct.count(200) == 4


def test_botocore_need_not_be_there_for_what_waits(stack: MotoStack) -> None:
    world = World(stack)
    with world.alive(), mock.patch.object(moto_shortcut, "by_botocore", side_effect=NotImplementedError):
        token = world.create()
        for waits in world.waits.values():
            world.expect(world.wait(token, waits=waits), token, "1")
        world.deliver(token, "1")
        world.come_to_rest()
        assert world.lost() == []
