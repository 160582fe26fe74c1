"""What each adapter promises, shown by the agents of `drivers/`, each in its own environment, on the fake and on a stack."""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[4] / "examples" / "agents"
PATIENCE = 120  # seconds
FIRST, SECOND = {"order": "order-1001", "amount": 100}, {"order": "order-1002", "amount": 20}
DECISIONS: dict[str, tuple[str, dict[str, Any], list[Any]]] = {
    "approve": ("approve", {}, [("order-1001", 100)]),
    "edit": ("approve", {"amount": 50, "message": "Half of it."}, [("order-1001", 50)]),
    "reject": ("reject", {"message": "not this customer"}, []),
    "reject without a word": ("reject", {}, []),
    "respond": ("respond", {"message": "refunded by hand"}, []),
    "silence": ("", {}, []),
}
"""What a person does, if anything, and what is paid then."""


def test_a_person_decides_and_silence_rejects(desk: Any, agent: Any, decision: str) -> None:
    action, fields, paid = DECISIONS[decision]
    agent.start(FIRST, timeout="1h" if action else "1s")
    if action:
        desk.answer(FIRST, action, **fields)
    else:
        desk.advance(seconds=1)
    assert agent.go_on() == [desk.reads[decision]]
    assert desk.paid == paid


def test_two_calls_at_once_are_two_requests_each_with_its_own_decision(desk: Any, agent: Any) -> None:
    agent.start(FIRST, SECOND)
    desk.answer(SECOND, "reject")
    assert agent.go_on(wait=False) == []  # the other is decided
    desk.answer(FIRST, "approve")
    assert sorted(agent.go_on()) == sorted([desk.reads["approve"], desk.reads["reject without a word"]])
    assert (desk.paid, len(desk.tokens())) == ([("order-1001", 100)], 2)


def test_a_call_is_one_request_in_every_process(desk: Any, agent: Any) -> None:
    agent.start(FIRST)
    for _ in range(2):
        assert agent.go_on(wait=False) == []
    desk.answer(FIRST, "approve")
    assert agent.go_on()
    assert (desk.paid, len(desk.tokens())) == ([("order-1001", 100)], 1)


def test_the_same_call_in_a_later_turn_is_asked_again(desk: Any, agent: Any) -> None:
    """Also if it has the same id: some models count their calls anew."""
    for turn in (1, 2, 3):
        agent.start(FIRST)
        desk.answer(FIRST, "approve")
        assert agent.go_on()
        assert (desk.paid, len(desk.tokens())) == ([("order-1001", 100)] * turn, turn)


def test_an_agent_that_posts_to_all_that_it_was_given_settles_nothing(desk: Any, agent: Any) -> None:
    agent.start(FIRST)
    agent.go_on(wait=False)
    [token], seen = desk.tokens(), agent.seen()
    assert "order-1001" in seen
    assert not any(link.url in seen or link.url.rpartition("/")[2].partition("?")[0] in seen for link in token.links)
    urls = {*re.findall(r"https?://[^\s\"'\\]+", seen), token.url, f"{token.url}?approver=ann"}  # it may guess the id
    desk.settles_nothing({*urls, f"{desk.url}/api/v1/waitpoints/tokens/{token.id}/complete"})
    assert desk.paid == []
    desk.answer(FIRST, "approve")  # while the link of a person does
    assert agent.go_on()
    assert desk.paid == [("order-1001", 100)]


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"aprovers": ["ann"]}, TypeError, "Unknown option 'aprovers': did you mean 'approvers'"),
        ({"approvers": []}, ValueError, "Who may answer"),
    ],
)
def test_who_is_asked_must_be_said(desk: Any, agent: Any, options: Any, error: Any, says: str) -> None:
    with pytest.raises(error, match=says):
        agent.start(FIRST, **options)
    assert desk.tokens() == []


@pytest.mark.parametrize("desk", ["stack"], indirect=True)
def test_an_example_that_is_killed_asks_once_and_pays_once(desk: Any, agent: Any) -> None:
    command = [sys.executable, f"{EXAMPLES}/{agent.EXAMPLE}", desk.tag, "ann@example.com"]
    for _ in range(2):
        with subprocess.Popen(command, cwd=desk.folder) as process:
            token = asked_by_mail(desk, process)
            time.sleep(1)  # it waits
            process.kill()
        assert process.returncode == -9
    before = shutil.copytree(desk.folder, desk.folder / "before")
    desk.answer({"order": "1001", "euros": 100}, "approve")
    for folder in (desk.folder, before):  # the second is what a crash leaves after the payment, before anything is stored
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=True)
        assert "Refunded 100 euros for order 1001." in done.stdout
        (before / "bank.txt").write_text((folder / "bank.txt").read_text())
    assert (before / "bank.txt").read_text() == f"{desk.tag}/call_1: 100 euros for order 1001\n"
    assert asked_by_mail(desk) == token


def asked_by_mail(desk: Any, process: Any = None) -> str:
    """Return the id of the one token, as soon as its one mail is sent."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and (process is None or process.poll() is None):
        if (tokens := desk.tokens()) and tokens[0].notices:
            [token] = tokens
            [_] = token.notices
            return str(token.id)
        time.sleep(0.2)
    raise AssertionError(f"no mail about {desk.tag}")
