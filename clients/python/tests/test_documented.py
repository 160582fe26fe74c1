"""The package says what it is: each public name, and its version."""

import inspect
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from types import ModuleType
from typing import Any

import pytest

import waitpoints_client
from waitpoints_client import testing


def public(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Yield the classes that a module exports, and their public methods and properties."""
    for name in module.__all__:
        found = getattr(module, name)
        if inspect.isclass(found):
            yield name, found
            for member, value in vars(found).items():
                if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, (property, classmethod))):
                    yield f"{name}.{member}", value


@pytest.mark.parametrize(
    ("name", "found"), [*public(waitpoints_client), *public(testing)], ids=lambda it: it if isinstance(it, str) else ""
)
def test_every_public_name_is_documented(name: str, found: Any) -> None:
    documented = inspect.getdoc(found) or ""
    inherited = inspect.getdoc(found.__mro__[1]) if inspect.isclass(found) else None

    assert documented.endswith((".", ":", "}"))
    assert documented != inherited, f"{name} has only what it inherits"


def test_says_which_version_is_installed() -> None:
    assert waitpoints_client.__version__ == version("waitpoints-client")


def test_help_shows_what_a_call_is_without_data() -> None:
    assert "data: Any = ABSENT" in str(inspect.signature(waitpoints_client.Waitpoints.complete))


def test_what_few_programs_need_is_not_imported() -> None:
    lines = "import sys; from waitpoints_client import Waitpoints, testing, durable; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    assert set(printed.stdout.split()).isdisjoint(
        {"boto3", "botocore", "rfc8785", "typer", *(f"waitpoints_client.{it}" for it in ("agents", "cli"))}
    )
