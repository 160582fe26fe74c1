"""The client's `waitpoints secrets put` and what the functions read of it."""

import boto3
import pytest
from waitpoints_client.ops import webhook_secrets
from waitpoints_client.ops.deployed import Deployed, Outputs

from tests.support.in_process.moto_stack import MotoStack, client_of
from tests.support.in_process.template import STACK_NAME
from waitpoints.aws.services.secrets import RotatingSecret
from waitpoints.wiring import services

PATH = f"waitpoints/{STACK_NAME}/webhooks/PUT"


@pytest.fixture
def deployed(stack: MotoStack) -> Deployed:
    found = Deployed(STACK_NAME, boto3.Session())
    vars(found)["outputs"] = Outputs(ApiUrl="https://a")
    return found


def accepted() -> list[str]:
    """The values that a function accepts which starts now."""
    secret = RotatingSecret(client_of("secretsmanager"), services.webhook_secret_name("PUT"))
    values = secret.read_accepted()
    return [next(values), *([again] if (again := next(values)) != secret.read_current() else [])]


def test_a_secret_is_created_changed_and_restored(deployed: Deployed) -> None:
    manager = client_of("secretsmanager")
    outcomes = [webhook_secrets.put(deployed, "PUT", value) for value in ("one", "one", "two")]
    assert [(stored.path, stored.outcome) for stored in outcomes] == [
        (PATH, "created"),
        (PATH, "unchanged"),
        (PATH, "changed"),
    ]
    assert accepted() == ["two", "one"]

    manager.delete_secret(SecretId=PATH, RecoveryWindowInDays=7)
    assert webhook_secrets.put(deployed, "PUT", "three") == webhook_secrets.Stored(PATH, "changed", was_restored=True)
    assert accepted() == ["three", "two"]

    manager.delete_secret(SecretId=PATH, RecoveryWindowInDays=7)
    assert webhook_secrets.put(deployed, "PUT", "three") == webhook_secrets.Stored(PATH, "unchanged", was_restored=True)
    assert accepted() == ["three", "two"]

    assert webhook_secrets.put(deployed, "PUT", "three", no_previous=True).outcome == "unchanged"
    assert accepted() == ["three"]
    assert webhook_secrets.put(deployed, "PUT", "four", no_previous=True).outcome == "changed"
    assert accepted() == ["four"]
    manager.delete_secret(SecretId=PATH, ForceDeleteWithoutRecovery=True)
