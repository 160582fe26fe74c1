"""What MiniStack 1.5.33 does differently with the lines that functions log: their format, their level and how they are found.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html says which of Lambda's own lines has
which level ("System log level event mapping"), and that lines without a level are INFO.
"""

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_TIMED_OUT = re.compile(r"^Task timed out after \d+\.\d\d seconds\s*\Z", re.MULTILINE)
_TRACE = re.compile(r"^Traceback \(most recent call last\):$", re.MULTILINE)
_TERM = re.compile(r'([-?]?)(?:"([^"]*)"|(\S+))')
_LOGGING_OF_THE_RUNTIME = """
def _log_as_json():
    import json, logging, os, sys, time
    if os.environ.get("AWS_LAMBDA_LOG_FORMAT") != "JSON":
        return
    class AsJson(logging.Formatter):
        def format(self, record):
            line = {"timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)), "level": record.levelname}
            return json.dumps({**line, "message": record.getMessage(), "logger": record.name})
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(AsJson())
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(os.environ["AWS_LAMBDA_LOG_LEVEL"])
_log_as_json()
"""
"""As `awslambdaric` 4.2.2 does in `_setup_logging` before it imports a handler."""


def tell_the_format_to_the_runtime(lambda_runtime: Any) -> None:
    """Set the variables by which Lambda tells a function's format, and let Python's own logging obey them as on AWS."""
    credentials = lambda_runtime.execution_credentials

    def credentials_and_format(config: Any) -> dict[str, str]:
        logging = config.get("LoggingConfig") or {}
        is_json = logging.get("LogFormat") == "JSON"
        told = {"FORMAT": "JSON", "LEVEL": logging.get("ApplicationLogLevel", "INFO")} if is_json else {}
        return {**credentials(config), **{f"AWS_LAMBDA_LOG_{name}": value for name, value in told.items()}}

    lambda_runtime.execution_credentials = credentials_and_format
    lambda_runtime._PYTHON_WORKER_SCRIPT = _LOGGING_OF_THE_RUNTIME + lambda_runtime._PYTHON_WORKER_SCRIPT


def answer_with_the_log(lambda_svc: Any) -> None:
    """Answer `LogType: Tail` with what Lambda itself logs, also for a function that logs nothing.

    Recorded: services/test_lambda_task_service.py, test_invoke_unsupported_param. MiniStack 1.5.33 answers without a LogResult.
    """
    execute = lambda_svc._execute_function_with_config_scope

    def execute_and_tell(*args: Any, **named: Any) -> Any:
        result, request = execute(*args, **named), uuid.uuid4()
        start, end = (
            f"START RequestId: {request} Version: $LATEST\n",
            f"END RequestId: {request}\nREPORT RequestId: {request}\n",
        )
        return {**result, "log": f"{start}{result.get('log') or ''}{end}"}

    lambda_svc._execute_function_with_config_scope = execute_and_tell


def log_in_the_functions_format(lambda_svc: Any, cloudwatch_logs: Any) -> None:
    """Write Lambda's own lines and those of failures as JSON, and leave out lines below the level, if the function says so.

    MiniStack 1.5.33 writes START, END and REPORT as text for every function. What AWS writes as JSON, and for which status, is
    in https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html.
    """
    emit, append, writing = lambda_svc._emit_lambda_logs, cloudwatch_logs._append_log_events, threading.local()

    def emit_in_format(func: Any, request_id: str, text: str, error: bool, milliseconds: int, **named: Any) -> None:
        config = func.get("config") or func
        if (config.get("LoggingConfig") or {}).get("LogFormat") == "JSON":
            memory = lambda_svc._probe_peak_memory_mb(func)
            writing.lines = list(_json_lines(config, request_id, text or "", error, milliseconds, memory))
        try:
            emit(func, request_id, text, error, milliseconds, **named)
        finally:
            writing.lines = None

    def append_in_format(stream: Any, events: Any) -> None:
        lines = getattr(writing, "lines", None)
        append(stream, events if lines is None else [{**events[0], "message": line} for line in lines])

    lambda_svc._emit_lambda_logs, cloudwatch_logs._append_log_events = emit_in_format, append_in_format


def _json_lines(config: Any, request_id: str, text: str, error: bool, milliseconds: int, memory: int) -> Iterator[str]:
    logging = config["LoggingConfig"]
    own, application = (_at_least(logging.get(name, "INFO")) for name in ("SystemLogLevel", "ApplicationLogLevel"))
    timed_out = _TIMED_OUT.search(text) if error else None
    status = "timeout" if timed_out else "error" if error else "success"
    end = {"requestId": request_id, "status": status}
    metrics = {"durationMs": milliseconds, "billedDurationMs": milliseconds}
    metrics |= {"memorySizeMB": config.get("MemorySize", 128), "maxMemoryUsedMB": memory}
    if own("INFO"):
        yield _event("start", {"requestId": request_id, "version": config.get("Version", "$LATEST")})
    lines = text[: timed_out.start()] if timed_out else _with_trace_as_json(text, request_id) if error else text
    yield from filter(lambda line: application(_level(line)), lines.splitlines())
    if own("WARN" if error else "DEBUG"):
        yield _event("runtimeDone", end)
    if own("WARN" if error else "INFO"):
        yield _event("report", {**end, "metrics": metrics})


def _at_least(lowest: str) -> Callable[[str], bool]:
    return lambda level: LEVELS.index(level) >= LEVELS.index(lowest)


def _level(line: str) -> str:
    """The level by which Lambda filters a function's line."""
    try:
        level = json.loads(line).get("level")
    except (ValueError, AttributeError):
        return "INFO"
    return level if level in LEVELS else "INFO"


def _event(kind: str, record: dict[str, Any]) -> str:
    return json.dumps({"time": _now(), "type": f"platform.{kind}", "record": record}, separators=(",", ":"))


def _with_trace_as_json(text: str, request_id: str) -> str:
    """Put an exception that left the handler into one line, as `awslambdaric` 4.2.2 does in `log_error`."""
    if not (found := _TRACE.search(text)):
        return text
    *stack, last = text[found.start() :].rstrip("\n").splitlines(keepends=True)
    name, _, message = last.partition(": ")
    error = {"errorMessage": message, "errorType": name.rpartition(".")[2], "requestId": request_id, "stackTrace": stack[1:]}
    return text[: found.start()] + json.dumps({"timestamp": _now(), "level": "ERROR", **error})


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())


def find_lines_by_their_terms(cloudwatch_logs: Any) -> None:
    """Find the lines with all terms of a pattern, or one of those with a question mark, and none with a minus.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html: terms are case-sensitive, and a term
    in quotation marks is a phrase. MiniStack 1.5.33 takes each word for a term and ignores case. It finds every line for a
    pattern in braces, which is left as it is.
    """
    compile_pattern = cloudwatch_logs._compile_filter_pattern

    def compile_terms(pattern: str) -> Any:
        if not pattern or pattern.lstrip().startswith("{"):
            return compile_pattern(pattern)
        terms = [(sign, phrase or word) for sign, phrase, word in _TERM.findall(pattern)]
        wanted, optional, unwanted = ([term for sign, term in terms if sign == kind] for kind in ("", "?", "-"))

        def matches(line: str) -> bool:
            has_wanted = all(term in line for term in wanted) and not any(term in line for term in unwanted)
            return has_wanted and (not optional or any(term in line for term in optional))

        return matches

    cloudwatch_logs._compile_filter_pattern = compile_terms


MENDS = (log_in_the_functions_format, answer_with_the_log, tell_the_format_to_the_runtime, find_lines_by_their_terms)
