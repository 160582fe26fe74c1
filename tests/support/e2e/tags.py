"""The tags of a stack's resources, as the services tell them."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from tests.support.e2e.permissions import resources
from tests.support.resource_schemas import tagging
from waitpoints_local.stack import REGION, Endpoint

_QUESTIONS: dict[str, tuple[str, str, dict[str, str]]] = {
    "AWS::ApiGatewayV2::Api": ("apigatewayv2", "get_api", {"ApiId": "{id}"}),
    "AWS::ApiGatewayV2::Stage": ("apigatewayv2", "get_stage", {"ApiId": "{api}", "StageName": "{id}"}),
    "AWS::CloudWatch::Alarm": ("cloudwatch", "list_tags_for_resource", {"ResourceARN": "{arn}:alarm:{id}"}),
    "AWS::DynamoDB::Table": ("dynamodb", "list_tags_of_resource", {"ResourceArn": "{arn}:table/{id}"}),
    "AWS::IAM::Role": ("iam", "list_role_tags", {"RoleName": "{id}"}),
    "AWS::Lambda::EventSourceMapping": ("lambda", "list_tags", {"Resource": "{arn}:event-source-mapping:{id}"}),
    "AWS::Lambda::Function": ("lambda", "list_tags", {"Resource": "{arn}:function:{id}"}),
    "AWS::Logs::LogGroup": ("logs", "list_tags_for_resource", {"resourceArn": "{arn}:log-group:{id}"}),
    "AWS::S3::Bucket": ("s3", "get_bucket_tagging", {"Bucket": "{id}"}),
    "AWS::SQS::Queue": ("sqs", "list_queue_tags", {"QueueUrl": "{id}"}),
    "AWS::SSM::Parameter": ("ssm", "list_tags_for_resource", {"ResourceType": "Parameter", "ResourceId": "{id}"}),
    "AWS::Scheduler::ScheduleGroup": ("scheduler", "list_tags_for_resource", {"ResourceArn": "{arn}:schedule-group/{id}"}),
    "AWS::SecretsManager::Secret": ("secretsmanager", "describe_secret", {"SecretId": "{id}"}),
    "AWS::StepFunctions::StateMachine": ("stepfunctions", "list_tags_for_resource", {"resourceArn": "{id}"}),
}
"""For each type a service, an operation and its arguments."""
_MEMBERS = {"Tags", "tags", "TagList", "TagSet"}


def tags_of(endpoint: Endpoint, stack: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The type and the tags of each resource that CloudFormation can tag. Raises KeyError for a type without a question."""
    found = [(it["ResourceType"], it["PhysicalResourceId"]) for it in resources(endpoint, stack)]
    [api] = [name for kind, name in found if kind == "AWS::ApiGatewayV2::Api"]
    account = endpoint.client("sts").get_caller_identity()["Account"]
    for kind, name in found:
        if tagging(kind)["taggable"]:
            service, operation, arguments = _QUESTIONS[kind]
            named = {"id": name, "api": api, "arn": f"arn:aws:{service}:{REGION}:{account}"}
            yield kind, _answer(endpoint, service, operation, {key: it.format(**named) for key, it in arguments.items()})


def _answer(endpoint: Endpoint, service: str, operation: str, arguments: dict[str, str]) -> dict[str, str]:
    try:
        answer = getattr(endpoint.client(service), operation)(**arguments)
    except ClientError as refused:
        if refused.response["Error"]["Code"] == "NoSuchTagSet":  # of a bucket without tags
            return {}
        raise
    return dict(_pairs(next(value for member, value in answer.items() if member in _MEMBERS)))


def _pairs(tags: Any) -> Iterator[tuple[str, str]]:
    """Services list tags as an object, or as pairs with members of either case."""
    if isinstance(tags, dict):
        yield from tags.items()
    else:
        yield from ((tag.get("Key", tag.get("key")), tag.get("Value", tag.get("value"))) for tag in tags)
