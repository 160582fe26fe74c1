"""template.yaml after SAM's transform, as CloudFormation gets it, and the permissions that it grants."""

import json
from functools import cache
from typing import Any

import pytest
from samtranslator.translator.transform import transform

from in_process.template import ACCOUNT, REGION, STACK_NAME, Resource, Template


class NoManagedPolicies:
    def load(self) -> dict[str, str]:
        return {}


def process(body: Any) -> dict[str, Any]:
    """A template after SAM's transform, as if its code were uploaded."""
    body = json.loads(json.dumps(body))  # as `sam build` expands merge keys: SAM would change what two resources share
    for part in (
        body["Globals"]["Function"],
        *(resource["Properties"] for resource in body["Resources"].values() if "Properties" in resource),
    ):
        for uri in part.keys() & {"CodeUri", "ContentUri", "DefinitionUri"}:
            part[uri] = "s3://code/key"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_DEFAULT_REGION", REGION)
        processed: dict[str, Any] = transform(body, {}, NoManagedPolicies())
    return processed


@cache
def processed() -> Template:
    return Template(process(Template.load().body))


def attributes() -> dict[str, dict[str, str]]:
    """What Ref and GetAtt return for each resource, in the form of AWS."""
    arn_of = {
        "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{{}}",
        "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/{{}}",
        "AWS::Lambda::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{{}}",
        "AWS::S3::Bucket": "arn:aws:s3:::{}",
        "AWS::SQS::Queue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{{}}",
        "AWS::SecretsManager::Secret": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{{}}",
    }
    found = {}
    for logical_id, resource in processed().body["Resources"].items():
        name = f"{STACK_NAME}-{logical_id}"
        arn = arn_of.get(resource["Type"], "{}").format(name)
        found[logical_id] = {"Ref": name, "Arn": arn, "Id": arn}
    return found


def statements(parameters: dict[str, str] | None = None) -> list[tuple[str, Resource]]:
    """Every Allow statement with the logical id of its role or policy, its intrinsic functions resolved."""
    template, known, found = Template(processed().body, parameters), attributes(), []
    for kind in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy"):
        for logical_id, properties in template.resources(kind).items():
            policies = [properties, *properties.get("Policies", [])]
            for policy in template.resolve([it["PolicyDocument"] for it in policies if "PolicyDocument" in it], known):
                found += [(logical_id, statement) for statement in policy["Statement"]]
    return found


def texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
