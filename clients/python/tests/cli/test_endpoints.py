"""`waitpoints endpoints …`, as a stack answers them."""

from collections.abc import Callable
from typing import Any

import pytest
from recorded_stack import RecordedStack
from typer.testing import Result

from waitpoints_client import NotFoundError, Waitpoints

Run = Callable[..., Result]
Printed = Callable[..., Any]
PUT = ("endpoints", "put", "orders", "--key", "body.order", "--verify", "none")


pytestmark = pytest.mark.usefixtures("handlers")


def test_an_endpoint_is_made_shown_and_listed(run: Run, printed: Printed, fake: RecordedStack, waitpoints: Waitpoints) -> None:
    made = dict(
        line.split("\t") for line in run(*PUT, "--output", "body.paid", "--key-ttl", "2h", "--tag", "a").stdout.splitlines()
    )
    url = waitpoints.endpoints.get("orders").url
    assert {name: value for name, value in made.items() if name != "updated"} == {
        "name": "orders",
        "key": "body.order",
        "verify": "none",
        "output": "body.paid",
        "tag": "a",
        "kept for": "2h",
        "url": url,
    }
    assert run("endpoints", "url", "orders").stdout == f"{url}\n"
    assert printed("endpoints", "url", "orders") == {"url": url}
    assert run("endpoints", "list").stdout.split("\t")[:3] == ["orders", "body.order", "none"]
    assert [endpoint["name"] for endpoint in printed("endpoints", "list")] == ["orders"]

    fake.deliver("orders", {"order": 1, "paid": True})
    assert "kept\t1\t" in run("endpoints", "get", "orders").stdout
    assert printed("endpoints", "get", "orders")["deliveries"]["kept"]["lastKey"] == "a:orders:1"


@pytest.mark.parametrize("verify", ["token:GITHUB:X-Token", '{"scheme": "token", "secret": "GITHUB", "header": "X-Token"}'])
def test_a_signature_is_asked_for(asked: Callable[..., list[str]], verify: str) -> None:
    body = '{"key":"body.order","verify":{"scheme":"token","secret":"GITHUB","header":"X-Token"}}'
    assert asked(*PUT[:-1], verify) == [f"PUT /endpoints/orders {body}"]


def test_deliveries_are_recorded(run: Run) -> None:
    put = run(*PUT[:-1], "github:GITHUB", "--record-deliveries", "7d")
    assert "recorded for\t7d\n" in put.stdout
    assert "recorded for\t7d\n" in run("endpoints", "get", "orders").stdout
    assert "recorded for" not in run(*PUT).stdout
    refused = run(*PUT, "--record-deliveries", "7d")
    assert (refused.exit_code, "only deliveries that are verified are recorded" in refused.stderr) == (1, True)


def test_a_delivery_is_tried_out(run: Run, printed: Printed) -> None:
    run(*PUT)
    lines = run("endpoints", "test", "orders", '{"order": 1}', "-H", "X-A: b", "--query", "c=d").stdout.splitlines()
    assert lines[0] == "outcome\tkept"
    assert "key\torders:1\t" in lines
    assert 'run gets\t{"order": 1}' in lines
    names = [line.partition("\t")[0] for line in lines]
    assert len(names) == len({*names})  # a program finds each by its name
    assert printed("endpoints", "test", "orders", "-", input='{"order": 2}')["key"] == "orders:2"


def test_an_endpoint_is_disabled_and_enabled(run: Run, printed: Printed) -> None:
    run(*PUT)
    assert "disabled\tdeliveries get 503\n" in run("endpoints", "disable", "orders").stdout
    assert run("endpoints", "list").stdout.endswith("\tyes\n")
    assert printed("endpoints", "disable", "orders")["disabled"] is True
    assert "disabled" not in run("endpoints", "enable", "orders").stdout
    assert printed("endpoints", "enable", "orders")["disabled"] is False


def test_deletion_asks_first(run: Run, printed: Printed, waitpoints: Waitpoints) -> None:
    run(*PUT)

    refused = run("endpoints", "delete", "orders", input="n\n")
    assert refused.exit_code == 1
    assert refused.stderr.endswith("Error: Not confirmed, so nothing was changed: answer y, or use --yes\n")
    assert waitpoints.endpoints.get("orders").name == "orders"

    assert printed("endpoints", "delete", "orders", "--yes") == {"success": True}
    with pytest.raises(NotFoundError):
        waitpoints.endpoints.get("orders")
