"""The smoke test's checks of what a stack does by itself: its switches, events, logs, and the doctor."""

from collections.abc import Callable, Iterable
from datetime import datetime, timezone

from botocore.exceptions import ReadTimeoutError

from waitpoints_client.ops import logs as stack_logs
from waitpoints_client.ops.caller import Caller, Lacking, Skipped, Unexpected, expect, instant, permitted
from waitpoints_client.ops.doctor import summary
from waitpoints_client.ops.logs import OF_LAMBDA, Line

DOCTOR_SECONDS = 60
ERRORS = ('"error":"ClientError"', "ERROR", "CRITICAL", "Traceback", "Task timed out", "Runtime exited")
METRIC, EVENTS_PUT = "TokensCreated", "EventsPut"
MAPPING, SCHEDULE, GROUP = "AWS::Lambda::EventSourceMapping", "AWS::Scheduler::Schedule", "AWS::Scheduler::ScheduleGroup"


def is_switched_on(caller: Caller) -> str:
    """Everything that runs by itself is on, and what failed or has ended has somewhere to go."""
    off, unseen = list[str](), list[str]()
    for check in (mappings_off, schedules_off, ttl_off, queue_missing):
        try:
            with permitted():
                off += check(caller)
        except Lacking as why:
            unseen.append(str(why))
    if off:
        raise Unexpected("; ".join(off))
    if unseen:
        raise Lacking("; ".join(unseen))
    return "mappings, schedules, TTL, dead-letter queue"


def mappings_off(caller: Caller) -> list[str]:
    functions = caller.stack.client("lambda")
    return off(caller, MAPPING, lambda physical: functions.get_event_source_mapping(UUID=physical)["State"])


def schedules_off(caller: Caller) -> list[str]:
    scheduler = caller.stack.client("scheduler")
    [group] = caller.stack.list_physical_ids(GROUP).values()
    return off(caller, SCHEDULE, lambda physical: scheduler.get_schedule(Name=physical, GroupName=group)["State"])


def off(caller: Caller, kind: str, state_of: Callable[[str], str]) -> list[str]:
    """Say which resources of a type are off, by the states of their physical ids."""
    states = {name: state_of(physical) for name, physical in caller.stack.list_physical_ids(kind).items()}
    return [f"{name} is {state}" for name, state in states.items() if is_off(state)]


def ttl_off(caller: Caller) -> list[str]:
    table = caller.stack.client("dynamodb").describe_time_to_live(TableName=caller.stack.outputs["TableName"])
    return ["TTL of the table is off"] if is_off(table["TimeToLiveDescription"]["TimeToLiveStatus"]) else []


def is_off(state: str) -> bool:
    """Whether a state of AWS's is `Disabled` or `DISABLING`."""
    return state.upper().startswith("DISABL")


def queue_missing(caller: Caller) -> list[str]:
    queues, url = caller.stack.client("sqs"), caller.stack.outputs["DeadLetterQueueUrl"]
    try:
        queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    except queues.exceptions.QueueDoesNotExist:
        return ["DeadLetterQueue does not exist"]
    return []


def puts_events(caller: Caller) -> str:
    if not (bus := caller.stack.parameters.get("EventBusName")):
        raise Skipped("the stack puts none: EventBusName is empty")
    caller.post_callback(caller.create(), b"{}")
    since = instant(caller.retrieve({"id": caller.tokens[-1]})["createdAt"])
    caller.wait_until(lambda: logged(caller, since, [EVENTS_PUT]), f"no line of the metric {EVENTS_PUT}")
    return f"on {bus}"


def has_nothing_undone(caller: Caller) -> str:
    try:
        findings = caller.stack.invoke(caller.stack.outputs["DoctorFunctionName"], {}, DOCTOR_SECONDS)
    except ReadTimeoutError:
        raise Skipped(f"the doctor needs more than {DOCTOR_SECONDS} s for this table: run the doctor by itself") from None
    expect(not findings["unrepaired"], summary(findings))
    return summary(findings)


def logs_no_error(caller: Caller) -> str:
    newest, since = caller.tokens[-1], first_created(caller)
    lines = caller.wait_until(lambda: len(logged(caller, since, [newest])), f"no log line about {newest} in {caller.log_group}")
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
    """Return when the first token of this round was created, in epoch seconds, by AWS's clock, as the log events."""
    [first, *_] = caller.tokens[caller.first :] or caller.tokens
    return instant(caller.retrieve({"id": first})["createdAt"])


def logged(caller: Caller, since: float, words: Iterable[str]) -> list[Line]:
    """Return the functions' lines that contain one of the words, since a time in epoch seconds."""
    logs, group = caller.stack.client("logs"), caller.log_group
    return [line for word in words for line in stack_logs.read(logs, group, int(since * 1000), word)]


def brief(line: Line) -> str:
    return " ".join(line.text.split())[:200]


def can_resume_durable_functions(caller: Caller) -> str:
    runtime = caller.stack.invoke(caller.stack.outputs["ResumeFunctionName"], {"command": "describe"})
    if not runtime["resumesDurableFunctions"]:
        raise Unexpected(f"the functions' boto3 {runtime['boto3']} does not know the callbacks of durable functions")
    return f"boto3 {runtime['boto3']} knows their callbacks"
