"""Start state machines for tests, and take away at the end what was made for them."""

import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from waitpoints_client import Waitpoints
from waitpoints_client.calls import ABSENT
from waitpoints_client.ops.deployed import PROBLEMS, Deployed

from waitpoints_local.machine import definition, machine_file
from waitpoints_local.machine import run as machine_run
from waitpoints_local.machine.live_run import LiveRun
from waitpoints_local.machine.stand_ins import Script, make
from waitpoints_local.testing import Fails, Returns, RunError

if TYPE_CHECKING:
    import pytest

    from waitpoints_local.stack import Stack


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

    @cached_property
    def placeholders(self) -> dict[str, str]:
        return machine_run.list_placeholders(self.deployed)

    def read(self, path: str, values: Mapping[str, str], scripted: Collection[str]) -> definition.Definition:
        """Return the definition in a file, with values for its placeholders. Raises Unusable."""
        found = machine_file.load(path, {*values, *scripted})
        known = {name: value for name, value in {**found.values, **self.placeholders}.items() if name not in found.own}
        make_arn = partial(machine_run.stand_in, self.deployed)
        filled = definition.fill(found.machine, found.source, known, values, make_arn, scripted)
        machine_run.check(self.deployed, filled)
        return filled


@dataclass
class Machines:
    """Those of one test: the fixture `machine`."""

    workshop: Workshop
    folders: Sequence[Path]
    """In which a path is looked for."""
    patience: float
    runs: list[LiveRun] = field(default_factory=list)
    _ending: ExitStack = field(default_factory=ExitStack)

    def __call__(
        self,
        path: str | PathLike[str],
        input: Any = ABSENT,
        *,
        stand_ins: Mapping[str, Any] | None = None,
        values: Mapping[str, str] | None = None,
        timeout: str = "1h",
        page: Any = None,
    ) -> LiveRun:
        __tracebackhide__ = True
        scripts = {name: script_of(value) for name, value in (stand_ins or {}).items()}
        machine = self.workshop.read(find(fspath(path), self.folders), values or {}, scripts)
        run = machine_run.MachineRun(self.workshop.deployed, self.workshop.waitpoints, machine, page=page)
        self._ending.enter_context(make(run.stack, machine, run.role, scripts))
        self._ending.callback(_clean_up, run)
        name = re.split(r"[.#]", Path(path).name)[0]
        run.start(name, run.prepare_input({} if input is ABSENT else input, timeout))
        self.runs.append(LiveRun(run, name, self.patience))
        return self.runs[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def describe(self, failure: "pytest.ExceptionInfo[BaseException] | None") -> list[tuple[str, str]]:
        """Return the sections of a failed test's report: the path that each run took, unless the failure itself tells it."""
        told = failure.value.run if failure and isinstance(failure.value, RunError) else None
        return [(f"The run of {run.name}", run.describe()) for run in self.runs if run is not told]


def find(path: str, folders: Sequence[Path]) -> str:
    """Return where the file of a path such as `template.yaml#Machine` is. Raises FileNotFoundError."""
    file, sign, resource = (path, "", "") if any((folder / path).is_file() for folder in folders) else path.partition("#")
    for folder in folders:
        if (folder / file).is_file():
            return f"{folder / file}{sign}{resource}"
    raise FileNotFoundError(f"No file {file} in {' or in '.join(dict.fromkeys(map(str, folders)))}")


def script_of(value: Any) -> Script:
    """Return what each call of a stand-in comes to. A list is one result, unless it has turns in it."""
    turns = value if isinstance(value, list) and any(isinstance(it, (Fails, Returns)) for it in value) else [value]
    return [turn if isinstance(turn, (Fails, Returns)) else Returns(turn) for turn in turns]


def _clean_up(run: machine_run.MachineRun) -> None:
    with suppress(*PROBLEMS):
        if run.execution and not run.end:
            run.stop()
        run.clean_up()
