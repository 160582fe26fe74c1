"""`make costs`: compute the cost of a wait on AWS from counted calls and list prices, and update docs/costs.md.

Runs each function of a wait once, on moto and with a fake clock, and counts its calls to AWS. With settings, it prints the
cost of a month of such waits instead:

    make costs WAITS=1000000 TIMEOUT=24h PAYLOAD=200
"""

import sys
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from benchmarks import bill
from benchmarks.alternatives import alternatives
from benchmarks.calculator import Asked, NotAccepted, asked, count, price
from benchmarks.calculator import report as report_month
from benchmarks.figures import DOCS, table, write
from in_process.counting.deliveries import Deliveries, count_deliveries
from in_process.counting.options import FILTERED, SHAPED, SIGNED, count_options
from in_process.counting.waits import Added, Bench, CountedStep, Wait, bench, log_to
from in_process.moto_stack import moto_stack

PAGE = DOCS / "costs.md"
RATES = (1, 100, 1000)  # deliveries a second

CASES: dict[str, dict[str, Any]] = {
    "no timeout": {},
    "24 h, completed": {"timeout": "24h"},
    "24 h, timed out": {"timeout": "24h", "ends": False},
    "24 h, with a key": {"timeout": "24h", "key": "order-4711"},
    "24 h, 20 KB payload": {"timeout": "24h", "payload": 20_000},
    "24 h, longest task token": {"timeout": "24h", "task_token": 2048},
}

RULES: dict[str, dict[str, Any]] = {
    "none": {},
    "`verify` and `completeWhen`": SIGNED | FILTERED,
    "`payloadSchema`": SHAPED,
    "all three": SIGNED | FILTERED | SHAPED,
}

EVENTS: dict[str, dict[str, Any]] = {
    "200 bytes, a run waited": {"payload": 200, "waits": True},
    "200 bytes, no run waited": {"payload": 200, "waits": False},
    "100 KB, no run waited": {"payload": 100_000, "waits": False},
}


def figures(counted: Bench) -> dict[str, str]:
    """Run one wait of each case, with each set of rules and with each option, and what completes by key or puts an event.

    Returns Markdown for each part of the page.
    """
    waits = {name: counted.wait(**case) for name, case in CASES.items()}
    ruled = {name: counted.wait(timeout="24h", rules=rules) for name, rules in RULES.items()}
    retrieve, deliveries = counted.retrieve(), count_deliveries(counted)
    ours = bill.total(waits["24 h, completed"])
    shown = [report(waits, ruled, retrieve), report_deliveries(deliveries), report_events(counted)]
    return {
        "make costs": "\n\n".join(shown),
        "make costs: options": report_options(count_options(counted, deliveries)),
        "make costs: alternatives": report_alternatives(ours),
    }


def report_options(added: Mapping[str, Added]) -> str:
    head = ["option", "calls", "write units", "read units", "dollars for a million"]
    return table(head, [[name, *_added(option)] for name, option in added.items()])


def _added(option: Added) -> list[str]:
    counts = (option.calls, option.write_units, option.read_units)
    return [*(f"{count:+g}" if count else "0" for count in counts), f"{bill.added(option):+.2f}"]


def report_alternatives(waitpoints: float) -> str:
    head = ["what waits", "what is billed", "dollars for a million"]
    return table(head, [one.cells() for one in alternatives(waitpoints)], texts=2)


