"""The requests on which `make bench` measures functions do what they are meant to do."""

import pytest

from benchmarks import measured_requests
from benchmarks.measured_requests import Case
from benchmarks.warm import serve

pytestmark = [pytest.mark.thorough, pytest.mark.usefixtures("checkout")]  # each test starts a process
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
        (measured_requests.page_shown(), "show_callback.handler", ["Query"]),
        (measured_requests.page_answered(), "accept_callback.handler", ["Query", *SETTLE_AND_RESUME, "UpdateItem"]),
        (measured_requests.create(), "create_token.handler", ["PutItem"]),
        (measured_requests.create(), "benchmarks.bare.create.handler", ["PutItem"]),
        (measured_requests.create(), "benchmarks.bare.create.same_calls", ["GetSecretValue", "GetSecretValue", "PutItem"]),
    ],
)
def test_a_warm_handler_makes_these_calls(case: Case, handler: str, calls: list[str]) -> None:
    assert serve(case, handler, 10)["operations"] == calls


def test_the_time_of_calls_is_a_part_of_the_time_of_a_request() -> None:
    figures = serve(measured_requests.create(), "create_token.handler", 10)
    assert 0 < figures["calls"] < figures["request"]
    assert len(figures["memory"]) == 10
