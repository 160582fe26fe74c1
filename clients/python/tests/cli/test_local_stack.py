"""`waitpoints up` and `down`, with a package that only notes what it is told. tests/e2e/test_serving.py has the real one."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from waitpoints_client.cli.program import program


@dataclass(frozen=True)
class Stack:
    port: int = 8787
    parameters: dict[str, str] = field(default_factory=dict)
    api_key: str = "the-key"
    host: str = ""

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class WithoutThePackage:
    """Finds modules as if the package were not installed."""

    def find_spec(self, name: str, *_: Any) -> None:
        if name == "waitpoints_local":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


class Serving(ModuleType):
    """The module `waitpoints_local.serving`."""

    class LocalError(Exception):
        pass

    def __init__(self, folder: Path) -> None:
        super().__init__("waitpoints_local.serving")
        self.folder, self.running = folder, dict[int, Stack]()
        self.problem = ""

    def choose_folder(self) -> Path:
        return self.folder

    def up(self, port: int, folder: Path, parameters: dict[str, str], step: Any, *, host: str) -> tuple[Stack, bool]:
        step("Starting the emulator")
        if self.problem:
            raise self.LocalError(self.problem)
        is_new = port not in self.running
        return self.running.setdefault(port, replace(Stack(port), parameters=parameters, host=host)), is_new

    def find_all(self, folder: Path) -> list[Stack]:
        return list(self.running.values())

    def down(self, port: int, folder: Path) -> bool:
        return self.running.pop(port, None) is not None

    @contextmanager
    def serving(self, port: int, folder: Path, parameters: dict[str, str], step: Any, host: str) -> Iterator[Stack]:
        yield Stack(port, parameters)
        raise AssertionError("it serves until it is interrupted")


class Engine(ModuleType):
    """The module `waitpoints_local.engine`: by default, the engine is here."""

    class LocalError(Exception):
        pass

    def __init__(self) -> None:
        super().__init__("waitpoints_local.engine")
        self.program: Path | None = None
        self.problem = ""
        self.commands: list[list[str]] = []

    def find(self) -> Path | None:
        if self.problem:
            raise self.LocalError(self.problem)
        return self.program

    def variables_for_it(self) -> dict[str, str]:
        return {"A": "B"}

    def install(self, run: Callable[[list[str]], None], find_links: str | None) -> Path:
        for command in self.commands:
            run([*command, *([] if find_links is None else ["--find-links", find_links])])
        return Path("/the/engine")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()
    monkeypatch.setitem(sys.modules, "waitpoints_local.engine", made)
    return made


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch, no_stack: Path, engine: Engine) -> Serving:
    made, package = Serving(no_stack / "state" / "waitpoints"), ModuleType("waitpoints_local")
    package.serving, package.engine = made, engine  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "waitpoints_local", package)
    monkeypatch.setitem(sys.modules, "waitpoints_local.serving", made)
    return made


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, arguments, prog_name="waitpoints")


def test_up_says_where_it_serves_and_how_to_end_it(serving: Serving) -> None:
    result = run("up")
    assert result.exit_code == 0
    assert result.stdout.startswith("Serves at http://127.0.0.1:8787 until `waitpoints down`.")
    assert "export WAITPOINTS_URL=http://127.0.0.1:8787\n" in result.stdout
    assert "export WAITPOINTS_API_KEY=the-key\n" in result.stdout
    assert result.stderr.startswith("Starting the emulator ")


def test_up_again_says_that_it_serves_already(serving: Serving) -> None:
    run("up")
    assert run("up").stdout.startswith("Already serves at http://127.0.0.1:8787")


def test_up_takes_a_port_and_parameters(serving: Serving) -> None:
    given = ("--parameters", "BrandName=Acme = Co", "-p", "Slack=on", "--host", "abc.example.com")
    result = run("up", "--port", "9001", *given, "--json")
    assert result.exit_code == 0
    printed = json.loads(result.stdout)
    assert printed["parameters"] == {"BrandName": "Acme = Co", "Slack": "on"}
    assert printed["host"] == "abc.example.com"
    assert printed["file"] == str(serving.folder / "stack.9001.json")
    assert list(serving.running) == [9001]


@pytest.mark.parametrize("wrong", ["BrandName", "=Acme"])
def test_a_parameter_of_another_form_is_refused(serving: Serving, wrong: str) -> None:
    result = run("up", "--parameters", wrong)
    assert (result.exit_code, result.stderr) == (2, f"Error: --parameters {wrong} has another form than NAME=VALUE\n")
    assert serving.running == {}


def test_a_problem_of_the_stack_is_one_line(serving: Serving) -> None:
    serving.problem = "Port 8787 is in use"
    result = run("up")
    assert result.exit_code == 1
    assert result.stderr.endswith("\nError: Port 8787 is in use\n")


def test_another_folder_than_the_first_is_reported(serving: Serving, no_stack: Path) -> None:
    serving.folder = no_stack / "tmp"
    first = no_stack / "state" / "waitpoints"
    assert f"{first} cannot be written, so the stack's files are in {serving.folder}\n" in run("up").stderr


def test_down_ends_the_only_one(serving: Serving) -> None:
    run("up", "--port", "9001")
    assert run("down").stdout == "Ended: http://127.0.0.1:9001\n"
    assert serving.running == {}
    result = run("down")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No stack of `waitpoints up` runs\n")


def test_down_asks_which_one_if_several_run(serving: Serving) -> None:
    for port in ("9001", "9002", "9003"):
        run("up", "--port", port)
    result = run("down")
    assert result.exit_code == 2
    assert "9001, 9002, 9003: name one with --port, or end all with --all" in result.stderr
    assert run("down", "--port", "9002").stdout == "Ended: http://127.0.0.1:9002\n"
    assert json.loads(run("down", "--all", "--json").stdout) == {"ended": [9001, 9003]}


def test_in_the_foreground_it_ends_with_ctrl_c(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("signal.pause", interrupted)
    result = run("up", "--foreground")
    assert result.exit_code == 0
    assert result.stdout.startswith("Serves at http://127.0.0.1:8787 until Ctrl-C.")
    assert result.stderr == "Ended\n"


@pytest.mark.parametrize("command", ["up", "down"])
def test_without_the_package_it_says_what_to_install(no_stack: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "waitpoints_local"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [WithoutThePackage(), *sys.meta_path])
    result = run(command)
    assert result.exit_code == 1
    assert "needs the package waitpoints-local" in result.stderr
    is_old = sys.version_info < (3, 13)
    assert result.stderr.endswith(f": run `pip install waitpoints-{'testing' if is_old else 'local'}`\n")
    assert ("which needs Python 3.13, or waitpoints-testing and then `waitpoints install`" in result.stderr) is is_old


def test_a_library_that_the_package_lacks_is_not_taken_for_the_package(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(sys.modules["waitpoints_local"], "serving")
    monkeypatch.setitem(sys.modules, "waitpoints_local.serving", None)
    assert "pip install waitpoints-local" not in run("up").stderr


def test_up_becomes_the_command_of_an_engine_elsewhere(
    serving: Serving, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    became: list[Any] = []

    def become(*given: Any) -> None:
        became.append(given)
        raise SystemExit(7)

    engine.program = Path("/other/waitpoints-engine")
    monkeypatch.setattr("os.execve", become)
    monkeypatch.setattr(sys, "argv", ["waitpoints", "up", "--port", "9001"])
    assert run("up", "--port", "9001").exit_code == 7
    [(program_, words, variables)] = became
    assert (program_, words) == (engine.program, ["/other/waitpoints-engine", "up", "--port", "9001"])
    assert (variables, serving.running) == ({"A": "B"}, {})


def test_up_says_why_there_is_no_engine(serving: Serving, engine: Engine) -> None:
    engine.problem = "The engine needs moto 5.2.5, and this environment has 4.2.14: run `waitpoints install`"
    result = run("up")
    assert (result.exit_code, result.stderr) == (1, f"Error: {engine.problem}\n")


def test_install_shows_its_commands_and_where_the_engine_is(serving: Serving, engine: Engine) -> None:
    engine.commands = [[sys.executable, "-c", "print()"]]
    result = run("install")
    assert (result.exit_code, "Installed in /the/engine" in result.stdout) == (0, True), result.output
    assert result.stderr.startswith(sys.executable)
    assert json.loads(run("install", "--json").stdout) == {"folder": "/the/engine"}
    assert run("install", "--find-links", "dist/0.4.1").stderr.endswith(" --find-links dist/0.4.1\n")
    engine.commands = [[sys.executable, "-c", "raise SystemExit(3)"]]
    failed = run("install")
    assert (failed.exit_code, failed.stderr.endswith("Error: It failed with status 3\n")) == (1, True), failed.stderr


ENVIRONMENT = """export AWS_ENDPOINT_URL=http://127.0.0.1:8787
export AWS_ACCESS_KEY_ID=LOCAL1
export AWS_SECRET_ACCESS_KEY='a secret'
export AWS_REGION=us-east-1
export AWS_DEFAULT_REGION=us-east-1
unset AWS_SESSION_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE
"""


def test_env_prints_what_a_shell_evaluates(no_stack: Path) -> None:
    missing = run("env")
    assert (missing.exit_code, missing.stdout, "waitpoints up" in missing.stderr) == (1, "", True)
    url = "http://127.0.0.1:8787"
    described = {"api_url": url, "endpoint_url": url, "region": "us-east-1"}
    described |= {"access_key_id": "LOCAL1", "secret_access_key": "a secret"}
    (no_stack / ".local").mkdir()
    (no_stack / ".local" / "stack.json").write_text(json.dumps(described))
    assert run("env").stdout == ENVIRONMENT
    assert json.loads(run("env", "--json").stdout)["AWS_SECRET_ACCESS_KEY"] == "a secret"


def test_env_believes_no_file_that_leads_elsewhere(no_stack: Path) -> None:
    (no_stack / ".local").mkdir()
    (no_stack / ".local" / "stack.json").write_text(json.dumps({"endpoint_url": "http://evil.example"}))
    result = run("env")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is not believed: its endpoint_url leads elsewhere" in result.stderr
