"""Between botocore and AWS: records every call that a handler makes, and makes one of them fail.

It stands below botocore's own retries, so a fault of one attempt is met by the next one, as it would be on AWS. What waits
are the strict fakes; everything else is moto.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast
from unittest import mock

from botocore.client import BaseClient
from botocore.endpoint import Endpoint
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from botocore.retries.quota import RetryQuota
from botocore.retries.standard import ExponentialBackoff

from tests.support.in_process import moto_shortcut
from tests.support.in_process.fakes.durable_functions import FakeDurableFunctions
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_shortcut import Attempt, response
from tests.support.in_process.quick_parameters import read

EVERY_ATTEMPT = 1_000
NOT_REPEATED = ("email.", "slack.", "teams.", "issuer.")
"""Calls that are not AWS's: nothing repeats them, so a fault of one attempt is one of the call."""

MakeCall = Callable[[Any], Any]
"""Makes a call with these parameters, without a fault."""


class Killed(BaseException):
    """The process is killed: nothing may catch this, and no call follows."""


@dataclass(frozen=True)
class Fault:
    """How a call fails: how many attempts, before or after it took effect, and with which error."""

    name: str
    answer: Callable[[str, str, Any], Attempt]
    """The answer to a call of a service: an operation with parameters."""
    after_effect: bool = False
    attempts: int = EVERY_ATTEMPT
    only: str | None = None
    """The only operation that can fail this way."""
    in_part: Callable[[MakeCall, Any], Any] | None = None
    """Makes the call for a part of its parameters, and answers that the rest failed."""

    def can_happen_to(self, call: str) -> bool:
        if self.attempts == 1 and call.startswith(NOT_REPEATED):
            return False
        return self.only is None or call.endswith(self.only)


def _raises(error: Callable[..., Exception]) -> Callable[[str, str, Any], Attempt]:
    return lambda service, *_: (None, error(endpoint_url=f"https://{service}.us-east-1.amazonaws.com/", error="test"))


def _throttles(service: str, *_: Any) -> Attempt:
    code, status = {
        "dynamodb": ("ProvisionedThroughputExceededException", 400),
        "s3": ("SlowDown", 503),
        "sqs": ("RequestThrottled", 403),
        "lambda": ("TooManyRequestsException", 429),
    }.get(service, ("ThrottlingException", 400))
    return _refused({"Error": {"Code": code, "Message": "Rate exceeded"}}, status)


def cancels(reason: str) -> Attempt:
    """A transaction of two is cancelled because of its first item."""
    reasons = [{"Code": reason}, {"Code": "None"}]
    error = {"Code": "TransactionCanceledException", "Message": "Transaction cancelled"}
    return _refused({"Error": error, "CancellationReasons": reasons}, 400)


def _conflicts(*_: Any) -> Attempt:
    return cancels("TransactionConflict")


def _leaves_out(_service: str, _operation: str, parameters: Any) -> Attempt:
    """A batch of gets of which no key was processed. DynamoDB says so: see UnprocessedKeys in its API reference."""
    return response({"Responses": {}, "UnprocessedKeys": parameters["RequestItems"]}, 200)


def _gets_one(make_call: MakeCall, parameters: Any) -> Any:
    """Only the first key of a batch is processed."""
    [(table, wanted)] = parameters["RequestItems"].items()
    first, *rest = wanted["Keys"]
    answer = make_call({**parameters, "RequestItems": {table: {**wanted, "Keys": [first]}}})
    return {**answer, "UnprocessedKeys": {table: {**wanted, "Keys": rest}} if rest else {}}


def _sends_all_but_one(make_call: MakeCall, parameters: Any) -> Any:
    """The first message of a batch is refused. SQS says so with status 200: see Failed in its API reference."""
    first, *rest = parameters["Entries"]
    failed = [{"Id": first["Id"], "SenderFault": False, "Code": "InternalError"}]
    return {**(make_call({**parameters, "Entries": rest}) if rest else {}), "Failed": failed}


def _kills(*_: Any) -> Attempt:
    raise Killed


FAULTS = [
    Fault("refused once", _raises(EndpointConnectionError), attempts=1),
    Fault("refused", _raises(EndpointConnectionError)),
    Fault("timed out", _raises(ConnectTimeoutError)),
    Fault("answer lost once", _raises(ReadTimeoutError), after_effect=True, attempts=1),
    Fault("answer lost", _raises(ReadTimeoutError), after_effect=True),
    Fault("throttled once", _throttles, attempts=1),
    Fault("throttled", _throttles),
    Fault("5xx", lambda *_: _refused({"Error": {"Code": "InternalServerError", "Message": "Internal error"}}, 500)),
    Fault("killed before", _kills),
    Fault("killed after", _kills, after_effect=True),
    Fault("conflict once", _conflicts, attempts=1, only="TransactWriteItems"),
    Fault("conflict", _conflicts, only="TransactWriteItems"),
    Fault("left out", _leaves_out, only="BatchGetItem"),
    Fault("got in part", _leaves_out, only="BatchGetItem", in_part=_gets_one),
    Fault("sent in part", _throttles, only="SendMessageBatch", in_part=_sends_all_but_one),
]

TOLD_APART = [fault for fault in FAULTS if fault.name not in ("refused once", "timed out")]
"""Those that the functions can tell from all others: botocore repeats a call that was refused once as one that was throttled
once, and they treat a call that timed out before it was made as one that was refused.
"""


class NotAnswered(Exception):
    """What a fault makes of a call that is not AWS's. Its message is the fault's name."""


