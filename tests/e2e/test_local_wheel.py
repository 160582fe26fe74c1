"""waitpoints-local from its wheel, in an empty environment and folder, by a user whose home cannot be written."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waitpoints_client import __version__

from tests.support import figures
from tests.support.e2e import wheels
from tests.support.patience import PATIENCE
from tests.support.programs import Ended, ended
from tools.stack import ROOT

pytestmark = pytest.mark.thorough  # it installs everything

NOWHERE = "http://127.0.0.1:9"  # where nothing listens


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that has nothing but the wheel and what it needs."""
    return wheels.install(tmp_path_factory.mktemp("wheel"))


class Shell:
    """A person in an empty folder, with a home that is none, behind a proxy that does not answer."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.folder = folder
        (folder / "here").mkdir()
        (folder / "tmp").mkdir()
        (folder / "home").write_text("a file")
        self._environment = {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "HTTP_PROXY": NOWHERE,
            "HTTPS_PROXY": NOWHERE,
            "NO_PROXY": "127.0.0.1",
            "AWS_PROFILE": "missing",
            "LC_ALL": "C.UTF-8",
        }

    def run(self, *arguments: str, status: int = 0) -> Ended:
        done = ended(["waitpoints", *arguments], self.folder / "here", self._environment)
        assert done.returncode == status, done.stderr + done.stdout
        return done

    def printed(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)


@pytest.fixture
def shell(programs: Path, tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(programs, tmp_path)
    yield shell
    shell.run("down", "--all")


def test_the_whole_stack_serves_from_any_folder(shell: Shell) -> None:
    began = time.monotonic()
    up = shell.run("up", "--port", "0", "--parameters", "BrandName=Acme", "--parameters", "Tracing=Active", "--json")
    figures.show(f"waitpoints up, from the wheel: {time.monotonic() - began:.1f} s")
    assert "cannot be written, so the stack's files are in" in up.stderr
    stack = json.loads(up.stdout)
    assert stack["version"] == __version__
    assert stack["parameters"] == {"BrandName": "Acme", "Tracing": "Active"}

    token = shell.printed("create", "--timeout", "1h", "--tag", "wheel")
    shell.run("complete", token["id"], '{"approved": true}')
    assert [it["id"] for it in shell.printed("list", "--tag", "wheel")] == [token["id"]]
    smoked = shell.run("smoke", "--quick")
    assert "Nothing failed" in smoked.stdout

    shutil.copy(ROOT / "examples" / "statemachines" / "wait_for_webhook.asl.json", shell.folder / "here" / "mine.asl.json")
    given = json.dumps({"token": {"id": token["id"]}})
    assert "SUCCEEDED" in shell.run("try", "mine.asl.json", "--input", given).stdout

    os.kill(stack["process"], signal.SIGKILL)
    assert "has ended" in shell.run("list", status=1).stderr
    port = stack["endpoint_url"].rpartition(":")[2]
    assert shell.run("up", "--port", port).stdout.startswith("Serves at")
    assert shell.run("up", "--port", port).stdout.startswith("Already serves at")
    assert "with no parameters already runs" in shell.run("up", "--port", port, "-p", "Slack=on", status=1).stderr
    assert shell.run("down").stdout == f"Ended: http://127.0.0.1:{port}\n"
    assert "start one with `waitpoints up`" in shell.run("list", status=1).stderr


def test_in_the_foreground_it_serves_until_ctrl_c(shell: Shell) -> None:
    with subprocess.Popen(
        ["waitpoints", "up", "--foreground", "--port", "0", "--json"],
        cwd=shell.folder / "here",
        env=shell._environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as serving:
        assert serving.stdout is not None
        printed = ""
        while not printed.endswith("}\n"):
            printed += (line := serving.stdout.readline())
            assert line, printed
        assert shell.printed("list") == []
        os.killpg(serving.pid, signal.SIGINT)
        assert serving.wait(PATIENCE) == 0
    assert json.loads(printed)["process"] == 0
    assert "No stack" in shell.run("list", status=1).stderr
