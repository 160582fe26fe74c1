"""How every command ends, what a start costs, and that its help and its line in the README are complete."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import Result

from waitpoints_client import Waitpoints
from waitpoints_client.cli import stacks
from waitpoints_client.cli.program import program

Run = Callable[..., Result]
NEVER = ("boto3", "botocore", "webbrowser")
NOT_FOR_HELP = ("httpx", "pydantic", "rich", "asyncio")


README = (Path(__file__).parent.parent.parent / "README.md").read_text()
SECTION = README[README.index("## The command line") :].partition("\n## ")[0]
OF_ALL = {"--stack", "--json"}
WITHOUT_A_STACK = {"deliver", "try", "outbox", "up", "down", "env", "chat", "install"}


def commands(group: Any, path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Every command by its words."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        words = (*path, name)
        found |= commands(command, words) if hasattr(command, "commands") else {" ".join(words): command}
    return found


COMMANDS = commands(get_command(program))


def process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WAITPOINTS_")}
    return subprocess.run(
        [sys.executable, "-m", "waitpoints_client.cli", *arguments],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_and_option_has_help(words: str) -> None:
    command = COMMANDS[words]
    assert command.help
    assert [parameter.name for parameter in command.params if not getattr(parameter, "help", None)] == []
    assert [parameter.name for parameter in command.params if not (parameter.metavar or parameter.is_flag)] == []


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_prints_json_on_demand_and_says_for_which_stack_it_is(words: str) -> None:
    options = {option for parameter in COMMANDS[words].params for option in parameter.opts}
    expected = {"--stack"} if words == "mcp" else {"--json"} if words in WITHOUT_A_STACK else OF_ALL
    assert options & OF_ALL == expected


def row(words: str, command: Any) -> str:
    """Its line of the README's reference: its arguments, its own options, and the first sentence of its help."""
    arguments = [parameter.metavar for parameter in command.params if parameter.param_type_name == "argument"]
    own = [parameter.opts for parameter in command.params if parameter.param_type_name == "option"]
    options = ", ".join(" ".join(f"`{name}`" for name in names) for names in own if not OF_ALL & set(names))
    says = re.split(r"(?<=\.)\s", command.help, maxsplit=1)[0]
    return f"| `{' '.join([words, *arguments])}` | {options} | {says} |"


@pytest.mark.parametrize("words", COMMANDS)
def test_the_reference_has_every_command_with_its_options(words: str) -> None:
    assert row(words, COMMANDS[words]) in SECTION.splitlines()


def test_the_reference_has_no_other_command() -> None:
    assert re.findall(r"^\| `([a-z -]+[a-z])[^`]*` \| .* \| .*\|$", SECTION, re.MULTILINE) == list(COMMANDS)
    assert all(f"`{option}" in SECTION for option in OF_ALL)


@pytest.mark.parametrize(("words", "shown"), [([], "Usage:"), (["endpoints"], "Make an endpoint, or replace its settings.")])
def test_without_a_command_it_shows_its_help(run: Run, words: list[str], shown: str) -> None:
    result = run(*words)
    assert (result.exit_code, result.stderr) == (0, "")
    assert shown in result.stdout


