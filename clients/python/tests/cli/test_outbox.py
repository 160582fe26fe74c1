"""`waitpoints outbox`: the mails that the local stack has kept."""

import base64
import json
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime, timezone
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from typer.testing import CliRunner, Result

from waitpoints_client import Token
from waitpoints_client.cli import outbox, stacks
from waitpoints_client.cli.outbox import read_mails
from waitpoints_client.cli.program import program
from waitpoints_client.models import Notice
from waitpoints_client.testing import FakeWaitpoints

API = "http://127.0.0.1:8787"
LINK = f"{API}/api/v1/waitpoints/tokens/waitpoint_01jd3rj5v0000000000000000a/callback/{'0' * 64}?approver=ann%40example.com"


def record(subject: str, text: str, at: float, html: str = "<p>HTML</p>") -> dict[str, Any]:
    message = EmailMessage()
    message["To"] = "Ann Lee <ann@example.com>"
    message["Subject"] = subject
    message["References"] = "<waitpoint_01jd3rj5v0000000000000000a.email.0@example.com> <0100@email.amazonses.com>"
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    return {"MessageId": "1", "Timestamp": at, "Raw": base64.b64encode(message.as_bytes()).decode()}


MAILS = [
    record(
        "Deploy?", f"Déjà vu: https://evil.example/api/v1/waitpoints/tokens/x/callback/y\n\nOpen:\n{LINK}\n", 1_700_000_000.5
    ),
    {"MessageId": "2", "Timestamp": 1.0, "Subject": "sent by somebody else, not as a raw mail"},
    record("Reminder: \x1b[31mDeploy?", "No link\n", 1_700_000_060),
]


