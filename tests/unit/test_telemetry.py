"""The log has one line for each request."""

import io
import json
import re
import sys
from typing import Any

import pytest

from tests.support.in_process.api_gateway import Api
from tests.support.in_process.template import ROOT
from tests.support.in_process.world import World
from tests.support.programs import ended
from waitpoints import telemetry


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_has_one_line_for_each_request(api: Api, world: World, log: io.StringIO) -> None:
    token = api.create()
    api.deliver(token, b"1")
    api.post(token["url"] + "x", b"1", {})
    created, called_back, refused = lines(log)
    assert (created["message"], created["status"]) == ("request", 200)
    assert created["route"] == "ANY /api/v1/waitpoints/tokens"
    assert (called_back["tokenId"], called_back["status"]) == (token["id"], 200)
    assert (refused["refused"], refused["status"]) == ("WrongCallbackHash", 401)
    assert all(line["requestId"] and line["ms"] >= 0 for line in (created, called_back, refused))


def test_of_a_defect_has_the_trace_and_the_caller_has_not(
    api: Api, world: World, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("inside")

    token = api.create()
    monkeypatch.setattr(world.store, "find", broken)
    answer = api.get(f"/api/v1/waitpoints/tokens/{token['id']}")
    assert (answer.status, answer.json) == (500, {"error": "Internal Server Error", "code": "InternalServerError"})
    assert "ZeroDivisionError" in log.getvalue()


def test_has_all_values_of_a_metric_and_in_no_line_more_than_cloudwatch_takes(capsys: pytest.CaptureFixture[str]) -> None:
    with telemetry.canonical_line("request"):
        for lag in range(250):
            telemetry.record_milliseconds("ResumeLag", lag)
    values = [json.loads(line)["ResumeLag"] for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert [len(one) for one in values] == [100, 100, 50]
    assert [lag for one in values for lag in one] == [*range(250)]


RUNTIME = """
import logging, os, sys

handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(logging.Formatter("of the runtime: %(name)s %(message)s"))
logging.getLogger().addHandler(handler)
if "AWS_LAMBDA_LOG_LEVEL" in os.environ:
    logging.getLogger().setLevel(os.environ["AWS_LAMBDA_LOG_LEVEL"])
from waitpoints import telemetry
import boto3

boto3.client("dynamodb")
with telemetry.canonical_line("request", tokenId="waitpoint_1"):
    telemetry.count("TokensCreated")
telemetry.logger.warning("Not counted")
print(sorted(sys.modules), file=sys.stderr)
"""
"""What `awslambdaric` 4.2.2 does before it imports a handler (`_setup_logging` in its `bootstrap.py`), and a function."""


@pytest.mark.slow
def test_is_the_same_with_lambdas_json_format_as_with_text_and_nothing_else_is_written() -> None:
    json_format = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}
    (of_text, text_modules), (of_json, json_modules) = (run_in_lambda(variables) for variables in ({}, json_format))
    request, metric, warning = map(json.loads, of_json)
    assert request.keys() == warning.keys() | {"tokenId", "ms"}  # the first is written without the logger, the other by it
    assert request.pop("xray_trace_id") == warning["xray_trace_id"] == "1-abc"
    assert (request.pop("message"), request.pop("tokenId"), request.pop("ms") >= 0) == ("request", "waitpoint_1", True)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", request.pop("timestamp"))  # RFC 3339, as Lambda requires
    assert request == {"level": "INFO", "service": "waitpoints"}
    assert (metric["TokensCreated"], "level" in metric) == ([1.0], False)
    assert (warning["level"], warning["message"]) == ("WARNING", "Not counted")
    assert (len(of_text), text_modules) == (3, json_modules)
    of_warnings, _ = run_in_lambda({"POWERTOOLS_LOG_LEVEL": "WARNING"})
    assert ["level" in line for line in of_warnings] == [False, True]


def run_in_lambda(variables: dict[str, str]) -> tuple[list[str], str]:
    """Return the lines on the standard output, and the standard error: the names of the modules that were imported."""
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
    named = {"POWERTOOLS_SERVICE_NAME": "waitpoints", "PYTHONPATH": str(ROOT / "functions"), "TZ": "Asia/Tokyo"}
    named["_X_AMZN_TRACE_ID"] = "Root=1-abc;Parent=def;Sampled=0"
    done = ended([sys.executable, "-c", RUNTIME], environment={**keys, **named, **variables})
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr
