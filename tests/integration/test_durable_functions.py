"""What a durable function gets that waits for a token, beyond what test_executions.py shows of it and a state machine."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.conftest import eventually
from tests.support.durable_runs import DurableRuns
from tests.support.in_process.api_gateway import TOKENS, Api, Token
from waitpoints.wiring import services

pytestmark = pytest.mark.slow  # runs durable functions in threads


def wait(api: Api, durable_runs: DurableRuns, token: Token, **options: bool) -> str:
    """Start an execution that waits, and return it once it is registered."""
    execution = durable_runs.wait(token, **options)
    eventually(lambda: api.retrieve(token)["waiters"])
    return execution


def callback_id(token_id: str) -> str:
    """The callback id of a token's one waiter, which no answer of the API shows."""
    [waiter] = services.store.get(token_id).waiters.values()
    return waiter.handle


def test_with_unwrap_a_failed_token_fails_its_wait_with_name_and_code(api: Api, durable_runs: DurableRuns) -> None:
    token = api.create()
    execution = wait(api, durable_runs, token, unwrap=True)
    error = {"name": "OutOfStock", "code": "E_STOCK", "message": "Größe 🎈"}
    api.complete(token, error=error)
    found = durable_runs.returned(execution)
    assert found["failed"] == ["OutOfStock", "Größe 🎈"]
    assert json.loads(found["data"]) == error


def test_a_wait_that_was_answered_elsewhere_is_gone_and_keeps_its_answer(api: Api, durable_runs: DurableRuns) -> None:
    token = api.create()
    execution = wait(api, durable_runs, token)
    elsewhere = b'{"ok": true, "output": "elsewhere"}'
    durable_runs.client.send_durable_execution_callback_success(CallbackId=callback_id(token["id"]), Result=elsewhere)
    assert api.deliver(token, b'"late"').json == {"success": True}
    assert [shown["status"] for shown in api.retrieve(token["id"])["waiters"]] == ["GONE"]
    assert durable_runs.result(execution) == ("SUCCEEDED", "elsewhere")


def test_retrieve_shows_its_kind_its_execution_and_not_its_callback_id(api: Api, durable_runs: DurableRuns) -> None:
    token = api.create()
    execution = wait(api, durable_runs, token)
    text = api.get(f"{TOKENS}/{token['id']}").text
    [shown] = json.loads(text)["waiters"]
    assert (shown["kind"], shown["status"], shown["execution"]) == ("DURABLE_FUNCTION", "WAITING", execution)
    assert callback_id(token["id"]) not in text


def test_a_wait_that_aws_throttled_is_registered_by_the_steps_retry(api: Api, durable_runs: DurableRuns) -> None:
    token, failures = api.create(), [ClientError({"Error": {"Code": "ThrottlingException"}}, "UpdateItem")]

    def throttled(**_: Any) -> None:
        if failures:
            raise failures.pop()

    client = services.dynamodb_client
    client.meta.events.register_first("before-call.dynamodb.UpdateItem", throttled)
    try:
        execution = wait(api, durable_runs, token)
    finally:
        client.meta.events.unregister("before-call.dynamodb.UpdateItem", throttled)
    api.deliver(token, b"1")
    assert durable_runs.result(execution) == ("SUCCEEDED", 1)
    assert failures == []
