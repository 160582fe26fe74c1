"""What is asked, in which order all happens, and the status. The modules beside `__main__` are stand-ins here."""

import json
import os
import re
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from tools.on_aws import __main__ as on_aws
from tools.on_aws import account, clean_up, summary
from tools.on_aws.clean_up import Left, Refused
from tools.on_aws.runner import Row
from tools.on_aws.steps import Step

ACCOUNT = "210987654321"
YES = ("--yes", "--region=eu-west-1")
ONE_LEFT = [Left("table", f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/t", "$0.50 a GB", "it is in use")]


class World:
    """An account in which each function that on_aws calls says that it was called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.did: list[str] = []
        self.refusals, self.typed = list[str](), iter(["eu-west-1", "yes"])
        self.clean: Callable[..., list[Left]] = lambda *_: []
        self.line, self.evidence = "echo hello", folder / "evidence"
        sts = SimpleNamespace(get_caller_identity=lambda: {"Account": ACCOUNT})
        for owner, name, it in (
            (boto3, "Session", lambda region_name: SimpleNamespace(region_name=region_name, client=lambda _: sts)),
            (account, "look", lambda *_: SimpleNamespace(findings=["a plan"], refusals=self.refusals)),
            (account, "secrets_of", lambda *_: []),
            (clean_up, "clean", lambda *given: self.note("clean", self.clean(*given))),
            (clean_up, "left", lambda *_: []),
            (summary, "write", self.write),
            (on_aws, "chosen", lambda *_, **__: [(7, Step("one", self.line, "what", 1))]),
        ):
            monkeypatch.setattr(owner, name, it)
        monkeypatch.setattr("builtins.input", lambda _: next(self.typed))

    def note(self, what: str, left: list[Left]) -> list[Left]:
        self.did.append(what)
        return left

    def write(self, folder: Path, rows: Sequence[Row], left: Sequence[Left], facts: dict[str, str]) -> None:
        self.did.append("write")
        became = {row.name: row.status for row in rows}
        (folder / "summary.json").write_text(json.dumps([became, [it.name for it in left], facts]))

    @property
    def facts(self) -> Any:
        return json.loads((self.evidence / "summary.json").read_text())[2]

    def main(self, *arguments: str) -> int:
        return on_aws.main(["--evidence", str(self.evidence), *arguments])


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    return World(monkeypatch, tmp_path)


@pytest.mark.parametrize("typed", [["eu-west-1", "no"], ["eu-west-1", ""]])
def test_nothing_is_made_without_a_yes(world: World, typed: list[str]) -> None:
    world.typed = iter(typed)
    assert (world.main(), world.did, world.evidence.exists()) == (2, [], False)


@pytest.mark.parametrize("older", ["", "evidence", "evidence-UNSAFE"])
def test_nothing_is_made_where_the_account_or_a_folder_is_against_it(
    world: World, older: str, capfd: pytest.CaptureFixture[str]
) -> None:
    if older:
        world.evidence.with_name(older).mkdir()
    else:
        world.refusals = ["a stack is there"]
    assert (world.main(*YES), world.did, world.evidence.exists()) == (2, [], older == "evidence")
    assert (f"{older} is of another run" if older else "a stack is there\n") in capfd.readouterr().out


def test_a_region_is_asked_or_given_and_never_assumed(world: World) -> None:
    with pytest.raises(SystemExit) as refused:
        world.main("--yes")
    assert refused.value.code == 2
    assert world.main() == 0
    assert world.facts["region"] == "eu-west-1"


def test_a_workflow_knows_the_name_before(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """By which it cleans up if the run is killed."""
    monkeypatch.setenv("WAITPOINTS_RUN", "wp00112233")
    world.main()
    assert world.facts["run"] == "wp00112233"


def interrupted(*_: object) -> list[Left]:
    os.kill(os.getpid(), signal.SIGINT)
    return []


def failing(error: Exception) -> Callable[..., list[Left]]:
    def clean(*_: object) -> list[Left]:
        raise error

    return clean


@pytest.mark.parametrize(
    ("line", "clean", "status", "did"),
    [
        ("true", lambda *_: [], 0, ["clean", "write"]),
        ("exit 77", lambda *_: [], 0, ["clean", "write"]),
        ("exit 1", lambda *_: [], 1, ["clean", "write"]),
        ("true", lambda *_: ONE_LEFT, 1, ["clean", "write"]),
        ("kill -INT $PPID; sleep 600", interrupted, 1, ["clean", "write"]),  # a second signal does not end it
        ("kill -HUP $PPID; sleep 600", interrupted, 1, ["clean", "write"]),
        ('rm -r "$EVIDENCE"', lambda *_: [], 1, ["clean"]),
        ("true", failing(ConnectionError("no network")), 1, ["write"]),
        ("true", failing(Refused("nothing has the tag")), 0, ["write"]),  # a run that has made nothing
    ],
)
def test_the_status(
    world: World, line: str, clean: Callable[..., list[Left]], status: int, did: list[str], capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("EVIDENCE", str(world.evidence))
    world.line, world.clean = line, clean
    assert (world.main(*YES), world.did) == (status, did)
    assert ACCOUNT not in capfd.readouterr().out
    assert "write" not in did or ACCOUNT not in (world.evidence / "summary.json").read_text()


def test_the_plan_says_where_what_it_costs_and_how_to_delete_it(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.main()
    said = capfd.readouterr().out
    where, how = f"account {ACCOUNT}, region eu-west-1", "on_aws.sh --region eu-west-1 --clean wp"
    for text in (where, how, "16 minutes", "$0.00", "a plan"):
        assert text in said, text


def test_a_folder_with_a_secret_is_renamed_after_the_clean_up(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.line = f"echo hello; echo {ACCOUNT} >{world.evidence}/more.txt"
    assert (world.main(*YES), world.did) == (1, ["clean", "write"])
    assert [it.name for it in world.evidence.parent.iterdir()] == ["evidence-UNSAFE"]
    said = capfd.readouterr().out
    assert "more.txt: account\n" in said
    assert "evidence-UNSAFE/README.md" in said


@pytest.mark.parametrize(("given", "older"), [([], ""), (["--from=old.zip"], os.path.abspath("old.zip"))])
def test_a_step_sees_the_run_and_no_other_stack(
    world: World, given: list[str], older: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAITPOINTS_URL", "http://127.0.0.1:8787")
    world.line = 'echo "$RUN $STACK $BUCKET $AWS_REGION $AWS_DEFAULT_REGION <$FROM> <${WAITPOINTS_URL-}>"'
    assert world.main(*YES, *given) == 0
    said = (world.evidence / "07-one.txt").read_text().splitlines()[-1]
    assert re.fullmatch(rf"(wp\w{{8}}) \1 <bucket> eu-west-1 eu-west-1 <{re.escape(older)}> <>", said)


@pytest.mark.parametrize(
    ("clean", "status"), [(lambda *_: [], 0), (lambda *_: ONE_LEFT, 1), (failing(Refused("nothing has the tag")), 2)]
)
def test_to_clean_alone(world: World, clean: Callable[..., list[Left]], status: int) -> None:
    world.clean = clean
    assert (world.main("--clean=wp1", *YES), world.evidence.exists()) == (status, False)
