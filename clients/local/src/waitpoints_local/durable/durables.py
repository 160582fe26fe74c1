"""Start durable functions for tests, and take away at the end what was made for them."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from waitpoints_client import Waitpoints
from waitpoints_client.calls import ABSENT
from waitpoints_client.ops.deployed import PROBLEMS

from waitpoints_local.durable.execution import DurableExecution
from waitpoints_local.durable.function import Function, deployed, locate
from waitpoints_local.durable.live_run import DurableRun
from waitpoints_local.machine.machines import Workshop, describe, find
from waitpoints_local.machine.run import ENDED

if TYPE_CHECKING:
    import pytest


@dataclass
class Durable:
    """Starts runs of durable functions: the fixture `durable` of one test."""

    workshop: Workshop
    folders: Sequence[Path]
    """In which a path is searched."""
    patience: float
    results: Callable[[], Path] | None = None
    """The folder for what a failed run has done, which is made when there is one."""
    runs: list[DurableRun] = field(default_factory=list)
    _ending: ExitStack = field(default_factory=ExitStack)
    _names: dict[tuple[Function, frozenset[tuple[str, str]]], str] = field(default_factory=dict)

    def __call__(
        self,
        path: str | PathLike[str],
        event: Any = ABSENT,
        *,
        token: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> DurableRun:
        """Start the durable function in a file, such as "functions/approval.py", with an event. The path is from the folder of
        the test's file, or from pytest's root folder. Its handler is `handler` or `lambda_handler`, or the one that
        "functions/approval.py:approve" names.

        `token` are the options of a token that the event gets as `token`, with `id` and `url`; `{}` for one without options.
        `environment` are variables of the function. WAITPOINTS_WAIT_FUNCTION and CREATE_FUNCTION it has already, and
        WAITPOINTS_URL and WAITPOINTS_API_KEY for the client.
        """
        __tracebackhide__ = True
        file, _, handler = fspath(path).partition(":")
        function = locate(Path(find(file, self.folders)), handler)
        if not hasattr(self.workshop.deployed.client("lambda"), "get_durable_execution"):
            raise ImportError("boto3 here knows no durable functions: install boto3 1.42.1 or newer beside pytest")
        run = DurableExecution(self.workshop.deployed, self.workshop.waitpoints)
        value = {} if event is ABSENT else event
        value = value if token is None else self._with_token(value, token)
        run.start(self._deploy(function, environment or {}), value)
        self._ending.callback(_stop, run)
        name, number, results = function.file.stem, len(self.runs), self.results
        written = (lambda: results() / f"{name}-{number}.json") if results else None
        self.runs.append(DurableRun(run, name, self.patience, written))  # type: ignore[arg-type]  # as DurableRun says
        return self.runs[-1]

    def _with_token(self, event: Any, options: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(event, dict):
            raise TypeError("The event must be an object: the token is put into it as `token`")
        created = self.workshop.waitpoints.create(**options)
        self._ending.callback(_end, self.workshop.waitpoints, created.id)
        return {**event, "token": {"id": created.id, "url": created.url}}

    def _deploy(self, function: Function, environment: Mapping[str, str]) -> str:
        key = function, frozenset(environment.items())
        if key not in self._names:
            self._names[key] = self._ending.enter_context(deployed(self.workshop.deployed, function, environment))
        return self._names[key]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def describe(self, failure: "pytest.ExceptionInfo[BaseException] | None") -> list[tuple[str, str]]:
        return describe(self.runs, failure)


def _end(waitpoints: Waitpoints, token: str) -> None:
    with suppress(*PROBLEMS):
        if waitpoints.get(token).status == "WAITING":
            waitpoints.fail(token, ENDED)


def _stop(run: DurableExecution) -> None:
    with suppress(*PROBLEMS):
        if not run.end:
            run.stop()
