"""How fast the stack is where it runs: under load, with timeouts, from a cold start. Each function yields lines of figures."""

import json
import os
import re
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from waitpoints_client.ops import logs
from waitpoints_client.ops.caller import TOKENS, Caller, Unexpected, expect, instant
from waitpoints_client.ops.deployed import Deployed

from tools.on_aws.made import figure, pages

CLIENTS, ROUND = 4, 0.5
"""Each client creates a token and completes it in a round, of so many seconds: far below the quotas of a new account."""
TOKENS_THAT_TIME_OUT, TIMEOUT = 50, 60
_SERVED = re.compile(r"/([\w-]+)\[")  # in the name of a stream of a shared group: YYYY/MM/DD/FUNCTION[VERSION][ENVIRONMENT]

Request = tuple[str, int, float]
"""What it was, its status, or 0 without an answer, and the milliseconds that it took."""


def load(stack: Deployed) -> Iterator[str]:
    """Create tokens and complete them for a minute, below every quota: nothing is refused."""
    until = time.monotonic() + float(os.environ.get("LOAD_SECONDS", "60"))
    callers = [Caller.of(stack) for _ in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        requests = [it for one in pool.map(lambda caller: rounds(caller, until), callers) for it in one]
    for what in ("create", "callback"):
        yield figure(
            f"{what} under load", milliseconds([took for name, status, took in requests if (name, status) == (what, 200)])
        )
    statuses = Counter(f"{what} {status}" for what, status, _ in requests)
    yield figure("statuses under load", ", ".join(f"{times} {it}" for it, times in sorted(statuses.items())))
    expect(statuses.keys() == {"create 200", "callback 200"}, f"not every request was answered 200: {dict(statuses)}")


def rounds(caller: Caller, until: float) -> list[Request]:
    made: list[Request] = []

    def ask(what: str, url: str, body: bytes, key: str | None = None) -> dict[str, str]:
        began = time.monotonic()
        try:
            answer = caller.request("POST", url, body, key=key)
        except Unexpected:
            made.append((what, 0, 0))
            return {}
        made.append((what, answer.status, (time.monotonic() - began) * 1000))
        return answer.json() if answer.status == 200 else {}

    while (began := time.monotonic()) < until:
        if token := ask("create", TOKENS, b'{"timeout": "1h"}', caller.api_key):
            ask("callback", token["url"], b'{"approved": true}')
        time.sleep(max(0, began + ROUND - time.monotonic()))
    return made


def timeouts(stack: Deployed) -> Iterator[str]:
    """How late fifty timeouts are, by the log: a token's `completedAt` is its `timeoutAt`, however late it is.

    Nothing retrieves a token before: that would time it out.
    """
    caller, began = Caller.of(stack), int(time.time() * 1000)
    pause = float(os.environ.get("SPREAD", "60")) * 2 / TOKENS_THAT_TIME_OUT
    due: dict[str, float] = {}
    for _ in range(TOKENS_THAT_TIME_OUT):
        token = caller.create(timeout=f"{TIMEOUT}s")
        due[token["id"]] = instant(caller.retrieve(token)["timeoutAt"])
        time.sleep(pause)
    time.sleep(max(0, max(due.values()) - time.time()))

    def late() -> dict[str, float] | None:
        lines = logs.read(stack.client("logs"), caller.log_group, began, '"timedOut"')
        ended = {(it.record or {}).get("tokenId"): it.milliseconds / 1000 for it in lines if (it.record or {}).get("timedOut")}
        return {token: ended[token] - at for token, at in due.items()} if due.keys() <= ended.keys() else None

    found = caller.wait_until(late, "the log does not say of all tokens that they timed out", 180)
    statuses = Counter(caller.retrieve({"id": token})["status"] for token in due)
    yield figure("lateness of timeouts", milliseconds([it * 1000 for it in found.values()]))
    expect(statuses == {"TIMED_OUT": len(due)}, f"the tokens are {dict(statuses)}")


def reports(stack: Deployed) -> Iterator[str]:
    """Durations by Lambda's own reports, which the template's log level leaves out: of a smoke test and a load after it.

    Each function begins with a cold start, as its configuration is changed.
    """
    functions, client = stack.list_physical_ids("AWS::Lambda::Function"), stack.client("lambda")
    for name in functions.values():
        logging = client.get_function_configuration(FunctionName=name)["LoggingConfig"]
        client.update_function_configuration(FunctionName=name, LoggingConfig={**logging, "SystemLogLevel": "INFO"})
    for name in functions.values():
        client.get_waiter("function_updated_v2").wait(FunctionName=name)
    began = int(time.time() * 1000)
    smoke = ["waitpoints", "smoke", "--quick", "--stack", stack.name]
    yield (said := subprocess.run(smoke, capture_output=True, text=True, check=False).stdout)
    if " failed   logs metrics" in said:
        yield "One failure is right: that the log has Lambda's own lines"
    yield from load(stack)
    time.sleep(min(20, float(os.environ.get("SPREAD", "60"))))  # until the log has the last lines
    took: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    reported = {"logGroupName": logs.find_log_group(stack), "startTime": began, "filterPattern": '"platform.report"'}
    logical = {name: it for it, name in functions.items()}
    for event in pages(stack.client("logs"), "filter_log_events", "events", **reported):
        served = _SERVED.search(event["logStreamName"])
        for name, value in json.loads(event["message"])["record"]["metrics"].items():
            took[logical[served[1]] if served else "of any name"][name].append(value)
    for name, found in sorted(took.items()):
        cold = f"cold start {milliseconds(found['initDurationMs'])}; " if found["initDurationMs"] else ""
        memory = f"{max(found['maxMemoryUsedMB'])} of {max(found['memorySizeMB'])} MB"
        yield figure(f"function {name}", f"{cold}duration {milliseconds(found['durationMs'])}; {memory}")
    expect(bool(took), "the log has no report of Lambda")


def milliseconds(values: Sequence[float]) -> str:
    """The median, the 95th percentile and the worst of some durations."""
    if not values:
        return "none"
    ordered = sorted(values)
    p50, p95 = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.95))
    return f"p50 {p50:.0f}, p95 {p95:.0f}, worst {ordered[-1]:.0f} ms of {len(ordered)}"