FORMS = "email, email:ADDRESS, slack:CHANNEL, teams:SECRET or outcome"
DURATION = "is no duration: write 30s, 10m, 2h, 1d or 1h30m"
ENDPOINT = "endpoints put orders --key body.order"
ONE_OR_ALL = "Name one delivery by its ID, or use --all"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("lst", "No such command 'lst'. Did you mean 'list'? (see `waitpoints --help`)"),
        ("get", "Missing argument 'TOKEN' (see `waitpoints get --help`)"),
        ("list --status x", "Invalid value for '--status': 'x' is not one of 'waiting', 'completed', 'timed_out' (see `"),
        ("list -n 0", "Invalid value for '--limit' / '-n': Input should be greater than or equal to 1 (see `waitpoints list"),
        ("list --since 5", f"'5' {DURATION}"),
        ("wait $TOKEN --for soon", f"'soon' {DURATION}"),
        ("outbox --stack a", "No such option: --stack (see `waitpoints outbox --help`)"),
        ("create --page \"{'title': 1}\"", "--page is not JSON (Expecting property name"),
        ("create --page @nowhere.json", "nowhere.json cannot be read: No such file or directory"),
        ("create --page nowhere.json", "--page nowhere.json is neither JSON nor a file: No such file or directory"),
        ("create --verify github", "--verify github has another form than SCHEME:SECRET"),
        ("""create --verify '{"scheme": "github"'""", "--verify is not JSON"),
        ("create --verify @nowhere.json", "nowhere.json cannot be read: No such file or directory"),
        ("create --tag a,b", "--tag 'a,b' has a comma, and no filter finds such a tag: repeat --tag for several"),
        *(
            (f"create --notify {notify}", f"--notify {notify.split()[-1]} has another form than {FORMS}, or contradicts one")
            for notify in (
                *("sms:1", "slack", "slack:", "ann@example.com", "email --notify email", "email --notify email:a@b.cd"),
                *("email:a@b.cd --notify email", "slack:#a --notify slack:#b", "teams:A --notify teams:B"),
            )
        ),
        ("complete ''", "'' does not name a token"),
        ("complete $TOKEN approved", "DATA is not JSON (Expecting value, line 1, column 1): write '\"approved\"' for a text"),
        (
            "complete $TOKEN data.json",
            "DATA is not JSON (Expecting value, line 1, column 1): write @data.json to read the file",
        ),
        ("complete $TOKEN NaN", "DATA has NaN, which is not JSON"),
        ("complete $TOKEN [-Infinity]", "DATA has -Infinity, which is not JSON"),
        ("""complete $TOKEN '{"a": {"b": 1, "b": 2}}'""", 'DATA has "b" twice in one object: write it once'),
        (f"complete $TOKEN {'[' * 100_000}{']' * 100_000}", "DATA is nested too deep"),
        (f"complete $TOKEN {'9' * 5000}", "DATA has a whole number of more than 4,300 digits"),
        ("url $TOKEN --as ann", "$TOKEN names no approvers, so --as ann is nobody's link"),
        (ENDPOINT, "Missing option '--verify' (see `waitpoints endpoints put --help`)"),
        ("endpoints test orders {} -H wrong", "--header 'wrong' has another form than 'Name: value'"),
        ("deliveries list orders --since soon", f"'soon' {DURATION}"),
        ("deliveries list orders --until 99999999999w", "'99999999999w' is too long ago: write a shorter duration, or a date"),
        ("deliveries list orders --kind refused", "Invalid value for '--kind': 'refused' is not one of 'completed', 'kept', "),
        *((f"deliveries {words}", ONE_OR_ALL) for words in ("delete orders", "delete orders a --all", "resend orders")),
        ("deliveries resend orders a --kind noKey", "--kind, --key, --event, --since and --until go with --all"),
        ("deliveries resend orders --all --token a", "--token goes with one delivery, not with --all"),
        ("keys create nightly", "Missing option '--scope' / '-s' (see `waitpoints keys create --help`)"),
        *((f"up --port {port}", "Invalid value for '--port': ") for port in ("-1", "65536", "http")),
    ],
    ids=lambda it: it[:60],
)
def test_wrong_usage_is_one_sentence_and_status_2(
    run: Run, waitpoints: Waitpoints, no_stack: Path, line: str, said: str
) -> None:
    (no_stack / "data.json").write_text("1")
    token = waitpoints.create().id
    result = run(*shlex.split(line.replace("$TOKEN", token)))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"Error: {said.replace('$TOKEN', token)}")
    assert len(result.stderr.splitlines()) == 1
    assert [it.status for it in waitpoints.list()] == ["WAITING"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("create --timeout soon", '422: Invalid timeout "soon": expected a duration'),
        ("""create --page '{"titel": "Go?"}'""", "422: Invalid page: "),
        ("get nothing", "404: Waitpoint not found"),
    ],
)
def test_what_the_api_refuses_is_its_sentence_and_status_1(run: Run, line: str, said: str) -> None:
    result = run(*shlex.split(line))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: {said}")
    assert len(result.stderr.splitlines()) == 1


