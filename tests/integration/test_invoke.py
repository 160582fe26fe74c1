"""`make invoke`: a handler run on a sample event, or one sentence that says what is wrong."""

import json
import sys
from pathlib import Path

import pytest

from tests.support.in_process.invoke import main
from tests.support.in_process.template import ROOT
from tests.support.programs import Ended, ended

pytestmark = pytest.mark.slow

EVENT = str(ROOT / "events" / "retrieve_token.json")


def run(*arguments: str) -> Ended:
    """The command in a process of its own, as make starts it."""
    command = [sys.executable, "-m", "tests.support.in_process.invoke", *arguments]
    return ended(command)


def test_the_answer_is_json_on_standard_output_and_the_log_is_not() -> None:
    done = run("retrieve_token", EVENT)
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["statusCode"]) == (0, 200)
    assert json.loads(answer["body"])["status"] == "WAITING"


def test_the_error_of_the_function_is_printed_last(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text('{"waitpointId": 5}')
    done = run("wait_for_token", str(event))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("wait_for_token raised InvalidRequest")


@pytest.mark.parametrize(
    ("function", "event", "said"),
    [
        ("", "", "Name the function to run"),
        ("nothing", EVENT, 'No function is named "nothing": FUNCTION=… is one of accept_callback, '),
        ("retrieve_token", "", "Name the event"),
        ("retrieve_token", "events/nothing.json", "Can't read the event events/nothing.json: No such file or directory"),
        ("retrieve_token", str(ROOT / "events"), "Is a directory"),
        ("retrieve_token", str(ROOT / "Makefile"), "is not JSON"),
    ],
)
def test_wrong_arguments_are_explained_in_one_sentence(
    capsys: pytest.CaptureFixture[str], function: str, event: str, said: str
) -> None:
    assert main(function, event) == 1
    printed = capsys.readouterr()
    assert (printed.out, said in printed.err, len(printed.err.splitlines())) == ("", True, 1)
