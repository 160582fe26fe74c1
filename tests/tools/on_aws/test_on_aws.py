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
NONE: list[str] = []
ONE_LEFT = [Left("table", f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/t", "$0.50 a GB", "it is in use")]


class World:
    """An account in which each function that on_aws calls says that it was called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.did: list[str] = []
        self.refusals, self.left, self.typed = NONE, list[Left](), iter(["eu-west-1", "yes"])
        self.clean: Callable[..., list[Left]] = lambda *_: self.left
        self.line, self.evidence = "echo hello", folder / "evidence"
        sts = SimpleNamespace(get_caller_identity=lambda: {"Account": ACCOUNT})
        for owner, name, it in (
            (boto3, "Session", lambda region_name: SimpleNamespace(region_name=region_name, client=lambda _: sts)),
            (account, "look", lambda *_: SimpleNamespace(findings=["a plan"], refusals=self.refusals)),
            (account, "secrets_of", lambda *_: []),
            (clean_up, "clean", lambda *given: self.note("clean", self.clean(*given))),
            (clean_up, "left", lambda *_: self.left),
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


def test_nothing_is_made_where_the_account_is_against_it(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.refusals = ["a stack is there"]
    assert (world.main("--yes", "--region=eu-west-1"), world.did, world.evidence.exists()) == (2, [], False)
    assert "a stack is there\n" in capfd.readouterr().out


@pytest.mark.parametrize("older", ["evidence", "evidence-UNSAFE"])
def test_a_run_does_not_write_into_the_folder_of_another(world: World, older: str, capfd: pytest.CaptureFixture[str]) -> None:
    world.evidence.with_name(older).mkdir()
    assert (world.main("--yes", "--region=eu-west-1"), world.did) == (2, [])
    assert f"{older} is of another run" in capfd.readouterr().out


def test_it_cleans_up_where_no_evidence_can_be_written(world: World) -> None:
    world.line = f"rm -r {world.evidence}"
    assert (world.main("--yes", "--region=eu-west-1"), world.did) == (1, ["clean"])


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


@pytest.mark.parametrize(
    ("line", "left", "status"), [("true", [], 0), ("exit 77", [], 0), ("exit 1", [], 1), ("true", ONE_LEFT, 1)]
)
def test_the_status(world: World, line: str, left: list[Left], status: int, capfd: pytest.CaptureFixture[str]) -> None:
    world.line, world.left = line, left
    assert (world.main("--yes", "--region=eu-west-1"), world.did) == (status, ["clean", "write"])
    assert ACCOUNT not in capfd.readouterr().out
    assert ACCOUNT not in (world.evidence / "summary.json").read_text()


def test_the_plan_says_where_what_it_costs_and_how_to_delete_it(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.main()
    said = capfd.readouterr().out
    for text in (
        f"account {ACCOUNT}, region eu-west-1",
        "16 minutes",
        "$0.00",
        "on_aws.sh --region eu-west-1 --clean wp",
        "a plan",
    ):
        assert text in said, text


def test_a_folder_with_a_secret_is_renamed_after_the_clean_up(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.line = f"echo hello; echo {ACCOUNT} >{world.evidence}/more.txt"
    assert (world.main("--yes", "--region=eu-west-1"), world.did) == (1, ["clean", "write"])
    assert [it.name for it in world.evidence.parent.iterdir()] == ["evidence-UNSAFE"]
    said = capfd.readouterr().out
    assert "more.txt: account\n" in said
    assert "evidence-UNSAFE/README.md" in said


@pytest.mark.parametrize("line", ["kill -INT $PPID; sleep 600", "kill -HUP $PPID; sleep 600"])
def test_the_clean_up_runs_after_a_signal_and_a_second_one_does_not_end_it(world: World, line: str) -> None:
    def clean(*_: object) -> list[Left]:
        os.kill(os.getpid(), signal.SIGINT)
        return []

    world.line, world.clean = line, clean
    assert (world.main("--yes", "--region=eu-west-1"), world.did) == (1, ["clean", "write"])


@pytest.mark.parametrize("error", [ConnectionError("no network"), Refused("nothing has the tag")])
def test_a_clean_up_that_fails_is_left(world: World, error: Exception) -> None:
    def clean(*_: object) -> list[Left]:
        raise error

    world.clean = clean
    failed = not isinstance(error, Refused)  # a run that has made nothing
    assert (world.main("--yes", "--region=eu-west-1"), world.did) == (int(failed), ["write"])


@pytest.mark.parametrize(("given", "older"), [([], ""), (["--from=old.zip"], os.path.abspath("old.zip"))])
def test_a_step_sees_the_run_and_no_other_stack(
    world: World, given: list[str], older: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAITPOINTS_URL", "http://127.0.0.1:8787")
    world.line = 'echo "$RUN $STACK $BUCKET $AWS_REGION $AWS_DEFAULT_REGION <$FROM> <${WAITPOINTS_URL-}>"'
    assert world.main("--yes", "--region=eu-west-1", *given) == 0
    said = (world.evidence / "07-one.txt").read_text().splitlines()[-1]
    assert re.fullmatch(rf"(wp\w{{8}}) \1 <bucket> eu-west-1 eu-west-1 <{re.escape(older)}> <>", said)


@pytest.mark.parametrize(("left", "status"), [([], 0), (ONE_LEFT, 1), (None, 2)])
def test_to_clean_alone(world: World, left: list[Left] | None, status: int) -> None:
    def clean(*_: object) -> list[Left]:
        if left is None:
            raise Refused("nothing has the tag")
        return left

    world.clean = clean
    assert (world.main("--clean=wp1", "--region=eu-west-1", "--yes"), world.evidence.exists()) == (status, False)
