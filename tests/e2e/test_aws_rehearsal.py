"""A run on AWS, on an emulator of its own, from an empty environment: what each step says, and what a killed one leaves."""

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs import ended, printed
from tools.on_aws.clean_up import FAILURES, KINDS, listed
from tools.on_aws.steps import STEPS, Step
from tools.stack import LOCAL, ROOT, emulating
from waitpoints_local.stack import ARCHITECTURE, REGION, Emulator, free_port

pytestmark = pytest.mark.thorough  # it builds and deploys several stacks

COMMAND = ["sh", "examples/on_aws.sh", "--region", REGION, "--yes"]
QUICK = {"SPREAD": "0", "SETTLE": "0", "QUIET": "0", "LOAD_SECONDS": "5", "SHORT": "90s", "SAM_CLI_POLL_DELAY": "0.5"}
NOT_HERE = {"stage", "metrics", "gradual"}
"""Steps about what the emulator has not: tests/tools/on_aws (probes, first_hour_steps) has AWS's answers to these."""

MAKES_NOTHING = {step.name for step in STEPS if not step.needs} - {"bucket"}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with emulating(free_port(), LOCAL / "e2e-aws-rehearsal") as emulator, newest_api_at_root(emulator):
        yield emulator


@contextmanager
def newest_api_at_root(emulator: Emulator) -> Iterator[None]:
    """Serve the API of the newest stack at the emulator's root, where each stack's URLs lead."""
    over, stacks = threading.Event(), emulator.client("cloudformation").describe_stacks
    beside = emulator.api_id_file.with_suffix(".new")  # a file that is being written is read empty

    def serve() -> None:
        while not over.wait(0.2):
            found = [
                (stack["CreationTime"], output["OutputValue"])
                for stack in stacks()["Stacks"]
                for output in stack.get("Outputs", [])
                if output["OutputKey"] == "ApiId"
            ]
            if found:
                beside.write_text(max(found)[1])
                beside.replace(emulator.api_id_file)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture
def environment(emulator: Emulator, tmp_path: Path) -> dict[str, str]:
    """No region, no configuration, no program of the project."""
    (home := tmp_path / "home").mkdir()
    path = os.pathsep.join(it for it in os.environ["PATH"].split(os.pathsep) if str(ROOT) not in it)
    parameters = f"PublicBaseUrl={emulator.url} ResumableStateMachines=*"
    own = {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", "NO_PROXY": "127.0.0.1", "AWS_ENDPOINT_URL": emulator.url}
    return own | emulator.credentials() | QUICK | {"PARAMETERS": parameters, "ARCHITECTURE": ARCHITECTURE}


def everything(emulator: Emulator) -> dict[str, Any]:
    """What each service lists, whoever made it."""
    found = {}
    for kind in KINDS:
        try:
            found[kind.name] = listed(emulator.client(kind.service), kind, "wp")
        except FAILURES:  # the emulator has not this service
            found[kind.name] = []
    return found


def test_every_step(emulator: Emulator, environment: dict[str, str], tmp_path: Path) -> None:
    before = everything(emulator)
    folder = tmp_path / "evidence"  # half an hour on a slow machine: the run itself ends after three
    command = [*COMMAND, "--all", "--evidence", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert folder.is_dir(), done.stdout + done.stderr
    rows = {row["name"]: row for row in json.loads((folder / "summary.json").read_text())["steps"]}
    assert list(rows) == [step.name for step in STEPS]
    assert {name: row["reason"] for name, row in rows.items() if row["status"] == "failed" and name not in NOT_HERE} == {}
    assert everything(emulator) == before
    assert done.stdout.count("\n") < 100


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One for all that are killed."""
    folder = tmp_path_factory.mktemp("made") / "archive"
    printed([LOCAL / "local" / "bin" / "python", "-m", "tools.release.archive", ARCHITECTURE, folder])
    return str(folder)


@pytest.mark.parametrize("step", STEPS, ids=lambda it: it.name)
def test_nothing_is_left_of_a_run_that_is_killed_after_a_step_and_cleaned(
    step: Step, emulator: Emulator, environment: dict[str, str], archive: str, tmp_path: Path
) -> None:
    """Its programs go on for a while, as those of a step do whose runner is killed."""
    before = everything(emulator)
    command = [*COMMAND, "--only", step.name, "--evidence", str(tmp_path / "evidence")]
    name, said = "", list[str]()
    with subprocess.Popen(command, cwd=ROOT, env=environment | {"ARCHIVE": archive}, stdout=subprocess.PIPE, text=True) as run:
        for line in run.stdout or ():
            said.append(line)
            if found := re.search(r"--clean (\w+)", line):
                name = found[1]
            if re.match(rf"\d+ {step.name} +(ok|failed|skipped)", line):
                run.kill()
                break
        else:
            pytest.fail("".join(said))
    done = ended([*COMMAND, "--clean", name], ROOT, environment)
    assert done.returncode == (2 if step.name in MAKES_NOTHING else 0), done.stdout + done.stderr
    assert everything(emulator) == before
