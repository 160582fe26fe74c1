"""Whatever others wrote into a token, an endpoint or an error: no command prints what a terminal would obey."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from recorded_stack import RecordedStack
from typer.testing import Result

from waitpoints_client import PageOptions, Waitpoints, cli
from waitpoints_client.cli import show
from waitpoints_client.testing import FakeWaitpoints

Run = Callable[..., Result]
OBEYED = [
    *range(0x20),
    *range(0x7F, 0xA0),
    0x061C,
    0x200E,
    0x200F,
    0x2028,
    0x2029,
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
    0x200B,
    0x2800,
    0xFEFF,
    0xE0041,
    0xE0100,
]
TEXT = "".join(map(chr, OBEYED)) + "\ud800 [red]é😀 \\u202e"
OURS = re.compile(r"\x1b\[[\d;]*m")


@pytest.fixture
def token(waitpoints: Waitpoints) -> str:
    token = waitpoints.create(tags=[TEXT.replace("\ud800", "")], idempotency_key=TEXT.replace("\ud800", ""))
    waitpoints.complete(token, {TEXT: [TEXT]})
    return token.id


def show_on(monkeypatch: pytest.MonkeyPatch, is_terminal: bool) -> None:
    monkeypatch.setattr(show, "is_terminal", lambda _: is_terminal)
    monkeypatch.setenv("COLUMNS", "4000")


@pytest.fixture(params=[False, True], ids=["pipe", "terminal"])
def terminal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    show_on(monkeypatch, request.param)
    return bool(request.param)


def assert_harmless(result: Result) -> None:
    printed = OURS.sub("", result.output)
    assert printed
    assert "\\u202e" in printed
    assert {ord(one) for one in printed} & {*OBEYED} <= {ord("\n"), ord("\t")}
    assert not re.search("[\ud800-\udfff]", printed)


SHOWN = TEXT.replace("\ud800", "").replace("\\", "")


@pytest.fixture
def given(waitpoints: Waitpoints, token: str) -> dict[str, str]:
    """What others wrote, by the words of the commands."""
    names = [f"a{chr(code)}b{code}" for code in OBEYED if code > 0x9F]  # the API accepts no controls
    page: PageOptions = {"title": SHOWN, "approvers": names, "requestedBy": "\u202ecy"}
    words = {"TOKEN": token, "APPROVAL": waitpoints.create(page=page).id, "CHOICE": '{"action": "submit"}'}
    return {**words, "PAGE": json.dumps(page)}


@pytest.mark.parametrize(
    "command",
    [
        *("get TOKEN", "get TOKEN --json", "list", "list --json", "wait TOKEN", "wait TOKEN --json"),
        *("get APPROVAL", "complete APPROVAL CHOICE", "create --page PAGE", "url APPROVAL"),
    ],
)
def test_of_a_token_and_its_people(run: Run, given: dict[str, str], terminal: bool, command: str) -> None:
    result = run(*(given.get(word, word) for word in command.split()))
    asks_whose = command == "url APPROVAL"
    assert (result.exit_code == 2) is asks_whose, result.output
    assert_harmless(result)


@pytest.mark.usefixtures("handlers")
class TestOfAnEndpoint:
    def test_and_its_deliveries(self, run: Run, fake: RecordedStack, monkeypatch: pytest.MonkeyPatch) -> None:
        key = f"body.{json.dumps(SHOWN, ensure_ascii=False)}"
        fake.arrange(lambda waitpoints: waitpoints.endpoints.put("e", key=key, verify="none"))
        fake.arrange(lambda waitpoints: waitpoints.endpoints.put("f", key="body.k", verify="none"))
        fake.deliver("f", {"k": SHOWN})
        words = {"BODY": json.dumps({"k": SHOWN})}
        for command in ("endpoints get e", "endpoints get f", "endpoints test f BODY", "endpoints test f BODY --json"):
            for is_terminal in (False, True):
                show_on(monkeypatch, is_terminal)
                result = run(*(words.get(word, word) for word in command.split()))
                assert result.exit_code == 0, result.output
                assert_harmless(result)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("a\u200bb\ufe0fc\U000e0041", "a\\u200bb\\ufe0fc\\udb40\\udc41"),
        ("\u200d\U0001f469\u200dx\u200c", "\\u200d\U0001f469\\u200dx\\u200c"),
        ("\U0001f469\U0001f3fd\u200d\u2764\ufe0f\u200d\U0001f468", None),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \u0915\u094d\u200d\u0937", None),
    ],
    ids=ascii,
)
def test_shows_what_cannot_be_seen_but_where_it_joins(written: str, shown: str | None) -> None:
    assert show.printable(written) == (written if shown is None else shown)


@pytest.mark.parametrize("command", ["get TOKEN", "list", "wait TOKEN"])
def test_of_json_it_stays_the_same_value(run: Run, waitpoints: Waitpoints, token: str, command: str) -> None:
    found = json.loads(run(*command.replace("TOKEN", token).split(), "--json").stdout)
    match found:
        case {"output": str(text)}:
            assert json.loads(text) == {TEXT: [TEXT]}
        case {"output": output}:
            assert output == {TEXT: [TEXT]}
        case [listed]:
            assert [listed["idempotencyKey"], *listed["tags"]] == [TEXT.replace("\ud800", "")] * 2
    text = next(line for line in run("get", token).stdout.splitlines() if line.startswith("output\t"))
    assert json.loads(text.partition("\t")[2]) == {TEXT: [TEXT]}  # also without --json


@pytest.mark.parametrize(
    "command", ["create", "get T", "list", "complete T", "fail T no", "wait T", "url T", "open T", "endpoints list"]
)
def test_of_the_servers_errors(
    run: Run, fake: FakeWaitpoints, monkeypatch: pytest.MonkeyPatch, terminal: bool, command: str
) -> None:
    monkeypatch.setattr(fake, "handle_request", lambda _: httpx.Response(422, text=json.dumps({"error": TEXT})))
    result = run(*command.split())
    assert result.exit_code == 1
    assert_harmless(result)


@pytest.mark.parametrize(
    "words",
    [
        [TEXT],
        ["list", f"--{TEXT}"],
        ["list", "--since", TEXT],
        ["create", "--page", f"@{TEXT}"],
    ],
)
def test_of_ones_own_arguments(run: Run, terminal: bool, words: list[str]) -> None:
    result = run(*(word.replace("\x00", "").replace("\ud800", "") for word in words))
    assert result.exit_code != 0
    assert_harmless(result)


def test_everything_goes_through_one_function() -> None:
    modules = [path for path in Path(cli.__file__).parent.glob("*.py") if path.name != "show.py"]
    assert [
        path.name for path in modules if re.search(r"\bprint\(|std(?:out|err)\.write|Console\(\)\.print", path.read_text())
    ] == []
