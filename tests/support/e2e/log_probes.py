"""What MiniStack does with logged lines without each mend of log_mends.py, and with it, for `mends.py`."""

import json
from collections.abc import Callable
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import cloudwatch_logs, lambda_svc

from tests.support.e2e.process_probes import CONFIG, zipped

JSON_FORMAT = {"LogFormat": "JSON", "SystemLogLevel": "WARN", "ApplicationLogLevel": "INFO"}
LOGS = """
import json, logging, os
def handler(event, context):
    logging.getLogger("library").info("told")
    logging.getLogger("library").debug("not told")
    return {name: os.environ.get(f"AWS_LAMBDA_LOG_{name}") for name in ("FORMAT", "LEVEL")}
"""
TRACE = """{"level": "INFO"}
Traceback (most recent call last):
  File "/var/task/f.py", line 2, in handler
    broken()
json.decoder.JSONDecodeError: no value: line 1
"""


def written(text: str, error: bool = False, **levels: str) -> list[str]:
    """The lines in the log group of a function with the format JSON that has written `text`."""
    cloudwatch_logs._log_groups.clear()
    config = {"FunctionName": "logs", "MemorySize": 512, "LoggingConfig": {**JSON_FORMAT, **levels}}
    lambda_svc._emit_lambda_logs({"config": config}, "1", text, error, 7)
    return found("")


def found(pattern: str) -> list[str]:
    _, _, body = cloudwatch_logs._filter_log_events({"logGroupName": "/aws/lambda/logs", "filterPattern": pattern})
    return [event["message"] for event in json.loads(body)["events"]]


def platform(lines: list[str]) -> dict[str, Any]:
    events = map(json.loads, lines)
    return {event["type"]: event["record"] for event in events if event.get("time")}


def an_invocation_that_went_well_has_only_its_own_lines() -> bool:
    own = ['{"level":"INFO"}', '{"_aws": {}}', "text", '{"level":"strange"}']
    return written("\n".join([own[0], '{"level":"DEBUG"}', *own[1:]])) == own


def its_start_and_report_are_there_at_a_lower_level() -> bool:
    events = platform(written("", SystemLogLevel="INFO"))
    report = events.get("platform.report", {})
    is_whole = report.get("metrics", {}).keys() == {"durationMs", "billedDurationMs", "memorySizeMB", "maxMemoryUsedMB"}
    return (list(events), report.get("status"), is_whole) == (["platform.start", "platform.report"], "success", True)


def one_that_timed_out_has_two_lines_of_lambda() -> bool:
    lines = written('{"level":"INFO"}\nTask timed out after 20.00 seconds', error=True)
    events = platform(lines[1:])
    return len(lines) == 3 and {kind: record["status"] for kind, record in events.items()} == {
        "platform.runtimeDone": "timeout",
        "platform.report": "timeout",
    }


def an_exception_is_one_line_with_its_level() -> bool:
    first, error, *ends = map(json.loads, [line for line in written(TRACE, error=True) if line.startswith("{")])
    known = {"level": "ERROR", "errorType": "JSONDecodeError", "errorMessage": "no value: line 1", "requestId": "1"}
    return (first, known.items() <= error.items(), len(ends)) == ({"level": "INFO"}, True, 2) and "broken()" in str(error)


def guarded(probe: Callable[[], bool]) -> Callable[[], bool]:
    """The probe, which fails without the mend also where it reads what only the mend writes."""

    def tried() -> bool:
        try:
            return probe()
        except ValueError:
            return False

    tried.__name__ = probe.__name__
    return tried


def pythons_logging_has_the_functions_format() -> bool:
    config = {**CONFIG, "FunctionName": "tells", "LoggingConfig": JSON_FORMAT}
    worker = lambda_runtime.Worker("tells", config, zipped(f=LOGS))
    answer = worker.invoke({}, "1")
    worker.kill()
    line = {"level": "INFO", "message": "told", "logger": "library"}
    logged = [json.loads(text) for text in answer["log"].splitlines() if text.startswith("{")]
    is_told = len(logged) == 1 and line.items() <= logged[0].items()
    return is_told and answer["result"] == {"FORMAT": "JSON", "LEVEL": "INFO"}


def terms_are_found_as_aws_finds_them() -> bool:
    lines = ["ERROR a -b", "error a b", "Task timed out", "timed Task out", '"error":"x"']
    cloudwatch_logs._log_groups.clear()
    lambda_svc._emit_lambda_logs({"config": {"FunctionName": "logs"}}, "1", "\n".join(lines), False, 1)
    return [[line for line in found(pattern) if line in lines] for pattern in PATTERNS] == [
        [lines[index] for index in indexes] for indexes in PATTERNS.values()
    ]


PATTERNS = {
    "": [0, 1, 2, 3, 4],
    "error": [1, 4],
    '"Task timed out"': [2],
    "timed Task": [2, 3],
    '"a -b"': [0],
    'out -"Task timed"': [3],
    "?ERROR ?Task": [0, 2, 3],
    '"error" "x"': [4],
}
"""Which of five lines each pattern finds."""
PROBES: dict[str, list[Callable[[], bool]]] = {
    "log_in_the_functions_format": [
        an_invocation_that_went_well_has_only_its_own_lines,
        guarded(its_start_and_report_are_there_at_a_lower_level),
        guarded(one_that_timed_out_has_two_lines_of_lambda),
        guarded(an_exception_is_one_line_with_its_level),
    ],
    "find_lines_by_their_terms": [terms_are_found_as_aws_finds_them],
    "tell_the_format_to_the_runtime": [pythons_logging_has_the_functions_format],
}
