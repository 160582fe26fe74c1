"""`waitpoints deliveries …`, as a stack answers them."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recorded_stack import RecordedStack
from typer.testing import Result

from waitpoints_client import APIError, Waitpoints
from waitpoints_client.cli import resends

Run = Callable[..., Result]
Printed = Callable[..., Any]
VERIFY = {"scheme": "github", "secret": "GITHUB"}
HEADERS = {"x-github-delivery": "event-1", "authorization": "Bearer secret", "content-type": "application/json"}


pytestmark = pytest.mark.usefixtures("handlers")


@pytest.fixture
def deliver(fake: RecordedStack) -> Callable[..., None]:
    """Deliver to the endpoint `orders`, which records."""
    options: Any = {"key": "body.order", "verify": VERIFY, "record_deliveries": "7d"}
    fake.arrange(lambda waitpoints: waitpoints.endpoints.put("orders", **options))

    def deliver(body: Any, headers: Any = None) -> None:
        fake.advance(1)  # so that their order is known
        fake.deliver("orders", body, headers)

    return deliver


def ids(listed: Any) -> list[str]:
    return [it["id"] for it in listed]


class TestList:
    def test_has_the_newest_first_and_what_each_repeats(self, run: Run, deliver: Callable[..., None]) -> None:
        deliver({"order": 1}, HEADERS)
        deliver({"order": 1}, HEADERS)
        deliver({"other": 2})
        lines = [line.split("\t") for line in run("deliveries", "list", "orders").stdout.splitlines()]
        assert [(it[1], it[3]) for it in lines] == [("noKey", ""), ("repeated", "orders:1"), ("kept", "orders:1")]
        assert [it[4] for it in lines[1:]] == [f"repeats {lines[2][0]}", ""]

    @pytest.mark.parametrize(
        ("options", "sent"),
        [
            ("--kind noKey", "filter[kind]=noKey&page[size]=25"),
            ("--kind NOKEY --kind kept -n 500", "filter[kind]=noKey,kept&page[size]=100"),
            ("--key orders:1 --event event-1 -n 1", "filter[key]=orders:1&filter[deliveryId]=event-1&page[size]=1"),
            ("--since 2000-01-01", "page[size]=25&filter[createdAt][from]=2000-01-01"),
            ("--since 1h", "page[size]=25&filter[createdAt][period]=1h"),
            ("--until 1h", "page[size]=25&filter[createdAt][to]=2027-01-15T07:00:00.000Z"),
        ],
    )
    def test_asks_for_what_passes_the_filters(self, asked: Callable[..., list[str]], options: str, sent: str) -> None:
        assert asked("deliveries", "list", "orders", *options.split()) == [f"GET /endpoints/orders/deliveries?{sent}"]

    def test_ends_at_the_limit(self, printed: Printed, deliver: Callable[..., None]) -> None:
        deliver({"order": 1})
        deliver({"other": 2})
        assert [it["kind"] for it in printed("deliveries", "list", "orders", "-n", "1")] == ["noKey"]


class TestShow:
    def test_has_the_headers_and_the_body_without_credentials(
        self, run: Run, printed: Printed, deliver: Callable[..., None]
    ) -> None:
        deliver('{"order":  1}', HEADERS)
        [delivery] = ids(printed("deliveries", "list", "orders"))
        shown = run("deliveries", "show", "orders", delivery).stdout
        assert shown.endswith('\n\n{"order":  1}\n')
        assert "kind\tkept\n" in shown
        assert "event\tevent-1\n" in shown
        assert "x-github-delivery\tevent-1\n" in shown
        assert "secret" not in shown
        assert printed("deliveries", "show", "orders", delivery)["body"] == '{"order":  1}'

    def test_writes_the_body_byte_for_byte(
        self, run: Run, printed: Printed, deliver: Callable[..., None], tmp_path: Path
    ) -> None:
        body = b"\xff\x00\x1b[31m"
        deliver(body)
        [delivery] = ids(printed("deliveries", "list", "orders"))
        assert run("deliveries", "show", "orders", delivery).stdout.endswith(
            f"\n\n(a body of {len(body)} bytes, not text: -o FILE writes it)\n"
        )
        file = tmp_path / "body"
        assert run("deliveries", "show", "orders", delivery, "-o", str(file)).exit_code == 0
        assert file.read_bytes() == body
        nowhere = run("deliveries", "show", "orders", delivery, "-o", str(tmp_path))
        assert (nowhere.exit_code, nowhere.stderr) == (2, f"Error: {tmp_path} cannot be written: Is a directory\n")

    def test_obeys_no_body(self, run: Run, printed: Printed, deliver: Callable[..., None]) -> None:
        deliver(b'"\x1b[31mred"', {"x-note": "\x1b[32m"})
        [delivery] = ids(printed("deliveries", "list", "orders"))
        assert "\x1b" not in run("deliveries", "show", "orders", delivery).stdout
        deliver(json.dumps({"order": "\x1b[31m\tred\n"}), {"webhook-id": "\x1b[32mgreen"})
        [first, _] = run("deliveries", "list", "orders").stdout.splitlines()
        assert ("\x1b" in first, first.split("\t")[3]) == (False, "orders:\\u001b[31m red ")


class TestDelete:
    def test_asks_first(self, run: Run, printed: Printed, fake: RecordedStack, deliver: Callable[..., None]) -> None:
        deliver({"order": 1})
        [delivery] = ids(printed("deliveries", "list", "orders"))
        refused = run("deliveries", "delete", "orders", delivery, input="n\n")
        assert (refused.exit_code, len(fake.heard)) == (1, 1)
        assert printed("deliveries", "delete", "orders", delivery, "--yes") == {"success": True}

    def test_of_all_says_how_many(self, run: Run, printed: Printed, deliver: Callable[..., None]) -> None:
        for order in range(3):
            deliver({"order": order})
        assert run("deliveries", "delete", "orders", "--all", "--yes").stderr == "Deleted 3 deliveries.\n"
        assert printed("deliveries", "delete", "orders", "--all", "--yes") == {"success": True, "deleted": 0}


class TestResend:
    def test_says_what_became_of_it(self, run: Run, printed: Printed, deliver: Callable[..., None]) -> None:
        deliver({"order": 1})
        [delivery] = ids(printed("deliveries", "list", "orders"))
        sent = printed("deliveries", "resend", "orders", delivery)
        assert (sent["kind"], sent["resendOf"]) == ("repeated", delivery)
        assert "kind\trepeated\n" in run("deliveries", "resend", "orders", delivery).stdout

    def test_goes_to_a_token_and_once(self, asked: Callable[..., list[str]]) -> None:
        sent = asked("deliveries", "resend", "orders", "delivery_1", "--token", "waitpoint_1", "--once", "a")
        body = '{"tokenId":"waitpoint_1","idempotencyKey":"a"}'
        assert sent == [f"POST /endpoints/orders/deliveries/delivery_1/resend {body}"]


class TestResendOfMany:
    @pytest.fixture(autouse=True)
    def recorded(self, deliver: Callable[..., None]) -> None:
        for number in (1, 2):
            deliver({"number": number})

    @pytest.fixture
    def corrected(self, fake: RecordedStack) -> None:
        """A token waits for the first, and the key is found now."""
        put: Any = {"key": "body.number", "verify": VERIFY, "record_deliveries": "7d"}
        fake.arrange(lambda waitpoints: waitpoints.endpoints.put("orders", **put))
        fake.arrange(lambda waitpoints: waitpoints.create(idempotency_key="orders:1"))

    def sent(self, fake: RecordedStack) -> list[str]:
        """What was sent, and what became of it."""
        return [it for it in fake.heard if it.startswith("POST")]

    def test_is_planned(self, run: Run, printed: Printed, deliver: Callable[..., None], fake: RecordedStack) -> None:
        deliver({"order": 4})
        planned = printed("deliveries", "resend", "orders", "--all", "--kind", "noKey", "--dry-run")
        assert len(planned) == 2
        assert planned[0]["createdAt"] < planned[1]["createdAt"]
        assert run("deliveries", "resend", "orders", "--all", "--dry-run").stderr == "This would send 3 deliveries again.\n"
        [one] = printed("deliveries", "resend", "orders", planned[0]["id"], "--dry-run")
        assert one.items() >= planned[0].items()
        alone = run("deliveries", "resend", "orders", planned[0]["id"], "--dry-run")
        assert alone.stderr == "This would send 1 delivery again.\n"
        assert self.sent(fake) == []

    def test_asks_first(self, run: Run, fake: RecordedStack) -> None:
        refused = run("deliveries", "resend", "orders", "--all", input="n\n")
        assert refused.exit_code == 1
        assert "Send 2 deliveries to orders again?" in refused.stderr
        assert self.sent(fake) == []

    @pytest.mark.usefixtures("corrected")
    def test_sends_nothing_twice_with_one_key(self, run: Run, printed: Printed, fake: RecordedStack) -> None:
        command = ("deliveries", "resend", "orders", "--all", "--once", "monday")
        first = printed(*command, "--yes")
        assert first == {"once": "monday", "sent": 2, "kinds": {"completed": 1, "kept": 1}}
        assert run(*command, "--yes").stdout == "completed\t1\nkept\t1\n"  # and no resend of a resend
        sent = self.sent(fake)
        assert (sent[:2], len({*sent})) == (sent[2:], 2)

    @pytest.mark.usefixtures("corrected")
    @pytest.mark.parametrize(
        ("failure", "status", "says"),
        [
            (APIError(503, "The table cannot be reached"), 1, "The table cannot be reached"),
            (KeyboardInterrupt(), 130, "Interrupted"),
        ],
    )
    def test_says_how_to_go_on(
        self,
        run: Run,
        printed: Printed,
        fake: RecordedStack,
        deliver: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
        failure: BaseException,
        status: int,
        says: str,
    ) -> None:
        sends, sent = resends.Many._send, []

        def fail_at_the_second(many: resends.Many, waitpoints: Waitpoints, delivery: str) -> str:
            sent.append(delivery)
            if len(sent) == 2:
                raise failure
            return sends(many, waitpoints, delivery)

        with monkeypatch.context() as patched:
            patched.setattr(resends.Many, "_send", fail_at_the_second)
            ended = run(
                "deliveries", "resend", "orders", "--all", "--kind", "noKey", "--since", "1h", "--yes", "--stack", "prod"
            )
        assert (ended.exit_code, ended.stdout) == (status, "")
        assert f"{says}. 1 of 2 deliveries were sent. To go on: waitpoints deliveries resend orders --all " in ended.stderr

        deliver({"other": "came meanwhile"})
        words = shlex.split(ended.stderr.partition("To go on: waitpoints ")[2])
        assert words[-2:] == ["--stack", "prod"]
        done = printed(*words, "--yes")
        assert (done["sent"], done["kinds"]) == (2, {"completed": 1, "kept": 1})
        first, *both = self.sent(fake)
        assert (first == both[0], len(both)) == (True, 2)

    @pytest.mark.usefixtures("corrected")
    def test_passes_over_what_was_deleted_meanwhile_and_what_only_a_person_completes(
        self, run: Run, fake: RecordedStack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sends = resends.Many.send

        def send(many: resends.Many, client: Waitpoints) -> dict[str, int]:
            fake.arrange(lambda waitpoints: waitpoints.endpoints.delete_delivery("orders", many.deliveries[0]))
            return sends(many, client)

        monkeypatch.setattr(resends.Many, "send", send)
        fake.arrange(lambda waitpoints: waitpoints.create(idempotency_key="orders:2", page={"title": "Go on?"}))
        done = run("deliveries", "resend", "orders", "--all", "--kind", "noKey", "--yes")
        assert (done.exit_code, done.stdout) == (0, "gone\t1\nrefused\t1\n")

    def test_of_none_sends_nothing(self, printed: Printed) -> None:
        assert printed("deliveries", "resend", "orders", "--all", "--kind", "late")["sent"] == 0
