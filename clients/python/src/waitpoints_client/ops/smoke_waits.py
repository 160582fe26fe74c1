"""The smoke test's checks of waits: executions are resumed, by each of the two ways, and time out when they must."""

import json
import statistics
import time
from typing import Any

from waitpoints_client.ops.caller import TOKENS, Caller, Unexpected, expect, instant

PAYLOAD = '{"paid": true, "amount": 12.50, "by": "Žofie", "items": [{"id": 1}, null], "note": "a\\"b"}'.encode()
SAMPLES = 10
AT_ONCE = 500  # milliseconds: the stream takes longer, since it gathers records for a second
TIMEOUTS = (5, 6, 7)  # seconds
MOVED_TO = 3  # seconds
LATE = 10.0  # seconds: more than a cold start takes
LONG = 240  # seconds: the check of the timers looks three minutes ahead, so only a later one can find what is set now
KEPT = 86_400  # seconds for which the table keeps a token that a check has settled in it


def creates(caller: Caller) -> str:
    started = time.monotonic()
    token = caller.create()
    seconds = time.monotonic() - started
    found = caller.retrieve(token)
    if found["status"] != "WAITING" or token["isCached"]:
        raise Unexpected(f"a new token is {found['status']}, isCached {token['isCached']}")
    expect(token["url"].startswith(caller.stack.outputs["ApiUrl"]), "its callback URL does not start with ApiUrl")
    return f"in {seconds:.2f} s"


def resumes(caller: Caller) -> str:
    token = caller.create()
    execution = caller.start_waiting(token)
    caller.wait_until_registered(token)
    caller.post_callback(token, PAYLOAD)
    check_output(caller, execution)
    expect(caller.retrieve(token)["output"] == PAYLOAD.decode(), "the token's output differs from what was posted")
    return f"{len(PAYLOAD)} bytes, exactly as posted"


def resumes_at_once(caller: Caller) -> str:
    token = caller.create()
    caller.post_callback(token, PAYLOAD)
    described = check_output(caller, caller.start_waiting(token))
    return f"in {(described['stopDate'] - described['startDate']).total_seconds():.2f} s"


def resumes_by_the_stream(caller: Caller) -> str:
    """Settle a token in the table itself. No function has done it, so only the stream can have its execution resumed."""
    started = time.monotonic()
    token = caller.create()
    found, execution = caller.retrieve(token), caller.start_waiting(token)
    caller.wait_until_registered(token)
    now = instant(found["createdAt"]) + time.monotonic() - started  # by AWS's clock
    update_token(
        caller,
        token,
        "SET #status = :completed, completedAt = :now, #output = :output, expiresAt = :expiresAt",
        "#status = :waiting",
        {
            ":completed": {"S": "COMPLETED"},
            ":now": {"N": str(round(now * 1000))},
            ":output": {"S": PAYLOAD.decode()},
            ":expiresAt": {"N": str(round(now) + KEPT)},
        },
        **{"#output": "output"},
    )
    check_output(caller, execution, caller.pace.stream)
    [lag] = caller.wait_until(lambda: lags(caller, token), "no reply was recorded for its waiter")
    return f"{lag} ms after it settled in the table"


def lags(caller: Caller, token: dict[str, Any]) -> list[int]:
    """Return the milliseconds from a token's settling to the reply for each waiter that has one."""
    return [waiter["lagMs"] for waiter in caller.retrieve(token)["waiters"] if "lagMs" in waiter]


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
    inside = [lag for token in tokens for lag in lags(caller, token)]
    expect(min(inside) < AT_ONCE, f"each was resumed late, by the stream alone: after {min(inside)} ms at the earliest")
    here = f"sent to ended p50 {statistics.median(seen):.2f} s, max {max(seen):.2f} s"
    return f"{here}; inside the stack, settled to resumed p50 {statistics.median(inside):.0f} ms, max {max(inside)} ms"


