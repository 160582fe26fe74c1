"""An agent that asks a person, in a process that is killed while it waits."""

import os
import re
import subprocess
import sys
from pathlib import Path

from waitpoints_client import Waitpoints

from tests.support.documents import blocks
from tests.support.e2e.api import Api
from tests.support.e2e.mails import mails_about
from tests.support.e2e.waiting import until
from tests.support.patience import PATIENCE
from tools.openapi.operations import TOKENS
from tools.stack import ROOT
from waitpoints_local.stack import Stack

AGENT = """
import logging, os, sys
from functools import partial
from waitpoints_client import Waitpoints
from waitpoints_client.agents import approval_page, requires_approval

logging.basicConfig(level=logging.DEBUG)
waitpoints, people = Waitpoints(), {"approvers": ["ann@example.com"], "notify": {"email": True}, "tags": "refund"}

@requires_approval(waitpoints, run="thread-1", key="call-1", page=partial(approval_page, edit=False), **people)
def refund(order: str, euros: int) -> str:
    bank = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_APPEND)
    if order not in os.pread(bank, 9999, 0).decode():
        os.write(bank, f"{order}: {euros}\\n".encode())
    return f"refunded {euros} for {order}"

print(refund("4711", euros=50), refund(order="4711", euros=50))
"""


def test_an_agent_that_is_killed_asks_once_pays_once_and_cannot_approve_itself(office: Stack, tmp_path: Path) -> None:
    api, bank, said = Api(office), tmp_path / "bank", tmp_path / "said"
    command = [sys.executable, "-c", AGENT, str(bank)]
    environment = os.environ | {"WAITPOINTS_URL": office.api_url, "WAITPOINTS_API_KEY": office.api_key}
    with said.open("w") as output:
        agent = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        try:
            until(lambda: mails_about(office, "waitpoint_"), "a mail")
            until(lambda: "GET http" in said.read_text(), "the agent waits")
        finally:
            agent.kill()
            agent.wait()
    with Waitpoints(office.api_url, office.api_key) as waitpoints:
        [token] = waitpoints.list(tags="refund")
        post_to_all(api, said.read_text(), waitpoints.get(token).url)
        assert waitpoints.get(token).status == "WAITING"
        [link] = waitpoints.get(token).links
        api.ask("POST", link.url, {"action": "approve"}, key=None)
        again = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert again.stdout == "refunded 50 for 4711 refunded 50 for 4711\n"

        assert bank.read_text() == "4711: 50\n"
        assert [listed.id for listed in waitpoints.list()] == [token.id]
        assert len(mails_about(office, "waitpoint_")) == 1


def test_the_example_of_the_document_runs_with_what_a_person_changed(office: Stack, tmp_path: Path) -> None:
    example = blocks((ROOT / "docs" / "agents.md").read_text(), "snippet")["agent"]
    environment = os.environ | {"WAITPOINTS_URL": office.api_url, "WAITPOINTS_API_KEY": office.api_key}
    agent = subprocess.Popen([sys.executable, "-c", example], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        with Waitpoints(office.api_url, office.api_key) as waitpoints:
            [token] = until(lambda: [it for it in waitpoints.list(status="WAITING") if it.page], "the agent asks")
            [link] = waitpoints.get(token).links
        changed = {"action": "approve", "fields": {"order": "order-1001", "euros": 20}}
        Api(office).ask("POST", link.url, changed, key=None)
        assert agent.communicate(timeout=PATIENCE)[0] == "refunded 20.0 euros of order-1001\n"
    finally:
        agent.kill()
        agent.wait()


def post_to_all(api: Api, seen: str, url: str) -> None:
    """Post to what a process has printed, even its log, and to the plain URL of the page."""
    routes = [f"{api.stack.api_url}{TOKENS}/{token_id}" for token_id in set(re.findall(r"waitpoint_\w{26}", seen))]
    assert routes
    assert "/callback/" not in seen
    urls = {url, f"{url}?approver=ann@example.com", *routes, *(f"{route}/complete" for route in routes)}
    statuses = {api.request("POST", it, {"action": "approve"}, key=None).status for it in urls}
    assert statuses <= {401, 403, 405}, statuses