def test_a_mistake_of_the_program_is_no_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("oops")

    monkeypatch.setattr(stacks, "find_client", fail)
    result = run("list")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(
        "Error: KeyError: 'oops' (this is a mistake in `waitpoints`: WAITPOINTS_DEBUG=1 shows where)"
    )

    monkeypatch.setenv("WAITPOINTS_DEBUG", "1")
    assert "Traceback" in run("list").stderr


def test_ctrl_c_is_quiet_and_has_status_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stacks, "find_client", interrupt)
    result = run("list")
    assert (result.exit_code, result.output) == (130, "")


def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    with (
        subprocess.Popen([sys.executable, "-c", "import os; os.close(0); print(1)"], stdout=subprocess.PIPE) as closed,
        errors.open("wb") as stderr,
    ):
        assert closed.stdout
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(
            [sys.executable, "-m", "waitpoints_client.cli", "--help"], stdout=write, stderr=stderr, timeout=120, check=False
        )
        os.close(write)
    assert (done.returncode, errors.read_bytes()) == (1, b"")


@pytest.mark.slow
class TestCompletion:
    @pytest.mark.parametrize(
        ("typed", "offered"),
        [
            ("comp", ["complete", "complete-key"]),
            ("list --st", ["--status", "--stack"]),
            ("list --status T", ["TIMED_OUT"]),
            ("endpoints ", ["put", "get", "list", "disable", "enable", "delete", "test", "url"]),
        ],
    )
    def test_offers_what_fits(self, typed: str, offered: list[str]) -> None:
        words = f"waitpoints {typed}"
        found = process(_WAITPOINTS_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(words.count(" ")))
        assert found.stdout.split() == offered

    @pytest.mark.skipif(not shutil.which("bash"), reason="bash is missing")
    def test_is_installed_into_bash(self, tmp_path: Path) -> None:
        lines = """
            waitpoints --install-completion >/dev/null
            . ~/.bashrc
            COMP_WORDS=(waitpoints comp) COMP_CWORD=1
            $(complete -p waitpoints | sed 's/.*-F //')  # the function, with the command as its argument
            echo "${COMPREPLY[@]}"
        """
        environment = {"HOME": str(tmp_path), "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
        done = subprocess.run(
            ["bash", "--norc", "-ec", lines], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert (done.stdout, done.stderr) == ("complete complete-key\n", "")


@pytest.mark.slow
@pytest.mark.parametrize(("arguments", "unwanted"), [(["--help"], NEVER + NOT_FOR_HELP), (["create"], NEVER)])
def test_a_start_imports_no_more_than_it_needs(no_stack: Path, arguments: list[str], unwanted: tuple[str, ...]) -> None:
    code = f"""
import sys
from waitpoints_client.cli.program import program
try:
    program({arguments!r})
except SystemExit:
    pass
print([name for name in {unwanted!r} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stderr.splitlines()[-1] == "[]"


def test_help_shows_no_python_types(run: Run) -> None:
    for words in (["--help"], ["list", "--help"], ["fail", "--help"]):
        assert not re.search(r"<\w+", run(*words).stdout)


@pytest.mark.parametrize("group", [[], ["endpoints"]])
def test_help_in_a_pipe_has_every_first_paragraph_whole(run: Run, group: list[str]) -> None:
    shown = " ".join(run(*group, "--help").stdout.split())
    listed = [command for words, command in COMMANDS.items() if words.split()[:-1] == group]
    assert len(listed) > 5
    assert [command.name for command in listed if " ".join(command.help.split("\n")[0].split()) not in shown] == []
