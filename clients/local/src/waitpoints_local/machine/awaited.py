"""Which token each state of an execution waits for, and how to complete it."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from waitpoints_client import APIError, Token, Waitpoints

from waitpoints_local.machine.definition import function_name, invoked, payload, states
from waitpoints_local.machine.fitting_output import Completion, accepts_any_post, fitting_output, fitting_result
from waitpoints_local.machine.history import SUCCEEDED, Event, History, Location, Written, details_of, given
from waitpoints_local.machine.tasks import TaskToken

LONGEST_KEY = 2048  # the API refuses a longer one


@dataclass
class Awaited:
    waitpoints: Waitpoints
    machine: Any
    """The definition."""
    create_function: str
    wait_function: str
    list_waits: Callable[[], Mapping[int, str]] = dict
    """Returns the task tokens that are waited for, by the numbers of the events with which their tasks began."""
    list_waits_of_children: Callable[[], Mapping[Location, str]] = dict
    """Returns the task tokens that children of distributed Maps wait for."""
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The fields of the creates of tokens that no state creates, by the tokens' ids."""
    shown: dict[str, Token] = field(default_factory=dict)
    """The tokens that were shown, by their ids."""
    completions: dict[str, Completion] = field(default_factory=dict)
    """How to complete them."""
    _sought: dict[int | Location, tuple[Event, dict[str, Any]]] = field(default_factory=dict)
    """The waits whose tokens are not found yet, with what their functions are given, by the numbers of their events. A child
    of a distributed Map has none."""
    _children: dict[Location, str] = field(default_factory=dict)
    """The task tokens that such children wait for."""
    _others: dict[int, Event] = field(default_factory=dict)
    """The waits for something else than a token of the stack, whose task tokens are not known yet, by the numbers of events."""

    def begin(self, history: History, written: Written, event: Event) -> Iterator[Event]:
        """Yield that a state waits, and how to complete its token if that is known already."""
        function, passed = given(written)
        if _is(function, self.create_function):
            self._sought[written["id"]] = event, passed
        elif not _is(function, self.wait_function):
            self._others[written["id"]] = event
        token = self._get_named(passed) if _is(function, self.wait_function) else None
        is_told = token is not None and (token.status != "WAITING" or token.id in self.shown)
        yield replace(event, token=token) if is_told else event
        if token and not is_told:
            yield from self._show_once(token, event.at, event.location, self._find_create(token, history))

    def end(self, scheduled: Written) -> None:
        """Note that a state waits no longer."""
        self._sought.pop(scheduled.get("id", 0), None)
        self._others.pop(scheduled.get("id", 0), None)

    def find(self, started: datetime) -> Iterator[Event]:
        """Yield the tokens of states that create and wait, as soon as they exist. Their waiter has the state's task token."""
        yield from self._read_children()
        sought = {_waiter_id(created): key for key, (_, created) in self._sought.items()}
        for token in self._list_candidates(started) if sought else ():
            for key in [sought[waiter.id] for waiter in token.waiters if waiter.id in sought]:
                event, created = self._sought.pop(key)
                yield from self._show_once(token, max(event.at, token.created_at), event.location, created)
        for number, task_token in self.list_waits().items() if self._others else ():
            if waits := self._others.pop(number, None):
                yield self._show_other(waits, task_token)

    def _read_children(self) -> Iterator[Event]:
        """Yield what the children of distributed Maps wait for: the history of the execution does not say so."""
        waits, at = self.list_waits_of_children(), datetime.now(UTC)
        for location in [it for it, token in self._children.items() if waits.get(it) != token]:
            del self._children[location]
            self._sought.pop(location, None)
            yield Event("resumed", at, location)
        for location in sorted(waits.keys() - self._children.keys(), key=lambda it: it.items):
            token, event = waits[location], Event("waits", at, location)
            self._children[location] = token
            yield event
            state = dict(states(self.machine))[location.state or ""]
            if {self.create_function, self.wait_function} & set(map(function_name, invoked(state))):
                created = {name: it for name, it in payload(state).items() if name != "idempotencyKey"}
                self._sought[location] = event, {**created, "taskToken": token}
            else:
                yield self._show_other(event, token)

    def _show_other(self, waits: Event, task_token: str) -> Event:
        fits = fitting_result(self.machine, waits.location.state)
        return replace(waits, kind="token", completion=TaskToken(task_token, fits))

    def _get_named(self, passed: Mapping[str, Any]) -> Token | None:
        try:
            return self.waitpoints.get(str(passed.get("waitpointId") or "-"))
        except (APIError, ValueError):  # the state will say so
            return None

    def _list_candidates(self, started: datetime) -> Iterator[Token]:
        """Yield the tokens that a create can have made or, with a key, found."""
        keys = {created.get("idempotencyKey") for _, created in self._sought.values()}
        listings = [
            self.waitpoints.list(status="WAITING", **({"idempotency_key": key} if key else {"created_from": started}))
            for key in keys
            if key is None or (isinstance(key, str) and 0 < len(key) <= LONGEST_KEY)
        ]
        yield from (self.waitpoints.get(listed) for listing in listings for listed in listing if listed.id not in self.shown)

    def _find_create(self, token: Token, history: History) -> Mapping[str, Any]:
        """Return the fields of the create that made this token; none if it was made before the execution."""
        for event in history.events:
            if event["type"] in SUCCEEDED and token.id in str(details_of(event).get("output", "")):
                function, passed = given(history.scheduled(event))
                if _is(function, self.create_function):
                    return passed
        return self.own.get(token.id, {})

    def _show_once(self, token: Token, at: datetime, location: Location, created: Mapping[str, Any]) -> Iterator[Event]:
        if token.id not in self.shown:
            self.shown[token.id] = token
            made = fitting_output(self.machine, created)
            by_post, has_page = accepts_any_post(created) and not token.approvers, "page" in created or bool(token.approvers)
            completion = Completion(token, made.value, made.missing, by_post, has_page, "verify" in created)
            self.completions[token.id] = completion
            yield Event("token", at, location, completion=completion)


def _waiter_id(created: Mapping[str, Any]) -> str:
    return hashlib.sha256(str(created.get("taskToken")).encode()).hexdigest()[:16]


def _is(named: str, function: str) -> bool:
    """Whether a name or an ARN names this function."""
    return f":{function}:" in f":{named}:"
