"""The checks of `waitpoints smoke`, one function each. A check returns the figure that its line shows.

It raises Unexpected with what it saw instead, or Skipped with the reason if it can't tell.
"""

import json
import re
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError, ReadTimeoutError

from waitpoints_client.operator import logs as stack_logs
from waitpoints_client.operator.caller import TOKENS, Caller, Unexpected
from waitpoints_client.operator.doctor import summary
from waitpoints_client.operator.logs import OF_LAMBDA, Line

PAYLOAD = '{"paid": true, "amount": 12.50, "by": "Žofie", "items": [{"id": 1}, null], "note": "a\\"b"}'.encode()
LARGE = b"[" + b",".join([b'""'] * 700_000) + b"]"  # 2.1 MB, and over 6 MB when escaped in a response
SAMPLES = 10
TIMEOUTS = (5, 6, 7)  # seconds
LATE = 10.0  # seconds: more than a cold start takes
LONG = 240  # seconds: a round of the timers looks three minutes ahead, so only a later round can find what is set now
DOCTOR_SECONDS = 60
ERRORS = ('"error":"ClientError"', "ERROR", "CRITICAL", "Traceback", "Task timed out", "Runtime exited")
METRIC = "TokensCreated"


class Skipped(Exception):
    """The check could not run, though nothing is wrong. The message says why."""


@dataclass(frozen=True)
class Check:
    name: str
    run: Callable[[Caller], str]
    advice: str
    """What to do when it fails."""
    needs: str = ""
    """The check that must pass before this one runs."""


def creates(caller: Caller) -> str:
    started = time.monotonic()
    token = caller.create()
    seconds = time.monotonic() - started
    found = caller.retrieve(token)
    if found["status"] != "WAITING" or token["isCached"]:
        raise Unexpected(f"a new token is {found['status']}, isCached {token['isCached']}")
    if not token["url"].startswith(caller.stack.outputs["ApiUrl"]):
        raise Unexpected("its callback URL does not start with ApiUrl")
    return f"in {seconds:.2f} s"


def refuses_a_wrong_key(caller: Caller) -> str:
    return check_refused(caller.request("POST", TOKENS, b"{}", key="wrong").status)


def resumes(caller: Caller) -> str:
    token = caller.create()
    execution = caller.start_waiting(token)
    caller.wait_until_registered(token)
    caller.post_callback(token, PAYLOAD)
    check_output(caller, execution)
    if caller.retrieve(token)["output"] != PAYLOAD.decode():
        raise Unexpected("the token's output differs from what was posted")
    return f"{len(PAYLOAD)} bytes, exactly as posted"


def resumes_at_once(caller: Caller) -> str:
    token = caller.create()
    caller.post_callback(token, PAYLOAD)
    described = check_output(caller, caller.start_waiting(token))
    return f"in {(described['stopDate'] - described['startDate']).total_seconds():.2f} s"


def check_output(caller: Caller, execution: str) -> dict[str, Any]:
    """Wait for an execution to end. Returns its description. Raises Unexpected unless its output is PAYLOAD."""
    described = caller.wait_for_end(execution)
    if described["status"] != "SUCCEEDED":
        raise Unexpected(f"the execution {described['status']}: {described.get('error')}")
    if json.loads(described["output"]) != json.loads(PAYLOAD):
        raise Unexpected("the execution's output differs from what was posted")
    return described


def times_out(caller: Caller) -> str:
    waiting = []
    for seconds in TIMEOUTS:
        token = caller.create(timeout=f"{seconds}s")
        waiting.append((token, caller.start_waiting(token)))
    late = [measure_lateness(caller, *one) for one in waiting]
    if max(late) > LATE:
        raise Unexpected(f"{max(late):.2f} s late")
    return f"late by {', '.join(f'{one:.2f}' for one in sorted(late))} s"


def begins_a_long_timeout(caller: Caller) -> str:
    """Have an execution wait for an hour, and bring its timeout near in the table, as if most of the hour had passed."""
    started = time.monotonic()
    token = caller.create()
    found, execution = caller.retrieve(token), caller.start_waiting(token)
    caller.wait_until_registered(token)
    was = round(instant(found["timeoutAt"]) * 1000)
    soon = round((instant(found["createdAt"]) + time.monotonic() - started + LONG) * 1000)  # by AWS's clock
    try:
        caller.stack.client("dynamodb").update_item(
            TableName=caller.stack.outputs["TableName"],
            Key={"id": {"S": token["id"]}, "item": {"S": "token"}},
            UpdateExpression="SET wakeAt = :soon, timeoutAt = :soon",
            ConditionExpression="#status = :waiting AND wakeAt = :was AND timeoutAt = :was",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":soon": {"N": str(soon)}, ":was": {"N": str(was)}, ":waiting": {"S": "WAITING"}},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        raise Skipped("your credentials may not update the table (dynamodb:UpdateItem)") from None
    caller.later = token, execution
    return f"moved from an hour to {LONG} s"


