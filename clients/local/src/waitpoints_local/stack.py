"""A stack on this machine: its emulator, and the file that describes it to its users."""

import http.client
import json
import os
import platform
import re
import secrets
import shutil
import signal
import socket
import stat
import string
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache, partial
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config

from waitpoints_local import throttle
from waitpoints_local.admission import ONE_MORE_HOST
from waitpoints_local.machine_role import make_role
from waitpoints_local.turns import is_held

REGION = "us-east-1"
STACK_NAME = "waitpoints"
STARTUP_SECONDS = 60
CLIENTS = 100
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
DECISIONS = "decisions.jsonl"
"""The file in a stack's folder with what each role was allowed and denied."""
ARCHITECTURE = "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64"

_NOT_THE_USERS = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None)) | dict.fromkeys(
    ("profile", "use_fips_endpoint", "use_dualstack_endpoint"), (None, None, None, None)
)
"""botocore's settings, each read from nowhere, with a default."""

Step = Callable[[str], Any]
"""Called with the name of each step as it starts."""


class LocalError(Exception):
    """The local run failed. The message says what is wrong and what to do, in one sentence."""


@dataclass(frozen=True)
class Endpoint:
    """Where an emulator answers, and the credentials of its root user."""

    url: str
    access_key_id: str
    secret_access_key: str = field(repr=False)

    def client(self, service: str) -> Any:
        """Return a boto3 client of the emulator, with the credentials of its root user."""
        return client(self, service)

    def environment(self) -> dict[str, str]:
        """Return the variables by which AWS's SDKs and tools find the emulator."""
        return {"AWS_ENDPOINT_URL": self.url, **self.credentials(), "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}

    def credentials(self) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret_access_key}


@dataclass(frozen=True)
class Emulator(Endpoint):
    """A running emulator, and the file that names the API which it serves at the root."""

    api_id_file: Path


@dataclass(frozen=True)
class Stack:
    """The content of `stack.json`: what a caller of the running stack needs to know."""

    api_url: str
    public_url: str
    """What the URLs of tokens begin with: another one if PublicBaseUrl leads here from elsewhere, such as a tunnel."""
    api_key: str
    endpoint_url: str
    access_key_id: str
    """Of the emulator's root user."""
    secret_access_key: str = field(repr=False)
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

    @classmethod
    def read(cls, file: Path) -> Self:
        """Return what a file describes. It may say more or less than is known. Raises NotBelieved."""
        from waitpoints_client import local_stacks  # noqa: PLC0415 - the environments that deploy or measure do not have it

        unknown: dict[str, Any] = {it.name: "" for it in fields(cls) if it.type is str}  # to an older version
        known = {it.name for it in fields(cls)}
        return cls(**unknown | {name: value for name, value in local_stacks.read(file).items() if name in known})

    @property
    def port(self) -> int:
        return port_of(self.endpoint_url)

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.endpoint_url, self.access_key_id, self.secret_access_key)

    def client(self, service: str) -> Any:
        """Return a boto3 client of the emulator, with the credentials of its root user."""
        return client(self.endpoint, service)


@lru_cache(CLIENTS)
def client(endpoint: Endpoint, service: str) -> Any:
    """Return a boto3 client of an emulator, whatever profile, proxy or kind of endpoint the user has configured for AWS.

    It is made once: that takes longer than most calls, and threads may share it.
    """
    session = botocore.session.Session(_NOT_THE_USERS)
    keys = endpoint.access_key_id, endpoint.secret_access_key
    return boto3.Session(*keys, region_name=REGION, botocore_session=session).client(
        service, endpoint_url=endpoint.url, config=Config(proxies={})
    )


def port_of(url: str) -> int:
    return urlsplit(url).port or 80


@dataclass(frozen=True)
class Program:
    """The Python that has what an emulator needs, what is added to its environment, and one more Host that it answers."""

    python: str = sys.executable
    environment: dict[str, str] = field(default_factory=dict)
    host: str = ""


