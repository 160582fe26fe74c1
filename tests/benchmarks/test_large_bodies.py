"""The bodies on which `make bench` measures callbacks, and how it measures them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import measured_requests
from benchmarks.large_bodies import (
    BRACKETS,
    BYTES,
    FORM,
    JSON,
    LIMIT,
    MOST_MEMORY,
    MOST_TIME,
    NESTED,
    TEXT,
    Body,
    bodies,
    handled,
)
from benchmarks.large_body_process import PARSER
from tests.support.in_process.template import ROOT
from waitpoints.api.callbacks import callback_body
from waitpoints.api.http import PAYLOAD_LIMIT

MEBIBYTE = 1024 * 1024
BODIES = bodies()
LINUX = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak of the memory")


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.title)
def test_each_is_among_the_largest_that_are_accepted(body: Body) -> None:
    assert LIMIT == PAYLOAD_LIMIT
    assert LIMIT - 1_000 < len(body.content) <= LIMIT


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.title)
def test_each_becomes_the_output_that_its_title_says(body: Body) -> None:
    output = callback_body.output(body.content, body.content_type)
    match body.content_type:
        case "application/json":
            assert output == body.content.decode()
        case "text/plain":
            assert isinstance(json.loads(output), str)
        case "application/x-www-form-urlencoded":
            assert list(json.loads(output)) == ["payload"]
        case _:
            assert list(json.loads(output)) == ["base64"]
    assert {one.content_type for one in BODIES} == {JSON, TEXT, FORM, BYTES}


@LINUX
@pytest.mark.thorough  # starts a process: in one with thousands of tests, it would collect garbage for seconds
def test_the_peak_counts_what_was_freed_again() -> None:
    program = "from benchmarks.large_body_process import peak_of\n"
    program += f"print(peak_of(lambda: bytearray({50 * MEBIBYTE}) and None), peak_of(lambda: None))"
    used, unused = map(
        int, subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True).stdout.split()
    )
    assert 40 * MEBIBYTE < used < 60 * MEBIBYTE
    assert unused < 10 * MEBIBYTE


@LINUX
@pytest.mark.thorough  # starts four processes
@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("handler", ["accept_callback.handler", PARSER])
def test_a_request_is_measured_in_a_process_of_its_own(handler: str) -> None:
    case, figures = measured_requests.callback(), {}
    for size in (200_000, 2_000_000):
        figures[size] = handled(case, handler, Body("", JSON, json.dumps("x" * size).encode()).event(case))
    assert all(figures[size]["milliseconds"][0] > 0 for size in figures)
    assert figures[2_000_000]["peak"] > figures[200_000]["peak"]


@pytest.mark.parametrize(
    ("title", "milliseconds", "peak", "missed"),
    [
        (NESTED, MOST_TIME, MOST_MEMORY, []),
        (NESTED, MOST_TIME + 1, MOST_MEMORY, ["nested arrays take 101 ms"]),
        (NESTED, MOST_TIME, MOST_MEMORY + MEBIBYTE, ["nested arrays take 101 MiB"]),
        (BRACKETS, 2 * MOST_TIME, 2 * MOST_MEMORY, []),
    ],
)
def test_nested_arrays_have_a_budget(title: str, milliseconds: float, peak: int, missed: list[str]) -> None:
    assert Body(title, JSON, b"", own=[milliseconds], peaks=[peak]).missed == missed
