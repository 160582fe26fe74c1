"""Measure how much memory a warm function takes after 1,000 and after 10,000 requests."""

from benchmarks import measured_requests, warm
from benchmarks.figures import Figures, table

REQUESTS = 10_000
BUDGET = 1024 * 1024  # bytes of growth
MEBIBYTE = 1024 * 1024


def run() -> Figures:
    measured_requests.build()
    rows, missed = [], []
    for case in (measured_requests.callback(), measured_requests.create()):
        memory = warm.serve(case, f"{case.function}.handler", REQUESTS)["memory"]
        growth = memory[-1] - memory[0]
        rows.append([case.title, f"{memory[0] / MEBIBYTE:.1f}", f"**{growth / 1024:.0f}**"])
        if growth > BUDGET:
            missed.append(f"{case.title} grows by {growth / MEBIBYTE:.1f} MiB in 9,000 requests")
    head = ["request", "after 1,000, MiB", f"growth, KiB (budget {BUDGET // 1024:,})"]
    return Figures(table(head, rows), tuple(missed))
