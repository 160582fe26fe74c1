"""What a test answers in the place of a service or a function, call by call, and the tasks that nothing here can answer.

A test says it of a state machine before it starts it, by POST /_waitpoints/stand-ins, and asks what its executions wait for:

    {"machine": ARN, "stand_ins": {NAME: [{"returns": …}, {"error": …, "message": …}]}, "echoing": [NAME], "unsent": [NAME]}
    {"execution": ARN}                  return the task tokens that are waited for, by the numbers of their TaskScheduled
                                        events, and as [TOKEN, STATE, ITEMS] those of the children of distributed Maps

The last answer of a state or a function stays. A function that is `echoing` also returns what it is given. A task that waits
for its token, and whose queue, topic, function, … is not here, or that is `unsent`, waits without having sent it: the test
answers it.
"""

import copy
import io
import json
import re
import shlex
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from types import SimpleNamespace
from typing import Any

from waitpoints_local.interpreter.bare import failure, part, put_in_place_of, runtime_failure, state
from waitpoints_local.interpreter.runs import run_here, runs
from waitpoints_local.interpreter.services import NotEmulated
from waitpoints_local.interpreter.strands import state_here

PATH = "/_waitpoints/stand-ins"
_NOT_HERE = re.compile(r"NotFound|NonExistent|NoSuch|DoesNotExist|not found|does not exist|Unable to find|not verified")
_NO_OPERATION = ("InvalidAction", "UnknownOperationException", "NotImplemented")


@dataclass
class _Tested:
    """What a test says of a state machine."""

    turns: dict[str, list[dict[str, Any]]]
    """What each call of a state or a function comes to."""
    echoing: frozenset[str]
    unsent: frozenset[str]
    _calls: Counter[str] = field(default_factory=Counter)
    _turn: Lock = field(default_factory=Lock)

    def next(self, name: str) -> dict[str, Any]:
        with self._turn:
            number = min(self._calls[name], len(self.turns[name]) - 1)
            self._calls[name] += 1
        return self.turns[name][number]


_tested: dict[str, _Tested] = {}
"""By the ARNs of the state machines."""


async def answer(asked: Any) -> tuple[int, Any]:
    """Answer the route."""
    if "execution" in asked:
        run = runs.get(str(asked["execution"]))
        children = dict(run.waits_of_children) if run else {}
        told = [[token, *where] for token, where in children.items()]
        return 200, {"waits": dict(run.waits) if run else {}, "of_children": told}
    turns = {name: list(turns) for name, turns in asked["stand_ins"].items()}
    if not all(turns.values()):
        raise ValueError("a name has no answer")
    _tested[str(asked["machine"])] = _Tested(turns, frozenset(asked["echoing"]), frozenset(asked["unsent"]))
    return 200, {}


def answer_tasks(stepfunctions: Any) -> None:
    state("exec.state_task.state_task_factory")  # which loads every kind of task
    delete = stepfunctions._delete_state_machine

    def delete_and_forget(data: dict[str, Any]) -> Any:
        _tested.pop(data.get("stateMachineArn", ""), None)
        return delete(data)

    stepfunctions._delete_state_machine = delete_and_forget
    environment = part("asl.eval.environment").Environment
    environment.is_mocked_mode = lambda _: _is_answered()
    environment.get_current_mocked_response = lambda _: _next_turn()
    put_in_place_of("eval_mocked_response", _answer)
    _answer_activities()
    _answer_item_readers()
    _answer_functions()
    _say_what_helps()


def _tested_here() -> _Tested | None:
    run = run_here.get()
    return _tested.get(run.execution["stateMachineArn"]) if run else None


def _is_answered() -> bool:
    tested = _tested_here()
    return tested is not None and state_here.get() in tested.turns


def _next_turn() -> dict[str, Any]:
    tested = _tested_here()
    assert tested
    return tested.next(state_here.get())


def _answer(env: Any, mocked_response: dict[str, Any]) -> None:
    """Let the call of a task come to this. A function fails with its own error."""
    turn = mocked_response
    if "returns" in turn:
        env.stack.append(copy.deepcopy(turn["returns"]))
        return
    if turn.get("of_function"):
        error = state("exec.state_task.lambda_eval_utils").LambdaFunctionErrorException
        raise error("Unhandled", json.dumps({"errorMessage": turn["message"], "errorType": turn["error"]}))
    raise failure(env, turn["error"], turn["message"])


def _answer_activities() -> None:
    """Answer the task of an activity as its worker would, whether the activity is here or not."""
    callback, activities = part("asl.eval.callback.callback"), part("asl.eval.environment").CallbackPoolManager
    add = activities.add_activity_task

    def add_answered(self: Any, callback_id: str, activity_arn: str, activity_input: str) -> Any:
        if not _is_answered():
            return add(self, callback_id=callback_id, activity_arn=activity_arn, activity_input=activity_input)
        turn, endpoint = _next_turn(), callback.ActivityCallbackEndpoint(callback_id, activity_input)
        endpoint.setup_heartbeat_endpoint = lambda **_: SimpleNamespace(clear_and_wait=lambda: True)
        endpoint.notify_activity_task_start(None)
        if "returns" in turn:
            endpoint.notify(callback.CallbackOutcomeSuccess(callback_id, json.dumps(turn["returns"])))
        else:
            endpoint.notify(callback.CallbackOutcomeFailure(callback_id, turn["error"], turn["message"]))
        return endpoint

    activities.add_activity_task = add_answered