class Wire:
    """`calls` names every call that was made while it was watched, in order: `dynamodb.UpdateItem`."""

    def __init__(self, step_functions: FakeStepFunctions, durable_functions: FakeDurableFunctions) -> None:
        self._waits = step_functions, durable_functions
        self._resumes: dict[str, Callable[..., object]] = {
            "SendTaskSuccess": step_functions.send_task_success,
            "SendTaskFailure": step_functions.send_task_failure,
            "SendDurableExecutionCallbackSuccess": durable_functions.send_durable_execution_callback_success,
            "SendDurableExecutionCallbackFailure": durable_functions.send_durable_execution_callback_failure,
        }
        self._lock = threading.Lock()
        self._this = threading.local()
        self._watching = False
        self._dead = False
        self.calls: list[str] = []
        self.choose: Callable[[int, str], Fault | None] = lambda *_: None
        """The fault of the call with this number and name."""
        self.meanwhile: Callable[[int, str], None] = lambda *_: None
        """What another caller does "before" and "after" the call with this number."""

    @contextmanager
    def plugged_in(self) -> Iterator[None]:
        endpoint: Any = Endpoint  # the type stubs omit private members
        do_get_response = endpoint._do_get_response

        def call(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
            if not self._watching:
                return send(None, client, operation, parameters)
            with self._lock:
                self._die_again()
                name = f"{client.meta.service_model.service_name}.{operation}"
                self.calls.append(name)
                number = len(self.calls) - 1
                fault = self.choose(number, name)
            self._let_others_act(number, "before")
            answer = send(fault, client, operation, parameters)
            self._let_others_act(number, "after")
            return answer

        def send(fault: Fault | None, client: Any, operation: str, parameters: dict[str, Any]) -> Any:
            if fault and fault.in_part:
                return fault.in_part(partial(send, None, client, operation), parameters)
            if not fault and moto_shortcut.answers_directly(client, operation):
                if self._watching:
                    self._die_again()
                return moto_shortcut.call(client, operation, parameters)
            if not fault and self._resumes_directly(client, operation, parameters):
                if self._watching:
                    self._die_again()
                return self._resume(client, operation, parameters)
            self._this.call, self._this.attempts = (fault, client, operation, parameters), 0
            try:
                return moto_shortcut.by_botocore(client, operation, parameters)
            finally:
                del self._this.call

        def attempt(endpoint: Any, *request: Any) -> Attempt:
            if not hasattr(self._this, "call"):
                passed_on: Attempt = do_get_response(endpoint, *request)
                return passed_on
            if self._watching:
                self._die_again()
            fault, client, operation, parameters = self._this.call
            self._this.attempts += 1
            service = client.meta.service_model.service_name
            if fault and self._this.attempts > fault.attempts:
                fault = None
            answer: Attempt = (None, None)
            if not fault or fault.after_effect:
                answer = (
                    self._answer_to_resume(operation, parameters)
                    if operation in self._resumes
                    else do_get_response(endpoint, *request)
                )
            try:
                return fault.answer(service, operation, parameters) if fault else answer
            except Killed:
                self._dead = True
                raise

        with ExitStack() as until_the_end:
            for owner, name, replacement in (
                (BaseClient, "_make_api_call", call),
                (Endpoint, "_do_get_response", attempt),
                (ExponentialBackoff, "delay_amount", lambda *_: 0),
                (RetryQuota, "acquire", lambda *_: True),
            ):
                until_the_end.enter_context(mock.patch.object(owner, name, replacement))
            yield

    @contextmanager
    def watched(self) -> Iterator[None]:
        """One run of a handler. After it is killed, none of its calls reaches AWS."""
        self._watching, self._dead = True, False
        try:
            yield
        finally:
            self._watching = False

    def call[Answer](self, name: str, effect: Callable[[], Answer]) -> Answer:
        """Make a call that is not AWS's, with its effect. Nothing repeats it, so a fault of one attempt is one of the call."""
        if not self._watching:
            return effect()
        with self._lock:
            self._die_again()
            self.calls.append(name)
            number = len(self.calls) - 1
            fault = self.choose(number, name)
        self._let_others_act(number, "before")
        answer = effect() if fault is None or fault.after_effect else None
        if fault is not None:
            self._fail(fault, name)
        self._let_others_act(number, "after")
        return cast("Answer", answer)

    def _fail(self, fault: Fault, name: str) -> None:
        try:
            fault.answer(name, "", {})
        except Killed:
            self._dead = True
            raise
        raise NotAnswered(fault.name)

    def _let_others_act(self, number: int, when: str) -> None:
        self._watching = False
        try:
            self.meanwhile(number, when)
        finally:
            self._watching = True

    def _die_again(self) -> None:
        if self._dead:
            raise Killed

    def _resumes_directly(self, client: Any, operation: str, parameters: dict[str, Any]) -> bool:
        """Whether what waits can be asked without botocore, which repeats what fails, and refuses wrong parameters."""
        return (
            operation in self._resumes
            and not any(waits.fails_next() for waits in self._waits)
            and not moto_shortcut.is_listened_to(client, operation)
            and read(client.meta.service_model.operation_model(operation), parameters) is not None
        )

    def _resume(self, client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        try:
            self._resumes[operation](**parameters)
        except ClientError as error:
            refused = _refused(error.response, 400)[0][1]
            raise client.exceptions.from_code(refused["Error"]["Code"])(refused, operation) from None
        return response({}, 200)[0][1]

    def _answer_to_resume(self, operation: str, parameters: dict[str, Any]) -> Attempt:
        try:
            self._resumes[operation](**parameters)
        except ClientError as error:
            return _refused(error.response, 400)
        return response({}, 200)


def _refused(parsed: Any, status: int) -> Attempt:
    return response(parsed, status)
