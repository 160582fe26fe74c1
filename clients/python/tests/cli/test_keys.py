"""`waitpoints keys …`, as a stack answers them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from typer.testing import Result

from waitpoints_client import Waitpoints

Run = Callable[..., Result]
Printed = Callable[..., Any]
CREATE = ("keys", "create", "nightly", "--scope", "create:team-a", "-s", "read")


pytestmark = pytest.mark.usefixtures("handlers")


def test_a_key_is_made_and_shown_once(run: Run, printed: Printed) -> None:
    made = dict(line.split("\t") for line in run(*CREATE, "--expires", "30d").stdout.splitlines())
    assert {*made} == {"name", "scopes", "expires", "key"}
    assert (made["name"], made["scopes"]) == ("nightly", "create:team-a read")
    [listed] = printed("keys", "list")
    assert {*listed} == {"name", "scopes", "createdAt", "expiresAt"}
    ends, begins = (datetime.fromisoformat(listed[name].replace("Z", "+00:00")) for name in ("expiresAt", "createdAt"))
    assert ends - begins == timedelta(days=30)
    everything = run("keys", "list").output + str(printed("keys", "list"))
    assert made["key"] not in everything


def test_quiet_prints_the_key_alone(run: Run) -> None:
    result = run(*CREATE, "--quiet")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("tr_prod_sk_")
    assert len(result.stdout.split()) == 1


def test_keys_are_listed_by_name_with_their_scopes(run: Run, waitpoints: Waitpoints) -> None:
    for name in ("b", "a"):
        waitpoints.keys.create(name, ["read"])
    rows = [line.split("\t") for line in run("keys", "list").stdout.splitlines()]
    assert [(row[0], row[1], *row[3:]) for row in rows] == [("a", "read", "", ""), ("b", "read", "", "")]


def test_a_key_is_revoked_once_somebody_agrees(run: Run, printed: Printed, waitpoints: Waitpoints) -> None:
    run(*CREATE)
    declined = run("keys", "revoke", "nightly", input="n\n")
    assert declined.exit_code == 1
    assert "Revoke nightly? Who uses it is refused within a minute." in declined.stderr
    assert [key.name for key in waitpoints.keys.list()] == ["nightly"]

    assert printed("keys", "revoke", "nightly", "--yes") == {"success": True}
    assert waitpoints.keys.list() == ()
    gone = run("keys", "revoke", "nightly", "--yes")
    assert (gone.exit_code, gone.stderr) == (1, "Error: 404: Key not found\n")