def _answer_item_readers() -> None:
    """Answer what a distributed Map reads from S3 with the items, or with the failure to read them."""
    reader = state("exec.state_map.item_reader.item_reader_decl").ItemReader
    read = reader._eval_body

    def read_or_answer(self: Any, env: Any) -> None:
        if not _is_answered():
            read(self, env)
            return
        _answer(env, _next_turn())
        if not isinstance(env.stack[-1], list):
            raise failure(env, "States.ItemReaderFailed", "Attempting to map over non-iterable node.", "MapRunFailed")

    reader._eval_body = read_or_answer


def _answer_functions() -> None:
    client_for = state("exec.state_task.lambda_eval_utils").boto_client_for

    def client_with_stand_ins(service: str, region: str, state_credentials: Any = None) -> Any:
        client = client_for(service=service, region=region, state_credentials=state_credentials)
        return _Functions(client) if service == "lambda" else client

    put_in_place_of("boto_client_for", client_with_stand_ins)


class _Functions:
    """A client of Lambda that has stand-ins in the place of some functions."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def invoke(self, FunctionName: str, Payload: bytes = b"{}", **named: Any) -> Any:
        tested, name = _tested_here(), FunctionName.rpartition(":function:")[2].partition(":")[0]
        if tested is None or name not in tested.turns:
            return self._client.invoke(FunctionName=FunctionName, Payload=Payload, **named)
        turn, given = tested.next(name), json.loads(Payload)
        answer, failed = turn.get("returns"), {}
        if "error" in turn:
            answer, failed = {"errorMessage": turn["message"], "errorType": turn["error"]}, {"FunctionError": "Unhandled"}
        elif name in tested.echoing and isinstance(given, dict):
            answer = {**turn["returns"], **given}
        sent = io.BytesIO(json.dumps(answer).encode())
        return {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": sent, **failed}


def _say_what_helps() -> None:
    """Fail a task at once, whatever its Retry and Catch, if nothing here answers it."""
    service = "exec.state_task.service.state_task_service"
    tasks = state(f"{service}_callback").StateTaskServiceCallback
    state(f"{service}_factory")._UNSUPPORTED_SERVICE_NAMES.add("http")
    tasks._assert_integration_pattern_is_supported = lambda _: None
    of_api = state(f"{service}_api_gateway").StateTaskServiceApiGateway  # which would call a URL beyond this machine
    of_api._eval_service_task, of_api._from_error = _call_nothing, tasks._from_error
    for task in _kinds_of(tasks):
        if "_eval_service_task" in vars(task):
            task._eval_service_task = _helping(task._eval_service_task)


def _call_nothing(*_: Any, **__: Any) -> None:
    raise NotEmulated


def _kinds_of(task: Any) -> list[Any]:
    return [task, *(kind for inner in task.__subclasses__() for kind in _kinds_of(inner))]


def _helping(call: Callable[..., None]) -> Callable[..., None]:
    def call_or_help(self: Any, env: Any, **given: Any) -> None:
        tested, pattern = _tested_here(), self.resource.condition
        is_answered = tested is not None and pattern == "waitForTaskToken"  # by the test
        if tested and is_answered and state_here.get() in tested.unsent:
            env.stack.append({})
            return
        if pattern and pattern not in self._supported_integration_patterns:
            raise _unanswered(env, self)
        try:
            call(self, env=env, **given)
        except Exception as error:
            is_absent = tested is not None and pattern is not None and _names_what_is_not_here(error)
            if not is_absent and not _is_unknown(error, self._get_boto_service_action()):
                raise
            if not is_answered:
                raise _unanswered(env, self) from error
            env.stack.append({})

    return call_or_help


def _is_unknown(error: Exception, action: str) -> bool:
    """Whether an error says that the service or its action is not here."""
    is_new = isinstance(error, AttributeError) and f"'{action}'" in str(error)  # to botocore
    return is_new or isinstance(error, NotEmulated) or _told(error).get("Code") in _NO_OPERATION


def _names_what_is_not_here(error: Exception) -> bool:
    return bool(_NOT_HERE.search(" ".join(map(str, _told(error).values()))))


def _told(error: Exception) -> dict[str, Any]:
    found: dict[str, Any] = getattr(error, "response", {}).get("Error", {})
    return found


def _unanswered(env: Any, task: Any) -> Exception:
    name = state_here.get()
    option, argument = shlex.quote(f"{name}={{…}}"), f"stand_ins={{{json.dumps(name, ensure_ascii=False)}: …}}"
    what = task.resource.resource_arn.rpartition(":states:::")[2]
    about = f'Nothing on the local stack answers {what} of the state "{name}": add --stand-in {option}, or {argument} in a test'
    return runtime_failure(env, about)  # type: ignore[no-any-return]  # moto has no types
