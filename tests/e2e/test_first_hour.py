"""The first hour on AWS of docs/operation.md, as far as it goes on the emulator. examples/first_hour.sh has its long steps.

`sam deploy` here only changes a parameter, since the stack is deployed by then. `aws` is the AWS CLI.
"""

import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.support import previous
from tests.support.e2e.built import Built
from tests.support.e2e.folders import BUILDS
from tests.support.e2e.permissions import denied
from tests.support.programs import ended
from tools.stack import LOCAL, ROOT, emulating
from waitpoints_local.stack import STACK_NAME, Endpoint, Stack, free_port

SAM = f"""#!{sys.executable}
import json, sys
sys.path[:0] = {[str(ROOT), str(ROOT / "clients" / "local" / "src")]!r}
from tests.support.e2e.parameters import give
from waitpoints_local.stack import Stack
[_, deploy, _, name, _, override] = sys.argv
stack = Stack(**json.load(open({{path!r}})))
assert (deploy, name) == ("deploy", stack.stack_name)
parameter, _, value = override.partition("=")
give(stack, parameter, value.strip('"'))
"""
SAM_OF_TWO_VERSIONS = f"""#!{sys.executable}
import sys
from pathlib import Path
sys.path[:0] = {[str(ROOT), str(ROOT / "clients" / "local" / "src")]!r}
from tests.e2e.test_first_hour import deploy_version
if sys.argv[1] == "deploy":
    deploy_version(Path.cwd(), sys.argv[sys.argv.index("--stack-name") + 1], *{{given!r}})
"""
Step = Callable[[str], tuple[int, str]]


@pytest.fixture
def run(stack: Stack, tmp_path: Path) -> Step:
    """Run a command line in a clone, as somebody who has set the region and credentials of an account."""
    (file := tmp_path / "stack.json").write_text(json.dumps(asdict(stack)))
    return run_with(SAM.format(path=str(file)), stack.endpoint, tmp_path)


def run_with(sam: str, endpoint: Endpoint, folder: Path, **more: str) -> Step:
    """Run a command line with this program in place of the SAM CLI."""
    (program := folder / "programs" / "sam").parent.mkdir()
    program.write_text(sam)
    program.chmod(0o700)
    (home := folder / "home").mkdir()
    programs = (program.parent, ROOT / ".local" / "sam" / "bin", ROOT / ".local" / "local" / "bin")
    environment = endpoint.environment() | {
        "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "NO_PROXY": "127.0.0.1",
        "STACK": STACK_NAME,
        "SPREAD": "0",
        **more,
    }

    def run(line: str) -> tuple[int, str]:
        done = ended(["sh", "-c", line], ROOT, environment)
        return done.returncode, done.stdout + done.stderr

    return run


def deploy_version(folder: Path, name: str, url: str, key_id: str, secret: str, api_id_file: str) -> None:
    """Deploy the version in a folder, the previous one or this, and serve its API at the emulator's root."""
    older = BUILDS / previous.folder_name()
    built = Built(BUILDS / "current") if folder == ROOT else Built(older, previous.checkout(older / "source"))
    endpoint = Endpoint(url, key_id, secret)
    built.deploy(endpoint, name=name)
    [described] = endpoint.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    [api_id] = [it["OutputValue"] for it in described["Outputs"] if it["OutputKey"] == "ApiId"]
    Path(api_id_file).write_text(api_id)


@pytest.mark.thorough  # test_upgrade.py has more waits, in fewer steps
def test_upgrade(tmp_path: Path) -> None:
    """On an emulator of its own, whose root has one API."""
    previous.need_history()
    with emulating(free_port(), LOCAL / "e2e-first-hour") as emulator:
        given = (emulator.url, emulator.access_key_id, emulator.secret_access_key, str(emulator.api_id_file))
        older = previous.checkout(BUILDS / previous.folder_name() / "source")
        run = run_with(SAM_OF_TWO_VERSIONS.format(given=given), emulator, tmp_path, SHORT="90s", FROM=str(older))
        status, printed = run("sh examples/first_hour.sh upgrade")
        assert status == 0, printed
        assert [line.partition(":")[0] for line in printed.splitlines() if line.startswith("ok  ")] == [
            "ok  after the upgrade",
            "ok  after the way back",
            "ok  a token with a key",
            "ok  a token with a page",
            "ok  all five executions have ended. Now",
        ]


@pytest.mark.thorough
def test_a_request_that_goes_wrong_ends_it(run: Step, stack: Stack) -> None:
    """First, as the function remembers a secret that it has read."""
    with denied(stack, "secretsmanager:GetSecretValue", "AcceptCallback"):
        status, printed = run("sh examples/first_hour.sh bodies")
    assert status == 1
    assert re.search(r"^FAILED  signed with 0+: 503 in place of 401", printed, re.MULTILINE), printed


@pytest.mark.thorough  # each answer has an integration test, too
def test_bodies(run: Step) -> None:
    status, printed = run("sh examples/first_hour.sh bodies")
    assert status == 0, printed
    assert re.findall(r"^(?:ok|noted)  (.+): (\d+)$", re.sub(r"signed with \w+", "signed", printed), re.MULTILINE) == [
        ("signed", "401"),
        ("signed", "200"),
        ("5000000 bytes", "413"),
        ("11000000 bytes", "413"),
        ("HEAD", "200"),
        ("a page", "200"),
        ("OPTIONS", "200"),
        ("the console", "200"),
        ("a form", "200"),
    ]
    assert re.findall(r"^output\t(.*)$", printed, re.MULTILINE) == ['{"café": 1}', '{"name":"café"}']


@pytest.mark.thorough
def test_definitions(run: Step) -> None:
    status, printed = run("sh examples/first_hour.sh definitions")
    assert status == 0, printed
    machines = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "examples" / "statemachines").glob("*.asl.json"))]
    assert re.findall(r"^ok  (.*)$", printed, re.MULTILINE) == machines


@pytest.mark.thorough
def test_a_refused_resume(run: Step) -> None:
    status, printed = run("sh examples/first_hour.sh refused_resume")
    assert status == 0, printed
    assert re.search(r"^ok  refused, and the doctor names waitpoint_\w+\nwaiter 1\tRESUMED ", printed, re.MULTILINE), printed


@pytest.mark.thorough
def test_what_ends_half_way_leaves_no_stack_that_may_not_resume(run: Step, tmp_path: Path) -> None:
    (aws := tmp_path / "programs" / "aws").write_text(f"""#!/bin/sh
case $2 in start-execution) exit 1 ;; esac
exec {ROOT / ".local" / "sam" / "bin" / "aws"} "$@"
""")
    aws.chmod(0o700)
    parameter = "Stacks[0].Parameters[?ParameterKey=='ResumableStateMachines'].ParameterValue"
    asked = f'aws cloudformation describe-stacks --stack-name waitpoints --output text --query "{parameter}"'
    before = run(asked)
    status, _ = run("sh examples/first_hour.sh refused_resume")
    assert (status, run(asked)) == (1, before)


@pytest.mark.thorough
def test_a_named_key(run: Step) -> None:
    status, printed = run("sh examples/first_hour.sh named_key")
    assert status == 0, printed
    assert "lacks the scope complete" in printed
    assert "ok  refused once it was revoked" in printed


@pytest.mark.thorough
def test_restore(run: Step) -> None:
    run("waitpoints create --stack waitpoints")
    status, printed = run("sh examples/first_hour.sh restore")
    assert status == 0, printed
    assert ", 1 copied\nid\twaitpoint_" in printed
