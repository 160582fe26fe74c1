"""Run the rows on the engine of the local run, all in one process of the emulator's own Python.

Usage: python -m tests.recorded.run [--json] [A PART OF THE ROWS' LINES]. It prints each row that ends otherwise.
"""

import json
import os
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

from botocore.exceptions import ClientError
from ministack.services import eventbridge, s3

from tests.recorded.rows import NAMED, Row, machine, rows
from tests.support.e2e.engine import ROLE, FunctionError, client, functions, make, send, start, stepfunctions
from waitpoints_local import definition_mends, event_mends, storage_mends
from waitpoints_local.interpreter import waits

THREADS = 24
_rested: ContextVar[list[float]] = ContextVar("rested")
_calls: Counter[str] = Counter()
_counting = threading.Lock()


def fail(event: Any) -> Any:
    """Fail with the errors that are asked for, one in each call with the same key."""
    event = event if isinstance(event, dict) else {}
    errors, key = event.get("errors", ["Mine"]), event.get("key", "")
    with _counting:
        number = _calls[key] if key else 0
        _calls[key] += 1
    if number < len(errors):
        raise FunctionError(errors[number], "because")
    return event.get("then")


def be_slow(event: Any) -> Any:
    time.sleep(1.6)
    return event


def beat(event: Any) -> None:
    """Send heartbeats for longer than the state's, and then complete."""

    def send_later() -> None:
        for _ in range(6):
            time.sleep(0.25)
            send("heartbeat", taskToken=event["token"])
        complete(event)

    threading.Thread(target=send_later, daemon=True).start()


def complete(event: Any) -> None:
    send("success", taskToken=event["token"], output=json.dumps(event["input"]))


_FUNCTIONS: dict[str, Any] = {
    "echo": lambda it: it,
    "fail": fail,
    "slow": be_slow,
    "letters": lambda n: "x" * n,
    "umlauts": lambda n: "ä" * n,
    "complete": complete,
    "refuse": lambda it: send("failure", taskToken=it["token"], error="Refused", cause="because"),
    "refuse_bare": lambda it: send("failure", taskToken=it["token"]),
    "beat": beat,
    "nothing": lambda _: None,
}
_ANSWER = {"TaskToken.$": "$.t", "Output": '"told"'}
_MACHINES: dict[str, Any] = {
    "child": [{"Result": {"a": 1}}],
    "boom": [{"Type": "Fail", "Error": "Boom"}],
    "answers": [
        {"Resource": "arn:aws:states:::aws-sdk:sfn:sendTaskSuccess", "Parameters": _ANSWER},
        {"Resource": "ask nothing"},
    ],
    "waits": [{"Resource": "ask nothing"}],
}
_OBJECTS = {"items.json": b"[1, 2, 3, 4]", "object.json": b'{"a": 1}', "rows.csv": b"a,b\n1,2\n,\n"}


def note_rest(what: str, seconds: float) -> None:
    """Note how long a state was to wait, and let no time pass."""
    if seconds > 0:
        _rested.get([]).append(round(seconds, 3))


def prepare() -> None:
    """Make what the rows name: functions, machines, queues, topics, a table and objects."""
    start()
    definition_mends.find_what_is_wrong(stepfunctions)
    event_mends.refuse_malformed_entries(eventbridge)
    storage_mends.store_as_s3_does(s3)
    functions.update(_FUNCTIONS)
    waits._rest = note_rest
    for name, states in _MACHINES.items():
        make(machine(states), name)
    policy = json.dumps({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}})
    for name in ("queue", "subscribed", "events"):
        client("sqs").create_queue(QueueName=name, Attributes={"Policy": policy})
    arns = {name: f"arn:aws:sqs:us-east-1:000000000000:{name}" for name in ("subscribed", "events")}
    for name, attributes in (("topic", {}), ("topic.fifo", {"FifoTopic": "true"})):
        client("sns").create_topic(Name=name, Attributes=attributes)
    client("sns").subscribe(TopicArn=NAMED["<topic>"], Protocol="sqs", Endpoint=arns["subscribed"])
    client("events").put_rule(Name="rows", EventPattern='{"source": ["rows"]}')
    client("events").put_targets(Rule="rows", Targets=[{"Id": "1", "Arn": arns["events"]}])
    keys = {"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}], "BillingMode": "PAY_PER_REQUEST"}
    client("dynamodb").create_table(
        TableName="rows", AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}], **keys
    )
    client("s3").create_bucket(Bucket="rows")
    for key, body in _OBJECTS.items():
        client("s3").put_object(Bucket="rows", Key=key, Body=body)


