"""What `make bench BENCH=latency` computes from its samples."""

import os
import sys
from pathlib import Path

import pytest

from benchmarks.latency import Compared, Run, Times, Variant, cells, missed, processor_seconds, ratio, used_by
from waitpoints_local import fork_server
from waitpoints_local.process_mends import _ForkServer

OWN = Variant("Waitpoints", lambda _: [], ["AcceptCallback", "ResumeWaiters"])
BARE = Variant("bare handlers", lambda _: [], ["Bare"])


def compared(variant: Variant, *rounds: list[tuple[float, float]], connections: int = 1) -> Compared:
    processor = {"AcceptCallback": 0.006, "ResumeWaiters": 0.002, "Bare": 0.004}
    return Compared(variant, connections, [Run([Times(*times) for times in run], processor) for run in rounds])


def test_the_ratio_is_of_the_runs_of_one_round_and_their_median_counts() -> None:
    own = compared(OWN, [(10, 1), (12, 1), (50, 1)], [(120, 1)], [(30, 1)])
    bare = compared(BARE, [(10, 1), (10, 1)], [(100, 1)], [(10, 1)])
    assert ratio(own, bare, "answered") == pytest.approx(1.2)


def test_the_processor_time_is_that_of_one_callback_in_the_function_and_in_those_of_the_stream() -> None:
    own = compared(OWN, [(10, 5)] * 2, [(10, 5)] * 2)
    assert (own.processor(["AcceptCallback"]), own.processor(["ResumeWaiters"])) == pytest.approx((3, 1))
    assert cells([own], [own]) == ["Waitpoints", "10 (**1.00**)", "5 (**1.00**)", "3.0 + 1.0"]


def test_a_row_has_each_number_of_connections_and_the_processor_time_at_the_middle_one() -> None:
    own = [compared(OWN, [(time, 5)], connections=time) for time in (1, 8, 32)]
    bare = [compared(BARE, [(2, 5)], connections=time) for time in (1, 8, 32)]
    own[1].runs[0].processor["AcceptCallback"] = 0.007
    assert cells(own, bare)[1:4] == ["1 (**0.50**)", "8 (**4.00**)", "32 (**16.00**)"]
    assert cells(own, bare)[-1] == "7.0 + 2.0"


@pytest.mark.parametrize(
    ("connections", "times", "over"),
    [
        (1, (11, 20), []),
        (1, (11.1, 10), ["answered takes 1.11 of the bare handlers over 1 connections, more than 1.10"]),
        (8, (12, 20), []),
        (8, (12.1, 10), ["answered takes 1.21 of the bare handlers over 8 connections, more than 1.20"]),
        (32, (11.2, 10), ["answered takes 1.12 of the bare handlers over 32 connections, more than 1.10"]),
    ],
)
def test_a_ratio_over_its_budget_is_named(connections: int, times: tuple[float, float], over: list[str]) -> None:
    base = compared(BARE, [(10, 10)], connections=connections)
    assert missed(compared(OWN, [times], connections=connections), base) == over


def test_the_processor_time_of_a_process_is_read_although_its_name_has_spaces_and_brackets() -> None:
    fields = ["S", *["0"] * 10, "150", "50", *["0"] * 30]
    assert processor_seconds(f"17 (a (strange) name) {' '.join(fields)}") == 2.0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_processor_time_of_a_function_is_that_of_its_forked_process(tmp_path: Path) -> None:
    name = f"waitpoints-AcceptCallback-{os.getpid():012}"
    program = tmp_path / "_worker.py"
    program.write_text("print(sum(range(3_000_000)), flush=True)\ninput()\n")
    process = _ForkServer("").start([sys.executable, str(program)], str(tmp_path), {"AWS_LAMBDA_FUNCTION_NAME": name})
    assert process.stdout.readline()
    assert used_by({fork_server.short(name): "AcceptCallback"}).get("AcceptCallback", 0) > 0
    process.stdin.close()
