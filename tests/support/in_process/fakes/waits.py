"""What waits on AWS until it is answered, and how a call that answers it fails. The base of the fakes of both kinds."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from botocore.exceptions import ClientError, ConnectionClosedError

from waitpoints.token import WaiterKind
from waitpoints.waiter_result import Failure, Success

MakeError = Callable[[str], Exception]
"""Returns the error of an operation."""


@dataclass(frozen=True)
class Fault:
    """How a call fails: with an error, or with the one by which its service refuses.

    One that `takes_effect` resumes the waiter, but its answer is lost.
    """

    error: MakeError | str
    takes_effect: bool = False


def refusal(code: str, message: str, status: int = 400) -> MakeError:
    def error(operation: str) -> Exception:
        response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
        return ClientError(response, operation)

    return error


def _connection_closed(_: str) -> Exception:
    return ConnectionClosedError(endpoint_url="https://example.us-east-1.amazonaws.com/")


THROTTLED, UNAVAILABLE, DENIED, OUTPUT_REFUSED = map(Fault, ("throttled", "unavailable", "denied", "output refused"))
UNREACHABLE = Fault(_connection_closed)
LOST_RESPONSE = Fault(_connection_closed, takes_effect=True)


class FakeWaits:
    """Waits by their handles. Each takes one answer and no second one."""

    kind: WaiterKind
    member: str
    """What a payload calls the handle."""
    refusals: ClassVar[Mapping[str, MakeError]]
    """How the service refuses, by the names above."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._results: dict[str, Success | Failure | None] = {}
        self._closed: set[str] = set()
        self._faults: list[tuple[Fault, str | None]] = []
        self.calls: Counter[str] = Counter()
        """How often each handle was answered, successfully or not."""

    def start(self) -> str:
        """Begin a wait. Returns its handle."""
        raise NotImplementedError

    def stop(self, handle: str) -> None:
        """End a wait from elsewhere: its execution was stopped, or it timed out."""
        self._closed.add(handle)

    def fail_next(self, fault: Fault, times: int = 1, handle: str | None = None) -> None:
        """Make the next calls fail; if `handle` is given, only those for that wait."""
        self._faults += [(fault, handle)] * times

    def fails_next(self) -> bool:
        """Whether failures are planned."""
        return bool(self._faults)

    def fail_no_more(self) -> None:
        """End all failures."""
        self._faults.clear()

    def result(self, handle: str) -> Success | Failure | None:
        """The result of a wait, or None while it waits."""
        return self._results[handle]

    def value(self, handle: str) -> Any:
        """What a wait was given, which is no failure."""
        result = self.result(handle)
        assert isinstance(result, Success), result
        return json.loads(result.json)

    def failure(self, handle: str) -> Failure:
        result = self.result(handle)
        assert isinstance(result, Failure), result
        return result

    def results(self) -> dict[str, Success | Failure | None]:
        """The result of every wait so far."""
        return dict(self._results)

    def _start(self, handle: str) -> str:
        self._results[handle] = None
        return handle

    def _answer(self, operation: str, handle: str, result: Success | Failure) -> dict[str, Any]:
        with self._lock:
            self.calls[handle] += 1
            fault = self._next_fault(handle)
            if fault is None or fault.takes_effect:
                self._check(operation, handle, result)
                self._results[handle] = result
            if fault:
                error = self.refusals[fault.error] if isinstance(fault.error, str) else fault.error
                raise error(operation)
        return {}

    def _check(self, operation: str, handle: str, result: Success | Failure) -> None:
        """Raise the ClientError of an answer that AWS does not take."""
        raise NotImplementedError

    def _is_closed(self, handle: str) -> bool:
        return self._results[handle] is not None or handle in self._closed

    def _next_fault(self, handle: str) -> Fault | None:
        for place, (fault, only_for) in enumerate(self._faults):
            if only_for in (None, handle):
                del self._faults[place]
                return fault
        return None
