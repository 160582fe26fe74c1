"""The example of a LangGraph agent, on the deployed stack: killed while it waits, and resumed by events after it has ended."""

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from waitpoints_client import Token, Waitpoints

from tests.support.e2e.examples import deployed_example
from tests.support.e2e.mails import mails_about
from tests.support.e2e.parameters import given
from tests.support.e2e.waiting import until
from tests.support.patience import PATIENCE
from tools.stack import ROOT
from waitpoints_local.stack import Stack, verify_sender

SENDER, ANN, KILLED = "approvals@example.com", "ann@example.com", -9
AGENTS = ROOT / "examples" / "agents"
AGENT, WORKER = str(AGENTS / "refund_langgraph.py"), str(AGENTS / "woken_langgraph.py")
KILLED_AFTER_PAYING = """
import os, sys, refund_langgraph, woken_langgraph
pay = refund_langgraph.refund.func
refund_langgraph.refund.func = lambda **call: (pay(**call), os.kill(os.getpid(), 9))
"""
STATE = """
import sys, refund_langgraph as it
with it.SqliteSaver.from_conn_string(it.THREADS) as saver:
    print(it.make_agent(saver).get_state(it.thread_of(sys.argv[1])).tasks)
"""
ENDS = """
import sys, time, refund_langgraph as it
with it.SqliteSaver.from_conn_string(it.THREADS) as saver:
    until = time.monotonic() + PATIENCE
    while it.make_agent(saver).get_state(it.thread_of(sys.argv[1])).tasks:
        assert time.monotonic() < until, "it was not resumed"
        time.sleep(0.2)
"""
KILLED_BEFORE_DELETING = """
import os, sys, woken_langgraph
go_on = woken_langgraph.go_on
woken_langgraph.go_on = lambda *thread, **how: (go_on(*thread, **how), os.kill(os.getpid(), 9))
"""

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def queue(stack: Stack) -> Iterator[str]:
    """The queue of the example. What is not deleted soon appears on it again."""
    subprocess.run(["make", "-s", ".local/langgraph/ready"], cwd=ROOT, check=True, timeout=300)
    verify_sender(stack.endpoint, SENDER)
    example = deployed_example(stack, "events_to_queue", Tokens="agents")
    with given(stack, "EventBusName", "default"), given(stack, "MailFrom", SENDER), example as outputs:
        url = outputs["QueueUrl"]
        stack.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "5"})
        yield url


class Desk:
    """Where agents are started and killed, each for a ticket, and what they have left."""

    def __init__(self, stack: Stack, queue: str, folder: Path) -> None:
        self.stack, self.queue, self.folder = stack, queue, folder
        self.waitpoints = Waitpoints(stack.api_url, stack.api_key)
        client = {"WAITPOINTS_URL": stack.api_url, "WAITPOINTS_API_KEY": stack.api_key}
        self.environment = {**os.environ, **stack.endpoint.environment(), **client, "PYTHONPATH": str(AGENTS)}

    def ticket(self, name: str) -> str:
        """Return a name that no ticket has yet."""
        return f"{name}-{time.time_ns()}"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [str(ROOT / ".local" / "langgraph" / "bin" / "python"), *arguments]
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, text=True)

    def run(self, *arguments: str, status: int = 0) -> str:
        """Run a program to its end. Returns what it printed."""
        program = self.start(*arguments)
        printed, _ = program.communicate(timeout=PATIENCE)
        assert program.returncode == status
        return printed

    @contextmanager
    def working(self) -> Iterator[None]:
        worker = self.start(WORKER, self.queue, ANN)
        try:
            yield
            assert worker.poll() is None, "it works until it is killed"
        finally:
            worker.kill()
            worker.communicate(timeout=PATIENCE)

    def tokens(self, ticket: str) -> list[Token]:
        return [self.waitpoints.get(token) for token in self.waitpoints.list(tags=ticket)]

    def token(self, ticket: str) -> Token:
        """The only one of a ticket, once it is there."""
        [token] = until(lambda: self.tokens(ticket), f"{ticket} was not asked about")
        return token

    def approve(self, ticket: str, cents: int = 1250) -> None:
        """Press the button on the page, with this amount in the form."""
        [link] = self.token(ticket).links
        answer = httpx.post(link.url, json={"action": "approve", "fields": {"order": 7, "cents": cents}})
        assert answer.is_success, answer.text

    def wait_for_end(self, ticket: str) -> None:
        """Look in one process: to start one takes longer than most resumes."""
        self.run("-c", ENDS, ticket)

    def has_ended(self, ticket: str) -> bool:
        return self.run("-c", STATE, ticket) == "()\n"

    def payments(self) -> list[int]:
        """The cents of each payment."""
        with closing(sqlite3.connect(self.folder / "bank.db")) as bank:
            return [cents for (cents,) in bank.execute("select cents from payments")]

    def put(self, **detail: Any) -> None:
        """Put a message on the queue, such as an event that comes again."""
        self.stack.client("sqs").send_message(QueueUrl=self.queue, MessageBody=json.dumps({"detail": {"ok": True, **detail}}))

    def is_queue_empty(self) -> bool:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.stack.client("sqs").get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)["Attributes"]
        return all(found[name] == "0" for name in names)


