"""`make run`, as a new user runs it."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.support.programs import ended
from tools.run import how_to_go_on
from tools.stack import ROOT
from waitpoints_local.stack import Stack, free_port

PATIENCE = 300  # seconds, in which another process may build first
KEYS = {
    "api_url",
    "public_url",
    "access_key_id",
    "secret_access_key",
    "api_key",
    "endpoint_url",
    "region",
    "stack_name",
    "table_name",
    "state_machine_arn",
    "wait_function_name",
    "create_function_name",
    "complete_function_name",
    "output_bucket",
    "machine_role_arn",
}


@contextmanager
def make_run(folder: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        ["make", "run"],
        cwd=ROOT,
        env={**os.environ, "STACK_FOLDER": str(folder), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(PATIENCE)


def processes_of(folder: Path) -> list[int]:
    """Every process that a `make run` with this folder started, directly or not."""
    marker, found = f"STACK_FOLDER={folder}".encode(), []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if marker in environ.read_bytes().split(b"\0"):
                found.append(int(environ.parent.name))
        except OSError:  # it has ended, or is somebody else's
            continue
    return found


def commands(printed: str) -> str:
    """The commands among what `make run` printed: what is indented, after the demonstration."""
    lines = printed[printed.index("Paste these") :].splitlines()
    return "\n".join(line for line in lines if line.startswith("    "))


def paste(text: str, folder: Path, stack: Stack) -> str:
    """Run commands as in a clone with this stack."""
    (folder / ".local").mkdir(parents=True)
    (folder / ".local" / "stack.json").write_text(json.dumps(asdict(stack)))
    (folder / ".local" / "local").symlink_to(ROOT / ".local" / "local")
    (folder / "examples").symlink_to(ROOT / "examples")
    done = ended(["sh", "-eu"], folder, typed=text)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.thorough  # a run with the AWS CLI pastes the same commands but one
def test_the_printed_commands_also_run_without_the_aws_cli(stack: Stack, tmp_path: Path) -> None:
    printed = how_to_go_on(stack, has_aws=False)
    assert 'SUCCEEDED\n{\n  "approved": true\n}\n' in paste(commands(printed), tmp_path, stack)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of two runs, as a user has them: the second finds what the first has left."""
    return tmp_path_factory.mktemp("run")


def test_once_shows_the_main_job_and_exits_with_status_0(folder: Path) -> None:
    with make_run(folder, ONCE="1", PORT=str(free_port())) as process:
        output, _ = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0, output
    assert "SUCCEEDED" in output
    assert '"action": "completed"' in output
    assert len(re.findall(r"\d+\.\d\d s\b", output)) == 6  # every step with its duration
    assert processes_of(folder) == []
    assert list((folder / "tmp").iterdir()) == []


@pytest.mark.thorough
def test_it_serves_until_ctrl_c_and_leaves_no_process_behind(folder: Path, tmp_path: Path) -> None:
    port = free_port()
    with make_run(folder, PORT=str(port), PARAMETERS="EventBusName=default BrandName='Acme Ltd'") as process:
        assert process.stdout is not None
        printed = ""
        until = time.monotonic() + PATIENCE
        while "Ctrl-C ends it" not in printed:
            assert time.monotonic() < until
            line = process.stdout.readline()
            assert line, printed
            printed += line

        assert len(re.findall(r"\d+\.\d\d s\b", printed)) == 6  # every step with its duration
        stack = json.loads((folder / "stack.json").read_text())
        assert set(stack) == KEYS
        assert stack["api_url"] == f"http://127.0.0.1:{port}"
        assert Stack(**stack).output_bucket
        [described] = Stack(**stack).client("cloudformation").describe_stacks(StackName=stack["stack_name"])["Stacks"]
        given = {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in described["Parameters"]}
        assert (given["EventBusName"], given["BrandName"]) == ("default", "Acme Ltd")
        pasted = paste(commands(printed), tmp_path / "clone", Stack(**stack))
        assert '{"success":true}' in pasted
        assert "status\tCOMPLETED" in pasted
        assert 'SUCCEEDED\n{\n  "approved": true\n}\n' in pasted
        assert '"isNew":true' in pasted  # the log
        assert processes_of(folder)

        os.killpg(process.pid, signal.SIGINT)
        rest, _ = process.communicate(timeout=PATIENCE)

    assert "Ended." in rest
    assert "Traceback" not in rest
    assert processes_of(folder) == []
    assert not (folder / "stack.json").exists()


def test_the_emulator_stops_when_its_run_is_killed(tmp_path: Path) -> None:
    with make_run(tmp_path, PORT=str(free_port())) as process:
        until = time.monotonic() + PATIENCE
        while not (tmp_path / "emulator.log").exists():
            assert time.monotonic() < until
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)

    until = time.monotonic() + PATIENCE
    while processes_of(tmp_path):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_port_in_use_is_refused_with_a_way_out(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with make_run(tmp_path, PORT=str(port)) as process:
            output, _ = process.communicate(timeout=PATIENCE)

    assert process.returncode != 0
    assert f"Port {port} is in use: stop the program that uses it, or choose another with PORT=…" in output


def test_make_hands_its_variables_on(tmp_path: Path) -> None:
    with make_run(tmp_path, PORT="80") as process:
        output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    assert "choose a number from 1024 to 65535" in output
