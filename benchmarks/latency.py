"""Measure callbacks and resumes on the emulator, against bare handlers: the least that keeps the guarantee.

Each wait is a real execution of `wait_for_webhook.asl.json`, which waits before its callback is sent. The two variants
take turns: in each round, both get the same number of callbacks over the same number of connections.
Between two runs, the emulator works off what the first left behind, such as the table's stream.

    python -m benchmarks.latency
"""

import json
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

from benchmarks.figures import Figures, table
from tools.checkout import running
from tools.stack import LOCAL, ROOT, sam
from waitpoints_local import fork_server
from waitpoints_local.stack import REGION, Stack, free_port

FOLDER = LOCAL / "latency"
BARE = ROOT / "benchmarks" / "bare" / "template.yaml"
LEVELS = {1: 50, 8: 160, 32: 200}  # connections, and the callbacks of one run: longer than the stream gathers records
ROUNDS = 3
BUDGETS = {1: 1.10, 8: 1.20, 32: 1.10}  # of what the bare handlers take until the answer
BODY = json.dumps({"approved": True, "text": "x" * 150})
AT_ONCE = 16  # clients that prepare
QUIET, WINDOW = 0.2, 1.0  # seconds: without processor time of the functions, and in which the stream gathers records
PATIENCE = 60
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Wait:
    """One execution that waits, and the path of the request that resumes it."""

    execution: str
    path: str
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})


@dataclass(frozen=True, slots=True)
class Times:
    """Of one callback, in milliseconds from the moment at which it was sent."""

    answered: float
    succeeded: float


@dataclass(frozen=True, slots=True)
class Run:
    """The callbacks of one variant in one round, and the processor time of each function in seconds."""

    times: list[Times]
    processor: dict[str, float]


@dataclass(frozen=True)
class Variant:
    """`prepare` makes waits, `functions` are those whose processor time counts, by their logical ids."""

    name: str
    prepare: Callable[[int], list[Wait]]
    functions: Sequence[str]


class Deployed:
    """Our stack and the bare handlers, on one emulator."""

    def __init__(self, stack: Stack, other: dict[str, str]) -> None:
        self._stack = stack
        self._other = other
        self._clients = threading.local()
        self._counter = iter(range(10**9))

    @property
    def host(self) -> str:
        return urlsplit(self._stack.endpoint_url).netloc

    def client(self, service: str) -> Any:
        """Return a client of this thread."""
        made = vars(self._clients)
        if service not in made:
            made[service] = self._stack.client(service)
        return made[service]

    def variants(self) -> list[Variant]:
        return [
            Variant("Waitpoints", self._own_waits, ["AcceptCallback", "ResumeWaiters", "ScheduleTimeouts"]),
            Variant("bare handlers", self._bare_waits, ["Settle", "Ensure"]),
        ]

    def ended(self, wait: Wait) -> float:
        """Return when the execution succeeded, in epoch seconds."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            described = self.client("stepfunctions").describe_execution(executionArn=wait.execution)
            if described["status"] == "SUCCEEDED":
                return float(described["stopDate"].timestamp())
            if described["status"] != "RUNNING":
                break
            time.sleep(0.05)
        raise SystemExit(f"An execution is {described['status']}")

    def _own_waits(self, count: int) -> list[Wait]:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(self._own_wait, range(count)))

    def _own_wait(self, _: int) -> Wait:
        authorization = {"authorization": f"Bearer {self._stack.api_key}", "content-type": "application/json"}
        token = json.loads(send(connection(self.host), "/api/v1/waitpoints/tokens", "{}", authorization))
        execution = self._start(self._stack.state_machine_arn, token["id"])
        self._wait_for_item(
            self._stack.table_name, {"id": token["id"], "item": "token"}, lambda item: item["waiterCount"]["N"] == "1"
        )
        return Wait(execution, urlsplit(token["url"]).path)

    def _bare_waits(self, count: int) -> list[Wait]:
        names = [f"wait-{next(self._counter)}" for _ in range(count)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(self._bare_wait, names))

    def _bare_wait(self, name: str) -> Wait:
        execution = self._start(self._other["StateMachineArn"], name)
        self._wait_for_item(self._other["TableName"], {"id": name}, lambda _: True)
        return Wait(execution, f"/_aws/execute-api/{self._other['ApiId']}/$default/settle/{name}")

    def _start(self, machine: str, name: str) -> str:
        given = json.dumps({"token": {"id": name}})
        started = self.client("stepfunctions").start_execution(stateMachineArn=machine, input=given)
        return str(started["executionArn"])

    def _wait_for_item(self, name: str, key: dict[str, str], is_ready: Callable[[Any], bool]) -> None:
        """Return once an item is ready: then its execution waits."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            wire = {attribute: {"S": value} for attribute, value in key.items()}
            found = self.client("dynamodb").get_item(TableName=name, Key=wire, ConsistentRead=True).get("Item")
            if found and is_ready(found):
                return
            time.sleep(0.01)
        raise SystemExit("An execution does not wait")