@pytest.fixture
def desk(stack: Stack, queue: str, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(stack, queue, tmp_path)
    yield desk
    desk.waitpoints.close()
    stack.client("sqs").purge_queue(QueueUrl=queue)


def test_an_agent_that_is_killed_asks_once_and_pays_once(desk: Desk, stack: Stack) -> None:
    ticket = desk.ticket("killed")
    for _ in range(2):
        agent = desk.start(AGENT, ticket, ANN)
        token = desk.token(ticket)
        agent.kill()
        agent.communicate(timeout=PATIENCE)
        assert agent.returncode == KILLED
    until(lambda: mails_about(stack, token.id), "no mail was sent")  # a token that ends before its first mail gets none
    desk.approve(ticket)
    desk.run("-c", KILLED_AFTER_PAYING + "refund_langgraph.main(*sys.argv[1:], wait=True)", ticket, ANN, status=KILLED)
    assert desk.payments() == [1250]

    assert desk.run(AGENT, ticket, ANN) == "Order 7 is settled.\n"
    assert [it.id for it in desk.tokens(ticket)] == [token.id]
    assert (desk.payments(), len(mails_about(stack, token.id))) == ([1250], 1)
    stored = b"".join(path.read_bytes() for path in desk.folder.glob("threads.db*"))
    assert not any(secret in stored for secret in (b"waitpoint_", b"/callback/", ANN.encode()))


def test_events_resume_agents_that_have_ended(desk: Desk) -> None:
    approved, failed, waiting = tickets = [desk.ticket(name) for name in ("approved", "failed", "waiting")]
    for ticket in tickets:
        assert desk.run(AGENT, ticket, ANN, "--ask") == "People decide.\n"
    desk.approve(approved, cents=900)
    desk.waitpoints.fail(desk.token(failed), "No budget")
    desk.put(id="of no agent", metadata={"order": 1})
    desk.put(id="without metadata")
    desk.put(id="of another program", metadata={"run": "unknown"})
    with desk.working():
        for ticket in (approved, failed):
            desk.wait_for_end(ticket)
        for _ in range(2):
            desk.put(id="the same event", metadata={"run": approved})
        until(desk.is_queue_empty, "messages remain")

    assert not desk.has_ended(waiting)
    assert desk.payments() == [900]
    assert [len(desk.tokens(ticket)) for ticket in tickets] == [1, 1, 1]


@pytest.mark.parametrize("killed", [KILLED_AFTER_PAYING, KILLED_BEFORE_DELETING], ids=["paid", "resumed"])
def test_a_worker_that_is_killed_is_made_good_by_the_next(desk: Desk, killed: str) -> None:
    ticket = desk.ticket("worker-killed")
    desk.run(AGENT, ticket, ANN, "--ask")
    desk.approve(ticket)
    desk.run("-c", f"{killed}\nwoken_langgraph.main(*sys.argv[1:])", desk.queue, ANN, status=KILLED)
    assert desk.payments() == [1250]

    with desk.working():
        until(desk.is_queue_empty, "the message remains")
    assert desk.has_ended(ticket)
    assert (desk.payments(), len(desk.tokens(ticket))) == ([1250], 1)