def report(waits: dict[str, Wait], ruled: dict[str, Wait], retrieve: CountedStep) -> str:
    """Return, as Markdown, what waits cost, and what each of their steps asks of AWS."""
    names = list(waits)
    dollars = {name: bill.dollars(wait) for name, wait in waits.items()}
    services = [service for service in dollars[names[0]] if any(dollars[name][service] for name in names)]
    rows = [[service, *(f"{dollars[name][service]:.2f}" for name in names)] for service in services]
    rows.append(["**all together**", *(f"**{sum(dollars[name].values()):.2f}**" for name in names)])
    units = [
        ["write units", *(str(waits[name].write_units) for name in names)],
        ["read units", *(f"{waits[name].read_units:g}" for name in names)],
        ["bytes kept in the table", *(f"{waits[name].stored_bytes:,}" for name in names)],
        ["bytes kept in the indexes", *(f"{waits[name].index_bytes:,}" for name in names)],
    ]
    steps = [waits["24 h, completed"], waits["24 h, timed out"]]
    shown = {step.name: step for wait in steps for step in wait.steps} | {"retrieve": retrieve}
    return "\n\n".join(
        [
            "Dollars for a million waits, by service:",
            table(["", *names], rows),
            "What each wait uses:",
            table(["", *names], units),
            "What each step asks of AWS, with a 24 h timeout, a payload of 200 bytes and a task token of 700 characters:",
            table(
                ["step", "function", "calls", "write units", "read units"],
                [[step.name, f"`{step.function}`", *asks(step)] for step in shown.values()],
            ),
            "What a token's rules add, with a 24 h timeout, a payload of 200 bytes and a schema of 90 bytes:",
            table(
                ["rules", "step", "calls", "write units", "read units"],
                [
                    [rules, step.name, *asks(step)]
                    for rules, wait in ruled.items()
                    for step in wait.steps
                    if step.function in ("create_token", "accept_callback")
                ],
            ),
        ]
    )


def asks(step: CountedStep) -> list[str]:
    """Return what a step asks of AWS: its calls, write units and read units."""
    return [", ".join(step.operations()) or "none", f"{step.write_units}", f"{step.read_units:g}"]


def report_deliveries(counted: Deliveries) -> str:
    """Return, as Markdown, what completing by key asks of AWS, and what deliveries to an endpoint cost in a month."""
    shown = [("`complete` by key", counted.by_key), ("delivery to an endpoint", counted.to_endpoint)]
    return "\n\n".join(
        [
            "What a completion by key and a delivery to an endpoint ask of AWS, with a payload of 200 bytes:",
            table(
                ["request", "case", "calls", "write units", "read units"],
                [[request, step.name, *asks(step)] for request, wait in shown for step in wait.steps],
            ),
            "Dollars a month for deliveries to one endpoint that match nothing:",
            table(["", *(f"{rate:,} a second" for rate in RATES)], _monthly(counted, "matches nothing")),
            "Dollars a month if each delivery completes a token of its own:",
            table(
                ["", *(f"{rate:,} a second" for rate in RATES)],
                [
                    *_monthly(counted, "completes a token, a run waits"),
                    [
                        "their creates with a key, waits and guarantees",
                        *(f"{bill.monthly_around(counted, rate):,.2f}" for rate in RATES),
                    ],
                ],
            ),
        ]
    )


def report_events(counted: Bench) -> str:
    """Return, as Markdown, what an event bus adds to each settled token."""
    announced = {name: counted.announce(**case) for name, case in EVENTS.items()}
    return "\n\n".join(
        [
            "What an event bus adds to a settled token, with its dollars for a million of them:",
            table(
                ["settled token", "calls with a bus", "calls without", "dollars"],
                [
                    [
                        name,
                        ", ".join(one.with_it["guarantee"].operations()),
                        ", ".join(step.operations()[0] for step in one.without.steps) or "no invocation",
                        f"{bill.added(one):.2f}",
                    ]
                    for name, one in announced.items()
                ],
            ),
        ]
    )


def _monthly(counted: Deliveries, name: str) -> list[list[str]]:
    months = [bill.monthly(counted, name, rate) for rate in RATES]
    rows = [[service, *(f"{month[service]:,.2f}" for month in months)] for service in months[0]]
    return [*rows, ["**all together**", *(f"**{sum(month.values()):,.2f}**" for month in months)]]


def write_page() -> None:
    with moto_stack() as stack, bench(stack) as counted, log_to(StringIO()):
        written = figures(counted)
    for command, markdown in written.items():
        write(PAGE, command, markdown)
        print(f"{markdown}\n")


def calculate(month: Asked) -> None:
    with moto_stack() as stack, bench(stack) as counted:
        with log_to(StringIO()):
            one = count(counted, month)
        print(report_month(month, price(month, one, stack.template)))


def main(settings: Sequence[str]) -> int:
    if not settings:
        write_page()
        return 0
    try:
        month = asked(settings)
    except NotAccepted as refusal:
        print(refusal, file=sys.stderr)
        return 2
    calculate(month)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
