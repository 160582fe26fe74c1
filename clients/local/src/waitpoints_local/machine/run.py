"""Run a user's own state machine on the local stack, answer its tokens, and show what it does until it ends."""

import json
import re
import uuid
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import Any

from botocore.exceptions import ClientError
from waitpoints_client import Token, Waitpoints
from waitpoints_client.ops.deployed import PROBLEMS, Deployed

from waitpoints_local.machine import clock, routes, tasks
from waitpoints_local.machine.awaited import Awaited
from waitpoints_local.machine.definition import Definition, Unusable, fill, has_children
from waitpoints_local.machine.documents import MachineFile
from waitpoints_local.machine.fitting_output import Completion
from waitpoints_local.machine.history import Answered, Event, History, Location, Written
from waitpoints_local.machine.reply_plan import Answer, Answers, TimeOut
from waitpoints_local.machine.stand_ins import StandIns
from waitpoints_local.machine.tasks import TaskToken
from waitpoints_local.machine.visits import State, visits

POLLS_PER_CHECK = 8  # of the execution, for each check of its tokens
ON_ITS_WAY = timedelta(minutes=2)
LOST = "The state goes on only if its taskToken is its own ($$.Task.Token), and if the stack may resume its execution"
ENDED = "The run has ended"
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]+")


def stand_in(stack: Deployed, placeholder: str) -> str:
    """Return an ARN for the stand-in of one of the user's functions."""
    values = list_placeholders(stack)
    prefix = f"arn:{values['Partition']}:lambda:{values['Region']}:{values['AccountId']}"
    return f"{prefix}:function:try-{placeholder[:40]}-{uuid.uuid4().hex[:8]}"


def list_placeholders(stack: Deployed) -> dict[str, str]:
    """Return what a definition can name: the stack's outputs and resources, and some of AWS's pseudo parameters."""
    _, partition, _, region, account, *_ = ("", *stack.outputs["StateMachineArn"].split(":", 5)[1:])
    return {**stack.list_physical_ids(), **stack.outputs, "Partition": partition, "Region": region, "AccountId": account}


def prepare(
    stack: Deployed, found: MachineFile, given: Mapping[str, str] | None = None, scripted: Collection[str] = ()
) -> Definition:
    """Return the definition in a file with the stack's values for its placeholders, or those that are `given`.

    The functions that are `scripted`, and the user's own, get stand-ins. Raises Unusable, also for what AWS would refuse.
    """
    known = {**found.values, **list_placeholders(stack)}
    known = {name: value for name, value in known.items() if name not in found.own}
    made = fill(found.machine, found.source, known, given, partial(stand_in, stack), scripted)
    check(stack, made)
    return made


def check(stack: Deployed, definition: Definition) -> None:
    """Ask Step Functions what is wrong in a definition. Raises Unusable with all that it finds."""
    step_functions = stack.client("stepfunctions")
    if not hasattr(step_functions, "validate_state_machine_definition"):  # boto3 before 1.34.92: creating it says the same
        return
    answer = step_functions.validate_state_machine_definition(definition=definition.text)
    if found := [it["message"] for it in answer["diagnostics"] if it["severity"] == "ERROR"]:
        raise Unusable(f"AWS would not create this state machine: {'; '.join(found)}")