def outputs(stack: Stack, name: str) -> dict[str, str]:
    described = stack.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


@contextmanager
def deployed() -> Iterator[tuple[Deployed, "Processors"]]:
    with running(free_port(), FOLDER) as stack:
        template = f"--template-file={BARE}"
        sam("deploy", template, "--stack-name=bare", endpoint=stack.endpoint, folder=FOLDER)
        made = Deployed(stack, outputs(stack, "bare"))
        yield made, Processors(stack)


class Processors:
    """The processor time of the functions' processes."""

    def __init__(self, stack: Stack) -> None:
        self._names = {
            fork_server.short(resource["PhysicalResourceId"]): resource["LogicalResourceId"]
            for name in (stack.stack_name, "bare")
            for page in stack.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=name)
            for resource in page["StackResourceSummaries"]
            if resource["ResourceType"] == "AWS::Lambda::Function"
        }

    def used(self) -> dict[str, float]:
        """Return the seconds that each function has used, by its logical id."""
        return used_by(self._names)

    def at_rest(self, quiet: float) -> dict[str, float]:
        """Return what they have used once they have used nothing for so many seconds."""
        until, before, since = time.monotonic() + PATIENCE, self.used(), time.monotonic()
        while time.monotonic() < until:
            time.sleep(0.1)
            now = self.used()
            if now != before:
                before, since = now, time.monotonic()
            elif time.monotonic() - since > quiet:
                return now
        raise SystemExit("The emulator does not come to rest")


def measure(made: Deployed, processors: Processors, variant: Variant, connections: int, count: int) -> Run:
    waits = variant.prepare(count)
    before = processors.at_rest(QUIET)
    seen = drive(made.host, waits, connections)
    after = processors.at_rest(QUIET + (WINDOW if len(variant.functions) > 1 else 0))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ends = pool.map(made.ended, waits)
        times = [
            Times(*(1000 * (at - seen[wait.execution][0]) for at in (seen[wait.execution][1], end)))
            for wait, end in zip(waits, ends, strict=True)
        ]
    return Run(times, {name: used - before.get(name, 0) for name, used in after.items()})


def used_by(names: Mapping[str, str]) -> dict[str, float]:
    """Return the processor time in seconds of the processes of these names, by what each name stands for."""
    seconds: dict[str, float] = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, KeyError):  # it has ended, or is no function's
            meant = names[(process / "comm").read_text().rstrip("\n")]
            seconds[meant] = seconds.get(meant, 0) + processor_seconds((process / "stat").read_text())
    return seconds


def processor_seconds(stat: str) -> float:
    """Return the user and system time in the text of /proc/PID/stat."""
    after_name = stat.rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / TICKS


def connection(host: str) -> HTTPConnection:
    return HTTPConnection(host, timeout=PATIENCE)


def send(over: HTTPConnection, path: str, body: str, headers: dict[str, str]) -> bytes:
    over.request("POST", path, body, headers)
    response = over.getresponse()
    content = response.read()
    if response.status != 200:
        raise SystemExit(f"{path.partition('?')[0]} answered {response.status}: {content!r}")
    return content


def drive(host: str, waits: Sequence[Wait], connections: int) -> dict[str, tuple[float, float]]:
    """Send each callback. Returns when each was sent and answered, by execution, in epoch seconds."""
    queue: SimpleQueue[Wait] = SimpleQueue()
    for wait in waits:
        queue.put(wait)
    seen: dict[str, tuple[float, float]] = {}

    def work(_: int) -> None:
        over = connection(host)
        over.connect()
        with suppress(Empty):
            while True:
                wait = queue.get_nowait()
                sent = time.time()
                send(over, wait.path, BODY, wait.headers)
                seen[wait.execution] = (sent, time.time())
        over.close()

    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(work, range(connections)))
    return seen


@dataclass
class Compared:
    """Every run of one variant over one number of connections, by round."""

    variant: Variant
    connections: int
    runs: list[Run] = field(default_factory=list)

    def every(self, what: str) -> list[float]:
        return [getattr(times, what) for run in self.runs for times in run.times]

    def medians(self, what: str) -> list[float]:
        """The median of each run."""
        return [statistics.median(getattr(times, what) for times in run.times) for run in self.runs]

    def processor(self, names: Sequence[str]) -> float:
        """The processor time of a callback in these functions, in milliseconds."""
        used = sum(run.processor.get(name, 0) for run in self.runs for name in names)
        return 1000 * max(used, 0) / sum(len(run.times) for run in self.runs)  # the processes that end take theirs along


def ratio(one: Compared, other: Compared, what: str) -> float:
    """Return the median, over the rounds, of the ratios of the medians."""
    pairs = zip(one.medians(what), other.medians(what), strict=True)
    return statistics.median(mine / its for mine, its in pairs)


def cells(levels: Sequence[Compared], base: Sequence[Compared]) -> list[str]:
    """Return the row of one variant: both times at each level, and the processor time at the middle one."""

    def of(what: str) -> list[str]:
        pairs = zip(levels, base, strict=True)
        return [f"{statistics.median(one.every(what)):.0f} (**{ratio(one, other, what):.2f}**)" for one, other in pairs]

    middle = levels[len(levels) // 2]
    first, *stream = middle.variant.functions
    processor = f"{middle.processor([first]):.1f}" + (f" + {middle.processor(stream):.1f}" if stream else "")
    return [middle.variant.name, *of("answered"), *of("succeeded"), processor]


def missed(own: Compared, base: Compared) -> list[str]:
    found, budget = ratio(own, base, "answered"), BUDGETS[own.connections]
    if found <= budget:
        return []
    return [f"answered takes {found:.2f} of the bare handlers over {own.connections} connections, more than {budget:.2f}"]


def run() -> Figures:
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    with deployed() as (made, processors):
        variants = made.variants()
        for variant in variants:  # starts every process
            measure(made, processors, variant, max(LEVELS), 2 * max(LEVELS))
        found = {(variant.name, level): Compared(variant, level) for level in LEVELS for variant in variants}
        for turn in range(ROUNDS):
            for level, count in LEVELS.items():
                for variant in variants[turn:] + variants[:turn]:
                    found[variant.name, level].runs.append(measure(made, processors, variant, level, count))
    own, base = (variant.name for variant in variants[:2])
    compared = {variant.name: [found[variant.name, level] for level in LEVELS] for variant in variants}
    rows = [cells(levels, compared[base]) for levels in compared.values()]
    times = [f"{what} over {level}" for what in ("answered", "SUCCEEDED") for level in LEVELS]
    head = ["ms (**to the bare handlers**)", *times, "CPU"]
    over = [line for level in LEVELS for line in missed(found[own, level], found[base, level])]
    return Figures(table(head, rows), tuple(over))
