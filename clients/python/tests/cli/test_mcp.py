"""`waitpoints mcp`, as far as it comes without the extra `mcp`. `frameworks/test_mcp.py` has the rest."""

import sys
from collections.abc import Callable

import pytest
from typer.testing import Result

from waitpoints_client import ConfigurationError
from waitpoints_client.cli import mcp, stacks
from waitpoints_client.cli.problems import CommandProblem

Run = Callable[..., Result]
WHO = "Who may answer?"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], WHO),
        (["--sign-in"], WHO),
        (["--notify", "email:ann@example.com"], WHO),
        (["--approver", "ann", "--sign-in-domain", "example.com"], WHO),
        (["--sign-in", "--sign-in-domain", "example.com"], "--sign-in-domain already asks to sign in"),
        (["--approver", "[]"], "--approver [] is neither an id, an address nor a JSON object"),
        (["--approver", "ann", "--notify", "pigeon"], "--notify pigeon has another form than email"),
        (["--approver", "ann", "--run", "x" * 201], "--run has 201 characters: 1 to 200 are accepted"),
        (["--approver", "ann", "--run", ""], "--run has 0 characters"),
    ],
)
def test_nothing_is_served_before_it_is_clear_who_may_answer(run: Run, options: list[str], says: str) -> None:
    ended = run("mcp", *options)

    assert ended.exit_code == 2
    assert ended.stdout == ""
    assert says in ended.stderr


def test_it_says_which_extra_it_needs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    monkeypatch.delitem(sys.modules, "waitpoints_client.agents.mcp_server", raising=False)
    ended = run("mcp", "--approver", "ann")

    assert ended.exit_code == 1
    assert 'of the extra "mcp"' in ended.stderr


def test_people_are_read_as_for_a_page() -> None:
    person = '{"id": "ann", "email": "ann@example.com"}'
    assert mcp.read_people([person, "bo@example.com"], [], sign_in=True) == {
        "approvers": [{"id": "ann", "email": "ann@example.com"}, "bo@example.com"],
        "sign_in": True,
    }
    assert mcp.read_people([], ["example.com"], sign_in=False) == {"sign_in": {"domains": ["example.com"]}}


def test_an_agent_is_told_why_there_is_no_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(_: str | None) -> tuple[str, str]:
        raise CommandProblem("No stack: start one")

    monkeypatch.setattr(stacks, "find_address", find)
    with pytest.raises(ConfigurationError, match="No stack: start one"):
        mcp.connect(None)
