"""What a person sees on a terminal, and a program in a pipe: the same command, through a pseudo-terminal and without one."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import recorded_stack
from recorded_stack import RecordedStack
from typer.testing import Result

pytestmark = pytest.mark.slow

PROGRAM = r"""
import signal
import sys
from datetime import timedelta
from waitpoints_client.cli import stacks
from waitpoints_client.cli.program import program
from waitpoints_client.testing import FakeWaitpoints

signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background ignores it, and so would this
fake = FakeWaitpoints()
waitpoints = fake.client()
page = {"title": "Refund [red]1,240.50 EUR to the customer of the order 4711?"}
waitpoints.create(tags=["[red]a", "tab\tand\x1b[31mred"], timeout="7d", page=page)
fake.advance(timedelta(seconds=1))
waitpoints.complete(waitpoints.create(idempotency_key="a-long-key-" * 10))
stacks.find_client = lambda _: fake.client()
program(sys.argv[1:], prog_name="waitpoints")
"""
Shown = Callable[..., str]
COLOUR = re.compile(r"\x1b\[(?:\d+;)*3[1-7]m")


@pytest.fixture(scope="module")
def shown(open_terminal: Callable[..., Any]) -> Shown:
    """What a terminal shows of a command until its end."""
    return cache(lambda *arguments, **options: open_terminal(PROGRAM, *arguments, **options).end()[1])


@cache
def piped(*arguments: str) -> str:
    clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(
        command, env={**clean, "TERM": "xterm-256color"}, capture_output=True, text=True, timeout=120, check=False
    )
    return done.stdout + done.stderr


def test_a_terminal_gets_a_table_with_colours(shown: Shown) -> None:
    table = shown("list")
    assert re.search(r"ID +STATUS +CREATED +TIMES OUT +TAGS +KEY", re.sub(r"\x1b\[\d*m", "", table))
    assert "\x1b[33mWAITING" in table
    assert "in 7d" in table


def test_a_pipe_gets_lines_without_colours_and_heading() -> None:
    lines = piped("list").splitlines()
    assert [len(line.split("\t")) for line in lines] == [7, 7]
    assert [line.split("\t")[1] for line in lines] == ["COMPLETED", "WAITING"]
    assert not re.search(r"\x1b|ID +STATUS", "".join(lines))


def test_no_color_is_obeyed(shown: Shown) -> None:
    assert COLOUR.search(shown("list")) is not None
    assert COLOUR.search(shown("list", NO_COLOR="1")) is None


def test_a_dumb_terminal_gets_what_a_pipe_gets(shown: Shown) -> None:
    assert "\x1b" not in shown("list", TERM="dumb")


def test_a_narrow_terminal_shortens_free_text_and_no_id(shown: Shown) -> None:
    table = shown("list", columns=90)
    assert len(re.findall(r"waitpoint_\w{26}\b", table)) == 2
    assert re.search(r"a-lon\S*…", table)


def test_a_table_leaves_out_columns_without_a_value(shown: Shown) -> None:
    table = re.sub(r"\x1b\[\d*m", "", shown("list", "--tag", "[red]a"))
    assert re.match(r"ID +STATUS +CREATED +TIMES OUT +TAGS *\r\n", table)


@pytest.mark.parametrize(
    ("columns", "title"),
    [
        (80, r"Refund \[red\]1,240.50 EUR to the custo…"),
        (180, r"Refund \[red\]1,240.50 EUR to the customer of the order 4711\?"),
    ],
)
def test_a_title_stands_above_its_id(shown: Shown, columns: int, title: str) -> None:
    table = re.sub(r"\x1b\[\d*m", "", shown("list", columns=columns))
    assert re.search(rf"\n{title} +WAITING .*\nwaitpoint_\w{{26}}", table.replace("\r", "")) is not None


def test_an_error_is_red_on_a_terminal_only(shown: Shown) -> None:
    assert shown("get", "nothing").startswith("\x1b[31mError:\x1b[0m 404")
    assert piped("get", "nothing").startswith("Error: 404")


def test_help_has_frames_on_a_terminal_only(shown: Shown) -> None:
    assert "╭─" in shown("--help")
    assert not re.search(r"[\x1b╭│]", piped("--help"))


def test_json_has_no_colours_on_a_terminal(shown: Shown) -> None:
    assert "\x1b" not in shown("list", "--json")


def test_watch_leaves_the_screen_as_it_was(open_terminal: Callable[..., Any]) -> None:
    terminal = open_terminal(PROGRAM, "list", "--watch")
    assert "2 tokens at" in terminal.read_until("Ctrl-C ends.")
    time.sleep(0.1)
    terminal.process.send_signal(signal.SIGINT)
    status, rest = terminal.end()
    assert status == 130
    assert "\x1b[?1049l" in rest  # back from the alternate screen
    assert "Traceback" not in rest


def test_watch_shows_as_many_tokens_as_have_room_with_their_titles(open_terminal: Callable[..., Any]) -> None:
    terminal = open_terminal(PROGRAM, "list", "--watch", LINES="5")
    assert "1 more than fit" in terminal.read_until("Ctrl-C ends.")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end()[0] == 130


REPLAYED = f"""
import json, sys, uuid
sys.path.append({str(Path(recorded_stack.__file__).parent)!r})
from recorded_stack import RecordedStack
from waitpoints_client.cli import stacks
from waitpoints_client.cli.program import program

