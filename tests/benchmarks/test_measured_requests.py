"""The requests on which `make bench` measures functions do what they are meant to do."""

import json
import subprocess
import sys
from typing import Any

import pytest

from benchmarks import measured_requests
from benchmarks.measured_requests import Case
from tests.support.in_process.template import ROOT

pytestmark = pytest.mark.thorough  # each test starts a process
SETTLE_AND_RESUME = ["UpdateItem", "SendTaskSuccess"]


@pytest.mark.parametrize(
    ("case", "handler", "calls"),
    [
        (measured_requests.callback(), "accept_callback.handler", [*SETTLE_AND_RESUME, "UpdateItem"]),
        (measured_requests.callback(), "benchmarks.bare.callback.handler", SETTLE_AND_RESUME),
        (
            measured_requests.callback(),
            "benchmarks.bare.callback.same_calls",
            ["GetSecretValue", *SETTLE_AND_RESUME, "UpdateItem"],
        ),
        (measured_requests.create(), "create_token.handler", ["PutItem"]),
        (measured_requests.create(), "benchmarks.bare.create.handler", ["PutItem"]),
        (measured_requests.create(), "benchmarks.bare.create.same_calls", ["GetSecretValue", "GetSecretValue", "PutItem"]),
    ],
)
def test_a_warm_handler_makes_these_calls(case: Case, handler: str, calls: list[str]) -> None:
    assert serve(case, handler)["operations"] == calls


def test_the_time_of_calls_is_a_part_of_the_time_of_a_request() -> None:
    figures = serve(measured_requests.create(), "create_token.handler")
    assert 0 < figures["calls"] < figures["request"]
    assert len(figures["memory"]) == 10


def serve(case: Case, handler: str) -> Any:
    """Serve a few requests with the modules of this checkout in place of a build."""
    environment = {
        **measured_requests.environment(case, "http://aws.invalid"),
        "PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}",
    }
    command = [sys.executable, "-m", "benchmarks.warm_process", handler, "10"]
    process = subprocess.run(command, env=environment, input=case.event, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stderr)
