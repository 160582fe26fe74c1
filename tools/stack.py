"""The environments of a clone, each for programs of one kind: the emulator, and the SAM CLI, which builds and deploys to it."""

import os
import subprocess
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from waitpoints_local import stack as of_package
from waitpoints_local.stack import Emulator, Endpoint, LocalError, Program, Step, clean_environment
from waitpoints_local.turns import one_at_a_time

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"
LOCKS = LOCAL / "locks"
PACKAGE = ROOT / "clients" / "local" / "src"
"""The folder of the package `waitpoints_local`, which of a clone's environments only `local` has installed."""


NOWHERE = Endpoint("", "none", "none")
"""For what calls no service."""


def emulating(
    port: int, folder: Path, step: Step = str, environment: str = "emulator", host: str = ""
) -> AbstractContextManager[Emulator]:
    """Run an emulator, by default with the environment that has nothing else: functions find what their layers have."""
    return of_package.emulating(port, folder, step, Program(program(environment, "python"), on_path(), host))


def on_path() -> dict[str, str]:
    """The variable by which another Python finds the package."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(PACKAGE), os.environ.get("PYTHONPATH"))))}


def program(environment: str, name: str) -> str:
    path = LOCAL / environment / "bin" / name
    if not path.exists():
        raise LocalError(f"The {environment} environment is missing: run `make setup` first")
    return str(path)


def sam(command: str, *arguments: str, folder: Path, endpoint: Endpoint = NOWHERE, project: Path = ROOT) -> None:
    """Run the SAM CLI in a project with the `local` environment of samconfig.toml. Raises LocalError with its last line."""
    config = ["--config-file", str(ROOT / "samconfig.toml"), "--config-env", "local"]
    directories = ["--build-dir", str(folder / "build")] if command == "build" else []
    template = ["--template-file", str(folder / "build" / "template.yaml")] if command == "deploy" else []
    path = os.pathsep.join([str(LOCAL / "sam" / "bin"), os.environ.get("PATH", "")])
    environment = {
        **clean_environment(),
        "PATH": path,
        **endpoint.environment(),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SAM_CLI_TELEMETRY": "0",
        "NO_PROXY": "127.0.0.1,localhost",
    }
    # a build deletes from SAM's cache what it has no use for itself, and so what another one needs
    with one_at_a_time(LOCKS / "build") if command == "build" else nullcontext():
        done = subprocess.run(
            [program("sam", "python"), "-m", "samcli", command, *config, *directories, *template, *arguments],
            cwd=project,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    (folder / f"sam-{command}.log").write_text(done.stdout + done.stderr)
    if done.returncode:
        last_line = (done.stdout + done.stderr).strip().splitlines()[-1:]
        raise LocalError(f"`sam {command}` failed ({' '.join(last_line)}): see {folder / f'sam-{command}.log'}")
