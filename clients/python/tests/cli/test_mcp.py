"""`waitpoints mcp`, as far as it comes without the extra `mcp`. `frameworks/test_mcp.py` has the rest."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from waitpoints_client.cli import mcp

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
        (["--approver", "ann", "--run", "x" * 201], "--run has 201 characters: 1 to 200, not all blank, are accepted"),
        (["--approver", "ann", "--run", ""], "--run has 0 characters"),
        (["--approver", "ann", "--title", " \u200b"], "--title has 2 characters: 1 to 200, not all blank, are accepted"),
        (["--approver", "ann", "--timeout", "soon"], '--timeout "soon": expected a duration such as "30s"'),
        (["--approver", "ann", "--timeout", "0s"], '--timeout "0s": it must be in the future'),
    ],
)
def test_nothing_is_served_before_it_is_clear_who_may_answer(
    run: Run, monkeypatch: pytest.MonkeyPatch, options: list[str], says: str
) -> None:
    monkeypatch.setattr(mcp, "_import_server", lambda: pytest.fail)
    ended = run("mcp", *options)

    assert ended.exit_code == 2
    assert ended.stdout == ""
    assert says in ended.stderr


def test_it_says_which_extra_it_needs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    monkeypatch.delitem(sys.modules, "waitpoints_client.agents.mcp_server", raising=False)
    ended = run("mcp")  # before it asks for anything else

    assert ended.exit_code == 1
    assert 'of the extra "mcp"' in ended.stderr


def test_people_are_read_as_for_a_page() -> None:
    person = '{"id": "ann", "email": "ann@example.com"}'
    assert mcp.read_people([person, "bo@example.com"], [], sign_in=True) == {
        "approvers": [{"id": "ann", "email": "ann@example.com"}, "bo@example.com"],
        "sign_in": True,
    }
    assert mcp.read_people([], ["example.com"], sign_in=False) == {"sign_in": {"domains": ["example.com"]}}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "No stack: start one"),
        ({"WAITPOINTS_URL": "https://a.test"}, "WAITPOINTS_API_KEY is not: set both"),
        ({"WAITPOINTS_URL": "a.test", "WAITPOINTS_API_KEY": "k"}, "must begin with https://"),
    ],
)
def test_nothing_is_served_without_a_stack(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: dict[str, str], says: str
) -> None:
    monkeypatch.setattr(mcp, "_import_server", lambda: pytest.fail)
    monkeypatch.setenv("WAITPOINTS_LOCAL", str(tmp_path))
    for name in ("WAITPOINTS_URL", "WAITPOINTS_API_KEY"):
        monkeypatch.setenv(name, given.get(name, ""))
    ended = run("mcp", "--approver", "ann")

    assert ended.exit_code == 1
    assert says in ended.stderr
