"""The botocore models of the services that functions call."""

import boto3
import pytest

from waitpoints import wiring


@pytest.mark.parametrize("service", ["dynamodb", "lambda", "s3", "scheduler", "secretsmanager", "sqs", "stepfunctions"])
def test_a_trimmed_client_has_the_same_model_as_botocore(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    wiring.services.reset()
    ours, theirs = wiring.session().client(service).meta, boto3.client(service).meta
    wiring.services.reset()
    assert ours.service_model.api_version == theirs.service_model.api_version
    assert ours.service_model.operation_names == theirs.service_model.operation_names
    assert ours.endpoint_url == theirs.endpoint_url
