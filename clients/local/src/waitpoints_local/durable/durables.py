"""Start durable functions for tests, and take away at the end what was made for them."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from waitpoints_client import Waitpoints
from waitpoints_client.calls import ABSENT
from waitpoints_client.ops.deployed import PROBLEMS

from waitpoints_local.durable.execution import DurableExecution
from waitpoints_local.durable.function import Function, deployed, locate
from waitpoints_local.durable.live_run import DurableRun
from waitpoints_local.machine.documents import check_json
from waitpoints_local.machine.machines import Starter, find, in_one_sentence
from waitpoints_local.machine.run import ENDED


@dataclass
class Durable(Starter[DurableRun]):
    """Starts durable functions: the fixture `durable` of one test."""

    _names: dict[tuple[Function, frozenset[tuple[str, str]]], str] = field(default_factory=dict)

    @in_one_sentence
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
        file, _, handler = fspath(path).partition(":")
        function = locate(Path(find(file, self.folders)), handler)
        if not hasattr(self.workshop.deployed.client("lambda"), "get_durable_execution"):
            raise ImportError("boto3 here knows no durable functions: install boto3 1.42.1 or newer beside pytest")
        run = DurableExecution(self.workshop.deployed, self.workshop.waitpoints)
        value = check_json({} if event is ABSENT else event, "the event")
        value = value if token is None else self._with_token(value, token)
        run.start(self._deploy(function, environment or {}), value)
        self._ending.callback(_stop, run)
        return self._follow(DurableRun, run, function.file.stem)

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


def _end(waitpoints: Waitpoints, token: str) -> None:
    with suppress(*PROBLEMS):
        if waitpoints.get(token).status == "WAITING":
            waitpoints.fail(token, ENDED)


def _stop(run: DurableExecution) -> None:
    with suppress(*PROBLEMS):
        if not run.end:
            run.stop()