def times_out_after_long(caller: Caller) -> str:
    """Only a round of the timers can have started this timer: nothing else knows when the token is due."""
    assert caller.later
    token, execution = caller.later
    late = measure_lateness(caller, token, execution, LONG + caller.patience)
    if late > LATE:
        raise Unexpected(f"{late:.2f} s late")
    return f"late by {late:.2f} s"


def measure_lateness(caller: Caller, token: dict[str, Any], execution: str, seconds: float | None = None) -> float:
    """Return the seconds from a token's timeout to the end of its execution, both by AWS's clock."""
    described = caller.wait_for_end(execution, seconds)
    if (described["status"], described.get("error")) != ("FAILED", "WaitpointTimeoutError"):
        raise Unexpected(f"the execution {described['status']}: {described.get('error')}")
    found = caller.retrieve(token)
    if found["status"] != "TIMED_OUT":
        raise Unexpected(f"the token is {found['status']}")
    return float(described["stopDate"].timestamp() - instant(found["timeoutAt"]))


def instant(text: str) -> float:
    """Return a time from the API in epoch seconds."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()  # Python 3.10 knows no Z


def refuses_a_wrong_hash(caller: Caller) -> str:
    token = caller.create()
    before = caller.retrieve(token)
    last = "0" if token["url"][-1] != "0" else "1"
    said = check_refused(caller.request("POST", token["url"][:-1] + last, PAYLOAD).status)
    if caller.retrieve(token) != before:
        raise Unexpected("the token has changed")
    return f"{said}, the token untouched"


def check_refused(status: int) -> str:
    if status != 401:
        raise Unexpected(f"answered {status}")
    return "401"


def downloads_a_large_output(caller: Caller) -> str:
    token = caller.create()
    caller.post_callback(token, LARGE)
    found = caller.retrieve(token)
    if (found["status"], found["outputType"]) != ("COMPLETED", "application/store"):
        raise Unexpected(f"the token is {found['status']}, its output {found['outputType']}")
    link = caller.call("GET", f"/api/v1/packets/{found['output']}")["presignedUrl"]
    host = urlsplit(link).hostname
    answer = caller.request("GET", link)
    if answer.status != 200:
        code = re.search(r"<Code>(\w+)</Code>", answer.body.decode(errors="replace"))
        raise Unexpected(f"{host} answered {answer.status} {code[1] if code else ''}".strip())
    if answer.body != LARGE:
        raise Unexpected(f"{host} returned {len(answer.body):,} bytes, not the {len(LARGE):,} that were posted")
    return f"{len(LARGE):,} bytes from {host}"


def answers_a_key_with_its_token(caller: Caller) -> str:
    first, second = caller.create(idempotencyKey=caller.tag), caller.create(idempotencyKey=caller.tag)
    if second != {**first, "isCached": True}:
        raise Unexpected(f"a different response, isCached {second['isCached']}")
    return "the same token, isCached"


def finds_the_tag(caller: Caller) -> str:
    made, started = set(caller.tokens), time.monotonic()

    def look() -> bool:  # the index lags the table by moments
        page = caller.call("GET", f"{TOKENS}?filter%5Btags%5D={caller.tag}&page%5Bsize%5D=100")
        return made <= {token["id"] for token in page["data"]}

    caller.wait_until(look, "the list lacks tokens with the tag")
    return f"{len(made)} tokens in {time.monotonic() - started:.2f} s"


def resumes_promptly(caller: Caller) -> str:
    tokens = [caller.create() for _ in range(SAMPLES)]
    executions = [caller.start_waiting(token) for token in tokens]
    for token in tokens:
        caller.wait_until_registered(token)
    seen = []
    for token, execution in zip(tokens, executions, strict=True):
        sent = time.monotonic()
        caller.post_callback(token, PAYLOAD)
        check_output(caller, execution)
        seen.append(time.monotonic() - sent)
    inside = [waiter["lagMs"] for token in tokens for waiter in caller.retrieve(token)["waiters"]]
    here = f"sent to ended p50 {statistics.median(seen):.2f} s, max {max(seen):.2f} s"
    return f"{here}; inside the stack, settled to resumed p50 {statistics.median(inside):.0f} ms, max {max(inside)} ms"


def has_nothing_undone(caller: Caller) -> str:
    try:
        findings = caller.stack.invoke(caller.stack.outputs["DoctorFunctionName"], {}, DOCTOR_SECONDS)
    except ReadTimeoutError:
        raise Skipped(f"the doctor needs more than {DOCTOR_SECONDS} s for this table: run the doctor by itself") from None
    if findings["undone"]:
        raise Unexpected(summary(findings))
    return summary(findings)


def logs_no_error(caller: Caller) -> str:
    newest, since = caller.tokens[-1], first_created(caller)
    groups = ", ".join(log_groups(caller)) or "any log group"
    lines = caller.wait_until(lambda: len(logged(caller, since, [newest])), f"no log line about {newest} in {groups}")
    found = logged(caller, since, ERRORS) + [line for line in logged(caller, since, OF_LAMBDA) if line.failure]
    if found:
        raise Unexpected(f"{len(found)} log lines with an error, such as {brief(found[0])}")
    return f"{lines} lines about the newest token, no error since {datetime.fromtimestamp(since, timezone.utc):%H:%M:%S} UTC"


def logs_metrics_but_not_each_invocation(caller: Caller) -> str:
    since = first_created(caller)
    metrics = caller.wait_until(lambda: len(logged(caller, since, [METRIC])), f"no line of the metric {METRIC}")
    found = [line for line in logged(caller, since, OF_LAMBDA) if line.is_routine]
    if found:
        raise Unexpected(f"{len(found)} lines of Lambda's own about what went well, such as {brief(found[0])}")
    return f"{metrics} lines of metrics, none of Lambda's own"


def first_created(caller: Caller) -> float:
    """Return when the first token was created, in epoch seconds, by AWS's clock, as the log events."""
    return instant(caller.retrieve({"id": caller.tokens[0]})["createdAt"])


def log_groups(caller: Caller) -> list[str]:
    return list(caller.stack.list_resources("AWS::Logs::LogGroup"))


def logged(caller: Caller, since: float, words: Iterable[str]) -> list[Line]:
    """Return the lines that contain one of the words, since a time in epoch seconds."""
    logs, groups = caller.stack.client("logs"), log_groups(caller)
    return [line for group in groups for word in words for line in stack_logs.read(logs, group, int(since * 1000), word)]


def brief(line: Line) -> str:
    return " ".join(line.text.split())[:200]


def can_resume_durable_functions(caller: Caller) -> str:
    runtime = caller.stack.invoke(caller.stack.outputs["ResumeFunctionName"], {"runtime": True})
    if not runtime["resumesDurableFunctions"]:
        raise Unexpected(f"the functions' boto3 {runtime['boto3']} does not know the callbacks of durable functions")
    return f"boto3 {runtime['boto3']} knows their callbacks"


_LOGS = "search the stack's log group for the token's id"
_MAY_RESUME = "see `reason` in the log: ResumableStateMachines must cover the state machine"
_CREATES = "creates a token"
_RESUMES = "resumes with what is posted"
_BEGINS_LONG = "begins a long timeout"
CHECKS = (
    Check(_CREATES, creates, f"check ApiUrl, ApiKeySecret and PublicBaseUrl; {_LOGS}"),
    Check(_BEGINS_LONG, begins_a_long_timeout, "wait until the index `due` is ACTIVE, then run it again", _CREATES),
    Check("refuses a wrong API key", refuses_a_wrong_key, "check any proxy in front of ApiUrl: the API itself answers 401"),
    Check(_RESUMES, resumes, _MAY_RESUME, _CREATES),
    Check("resumes at once if completed before", resumes_at_once, _MAY_RESUME, _CREATES),
    Check("times out", times_out, "see ScheduleTimeouts and ExpireTokens in the log, then run it again", _CREATES),
    Check("refuses a wrong callback hash", refuses_a_wrong_hash, "do not use the stack: check the signing key", _CREATES),
    Check("gives a link to a large output", downloads_a_large_output, "check the bucket's policy and region", _CREATES),
    Check("answers a key with its token", answers_a_key_with_its_token, _LOGS, _CREATES),
    Check("lists by tag", finds_the_tag, "wait until both indexes of the table are ACTIVE", _CREATES),
    Check("resumes promptly", resumes_promptly, _LOGS, _RESUMES),
    Check("has nothing undone", has_nothing_undone, "run the doctor, fix the cause, then redrive"),
    Check("logs no error", logs_no_error, "read the log group; if it is empty, check the functions' LoggingConfig", _CREATES),
    Check(
        "logs metrics, not each invocation",
        logs_metrics_but_not_each_invocation,
        "check the functions' LoggingConfig: LogFormat must be JSON, SystemLogLevel WARN, ApplicationLogLevel INFO",
        _CREATES,
    ),
    Check("can resume durable functions", can_resume_durable_functions, "add boto3 to the layer until Lambda updates its own"),
    Check(
        "times out after long", times_out_after_long, "see StartTimers in the log, and that its schedule is on", _BEGINS_LONG
    ),
)
QUICK = tuple(check for check in CHECKS if _BEGINS_LONG not in (check.name, check.needs))
"""Without the long timeout, which takes some four minutes."""