def end_of_machine(row: Row, number: int) -> dict[str, Any]:
    """Run a machine as an execution of its own, and return how it ended."""
    arn, of = (f"arn:aws:states:us-east-1:000000000000:{kind}:row-{number}" for kind in ("execution", "stateMachine"))
    execution: dict[str, Any] = {"executionArn": arn, "name": "e", "status": "RUNNING", "startDate": "2026-01-01T00:00:00Z"}
    execution |= {"input": json.dumps(row.given), "stateMachineArn": of, "events": [{"id": 1, "type": "ExecutionStarted"}]}
    stepfunctions._executions[arn] = execution
    stepfunctions._state_machines[of] = {"name": "m", "roleArn": ROLE, "definition": json.dumps(row.left)}
    _rested.set([])
    stepfunctions._run_execution(arn)
    ended = {field: execution.get(field) for field in ("status", "error", "cause")}
    return {**ended, "value": json.loads(execution.get("output") or "null"), "rests": _rested.get()}


def end_of_check(row: Row) -> dict[str, Any]:
    definition = row.left if isinstance(row.left, str) else json.dumps(row.left)
    asked = {"definition": definition, "type": "EXPRESS" if "express" in row.kind else "STANDARD"}
    found = json.loads(stepfunctions._validate_state_machine_definition(asked)[2])
    seen = "; ".join(it["message"] for it in found["diagnostics"]) or found["result"]
    fits = seen == "OK" if row.value == "OK" else row.value in seen and "State Machine." not in seen
    return {"status": "SUCCEEDED", "error": None, "value": row.value if fits else seen}


def end_of_call(row: Row) -> dict[str, Any]:
    action, arguments = row.left
    try:
        answer = getattr(client("stepfunctions"), action)(**arguments)
    except ClientError as error:
        return {"status": "FAILED", "error": error.response["Error"]["Code"], "cause": str(error), "value": None}
    return {"status": "SUCCEEDED", "error": None, "value": {name: answer.get(name) for name in row.value or {}}}


def differs(row: Row, number: int) -> str:
    """Say how a row ended, if it was not as it must."""
    if row.kind.startswith("calls"):
        seen = end_of_call(row)
    else:
        seen = end_of_check(row) if "definitions" in row.kind else end_of_machine(row, number)
    same = (seen["status"], seen["error"]) == (row.status, row.error) and row.cause in str(seen.get("cause"))
    same = same and json.dumps(seen["value"], sort_keys=True) == json.dumps(row.value, sort_keys=True)
    same = same and row.rests in (None, seen.get("rests"))
    return "" if same else f"{row.line}\n    ended as {seen}\n    ({row.source})"


def main() -> None:
    prepare()
    chosen = [it for it in rows() if it.kind != "probes" and all(part in it.line for part in sys.argv[1:] if part != "--json")]
    calls = [it for it in chosen if it.kind == "calls"]  # which are made one after the other
    with ThreadPoolExecutor(THREADS) as pool:
        others = [it for it in chosen if it.kind != "calls"]
        found = [*pool.map(differs, others, range(len(others))), *(differs(it, 0) for it in calls)]
    differing = [it for it in found if it]
    told = "\n".join([*differing, f"{len(differing)} of {len(found)} rows differ"])
    print(json.dumps(differing) if "--json" in sys.argv else told)
    sys.stdout.flush()
    os._exit(0)  # without waiting for functions that are slow on purpose


if __name__ == "__main__":
    main()
