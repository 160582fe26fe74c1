"""template.yaml after SAM's transform, as CloudFormation gets it, and the permissions that it grants."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import TopologicalSorter
from typing import Any

from tests.support.in_process.template import ACCOUNT, REGION, ROOT, STACK_NAME, Resource, Template, parse
from tools.deploy import GRADUAL, gradual
from tools.release.translation import transformed

RELEASE = "'2030-01-31T12:00:00Z'"
ATTRIBUTES = ("ApiEndpoint", "QueueName", "RegionalDomainName", "RegionalHostedZoneId", "StreamArn")


def process(body: Any, parameters: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A template after SAM's transform for a stack with these parameters, as if its code were uploaded."""
    body = json.loads(json.dumps(body))  # as `sam build` expands merge keys: some resources share their properties
    for part in (
        body.get("Globals", {}).get("Function", {}),
        *(resource["Properties"] for resource in body["Resources"].values() if "Properties" in resource),
    ):
        for uri in part.keys() & {"CodeUri", "ContentUri", "DefinitionUri"}:
            part[uri] = "s3://code/key"
    return transformed(body, parameters)


@cache
def processed() -> Template:
    return Template(process(Template.load().body))


@cache
def processed_gradually(release: str = RELEASE) -> Template:
    """The template of a gradual deployment."""
    return Template(process(parse(gradual((ROOT / "template.yaml").read_text(), GRADUAL["prod"], release))))


def attributes() -> dict[str, dict[str, str]]:
    """What Ref and GetAtt return for each resource, in the form of AWS."""
    arn_of = {
        "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{{}}",
        "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/{{}}",
        "AWS::Lambda::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{{}}",
        "AWS::S3::Bucket": "arn:aws:s3:::{}",
        "AWS::SQS::Queue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{{}}",
        "AWS::SecretsManager::Secret": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{{}}",
        "AWS::StepFunctions::StateMachine": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{{}}",
    }
    found = {}
    for logical_id, resource in processed().body["Resources"].items():
        name = f"{STACK_NAME}-{logical_id}"
        arn = arn_of.get(resource["Type"], "{}").format(name)
        others = {attribute: f"{name}.{attribute}" for attribute in ATTRIBUTES}
        ref = arn if resource["Type"] == "AWS::StepFunctions::StateMachine" else name
        found[logical_id] = {"Ref": ref, "Arn": arn, "Id": arn, **others}
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


def made(**parameters: str) -> dict[str, dict[str, Any]]:
    """The resources of a stack with these parameters, with their intrinsic functions resolved, as CloudFormation makes them."""
    template, known = Template(processed().body, parameters), attributes()
    having = {name: resource for name, resource in template.body["Resources"].items() if template.has(name)}
    return {
        name: template.resolve({key: value for key, value in resource.items() if key != "Metadata"}, known)
        for name, resource in having.items()
    }


def texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def references(value: Any) -> Iterator[str]:
    """Every name that a part of a template refers to."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    if not isinstance(value, dict):
        return
    for name, argument in value.items():
        if name == "Ref":
            yield argument
        elif name == "Fn::GetAtt":
            yield argument[0] if isinstance(argument, list) else argument.split(".")[0]
        elif name == "DependsOn":
            yield from [argument] if isinstance(argument, str) else argument
        elif name == "Fn::Sub":
            text = argument if isinstance(argument, str) else argument[0]
            yield from (found.split(".")[0] for found in re.findall(r"\$\{([^!}]+)\}", text))
            yield from references(argument)
        else:
            yield from references(argument)


def check_order(resources: dict[str, Any]) -> None:
    """Raise CycleError if the resources depend on each other in a circle."""
    TopologicalSorter({name: set(references(it)) & resources.keys() for name, it in resources.items()}).prepare()
