"""Load moto's interpreter without the rest of moto, which takes seconds and 170 MB, and mocks boto3."""

import random
import sys
from collections import namedtuple
from enum import StrEnum
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_PACKAGES = "moto moto.core moto.stepfunctions moto.batch moto.logs moto.moto_api moto.iam moto.utilities"


def _with_milliseconds(instant: Any) -> str:
    return str(instant.isoformat(timespec="milliseconds").replace("+00:00", "Z"))


_STAND_INS: dict[str, dict[str, Any]] = {
    "moto.batch.utils": {"JobStatus": StrEnum("JobStatus", {name: name for name in ("SUCCEEDED", "FAILED")})},
    "moto.logs.models": {"LogEvent": object, "LogsBackend": object, "logs_backends": {}},
    "moto.core.models": {"botocore_stubber": None},
    "moto.core.utils": {"iso_8601_datetime_with_milliseconds": _with_milliseconds},
    "moto.moto_api._internal": {"mock_random": random},
    "moto.stepfunctions.models": {"StateMachine": object},
    "moto.utilities.arns": {"parse_arn": None, "Arn": namedtuple("Arn", "account")},
}
"""What the interpreter takes from other parts of moto, of which it needs little."""


def load() -> None:
    """Make `part` work. Packages of moto become bare ones: their own `__init__` would import everything."""
    if "moto" in sys.modules:
        return
    spec = find_spec("moto")
    folder = spec.submodule_search_locations[0] if spec and spec.submodule_search_locations else ""
    for name in _PACKAGES.split():
        package = ModuleType(name)
        package.__path__ = ["/".join([folder, *name.split(".")[1:]])]
        sys.modules[name] = package
    for name, members in _STAND_INS.items():
        module = ModuleType(name)
        vars(module).update(members)
        sys.modules[name] = module


def part(path: str) -> Any:
    """Return a module of moto's interpreter."""
    load()
    return import_module(f"moto.stepfunctions.parser.{path}")


def state(path: str) -> Any:
    """Return a module of one of the kinds of states."""
    return part(f"asl.component.state.{path}")


def put_in_place_of(name: str, ours: Any) -> None:
    """Replace a function of the interpreter in every module that has it by name."""
    for module_name, module in list(sys.modules.items()):
        if module_name.startswith("moto.stepfunctions.parser.") and hasattr(module, name):
            setattr(module, name, ours)


def failure(env: Any, error: str, cause: str | None = None, kind: str = "TaskFailed") -> Any:
    """Return the failure of a state with an error of Step Functions."""
    failures = part("asl.component.common.error_name.failure_event")
    name = part("asl.component.common.error_name.custom_error_name").CustomErrorName(error)
    details = {f"{kind[0].lower()}{kind[1:]}EventDetails": {"error": error, **({"cause": cause} if cause is not None else {})}}
    return failures.FailureEventException(failures.FailureEvent(env, name, kind, details))


def runtime_failure(env: Any, cause: str) -> Any:
    return failure(env, "States.Runtime", cause)
