"""When AWS throttles or fails, the log has its code, and the caller is asked to try again."""

import io
import json
from typing import Any

import pytest
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from botocore.exceptions import ClientError, EndpointConnectionError

from tests.support.in_process.api_gateway import Api
from tests.support.in_process.template import Template
from tests.support.in_process.world import World
from waitpoints.errors import TryAgain

FUNCTIONS = Template.load().functions()


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (ClientError({"Error": {"Code": "ThrottlingException"}}, "GetItem"), "ThrottlingException"),
        (EndpointConnectionError(endpoint_url="https://dynamodb.us-east-1.amazonaws.com"), None),
        (GetParameterError("unreadable"), None),
    ],
    ids=lambda it: type(it).__name__,
)
def test_of_a_failure_of_aws_has_its_code_and_says_how_to_try_again(
    api: Api, world: World, log: io.StringIO, monkeypatch: pytest.MonkeyPatch, failure: Exception, code: str | None
) -> None:
    def fail(*_: Any) -> None:
        raise failure

    token = api.create()
    log.truncate(0)
    log.seek(0)
    monkeypatch.setattr(world.store, "find", fail)
    monkeypatch.setattr(world.store, "add_waiter", fail)
    answer = api.get(f"/api/v1/waitpoints/tokens/{token['id']}")
    with pytest.raises(TryAgain) as told:
        api.wait(token, world.waits)
    said = "AWS throttled or failed. Nothing was lost: "
    assert (answer.status, answer.json) == (503, {"error": f"{said}send the same request again", "code": "TryAgain"})
    assert told.value.message == f"{said}retry the state"
    assert [(line["error"], line.get("awsCode")) for line in lines(log)] == [(type(failure).__name__, code)] * 2
