"""A fake and, where WAITPOINTS_URL says which, a stack: what an adapter promises, it keeps with both."""

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from waitpoints_client import AsyncWaitpoints, Token, Waitpoints
from waitpoints_client.testing import FakeWaitpoints

EXAMPLES = Path(__file__).parents[4] / "examples" / "agents"
PATIENCE = 120  # seconds


@dataclass(frozen=True)
class Asked:
    """The stack that is asked. `transport` is the fake, if it is one."""

    url: str
    api_key: str
    transport: FakeWaitpoints | None = None

    def client(self) -> Waitpoints:
        return Waitpoints(self.url, self.api_key, transport=self.transport)

    def async_client(self) -> AsyncWaitpoints:
        return AsyncWaitpoints(self.url, self.api_key, transport=self.transport)

    def post(self, url: str, body: Any) -> int:
        """Post JSON to any URL, and return the status."""
        with httpx.Client(transport=self.transport) as http:
            return http.post(url, json=body).status_code

    def answer(self, token_id: str, action: str, fields: Mapping[str, Any] | None = None) -> None:
        """Answer as the one approver of a token, by their own link."""
        with self.client() as waitpoints:
            [link] = waitpoints.get(token_id).links
        assert self.post(link.url, {"action": action, "fields": fields or {}}) == 200


@pytest.fixture(params=["fake", "stack"])
def asked(request: pytest.FixtureRequest) -> Asked:
    if request.param == "fake":
        fake = FakeWaitpoints(ignore_rules=True)
        return Asked(fake.url, fake.api_key, fake)
    if "WAITPOINTS_URL" not in os.environ:
        pytest.skip("needs the stack of WAITPOINTS_URL")
    return Asked(os.environ["WAITPOINTS_URL"], os.environ["WAITPOINTS_API_KEY"])


@pytest.fixture
def pays_once(tmp_path: Path) -> Callable[..., None]:
    """Kills an example while it waits, twice, and lets it pay twice. `fields` are those of the approval."""
    if "WAITPOINTS_URL" not in os.environ:
        pytest.skip("needs the stack of WAITPOINTS_URL")
    asked = Asked(os.environ["WAITPOINTS_URL"], os.environ["WAITPOINTS_API_KEY"])
    ticket = f"ticket-{uuid.uuid4()}"

    def check(example: str, fields: Mapping[str, Any] | None = None) -> None:
        command, folder = [sys.executable, f"{EXAMPLES}/{example}", ticket, "ann@example.com"], tmp_path / "run"
        folder.mkdir()
        for _ in range(2):
            with subprocess.Popen(command, cwd=folder) as process:
                token = _asked_by_mail(asked, ticket, process)
                time.sleep(1)  # it waits
                process.kill()
            assert process.returncode == -9
        before = shutil.copytree(folder, tmp_path / "before")
        asked.answer(token.id, "approve", fields)
        for left in (folder, before):  # the second is what a crash leaves after the payment, before anything is stored
            done = subprocess.run(command, cwd=left, capture_output=True, text=True, timeout=PATIENCE, check=True)
            assert "Refunded 100 euros for order 1001." in done.stdout
            (before / "bank.txt").write_text((left / "bank.txt").read_text())
        assert (before / "bank.txt").read_text() == f"{ticket}/call_1: 100 euros for order 1001\n"
        assert _asked_by_mail(asked, ticket).id == token.id

    return check


def _asked_by_mail(asked: Asked, ticket: str, process: subprocess.Popen[bytes] | None = None) -> Token:
    """Return the one token of a ticket, as soon as its one mail is sent."""
    until = time.monotonic() + PATIENCE
    with asked.client() as waitpoints:
        while time.monotonic() < until and (process is None or process.poll() is None):
            tokens = [waitpoints.get(token) for token in waitpoints.list(tags=ticket)]
            if tokens and tokens[0].notices:
                [token] = tokens
                [_] = token.notices
                return token
            time.sleep(0.2)
    raise AssertionError(f"no mail about {ticket}")
