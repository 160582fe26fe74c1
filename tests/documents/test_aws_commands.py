"""Every line with `aws` in the documents is a command of the AWS CLI, with options that it knows and all that it needs."""

import re
from functools import cache
from typing import Any, NamedTuple

import botocore.session
import pytest
from botocore import xform_name

from tests.support.documents import shell_code
from tools.stack import ROOT

OWN = {("s3", "cp"), ("s3", "sync"), ("logs", "tail")}
"""Commands of the CLI that are no operation of a service."""
EVERYWHERE = {"--query", "--output", "--region", "--cli-binary-format"}
_COMMAND = re.compile(r"(?:^|[\s(])aws ([a-z][a-z0-9-]* [a-z].*?)(?= && |$)", re.MULTILINE)
_OPTION = re.compile(r"(?<=\s)--[a-z-]+")


class Options(NamedTuple):
    known: set[str]
    required: set[str]


def lines() -> list[tuple[str, str]]:
    """Each command line after the word `aws`, with the name of its file."""
    code = [*shell_code("aws"), ("first_hour.sh", (ROOT / "examples" / "first_hour.sh").read_text())]
    return sorted({(name, line) for name, text in code for line in _COMMAND.findall(re.sub(r"\\\n\s*", " ", text))})


def problem(line: str) -> str:
    """Return what the CLI would refuse in this line, or nothing."""
    service, operation, *words = line.split()
    if (service, operation) in OWN:
        return ""
    if operation == "wait":
        return "" if words[0] in waiters(service) else f"{service} has no waiter {words[0]}"
    if operation not in operations(service):
        return f"{service} has no {operation}"
    given, options = set(_OPTION.findall(line)), operations(service)[operation]
    unknown, missing = given - options.known - EVERYWHERE, options.required - given if given else set()
    return ", ".join([*(f"{operation} has no {it}" for it in unknown), *(f"{operation} needs {it}" for it in missing)])


@cache
def operations(service: str) -> dict[str, Options]:
    """The options of each operation of a service."""
    model = botocore.session.get_session().get_service_model(service)
    return {xform_name(name, "-"): _options(model.operation_model(name).input_shape) for name in model.operation_names}


def _options(shape: Any) -> Options:
    known, required = (shape.members, shape.required_members) if shape else ((), ())
    return Options(*({f"--{xform_name(name, '-')}" for name in names} for names in (known, required)))


@cache
def waiters(service: str) -> set[str]:
    return {xform_name(name, "-") for name in botocore.session.get_session().get_waiter_model(service).waiter_names}


@pytest.mark.parametrize(("page", "line"), lines())
def test_is_a_command_with_its_options(page: str, line: str) -> None:
    assert problem(line) == ""


def test_the_pages_have_them() -> None:
    assert {"README.md", "operation.md", "events.md", "first_hour.sh"} <= {page for page, _ in lines()}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("lambda get-account-setting", "lambda has no get-account-setting"),
        ("dynamodb delete-table --name it", "delete-table has no --name, delete-table needs --table-name"),
        ("dynamodb wait table-there --table-name it", "dynamodb has no waiter table-there"),
    ],
)
def test_what_is_none_is_seen(line: str, says: str) -> None:
    assert problem(line) == says
