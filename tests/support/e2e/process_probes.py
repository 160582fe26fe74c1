"""How MiniStack starts a function's processes without each mend of process_mends.py, and with it, for `mends.py`."""

import hashlib
import io
import json
import re
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

import botocore.session
from ministack.core import iam_evaluator, lambda_runtime, router
from ministack.services import apigateway, lambda_svc, sts

from waitpoints_local import fork_server, process_mends

CONFIG = {
    "FunctionName": "starts",
    "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:starts",
    "Role": "arn:aws:iam::000000000000:role/starts",
    "Runtime": "python3.13",
    "Handler": "f.handler",
}
POLICY = '{"Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}}'
CODE = """
import os, sys
in_memory = "boto3.session" in sys.modules
def handler(event, context):
    import boto3
    return {
        "file": os.path.realpath(__file__), "in memory": in_memory, "sdk": getattr(boto3, "whose", "the runtime's"),
        "names": [os.environ["NAME"], os.environ["AWS_LAMBDA_FUNCTION_NAME"], os.path.exists("f.py")], "event": event,
    }
"""


def zipped(**files: str) -> bytes:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.py", text)
    return package.getvalue()


def told_by_a_process(name: str, code: bytes) -> Any:
    """What a new process of a function says of itself. It has ended then."""
    worker = lambda_runtime.Worker(name, {**CONFIG, "Environment": {"Variables": {"NAME": name}}}, code)
    answer = worker.invoke(name, "1")
    process = worker._proc
    assert process.poll() is None
    worker.kill()
    assert process.poll() is not None
    assert answer["result"]["names"] == [name, "starts", True]
    assert answer["result"]["event"] == name
    return answer["result"]


def every_process_reads_the_same_files() -> bool:
    code = zipped(f=CODE)
    return len({told_by_a_process(name, code)["file"] for name in ("one", "two")}) == 1


def the_sdk_is_in_memory_but_not_in_place_of_a_functions_own() -> bool:
    with_its_own = zipped(**{"f": CODE, "boto3/__init__": "whose = 'its own'"})
    usual, own = told_by_a_process("usual", zipped(f=CODE)), told_by_a_process("own", with_its_own)
    return (usual["in memory"], usual["sdk"], own["sdk"]) == (True, "the runtime's", "its own")


def an_answer_does_not_wait_for_the_log() -> bool:
    process_mends.fork_processes(lambda_runtime)
    code = zipped(f="def handler(event, context):\n    for line in event: print(line)")
    worker = lambda_runtime.Worker("logs", {**CONFIG, "Environment": {"Variables": {}}}, code)
    worker.invoke([], "1")
    slept, real_sleep, here = list[float](), time.sleep, threading.current_thread()

    def sleep(seconds: float) -> None:
        if threading.current_thread() is here:
            slept.append(seconds)
        real_sleep(seconds)

    with patch.object(lambda_runtime.time, "sleep", sleep):
        logs = [worker.invoke(lines, str(number))["log"] for number, lines in enumerate([["a", "b"], [], ["c"]])]
    worker.kill()
    written = [[line for line in log.splitlines() if not line.startswith(fork_server.END_OF_LOG)] for log in logs]
    assert written == [["a", "b"], [], ["c"]]
    return not slept


def a_policy_and_a_route_are_parsed_once() -> bool:
    with (
        patch.object(iam_evaluator.json, "loads", wraps=json.loads) as loads,
        patch.object(apigateway.re, "split", wraps=re.split) as split,
    ):
        policies = [iam_evaluator.parse_policy_document(POLICY) for _ in range(2)]
        found = [apigateway._extract_path_params("/orders/{id}", "/orders/1") for _ in range(2)]
    assert policies[0][0].actions == policies[1][0].actions == ["s3:GetObject"]
    assert found == [{"id": "1"}, {"id": "1"}]
    return (loads.call_count, split.call_count) == (1, 1)


SLOW_TO_START = """
import os, time
time.sleep(0.3)
def handler(folder, context):
    if folder:
        open(f"{folder}/{os.getpid()}", "w").close()
    until = time.monotonic() + 120
    while folder and len(os.listdir(folder)) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    return os.getpid(), len(os.listdir(folder or "."))
"""


def waiting_calls_take_a_process_that_becomes_free() -> bool:
    """Four at once need two processes. Three that wait for one another need three. None waits for ever to start."""
    few = {pid for pid, _ in _called_at_once("few", 4, "")}
    assert [seen for _, seen in _called_at_once("long", 3, tempfile.mkdtemp())] == [3, 3, 3]
    with patch.object(process_mends, "START_PATIENCE", 0.1):
        assert len({id(_acquired("never started")) for _ in range(3)}) == 3
    lambda_runtime.invalidate_worker("never started")
    return len(few) == 2


def _called_at_once(name: str, times: int, event: str) -> list[Any]:
    def call(_: int) -> Any:
        worker = _acquired(name)
        try:
            return worker.invoke(event, "1")["result"]
        finally:
            lambda_svc.release_worker(worker)

    lambda_runtime._workers.clear()  # what other probes have taken and never started
    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(call, range(times)))


def _acquired(name: str) -> Any:
    config = {**CONFIG, "FunctionName": name, "FunctionArn": f"{CONFIG['FunctionArn']}-{name}"}
    return lambda_svc.acquire_worker(name, config, zipped(f=SLOW_TO_START))[0]


def nobody_can_compute_a_functions_credentials() -> bool:
    digest = hashlib.sha256(f"{CONFIG['FunctionArn']}:{CONFIG['Role']}".encode()).hexdigest()
    given = lambda_runtime.execution_credentials(CONFIG)
    assert given == lambda_svc.execution_credentials(CONFIG)
    assert sts._sessions[given["AWS_ACCESS_KEY_ID"]]["Arn"].endswith(":assumed-role/starts/starts")
    return str(given["AWS_ACCESS_KEY_ID"]) != f"ASIA{digest[:16].upper()}"


def a_service_is_known_without_its_model() -> bool:
    with (
        patch.object(router, "_KNOWN_AWS_SERVICE_NAMES", None),
        patch.object(botocore.session.Session, "get_service_model", side_effect=LookupError) as reads,
    ):
        return bool(router._is_aws_service_name("textract")) and not reads.called


PROBES: dict[str, list[Callable[[], bool]]] = {
    "give_roles_random_credentials": [nobody_can_compute_a_functions_credentials],
    "unpack_once": [every_process_reads_the_same_files],
    "fork_processes": [the_sdk_is_in_memory_but_not_in_place_of_a_functions_own],
    "answer_when_the_log_has_ended": [an_answer_does_not_wait_for_the_log],
    "know_services_by_name": [a_service_is_known_without_its_model],
    "parse_once": [a_policy_and_a_route_are_parsed_once],
}
