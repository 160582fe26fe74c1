"""Whose stack the tests of a session use, and who ends it: on a stack that is only written down."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from waitpoints_client import __version__, local_stacks

from waitpoints_local import engine, serving, shared_stack
from waitpoints_local.serving import Served
from waitpoints_local.shared_stack import shared
from waitpoints_local.stack import LocalError, Stack

NAMES = (
    "api_url public_url api_key endpoint_url access_key_id secret_access_key "
    "region stack_name table_name state_machine_arn wait_function_name create_function_name "
    "complete_function_name output_bucket machine_role_arn"
)
STACK = Stack(
    **{**dict.fromkeys(NAMES.split(), "a"), "api_url": "http://127.0.0.1:4321", "endpoint_url": "http://127.0.0.1:4321"}
)
SERVED = Served(**vars(STACK), version="1", parameters={}, host="", process=7)
OTHER_PROCESS = """
import sys
from waitpoints_local import shared_stack
from types import SimpleNamespace
shared_stack.is_serving = lambda _: True
shared_stack.serving.find = lambda *_: SimpleNamespace(process=7)
with shared_stack.shared():
    print("uses", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was started and ended."""
    made: list[str] = []

    def up(port: int, folder: Path, *_: Any) -> tuple[Served, bool]:
        made.append(f"up {port}")
        (folder / local_stacks.NAME).write_text(json.dumps(asdict(SERVED)))
        return SERVED, True

    def down(port: int, folder: Path) -> bool:
        made.append(f"down {port}")
        (folder / local_stacks.NAME).unlink()
        return True

    monkeypatch.setenv(local_stacks.VARIABLE, str(tmp_path))
    monkeypatch.setattr(serving, "up", up)
    monkeypatch.setattr(serving, "down", down)
    monkeypatch.setattr(serving, "find", lambda port, _: SERVED if port == STACK.port else None)
    monkeypatch.setattr(shared_stack, "is_serving", lambda url: url == STACK.endpoint_url)
    monkeypatch.setattr(engine, "find", lambda: None)
    return made


@pytest.fixture
def other() -> Iterator[subprocess.Popen[str]]:
    """Another process of pytest, made when it is asked for."""
    found = subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield found
    finally:
        found.kill()
        found.communicate()


def test_a_session_ends_the_stack_that_it_started(calls: list[str], tmp_path: Path) -> None:
    with shared() as stack:
        assert (stack, calls) == (SERVED, ["up 0"])
    assert calls == ["up 0", "down 4321"]
    assert not [*tmp_path.glob("sessions.*")]


def test_a_stack_that_runs_is_used_and_goes_on(calls: list[str], tmp_path: Path) -> None:
    (tmp_path / local_stacks.NAME).write_text(json.dumps(asdict(STACK)))
    with shared() as stack:
        assert stack == STACK
    assert calls == []


def test_what_describes_a_stack_that_has_ended_is_no_stack(
    calls: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / local_stacks.NAME).write_text(json.dumps(asdict(STACK)))
    monkeypatch.setattr(shared_stack, "is_serving", lambda _: False)
    with shared():
        assert calls == ["up 0"]


@pytest.mark.parametrize("how", ["ends", "is killed"])
def test_the_last_process_ends_it_also_if_another_one_was_killed(
    calls: list[str], request: pytest.FixtureRequest, how: str
) -> None:
    with shared():
        other: subprocess.Popen[str] = request.getfixturevalue("other")
        assert other.stdout is not None
        assert other.stdout.readline() == "uses\n"
        if how == "is killed":
            other.kill()
            other.wait()
    assert calls == (["up 0", "down 4321"] if how == "is killed" else ["up 0"])
    if how == "ends":
        with shared():
            other.kill()
            other.wait()
        assert calls == ["up 0", "down 4321"]


@pytest.mark.parametrize(("process", "ended"), [("7", ["down 4321"]), ("6", [])])
def test_a_killed_session_leaves_its_stack_to_the_next_one_and_not_one_of_the_user_on_its_port(
    calls: list[str], tmp_path: Path, process: str, ended: list[str]
) -> None:
    serving.up(0, tmp_path)
    (tmp_path / "sessions.4321").write_text(process)
    with shared():
        pass
    assert calls == ["up 0", *ended]


def test_a_stack_that_runs_with_other_parameters_is_refused(tmp_path: Path, calls: list[str]) -> None:
    wanted = {"BrandName": "Acme", "MailFrom": "a@example.com"}
    (tmp_path / local_stacks.NAME).write_text(json.dumps({**asdict(SERVED), "parameters": {"BrandName": "Acme"}}))
    why = "^The stack at http://127.0.0.1:4321 runs without MailFrom=a@example.com: end it with `waitpoints down`$"
    with pytest.raises(LocalError, match=why), shared(wanted):
        pass
    (tmp_path / local_stacks.NAME).write_text(json.dumps({**asdict(SERVED), "parameters": wanted}))
    with shared(wanted):
        assert calls == []


@pytest.mark.parametrize("version", [__version__, "0.1"])
def test_an_engine_elsewhere_starts_it(calls: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    def up(program: Path, folder: Path, parameters: dict[str, str]) -> Any:
        calls.append(f"{program} up {parameters}")
        file = folder / local_stacks.NAME
        file.write_text(json.dumps({**asdict(SERVED), "version": version}))
        return {"file": str(file)}

    monkeypatch.setattr(engine, "find", lambda: Path("the-engine"))
    monkeypatch.setattr(engine, "up", up)
    if version == __version__:
        with shared({"A": "b"}) as stack:
            assert stack.api_url == SERVED.api_url
    else:
        with pytest.raises(LocalError, match=r"^The engine is of version 0.1, not"), shared({"A": "b"}):
            pass
    assert calls == [f"the-engine up {shared_stack.PARAMETERS | {'A': 'b'}}", "down 4321"]
