"""The command `waitpoints` that make installs, run as an operator runs it."""

import json
import os
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.support.e2e import prepared
from tests.support.programs import Ended, ended
from tools.stack import ROOT
from waitpoints_local.stack import Stack

COMMAND = ROOT / ".local" / "local" / "bin" / "waitpoints"
IMPORTED = ("typer._adapters", "pydantic", "httpx", "httpcore", "boto3", "botocore.handlers")


def command() -> list[str]:
    """What begins a command, in place of its name."""
    return [*prepared.command(str(COMMAND.with_name("python")), *IMPORTED), str(COMMAND)]


class CommandLine:
    """Runs commands in a folder of their own, which has the file that `make run` leaves, and nothing of this environment."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack, self.folder = stack, folder
        (folder / ".local").mkdir()
        (folder / ".local" / "stack.json").write_text(json.dumps(asdict(stack)))
        kept = ("HOME", "LANG", "NO_PROXY")
        self.environment = {name: os.environ[name] for name in kept if name in os.environ}
        self.environment["PATH"] = os.pathsep.join([str(COMMAND.parent), os.environ["PATH"]])

    def run(self, *arguments: str, **environment: str) -> Ended:
        return self.run_in(self.folder, *arguments, **environment)

    def run_in(self, folder: Path, *arguments: str, **environment: str) -> Ended:
        return ended([*command(), *arguments], folder, {**self.environment, **environment})

    def json(self, *arguments: str, **environment: str) -> Any:
        done = self.run(*arguments, "--json", **environment)
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*command(), *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def by_name(self) -> dict[str, str]:
        """The environment with which --stack finds this stack, as it finds one in AWS."""
        return self.stack.endpoint.environment()
