"""The stack on this machine goes on when the kernel ends processes of functions, or the one that forks into them."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from tests.support.e2e.api import Api
from tests.support.e2e.waiting import until
from tools.stack import ROOT
from waitpoints_local import fork_server, process_mends

KILLS = 20
OPERATIONS = yaml.load((ROOT / "openapi.yaml").read_text(), yaml.CSafeLoader)["paths"]
ROUTES = [(method.upper(), path) for path, methods in OPERATIONS.items() for method in methods if method in ("get", "post")]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Processes are forked on Linux alone")


def children(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            yield from map(int, task.read_text().split())


def command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""


def fork_servers(port: int) -> list[int]:
    everything = (int(it.name) for it in Path("/proc").iterdir() if it.name.isdigit())
    [emulator] = [pid for pid in everything if re.search(rf"waitpoints_local\.emulator {port} ", command(pid))]
    return [pid for pid in children(emulator) if "fork_server.py" in command(pid)]


def kill(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_killed_processes_take_no_route_and_no_timer_with_them(api: Api) -> None:
    port = api.stack.port
    killed = 0
    while killed < KILLS:
        api.wait(api.create(timeout="3s"))
        found = [pid for server in fork_servers(port) for pid in children(server)]
        kill(found[: KILLS - killed])
        killed += len(found[: KILLS - killed])
        until(lambda: api.request("GET", "/api/v1/waitpoints/tokens").status == 200, "no list of tokens")
    _, execution = api.awaited(timeout="10s")  # else its own function may be killed, and it fails as that does
    servers = fork_servers(port)
    kill([*(pid for server in servers for pid in children(server)), *servers])
    for method, path in ROUTES:
        url = re.sub(r"\{\w+\}", "x", path)
        until(lambda url=url, method=method: api.request(method, url, {}).status < 500, f"{method} {path}")  # type: ignore[misc]
    assert api.result(execution) == ("FAILED", "WaitpointTimeoutError")
    assert set(fork_servers(port)).isdisjoint(servers)


def test_a_fork_server_that_never_starts_is_not_started_for_ever(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ends = tmp_path / "ends.py"
    ends.write_text("")
    monkeypatch.setattr(fork_server, "__file__", str(ends))
    runtime: Any = SimpleNamespace()
    process_mends.fork_processes(runtime)
    with pytest.raises(RuntimeError, match="has ended 3 times in a row"):
        runtime.subprocess.Popen(["python", str(tmp_path / "_worker.py")], cwd=str(tmp_path), env={})