@dataclass(frozen=True)
class EmulatorFolder:
    """The files of an emulator on a port: its log, what it keeps while it runs, and the lock that says whether it lives."""

    port: int
    folder: Path

    @property
    def api_id(self) -> Path:
        return self.folder / f"api_id.{self.port}"

    @property
    def scratch(self) -> Path:
        return self.folder / "tmp" / str(self.port)

    @property
    def lock(self) -> Path:
        """The file that the emulator locks as long as it lives."""
        return self.folder / f"alive.{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "emulator.log"

    def is_alive(self) -> bool:
        """Whether an emulator of this folder lives, however the last one ended."""
        return is_held(self.lock)

    def has_died(self, patience: float) -> bool:
        """Wait for an emulator that another process has started."""
        until = time.monotonic() + patience
        while self.is_alive():
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        return True

    def clean(self) -> None:
        """Delete the files that an emulator has left, except its log."""
        for left in (self.api_id, throttle.file_of(self.folder, self.port), self.lock):
            left.unlink(missing_ok=True)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def launch(self, program: Program, outlives_us: Path | None = None) -> tuple[subprocess.Popen[bytes], Emulator]:
        """Start an emulator, and wait until it serves. It ends with this process, unless the file `outlives_us` exists then."""
        self.folder.mkdir(parents=True, exist_ok=True)
        check_port(self.port)
        for left_by_a_killed_run in (self.folder / DECISIONS, described_in(self.folder, self.port)):
            left_by_a_killed_run.unlink(missing_ok=True)
        self.clean()
        self.scratch.mkdir(parents=True, mode=0o700)
        emulator = Emulator(f"http://127.0.0.1:{self.port}", *make_key_pair(), self.api_id)
        process = self._start(emulator, program, outlives_us)
        try:
            wait_until_serving(emulator.url, process, self.log)
        except BaseException:
            end(process.pid, partial(has_exited, process))
            self.clean()
            raise
        return process, emulator

    def _start(self, emulator: Emulator, program: Program, outlives_us: Path | None) -> subprocess.Popen[bytes]:
        paths = (self.api_id, os.getpid(), self.folder / DECISIONS, self.lock, outlives_us or "")
        environment = emulator_environment(self.scratch) | program.environment | emulator.credentials()
        with open_private(self.log) as log:
            return subprocess.Popen(
                [program.python, "-P", "-m", "waitpoints_local.emulator", str(self.port), *filter(None, map(str, paths))],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env=environment | {ONE_MORE_HOST: program.host},
            )


@contextmanager
def emulating(port: int, folder: Path, step: Step = str, program: Program | None = None) -> Iterator[Emulator]:
    """Run an emulator without a stack on 127.0.0.1:`port`, with its log in `folder`. On exit, ends every process it started."""
    step("Starting the emulator")
    files = EmulatorFolder(port, folder)
    process, emulator = files.launch(program or Program())
    try:
        yield emulator
    finally:
        end(process.pid, partial(has_exited, process))
        files.clean()


def make_key_pair() -> tuple[str, str]:
    """Return the id and the secret of a new access key, in the characters that AWS uses."""
    return "LOCAL" + "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(20)), secrets.token_urlsafe(
        30
    )


def open_private(file: Path, mode: str = "w") -> IO[str]:
    """Open a file that no other user can read, also if it is there already."""
    opened = open(file, mode, opener=lambda path, flags: os.open(path, flags, 0o600))  # noqa: SIM115 - the caller closes it
    os.chmod(file, 0o600)
    return opened


@contextmanager
def described(emulator: Emulator, folder: Path) -> Iterator[Stack]:
    """The stack that was deployed to an emulator. Within this, it is the one of `folder`/stack.json."""
    stack = describe(emulator)
    write(stack, folder)
    try:
        yield stack
    finally:
        remove(stack.port, folder)


def write(stack: Stack, folder: Path) -> None:
    """Describe a stack in its own file, and in stack.json. They have keys, so no other user may read or replace them."""
    if (mode := folder.stat().st_mode) & OTHERS_WRITE:
        folder.chmod(mode & ~OTHERS_WRITE)
    for file in (described_in(folder, stack.port), folder / "stack.json"):
        _replace(file, json.dumps(asdict(stack), indent=2) + "\n")


