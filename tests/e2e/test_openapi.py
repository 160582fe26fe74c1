"""The deployed API answers any request as openapi.yaml says. schemathesis generates the requests."""

import itertools
from collections import Counter
from typing import Any

import pytest
import schemathesis
from schemathesis.engine import events, from_schema

from tests.support import figures
from tests.support.e2e.api import Api
from tools.openapi import document as openapi
from tools.openapi.operations import OPERATIONS
from waitpoints_local.stack import Stack

DOCUMENTED = {200, 405, *(status for operation in OPERATIONS for status in operation.refusals)}


@pytest.mark.parametrize(("cases", "fewest"), [(6, 80), pytest.param(15, 250, marks=pytest.mark.thorough)])
def test_requests_of_every_operation_are_answered_as_documented(stack: Stack, api: Api, cases: int, fewest: int) -> None:
    """With random requests; of the thousand, many have one boundary value of one field each."""
    config = schemathesis.Config.from_dict(
        {
            "seed": 1,
            "base-url": stack.api_url,
            "continue-on-failure": True,
            "auth": {"openapi": {"secretKey": {"bearer": stack.api_key}}},
            "generation": {
                "max-examples": cases,  # of each operation
                "deterministic": True,
                "database": "none",
                "no-shrink": True,
                "allow-extra-parameters": False,  # unknown headers are valid
            },
            "phases": {"coverage": {"enabled": fewest >= 1_000}},
            "checks": {"positive_data_acceptance": {"enabled": False}},  # a schema cannot express a future date
            "operations": [  # by any method, a URL with a wrong hash is 401: handshakes come by GET, too
                {"include-operation-id": operation_id, "checks": {"unsupported_method": {"enabled": False}}}
                for operation_id in ("complete_waitpoint_token_callback_v1", "accept_delivery_v1")
            ],
        }
    )
    schema = schemathesis.openapi.from_path(openapi.FILE, config=config)
    with_real_urls(schema, api)
    without_invented_waiters(schema)

    statuses: Counter[int | None] = Counter()
    wrong: list[str] = []
    for event in from_schema(schema).execute():
        if isinstance(event, (events.NonFatalError, events.FatalError)):
            wrong.append(str(event))
        if not isinstance(event, events.ScenarioFinished):
            continue
        for interaction in event.recorder.interactions.values():
            statuses[interaction.response.status_code if interaction.response else None] += 1
        for check in itertools.chain.from_iterable(event.recorder.checks.values()):
            if check.failure_info:
                failure = check.failure_info
                wrong.append(
                    f"{event.recorder.label}: {failure.failure.title}\n{failure.failure.message}\n{failure.code_sample}"
                )

    shown = ", ".join(f"{count:,} with {status}" for status, count in statuses.most_common())
    figures.show(f"schemathesis: {statuses.total():,} requests, {len(wrong)} answered wrongly ({shown})")
    assert not wrong, "\n\n".join(wrong[:10])
    assert statuses.keys() <= DOCUMENTED
    assert statuses.total() >= fewest


def with_real_urls(schema: Any, api: Api) -> None:
    """Send every second callback to the URL of a token, since no generator guesses a hash."""
    turn = itertools.cycle([True, False])

    def map_path_parameters(context: schemathesis.HookContext, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
        if path_parameters and "callbackHash" in path_parameters and next(turn):
            token = api.create()
            path_parameters.update(waitpointId=token["id"], callbackHash=token["url"].rsplit("/", 1)[1])
        return path_parameters

    schema.hook(map_path_parameters)


def without_invented_waiters(schema: Any) -> None:
    """Send no callback id, since none that is invented can ever be resumed: the doctor would report it to every later test.

    integration/test_every_field.py tries every value of it.
    """

    def map_body(context: schemathesis.HookContext, body: Any) -> Any:
        return {name: value for name, value in body.items() if name != "callbackId"} if isinstance(body, dict) else body

    schema.hook(map_body)
