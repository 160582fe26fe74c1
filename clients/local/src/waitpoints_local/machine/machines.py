"""Start state machines for tests, and take away at the end what was made for them."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from functools import wraps
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, TypeVar

from waitpoints_client import Waitpoints, WaitpointsError
from waitpoints_client.calls import ABSENT
from waitpoints_client.cli.problems import CommandProblem
from waitpoints_client.ops.deployed import PROBLEMS, Deployed

from waitpoints_local.machine import machine_file
from waitpoints_local.machine import run as machine_run
from waitpoints_local.machine.definition import Definition
from waitpoints_local.machine.documents import check_json, read_document
from waitpoints_local.machine.live_run import Run, RunError
from waitpoints_local.machine.stand_ins import Fails, Returns, Script, make

if TYPE_CHECKING:
    import pytest

    from waitpoints_local.machine.endpoints import Endpoint
    from waitpoints_local.stack import Stack

_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")
_Run = TypeVar("_Run", bound=Run)


@dataclass
class Workshop:
    """What all tests of a session share."""

    deployed: Deployed
    waitpoints: Waitpoints

    @classmethod
    def of(cls, stack: "Stack") -> Self:
        return cls(Deployed.local(asdict(stack)), Waitpoints(stack.api_url, stack.api_key))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.waitpoints.close()

    def read(self, path: str, values: Mapping[str, str], scripted: Collection[str]) -> Definition:
        """Return the definition in a file, with values for its placeholders. Raises Unusable."""
        return machine_run.prepare(self.deployed, machine_file.load(path, {*values, *scripted}), values, scripted)


def in_one_sentence(call: Callable[_Given, _Made]) -> Callable[_Given, _Made]:
    """Let pytest show the test's own line and what is wrong with it, and none of ours."""

    @wraps(call)
    def call_or_say(*given: _Given.args, **named: _Given.kwargs) -> _Made:
        __tracebackhide__ = True
        try:
            return call(*given, **named)
        except (CommandProblem, WaitpointsError, OSError, ValueError, *PROBLEMS) as problem:
            raise problem.with_traceback(None) from None

    return call_or_say


@dataclass
class Starter(Generic[_Run]):
    """Starts the runs of one test, and takes away at its end what was made for them."""

    workshop: Workshop
    folders: Sequence[Path]
    """In which a path is searched."""
    patience: float
    results: Callable[[], Path] | None = None
    """The folder for what a failed run has done, which is made when there is one."""
    runs: list[_Run] = field(default_factory=list)
    _ending: ExitStack = field(default_factory=ExitStack)

    def _follow(self, kind: Callable[..., _Run], run: Any, name: str) -> _Run:
        results, number = self.results, len(self.runs)
        file = (lambda: results() / f"{name}-{number}.json") if results else None
        self.runs.append(kind(run, name, self.patience, file))
        return self.runs[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def describe(self, failure: "pytest.ExceptionInfo[BaseException] | None") -> list[tuple[str, str]]:
        """Return the sections of a failed test's report: the path that each run took, unless the failure itself shows it."""
        shown = failure.value.run if failure and isinstance(failure.value, RunError) else None
        return [(f"The run of {run.name}", run.describe()) for run in self.runs if run is not shown]


class Machine(Starter[Run]):
    """Starts state machines: the fixture `machine` of one test."""

    @in_one_sentence
    def __call__(
        self,
        path: str | PathLike[str],
        input: Any = ABSENT,
        *,
        stand_ins: Mapping[str, Any] | None = None,
        values: Mapping[str, str] | None = None,
        timeout: str = "1h",
        page: Any = None,
        notify: Any = None,
    ) -> Run:
        """Start the state machine in a file: JSON, YAML, or `template.yaml#Name`. The path is from the test file's folder, or
        from pytest's root folder.

        `stand_ins` is what your functions return, or what the services of Task states answer, by the functions' placeholders
        or the states' names; a name that is both is the function's. A list with a `Fails` or a `Returns` in
        it has what each call comes to; the last one stays. `values` are those of other placeholders. `timeout`, `page` and
        `notify` are those of the token that is put into the input if no state creates one.
        """
        scripts = {name: script_of(value, f'stand_ins["{name}"]') for name, value in (stand_ins or {}).items()}
        given = check_json({} if input is ABSENT else input, "the input")
        machine = self.workshop.read(find(fspath(path), self.folders), values or {}, scripts)
        stack, made = self.workshop.deployed, make(self.workshop.deployed, machine, scripts)
        run = machine_run.MachineRun(stack, self.workshop.waitpoints, machine, page=page, notify=notify, stand_ins=made)
        self._ending.callback(_clean_up, run)
        name = re.split(r"[.#]", Path(path).name)[0]
        run.start(name, run.prepare_input(given, timeout))
        return self._follow(Run, run, name)

    @in_one_sentence
    def endpoint(self, name: str, settings: "Mapping[str, Any] | str | PathLike[str]") -> "Endpoint":
        """Make an endpoint. `settings` is the JSON of its PUT, or the path of its file, as for a machine."""
        from waitpoints_local.machine import endpoints  # noqa: PLC0415 - only for tests that use it

        if not isinstance(settings, Mapping):
            settings = dict(read_document(Path(find(fspath(settings), self.folders))))
        return endpoints.put(self.workshop.deployed, self.workshop.waitpoints, name, settings)


def find(path: str, folders: Sequence[Path]) -> str:
    """Return where the file of a path such as `template.yaml#Machine` is. Raises FileNotFoundError."""
    file, sign, resource = (path, "", "") if any((folder / path).is_file() for folder in folders) else path.partition("#")
    for folder in folders:
        if (folder / file).is_file():
            return f"{folder / file}{sign}{resource}"
    raise FileNotFoundError(f"No file {file} in {' or in '.join(dict.fromkeys(map(str, folders)))}")


def script_of(value: Any, name: str) -> Script:
    """Return what each call of a stand-in comes to. A list is one result, unless it has turns in it. Raises Unusable."""
    turns = value if isinstance(value, list) and any(isinstance(it, (Fails, Returns)) for it in value) else [value]
    script = [turn if isinstance(turn, (Fails, Returns)) else Returns(turn) for turn in turns]
    check_json([turn.value for turn in script if isinstance(turn, Returns)], name)
    return script


def _clean_up(run: machine_run.MachineRun) -> None:
    with suppress(*PROBLEMS):
        if run.execution and not run.end:
            run.stop()
        run.clean_up()