uuid.uuid4 = lambda: "1"
stacks.find_client = lambda _: RecordedStack(json.loads(sys.argv[1])).client()
program(sys.argv[2:], prog_name="waitpoints")
"""


class TestOfAnEndpoint:
    """The terminal gets what the stack answers to the same command in a pipe."""

    @pytest.fixture
    def fake(self, handlers: RecordedStack) -> RecordedStack:
        verify: Any = {"scheme": "github", "secret": "GITHUB"}
        settings: Any = {"key": "body.order", "verify": verify, "record_deliveries": "7d"}
        handlers.arrange(lambda waitpoints: waitpoints.endpoints.put("orders", **settings))
        for body in ({"other": 1}, {"order": 1}, {"order": 2}):
            handlers.deliver("orders", body, {"x-github-delivery": "one [red]event"})
        return handlers

    def test_a_reason_is_wrapped_and_never_cut(
        self, run: Callable[..., Result], fake: RecordedStack, open_terminal: Callable[..., Any]
    ) -> None:
        lines = run(*(command := ("endpoints", "get", "orders"))).stdout.splitlines()
        [reason] = [line.split("\t")[4] for line in lines if line.startswith("noKey")]
        _, table = open_terminal(REPLAYED, json.dumps(fake.heard), *command, columns=60).end()
        assert "…" not in table
        assert set(reason.split()) <= set(table.split())

    def test_deliveries_are_sent_again_with_a_progress_bar(
        self, run: Callable[..., Result], fake: RecordedStack, open_terminal: Callable[..., Any]
    ) -> None:
        run(*(command := ("deliveries", "resend", "orders", "--all", "--kind", "kept")), "--yes")
        terminal = open_terminal(REPLAYED, json.dumps(fake.heard), *command, columns=80)
        assert "Send 2 deliveries to orders again?" in terminal.read_until("[y/N]")
        terminal.type("y\n")
        status, shown = terminal.end()
        plain = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", shown)
        assert status == 0
        assert "To repeat this and send nothing twice: --once resend-" in plain
        assert re.search(r"Sending ━+ 2/2 0:00:00", plain)
        assert re.search(r"BECAME +COUNT\s+repeated +2", plain)

    def test_what_a_delivery_repeats_has_a_line_of_its_own(
        self, run: Callable[..., Result], fake: RecordedStack, open_terminal: Callable[..., Any]
    ) -> None:
        run(*(command := ("deliveries", "list", "orders", "--kind", "kept")))
        _, shown = open_terminal(REPLAYED, json.dumps(fake.heard), *command, columns=80).end()
        assert len(re.findall(r"repeats delivery_\w{26}\x1b\[0m", shown)) == 2
        assert "…" not in shown