class Due:
    """A stack that sends the mails about its tokens some moments after their creates: one for each time that it is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.client = FakeWaitpoints().client()
        self._get, self.sent = self.client.get, 0
        monkeypatch.setattr(self.client, "get", self.get)

    def get(self, token: Any) -> Token:
        notice = Notice(channel="email", to="a@example.com", status="sent", at=datetime.now(timezone.utc))
        found = self._get(token).model_copy(update={"notices": (notice,) * self.sent})
        self.sent += 1
        return found


@pytest.fixture
def due(monkeypatch: pytest.MonkeyPatch) -> Due:
    monkeypatch.setattr(outbox, "PAUSE", 0)
    return Due(monkeypatch)


@pytest.fixture
def kept() -> list[dict[str, Any]]:
    return MAILS


@pytest.fixture
def emulator(
    no_stack: Path,
    kept: list[dict[str, Any]],
    serve: Callable[..., ThreadingHTTPServer],
    due: "Due",
    monkeypatch: pytest.MonkeyPatch,
) -> ThreadingHTTPServer:
    """What the emulator has kept, as it serves it, and the file of `make run`."""

    def answer(request: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
        assert request.path == "/_ministack/ses/messages"
        assert request.headers["authorization"] == f"Basic {base64.b64encode(b'LOCAL1:secret').decode()}"
        return 200, {}, json.dumps({"messages": {"000000000000": kept}}).encode()

    server = serve(answer)
    monkeypatch.setattr(stacks, "read_local_client", lambda _: nullcontext(due.client))
    (no_stack / ".local").mkdir()
    described = {"api_url": API, "api_key": "local", "endpoint_url": f"http://127.0.0.1:{server.server_port}"}
    described |= {"access_key_id": "LOCAL1", "secret_access_key": "secret"}
    (no_stack / ".local" / "stack.json").write_text(json.dumps(described))
    return server


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, ["outbox", *arguments], prog_name="waitpoints")


@pytest.mark.usefixtures("emulator")
class TestTheMails:
    def test_are_listed_the_newest_first(self) -> None:
        done = run()
        assert done.exit_code == 0
        assert done.stdout.splitlines() == [
            "2\t2023-11-14T22:14:20.000Z\tAnn Lee <ann@example.com>\tReminder: \\u001b[31mDeploy?",
            "1\t2023-11-14T22:13:20.500Z\tAnn Lee <ann@example.com>\tDeploy?",
        ]

    def test_are_json_for_a_program(self) -> None:
        reminder, first = json.loads(run("--json").stdout)
        assert (first["mail"], first["to"], first["subject"]) == (1, "Ann Lee <ann@example.com>", "Deploy?")
        assert (first["sentAt"], first["link"]) == ("2023-11-14T22:13:20.500Z", LINK)
        assert "link" not in reminder
        assert json.loads(run("1", "--json").stdout) == first

    def test_are_shown_as_text(self) -> None:
        done = run("1")
        assert done.exit_code == 0
        assert done.stdout.startswith(
            "to\tAnn Lee <ann@example.com>\nsubject\tDeploy?\nsent\t2023-11-14T22:13:20.500Z\n\nDéjà vu"
        )
        assert done.stdout.endswith(f"Open:\n{LINK}\n")

    def test_show_nothing_that_a_terminal_obeys(self) -> None:
        assert "\x1b" not in run("2").stdout + run().stdout + run("--json").stdout

    @pytest.mark.parametrize("number", ["0", "3", "-1"])
    def test_have_no_other_number(self, number: str) -> None:
        done = run("--", number)
        assert (done.exit_code, done.stderr) == (2, f"Error: There is no mail {number}: the outbox has 1 to 2\n")


@pytest.mark.usefixtures("emulator")
class TestTheLink:
    def test_is_opened_in_the_browser(self, opened: list[str]) -> None:
        assert run("1", "--open").output == ""
        assert json.loads(run("1", "--open", "--json").stdout)["link"] == LINK
        assert opened == [LINK, LINK]

    @pytest.mark.parametrize("kept", [MAILS[:1]])
    def test_is_that_of_the_newest_mail_if_none_is_named(self, opened: list[str]) -> None:
        assert run("--open").output == ""
        assert opened == [LINK]

    def test_is_none_of_another_site(self, opened: list[str]) -> None:
        done = run("2", "--open")
        assert (done.exit_code, done.stderr, opened) == (1, "Error: Mail 2 has no link of a token\n", [])


@pytest.mark.usefixtures("emulator")
class TestTheHtml:
    def test_is_written_to_a_file_and_opened(self, no_stack: Path, opened: list[str]) -> None:
        done = run("1", "--html", "mail.html")
        assert (done.exit_code, done.output, opened) == (0, "", [])
        assert (no_stack / "mail.html").read_text() == "<p>HTML</p>"
        assert json.loads(run("1", "--html", "mail.html", "--open", "--json").stdout)["mail"] == 1
        assert opened == [(no_stack / "mail.html").as_uri()]

    @pytest.mark.parametrize("kept", [[record("Plain", "No HTML", 1.0, html="")]])
    def test_is_missing_in_a_plain_mail(self) -> None:
        done = run("--html", "mail.html")
        assert (done.exit_code, done.stderr) == (1, "Error: Mail 1 has no HTML\n")

    def test_needs_a_file_that_can_be_written(self) -> None:
        done = run("1", "--html", "nowhere/mail.html")
        assert (done.exit_code, done.stderr) == (2, "Error: nowhere/mail.html cannot be written: No such file or directory\n")


@pytest.mark.usefixtures("emulator")
class TestMailsThatAreDue:
    """They are waited for: the stack sends them a moment after the create."""

    PEOPLE: ClassVar[Any] = ["ann@example.com", "bo@example.com", {"id": "cy", "slack": "U024BE7LH"}]

    @pytest.mark.parametrize(
        ("people", "notify", "patience", "looks"),
        [
            (None, {"email": ["ann@example.com"]}, 60, 2),
            (PEOPLE, {"email": True, "slack": "#deploys"}, 60, 3),
            (PEOPLE, None, 60, 1),
            (None, {"email": ["ann@example.com"]}, 0, 1),
        ],
        ids=["one", "of each approver with an address", "without notify", "not without end"],
    )
    def test_are_waited_for(
        self, due: Due, monkeypatch: pytest.MonkeyPatch, people: Any, notify: Any, patience: int, looks: int
    ) -> None:
        monkeypatch.setattr(outbox, "PATIENCE", patience)
        due.client.create(page={"title": "Go?", "approvers": people} if people else {"title": "Go?"}, notify=notify)
        run()
        assert due.sent == looks


def test_a_mail_has_its_links_in_their_order(emulator: ThreadingHTTPServer, no_stack: Path) -> None:
    [mail, _] = read_mails(json.loads((no_stack / ".local" / "stack.json").read_text()))
    assert mail.links == ("https://evil.example/api/v1/waitpoints/tokens/x/callback/y", LINK)
    assert (mail.link, mail.html) == (LINK, "<p>HTML</p>")
    assert mail.token_id == "waitpoint_01jd3rj5v0000000000000000a"


@pytest.mark.usefixtures("emulator")
@pytest.mark.parametrize("kept", [[]])
def test_without_mails_it_is_said_how_to_get_some() -> None:
    done = run()
    assert (done.exit_code, done.stdout) == (0, "")
    assert "waitpoints up --parameters MailFrom=waitpoints@example.com" in done.stderr
    assert json.loads(run("--json").stdout) == []
    assert run("--open").exit_code == 1


def test_a_stack_that_has_ended_is_reported(emulator: ThreadingHTTPServer) -> None:
    emulator.server_close()
    done = run()
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"Error: The local stack at http://127.0.0.1:{emulator.server_port} has ended\n"