def check_output(caller: Caller, execution: str, seconds: float | None = None) -> dict[str, Any]:
    """Wait for an execution to end. Returns its description. Raises Unexpected unless its output is PAYLOAD."""
    described = caller.wait_for_end(execution, seconds)
    expect(described["status"] == "SUCCEEDED", f"the execution {described['status']}: {described.get('error')}")
    expect(json.loads(described["output"]) == json.loads(PAYLOAD), "the execution's output differs from what was posted")
    return described


def moves_a_timeout(caller: Caller) -> str:
    """Move a timeout from an hour to a few seconds. The stream has no part in it."""
    token = caller.create()
    execution = caller.start_waiting(token)
    caller.wait_until_registered(token)
    caller.call("PATCH", f"{TOKENS}/{token['id']}", {"timeout": f"{MOVED_TO}s"})
    return f"from an hour to {MOVED_TO} s, {check_late([measure_lateness(caller, token, execution)])}"


def times_out(caller: Caller) -> str:
    """Right after a first deployment, Lambda may begin to read the stream minutes later, so a late timeout is tried again."""
    late = time_out_each(caller)
    return check_late(late if max(late) <= LATE else time_out_each(caller))


def time_out_each(caller: Caller) -> list[float]:
    waiting = []
    for seconds in TIMEOUTS:
        token = caller.create(timeout=f"{seconds}s")
        waiting.append((token, caller.start_waiting(token)))
    return [measure_lateness(caller, *one, caller.pace.stream) for one in waiting]


def begins_a_long_timeout(caller: Caller) -> str:
    """Have an execution wait for an hour, and bring its timeout near in the table, as if most of the hour had passed."""
    started = time.monotonic()
    token = caller.create()
    found, execution = caller.retrieve(token), caller.start_waiting(token)
    caller.wait_until_registered(token)
    was = round(instant(found["timeoutAt"]) * 1000)
    soon = round((instant(found["createdAt"]) + time.monotonic() - started + LONG) * 1000)  # by AWS's clock
    update_token(
        caller,
        token,
        "SET dueAt = :soon, timeoutAt = :soon",
        "#status = :waiting AND dueAt = :was AND timeoutAt = :was",
        {":soon": {"N": str(soon)}, ":was": {"N": str(was)}},
    )
    caller.later = token, execution
    return f"moved from an hour to {LONG} s"


def update_token(
    caller: Caller, token: dict[str, Any], update: str, condition: str, values: dict[str, Any], **names: str
) -> None:
    """Change a waiting token in the table, as no route does."""
    caller.stack.client("dynamodb").update_item(
        TableName=caller.stack.outputs["TableName"],
        Key={"id": {"S": token["id"]}, "item": {"S": "token"}},
        UpdateExpression=update,
        ConditionExpression=condition,
        ExpressionAttributeNames={"#status": "status", **names},
        ExpressionAttributeValues={":waiting": {"S": "WAITING"}, **values},
    )


def times_out_after_long(caller: Caller) -> str:
    """Only the check of the timers can have started this timer: nothing else knows when the token is due."""
    assert caller.later
    token, execution = caller.later
    return check_late([measure_lateness(caller, token, execution, LONG + caller.pace.patience)])


def check_late(late: list[float]) -> str:
    expect(max(late) <= LATE, f"{max(late):.2f} s late")
    return f"late by {', '.join(f'{one:.2f}' for one in sorted(late))} s"


def measure_lateness(caller: Caller, token: dict[str, Any], execution: str, seconds: float | None = None) -> float:
    """Return the seconds from a token's timeout to the end of its execution, both by AWS's clock."""
    described = caller.wait_for_end(execution, seconds)
    if (described["status"], described.get("error")) != ("FAILED", "WaitpointTimeoutError"):
        raise Unexpected(f"the execution {described['status']}: {described.get('error')}")
    found = caller.retrieve(token)
    expect(found["status"] == "TIMED_OUT", f"the token is {found['status']}")
    return float(described["stopDate"].timestamp() - instant(found["timeoutAt"]))
