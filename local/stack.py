"""Run this checkout's stack on this machine: start the emulator, then `sam build` and `sam deploy` to it as to AWS."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from waitpoints_local import stack as of_package
from waitpoints_local.stack import (
    ARCHITECTURE,
    REGION,
    Emulator,
    LocalError,
    Program,
    Stack,
    Step,
    clean_environment,
    described,
    overrides,
    sender_in,
    verify_sender,
)
from waitpoints_local.turns import one_at_a_time

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"
LOCKS = LOCAL / "locks"
PACKAGE = ROOT / "clients" / "local" / "src"
"""The folder of the package `waitpoints_local`, which no environment of the clone has installed."""


@contextmanager
def running(port: int, folder: Path, step: Step = str, parameters: Sequence[str] = ()) -> Iterator[Stack]:
    """Deploy a stack on 127.0.0.1:`port` with its files in `folder`. On exit, ends every process it started.

    `parameters` are the template's, each as `sam deploy --parameter-overrides` reads it: NAME="VALUE".
    """
    with emulating(port, folder, step) as emulator:
        step("sam build")
        build(emulator.url, folder)
        step("sam deploy")
        deploy(emulator.url, folder, parameters)
        with described(emulator, folder) as stack:
            yield stack


def emulating(port: int, folder: Path, step: Step = str) -> AbstractContextManager[Emulator]:
    """Run an emulator with the environment that only it has in a clone."""
    return of_package.emulating(port, folder, step, Program(program("emulator", "python"), on_path()))


def on_path() -> dict[str, str]:
    """The variable by which another Python finds the package."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(PACKAGE), os.environ.get("PYTHONPATH"))))}


def build(endpoint_url: str, folder: Path, project: Path = ROOT) -> None:
    """Build a project's template into `folder`/build, for this machine."""
    architecture = f"--parameter-overrides=Architecture={ARCHITECTURE}"
    sam("build", architecture, endpoint_url=endpoint_url, folder=folder, project=project)


def deploy(endpoint_url: str, folder: Path, parameters: Sequence[str] = ()) -> None:
    """Deploy what was built into `folder`/build, or update the stack that is there. Its sender of mails is verified."""
    verify_sender(endpoint_url, sender_in(parameters))
    sam("deploy", "--parameter-overrides", *overrides(endpoint_url), *parameters, endpoint_url=endpoint_url, folder=folder)


def program(environment: str, name: str) -> str:
    path = LOCAL / environment / "bin" / name
    if not path.exists():
        raise LocalError(f"The {environment} environment is missing: run `make setup` first")
    return str(path)


def sam(command: str, *arguments: str, endpoint_url: str, folder: Path, project: Path = ROOT) -> None:
    """Run the SAM CLI in a project with the `local` environment of samconfig.toml. Raises LocalError with its last line."""
    config = ["--config-file", str(ROOT / "samconfig.toml"), "--config-env", "local"]
    directories = ["--build-dir", str(folder / "build")] if command == "build" else []
    template = ["--template-file", str(folder / "build" / "template.yaml")] if command == "deploy" else []
    path = os.pathsep.join([str(LOCAL / "sam" / "bin"), os.environ.get("PATH", "")])
    environment = {
        **clean_environment(),
        "PATH": path,
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
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