def _replace(file: Path, text: str) -> None:
    """Write a file that no other user can read, and which is never there in part."""
    new = file.with_name(f"{file.name}.{os.getpid()}")
    with open_private(new) as opened:
        opened.write(text)
    new.rename(file)


def described_in(folder: Path, port: int) -> Path:
    """Return the file that describes the stack on a port."""
    return folder / f"stack.{port}.json"


def remove(port: int, folder: Path) -> None:
    """Describe a stack no longer."""
    described_in(folder, port).unlink(missing_ok=True)
    hand_over(folder)


def hand_over(folder: Path) -> None:
    """Point `stack.json` to another stack that runs from this folder, or delete it if there is none."""
    for other in folder.glob("stack.*.json"):
        url = json.loads(other.read_text())["endpoint_url"]
        if EmulatorFolder(port_of(url), folder / str(port_of(url))).is_alive() or is_serving(url):
            _replace(folder / "stack.json", other.read_text())
            return
        other.unlink()
    (folder / "stack.json").unlink(missing_ok=True)


def is_serving(endpoint_url: str) -> bool:
    """Whether an emulator answers. A proxy is not asked."""
    connection = http.client.HTTPConnection("127.0.0.1", port_of(endpoint_url), timeout=1)
    try:
        connection.request("GET", "/_ministack/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise PortInUse(port) from None


def check_host(host: str) -> None:
    """Raise LocalError for another form than that of a Host without a port."""
    if host and not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", host):
        raise LocalError(f"{host} is not the name of a host: write it without scheme, port and path, such as abc.example.com")


class PortInUse(LocalError):
    """Another program listens on the port. The message is for make; a command with an option for the port says so."""

    def __init__(self, port: int) -> None:
        super().__init__(f"Port {port} is in use: stop the program that uses it, or choose another with PORT=…")
        self.port = port


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def emulator_environment(scratch: Path) -> dict[str, str]:
    """Whatever this machine's locale, the emulator's files are in UTF-8."""
    own = {"TMPDIR": str(scratch), "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", "NO_PROXY": "127.0.0.1,localhost"}
    return {**clean_environment(), **own}


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


def verify_sender(endpoint: Endpoint, sender: str) -> None:
    """Let a stack send mails from this address, as if its owner had agreed."""
    if sender:
        endpoint.client("sesv2").create_email_identity(EmailIdentity=sender)


def overrides(endpoint_url: str) -> list[str]:
    """The parameters of a stack on this machine."""
    return [f"Architecture={ARCHITECTURE}", f"PublicBaseUrl={endpoint_url}", "ResumableStateMachines=*"]


def describe(emulator: Emulator) -> Stack:
    """Return the deployed stack, and serve its API at the root of the port."""
    described = emulator.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
    emulator.api_id_file.write_text(outputs["ApiId"])
    secret = emulator.client("secretsmanager").get_secret_value(SecretId=outputs["ApiKeySecret"])
    return Stack(
        api_url=emulator.url,
        public_url=outputs["ApiUrl"],
        api_key=secret["SecretString"],
        endpoint_url=emulator.url,
        access_key_id=emulator.access_key_id,
        secret_access_key=emulator.secret_access_key,
        region=REGION,
        stack_name=STACK_NAME,
        table_name=outputs["TableName"],
        state_machine_arn=outputs["StateMachineArn"],
        wait_function_name=outputs["WaitFunctionName"],
        create_function_name=outputs["CreateFunctionName"],
        complete_function_name=outputs.get("CompleteFunctionName", ""),  # an older version has none
        output_bucket=outputs["OutputBucketName"],
        machine_role_arn=make_role(emulator.client("iam")),
    )


def end(group: int, has_ended: Callable[[float], bool]) -> None:
    """End an emulator and its functions, which are one group of processes: SIGTERM first, then SIGKILL."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(group, signal_number)
        except ProcessLookupError:
            return
        if has_ended(5):
            return


def has_exited(process: subprocess.Popen[bytes], patience: float) -> bool:
    """Wait for a child of this process."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(patience)
        return True
    return False
