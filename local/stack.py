"""Run the whole stack on this machine: start the emulator, then `sam build` and `sam deploy` to it as to AWS."""

import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3

from local import throttle
from local.machine_role import make_role
from local.turns import one_at_a_time

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"
REGION = "us-east-1"
STACK_NAME = "waitpoints"
STARTUP_SECONDS = 60
DECISIONS = "decisions.jsonl"
"""The file in a stack's folder with what each role was allowed and denied."""
ARCHITECTURE = "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64"

Step = Callable[[str], Any]
"""Called with the name of each step as it starts."""


class LocalError(Exception):
    """The local run failed. The message says what is wrong and what to do, in one sentence."""


@dataclass(frozen=True)
class Stack:
    """The content of `.local/stack.json`: what a caller of the running stack needs to know."""

    api_url: str
    api_key: str
    endpoint_url: str
    region: str
    stack_name: str
    table_name: str
    state_machine_arn: str
    wait_function_name: str
    create_function_name: str
    complete_function_name: str
    output_bucket: str
    machine_role_arn: str
    """Of a role for state machines of one's own."""

    def client(self, service: str) -> Any:
        """Return a boto3 client of the emulator, with the credentials of its root user."""
        return client(self.endpoint_url, service)


def client(endpoint_url: str, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - MiniStack's root user
    )


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


@contextmanager
def described(emulator: "Emulator", folder: Path) -> Iterator[Stack]:
    """The stack that was deployed to an emulator. Within this, it is the one of `folder`/stack.json."""
    stack = describe(emulator)
    own_file = folder / f"stack.{urlsplit(emulator.url).port}.json"
    own_file.write_text(json.dumps(asdict(stack), indent=2) + "\n")
    shutil.copy(own_file, folder / "stack.json")
    try:
        yield stack
    finally:
        own_file.unlink(missing_ok=True)
        hand_over(folder)


@dataclass(frozen=True)
class Emulator:
    """A running emulator: its URL, and the file that names the API which it serves at the root."""

    url: str
    api_id_file: Path


@contextmanager
def emulating(port: int, folder: Path, step: Step = str) -> Iterator[Emulator]:
    """Run an emulator without a stack on 127.0.0.1:`port`, with its log in `folder`. On exit, ends every process it started."""
    folder.mkdir(parents=True, exist_ok=True)
    check_port(port)
    step("Starting the emulator")
    api_id_file, scratch, decisions = folder / f"api_id.{port}", folder / "tmp" / str(port), folder / DECISIONS
    left = (api_id_file, throttle.file_of(folder, port), decisions, folder / f"stack.{port}.json")
    for left_by_a_killed_run in left:
        left_by_a_killed_run.unlink(missing_ok=True)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    with open(folder / "emulator.log", "wb") as log:
        emulator = subprocess.Popen(
            [program("emulator", "python"), "-m", "local.emulator", *map(str, (port, api_id_file, os.getpid(), decisions))],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env=emulator_environment(scratch),
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_serving(url, emulator, folder / "emulator.log")
        yield Emulator(url, api_id_file)
    finally:
        end(emulator)
        api_id_file.unlink(missing_ok=True)
        shutil.rmtree(scratch, ignore_errors=True)


def build(endpoint_url: str, folder: Path, project: Path = ROOT) -> None:
    """Build a project's template into `folder`/build, for this machine."""
    architecture = f"--parameter-overrides=Architecture={ARCHITECTURE}"
    sam("build", architecture, endpoint_url=endpoint_url, folder=folder, project=project)


def deploy(endpoint_url: str, folder: Path, parameters: Sequence[str] = ()) -> None:
    """Deploy what was built into `folder`/build, or update the stack that is there. Its sender of mails is verified."""
    if sender := sender_in(parameters):
        client(endpoint_url, "sesv2").create_email_identity(EmailIdentity=sender)
    sam("deploy", "--parameter-overrides", *overrides(endpoint_url), *parameters, endpoint_url=endpoint_url, folder=folder)


def sender_in(parameters: Sequence[str]) -> str:
    """Return the address in the parameter MailFrom, as `running` takes it. Empty if there is none."""
    return dict(parameter.split("=", 1) for parameter in parameters).get("MailFrom", "").strip('"')


def overrides(endpoint_url: str) -> list[str]:
    """The parameters of a stack on this machine."""
    return [f"Architecture={ARCHITECTURE}", f"PublicBaseUrl={endpoint_url}", "ResumableStateMachines=*"]


def hand_over(folder: Path) -> None:
    """Point `stack.json` to another stack that runs from this folder, or delete it if there is none."""
    for other in folder.glob("stack.*.json"):
        if is_serving(json.loads(other.read_text())["endpoint_url"]):
            shutil.copy(other, folder / "stack.json")
            return
        other.unlink()
    (folder / "stack.json").unlink(missing_ok=True)


def is_serving(endpoint_url: str) -> bool:
    try:
        urllib.request.urlopen(f"{endpoint_url}/_ministack/health", timeout=1).close()
    except OSError:
        return False
    return True


def check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise LocalError(f"Port {port} is in use: stop the program that uses it, or choose another with PORT=…") from None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(environment: str, name: str) -> str:
    path = LOCAL / environment / "bin" / name
    if not path.exists():
        raise LocalError(f"The {environment} environment is missing: run `make setup` first")
    return str(path)


def emulator_environment(scratch: Path) -> dict[str, str]:
    return {**clean_environment(), "TMPDIR": str(scratch), "PYTHONUNBUFFERED": "1", "NO_PROXY": "127.0.0.1,localhost"}


def clean_environment() -> dict[str, str]:
    """This process's environment without what leads to AWS: profiles, credentials and endpoints.

    Compiled modules are kept, so that not every process compiles SAM or the emulator anew.
    """
    left_out = ("AWS_", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(left_out)}


def wait_until_serving(endpoint_url: str, emulator: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(STARTUP_SECONDS * 10):
        if emulator.poll() is not None:
            raise LocalError(f"The emulator exited during startup: see {log}")
        if is_serving(endpoint_url):
            return
        with suppress(subprocess.TimeoutExpired):
            emulator.wait(0.1)
    raise LocalError(f"The emulator did not respond within {STARTUP_SECONDS} s: see {log}")


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
    with one_at_a_time("build") if command == "build" else nullcontext():
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


def describe(emulator: Emulator) -> Stack:
    """Return the deployed stack, and serve its API at the root of the port."""
    described = client(emulator.url, "cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
    emulator.api_id_file.write_text(outputs["ApiId"])
    secret = client(emulator.url, "secretsmanager").get_secret_value(SecretId=outputs["ApiKeySecret"])
    return Stack(
        api_url=outputs["ApiUrl"],
        api_key=secret["SecretString"],
        endpoint_url=emulator.url,
        region=REGION,
        stack_name=STACK_NAME,
        table_name=outputs["TableName"],
        state_machine_arn=outputs["StateMachineArn"],
        wait_function_name=outputs["WaitFunctionName"],
        create_function_name=outputs["CreateFunctionName"],
        complete_function_name=outputs.get("CompleteFunctionName", ""),  # an older version has none
        output_bucket=outputs["OutputBucketName"],
        machine_role_arn=make_role(client(emulator.url, "iam")),
    )


def end(emulator: subprocess.Popen[bytes]) -> None:
    """End the emulator and its functions: SIGTERM first, then SIGKILL."""
    for signal_number, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        try:
            os.killpg(emulator.pid, signal_number)
            emulator.wait(patience)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