@dataclass
class MachineRun:
    stack: Deployed
    waitpoints: Waitpoints
    definition: Definition
    token: Token | None = None
    """The token of its input."""
    page: Any = None
    """The page of the token that is created for it."""
    notify: Any = None
    """Who is notified of this page."""
    given: Any = None
    """Its input, before the token was added."""
    answers: Answers = field(default_factory=Answers)
    """What its tokens are answered as soon as they can be."""
    stand_ins: StandIns = field(default_factory=StandIns)
    machine: str = ""
    execution: str = ""
    events: list[Event] = field(default_factory=list)
    """What it has done so far."""
    waiting: dict[Location, Completion | TaskToken] = field(default_factory=dict)
    """The tokens that its states wait for now, and how to complete them."""
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    """The time of the execution."""
    _is_ours: bool = False
    _history: History = field(default_factory=History)
    _read: int = 0
    """How many events of the history."""
    _polls: int = 0
    _due: deque[tuple[Location, Completion | TaskToken]] = field(default_factory=deque)
    """The tokens that may get a reply now."""
    _answered: set[str] = field(default_factory=set)
    """The ids of the tokens that got their reply."""

    def __post_init__(self) -> None:
        self.step_functions = self.stack.client("stepfunctions")

    @property
    def end(self) -> Event | None:
        """How it ended."""
        return self.events[-1] if self.events and self.events[-1].is_the_end else None

    @property
    def states(self) -> list[State]:
        """What each state has got and given so far, in the order in which they were entered."""
        return visits(self.events)

    def prepare_input(self, value: Any, timeout: str) -> Any:
        """Return the input, with a token if the machine needs one: not if the input has one or a state creates it.

        Raises Unusable if the input has no room for a token.
        """
        self.given = value
        if isinstance(value, dict) and isinstance(value.get("token"), dict) and "id" in value["token"]:
            self.token = self.waitpoints.get(str(value["token"]["id"]))
            return value
        if self._creates_tokens or not self.definition.invokes(self.stack.outputs["WaitFunctionName"]):
            return value
        if not isinstance(value, dict):
            raise Unusable("The input must be an object: the token that the machine waits for is put into it as `token`")
        created = self.waitpoints.create(timeout=timeout, tags=["try"], page=self.page, notify=self.notify)
        self.token, self._is_ours = self.waitpoints.get(created), True
        return {**value, "token": {"id": created.id, "url": created.url}}

    def start(self, name: str, value: Any) -> None:
        """Create the state machine, with the role of the example, and start it. Raises ValueError for what is not JSON."""
        text = json.dumps(value, allow_nan=False)
        name = f"try-{_NO_NAME.sub('-', name)[:60]}-{uuid.uuid4().hex[:8]}"
        made = self.step_functions.create_state_machine(name=name, definition=self.definition.text, roleArn=self.role)
        self.machine = made["stateMachineArn"]
        tasks.tell(self.stack, self.machine, self.definition, self.stand_ins)
        started = self.step_functions.start_execution(stateMachineArn=self.machine, input=text)
        self.execution = started["executionArn"]

    def poll(self) -> Iterator[Event]:
        """Yield what is new in the execution's history, in the order of time, and answer the tokens that it waits for."""
        yield from self._read_on()
        while self._due:
            before = len(self.events)
            yield from self._answer(*self._due.popleft())
            if len(self.events) > before:  # what the answer has led to comes before the next one
                yield from self._read_on()
        if not self.end and self._polls % POLLS_PER_CHECK == 0:
            yield from self._ask_again()

    def _read_on(self) -> Iterator[Event]:
        for event in sorted(self._poll(), key=lambda event: (event.is_the_end, event.at)):
            self.events.append(event)
            if completion := self._begin(event):
                self._due.append((event.location, completion))
            yield event

    def look(self) -> clock.Seen:
        """See what it waits for."""
        return clock.look(self.stack, self.execution)

    def time_out(self, location: Location, completion: Completion | TaskToken) -> Event:
        """Let a token time out now, or a task that waits for another one. Raises ClockProblem."""
        at = self.now()
        if isinstance(completion, TaskToken):
            if endless := tasks.find_endless(self.stack, self.definition, [location.state or ""]):
                raise clock.ClockProblem(endless)
            clock.time_out_task(self.stack, self.execution, completion.id)
            return self.note(Event("expired", at, location, token=completion))
        clock.time_out(self.stack, completion.token.id)
        return self.note(Event("expired", at, location, token=completion.token))

    def note(self, event: Event) -> Event:
        """Keep what this program has done."""
        self.events.append(event)
        return event

    def stop(self) -> None:
        """End the execution, unless it has just ended by itself."""
        try:
            self.step_functions.stop_execution(executionArn=self.execution, cause=ENDED)
        except ClientError:
            if self.step_functions.describe_execution(executionArn=self.execution)["status"] == "RUNNING":
                raise

    def clean_up(self) -> str | None:
        """Delete the state machine, and end the token that was created for it. Returns the machine's ARN if that failed."""
        if self.token and self._is_ours and self.waitpoints.get(self.token).status == "WAITING":
            self.waitpoints.fail(self.token, ENDED)
        try:
            if self.machine:
                self.step_functions.delete_state_machine(stateMachineArn=self.machine)
        except PROBLEMS:
            return self.machine
        return None

    def _poll(self) -> Iterator[Event]:
        history, awaited = self._history, self._awaited
        history.events = self._read_history()
        while self._read < len(history.events):
            written = history.events[self._read]
            self._read += 1
            if event := history.read(written):
                yield from awaited.begin(history, written, event) if event.kind == "waits" else [event]
                if event.is_the_end:
                    return
                if event.kind in ("resumed", "failed"):
                    awaited.end(history.scheduled(written))
        if history.events:
            yield from awaited.find(history.events[0]["timestamp"])
        self._polls += 1
        if self._polls % POLLS_PER_CHECK == 0:
            yield from self._find_lost(awaited)

    def _begin(self, event: Event) -> Completion | TaskToken | None:
        """Keep which tokens are waited for. Returns how to complete the one that a state waits for from now on."""
        if event.kind in ("resumed", "failed", "left"):
            self.waiting.pop(event.location, None)
        completion = event.completion
        if event.kind == "waits" and isinstance(event.token, Token) and event.token.status == "WAITING":  # it was shown before
            completion = self._awaited.completions.get(event.token.id)
        if completion:
            self.waiting[event.location] = completion
        return completion

    def _answer(self, location: Location, completion: Completion | TaskToken) -> Iterator[Event]:
        """Give a token the reply that was chosen before, if there is one and it did not get it yet."""
        if isinstance(completion, TaskToken):
            yield from self._answer_task(location, completion)
            return
        token, answers = completion.token, self.answers
        if not answers.replies or (token.id in self._answered and not token.approvers):
            return
        if unknown := answers.find_unknown_approver(location, routes.people(token)):
            yield self._refused(location, token, routes.describe_unknown(unknown, routes.people(token)))
        elif isinstance(answers.find(token.id, location), TimeOut):
            self._answered.add(token.id)
            yield self._time_out(location, completion, token)
        else:
            yield from self._deliver(location, completion, self.waitpoints.get(token))

    def _answer_task(self, location: Location, token: TaskToken) -> Iterator[Event]:
        reply = self.answers.find(token.id, location)
        if unknown := self.answers.find_unknown_approver(location, ()):
            yield self._refused(location, token, routes.describe_unknown(unknown, ()))
        elif isinstance(reply, TimeOut):
            yield self._time_out(location, token, token)
        elif reply:
            at = self.now()
            try:
                routes.send(self.step_functions, "success", token, output=json.dumps(reply.value))
            except routes.Refused as refused:
                yield self._refused(location, token, str(refused))
                return
            yield self.note(Event("answered", at, location, token=token, answer=Answered(reply.value)))

    def _time_out(self, location: Location, completion: Completion | TaskToken, token: Token | TaskToken) -> Event:
        try:
            return self.time_out(location, completion)
        except clock.ClockProblem as problem:
            return self._refused(location, token, str(problem))

    def _deliver(self, location: Location, completion: Completion, token: Token) -> Iterator[Event]:
        """Give the answers of those who may answer now, until the token ends or refuses one."""
        for approver in _answering(token):
            reply = self.answers.find(token.id, location, approver)
            if not isinstance(reply, Answer):
                continue
            at = self.now()
            try:
                if token.status != "WAITING":
                    raise routes.Refused(f"it has ended before: it is {token.status}")
                routes.deliver(self.stack, self.waitpoints, completion, reply.value, approver)
            except routes.Refused as refused:
                yield self._refused(location, token, f"{approver}: {refused}" if approver else str(refused))
                return
            self._answered.add(token.id)
            answered = Answered(reply.value, approver)
            yield self.note(Event("answered", at, location, token=completion.token, answer=answered))
            token = self.waitpoints.get(token) if approver else token
            if token.status != "WAITING":
                return

    def _ask_again(self) -> Iterator[Event]:
        """Answer for those who were asked later: a page can escalate to them."""
        for location, completion in list(self.waiting.items()) if self.answers.replies else ():
            if (
                isinstance(completion, Completion)
                and completion.token.approvers
                and self.waitpoints.get(completion.token).status == "WAITING"
            ):
                yield from self._answer(location, completion)

    def _refused(self, location: Location, token: Token | TaskToken, cause: str) -> Event:
        return self.note(Event("refused", self.now(), location, token=token, cause=cause))

    @cached_property
    def role(self) -> str:
        """The role of the example."""
        example = self.stack.outputs["StateMachineArn"]
        return str(self.step_functions.describe_state_machine(stateMachineArn=example)["roleArn"])

    @property
    def _creates_tokens(self) -> bool:
        return self.definition.invokes(self.stack.outputs["CreateFunctionName"])

    def _read_history(self) -> list[Written]:
        pages = self.step_functions.get_paginator("get_execution_history").paginate(executionArn=self.execution)
        return [event for page in pages for event in page["events"]]

    @cached_property
    def _awaited(self) -> Awaited:
        own = {self.token.id: {"page": self.page} if self.page else {}} if self.token else {}
        functions = (self.stack.outputs["CreateFunctionName"], self.stack.outputs["WaitFunctionName"])
        list_waits = partial(tasks.list_waits, self.stack, self.execution)
        of_children = partial(tasks.list_waits_of_children, self.stack, self.execution)
        awaited = Awaited(self.waitpoints, self.definition.machine, *functions, list_waits, own=own)
        return replace(awaited, list_waits_of_children=of_children) if has_children(awaited.machine) else awaited

    def _find_lost(self, awaited: Awaited) -> Iterator[Event]:
        """Yield the tokens that have ended without resuming what waits for them: the task token was not the state's."""
        for token in [self.waitpoints.get(shown) for shown in awaited.shown.values() if shown.status == "WAITING"]:
            statuses = {waiter.status for waiter in token.waiters}
            if token.completed_at and datetime.now(UTC) - token.completed_at < ON_ITS_WAY:
                statuses.discard("UNDELIVERED")  # it says so of every waiter that is not resumed yet
            if token.completed_at and statuses and statuses <= {"GONE", "UNDELIVERED"}:
                awaited.shown[token.id] = token
                yield Event(
                    "lost", token.completed_at, cause=f"the result: its waiter is {' and '.join(sorted(statuses))}. {LOST}"
                )


def _answering(token: Token) -> list[str | None]:
    """Return the approvers who may answer now; None: with its URL. Of an ended token, all who could have answered."""
    if token.status != "WAITING":
        return [*(person.id for person in token.approvers), None]
    return [person.id for person in token.still_asked] if token.approvers else [None]
