"""How many faults were tried, printed at the end."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.support.faults.figures import Figures

_figures = Figures()


@pytest.fixture(scope="session")
def figures() -> Figures:
    return _figures


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave coverage to the other tests: measuring it would double the time of thousands of runs of the same lines.

    The longest runs come first, so that no other process waits for them at the end.
    """
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.no_cover)
    first = [Path(__file__).with_name(f"test_{name}.py") for name in ("traces", "events", "recorded_deliveries")]
    items.sort(key=lambda item: first.index(item.path) if item.path in first else len(first))  # stable


def pytest_sessionfinish(session: pytest.Session) -> None:
    if (sent := getattr(session.config, "workeroutput", None)) is not None:  # a process of `-n`
        sent["faults"] = asdict(_figures) | {"tried": dict(_figures.tried)}  # only plain types can be sent


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    if of_process := getattr(node, "workeroutput", {}).get("faults"):
        _figures.flows.update(of_process["flows"])
        _figures.tried.update(of_process["tried"])
        _figures.storms.update(of_process["storms"])
        _figures.interleaved += of_process["interleaved"]
        _figures.lost += of_process["lost"]
        _figures.seed = of_process["seed"] if _figures.seed is None else _figures.seed


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _figures.tried and not _figures.storms and not _figures.interleaved:
        return
    terminalreporter.section("fault injection")
    for name, calls in _figures.flows.items():
        terminalreporter.write_line(f"{name:<52} {len(calls):3} calls: {', '.join(dict.fromkeys(calls))}")
    number_of_calls = sum(map(len, _figures.flows.values()))
    if _figures.seed is not None:
        terminalreporter.write_line(f"faults chosen to cover each call and each fault: FAULTS_SEED={_figures.seed}")
    terminalreporter.write_line(
        f"{len(_figures.flows)} flows, {number_of_calls} calls, {len(_figures.tried)} faults: {_figures.tried.total()} runs; "
        f"{len(_figures.storms)} storms of {sum(_figures.storms.values())} faults; "
        f"{_figures.interleaved} interleavings; lost {_figures.lost}"
    )
