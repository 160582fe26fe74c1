import re
import subprocess

import pytest

from tools.on_aws.steps import STEPS, chosen
from tools.stack import ROOT

NAMES = [step.name for step in STEPS]


def test_each_step_needs_earlier_ones_alone() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for number, step in enumerate(STEPS):
        assert set(step.needs) <= set(NAMES[:number]), step.name
        assert step.everything or not any(it.everything for it in STEPS if it.name in step.needs), step.name


def test_each_line_is_one_that_a_shell_reads() -> None:
    for step in STEPS:
        subprocess.run(["sh", "-nc", step.line], check=True)


def test_each_question_is_one_of_the_page_and_has_one_step() -> None:
    page = (ROOT / "docs" / "internals" / "aws.md").read_text()
    asked = re.findall(r"^\| (?:\* )?([^|]+\?[^|]*) \|", page.split("## What no one has seen on AWS yet")[1], re.MULTILINE)
    answered = [beginning for step in STEPS for beginning in step.questions]
    assert len(asked) > 20
    assert len(set(answered)) == len(answered)
    assert [it for it in answered if sum(question.startswith(it) for question in asked) != 1] == []


def test_a_run_costs_less_than_a_dollar_and_ends_in_three_hours() -> None:
    assert sum(step.cents for step in STEPS) < 100
    assert sum(step.minutes for step in STEPS) < 180


@pytest.mark.parametrize(
    ("only", "everything", "names"),
    [
        ("", True, NAMES),
        ("", False, [step.name for step in STEPS if not step.everything]),
        ("broken", False, ["bucket", "archive", "gradual", "broken"]),
        ("definitions", False, ["definitions"]),
    ],
)
def test_which_steps_run_with_the_numbers_of_all(only: str, everything: bool, names: list[str]) -> None:
    steps = chosen(only, everything=everything)
    assert [step.name for _, step in steps] == names
    assert all(STEPS[number - 1] is step for number, step in steps)
