"""template.yaml as plain CloudFormation, which SAM's transform makes once, for every partition, region and architecture."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any
from unittest.mock import patch

from samtranslator.yaml_helper import yaml_parse

REGION = "us-east-1"
BUCKET = "release"
"""The bucket of every file, until it has one: what deploys the template gives each file its own place."""
NOTHING = {"Ref": "AWS::NoValue"}
SECTIONS = ("Parameters", "Rules", "Conditions", "Resources", "Outputs")


class _NoManagedPolicies:
    def load(self) -> dict[str, str]:
        return {}


def translated(template: str, code: str, code_of: dict[str, str]) -> dict[str, Any]:
    """Return a template without SAM, whose functions have the file `code`, or one of their own. Files are keys in BUCKET."""
    body = json.loads(json.dumps(yaml_parse(template)))  # else some resources share their properties
    body["Globals"]["Function"]["CodeUri"] = f"s3://{BUCKET}/{code}"
    for name, resource in body["Resources"].items():
        properties = resource.get("Properties", {})
        if name in code_of:
            properties["CodeUri"] = f"s3://{BUCKET}/{code_of[name]}"
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            properties["ContentUri"] = f"s3://{BUCKET}/{name}.zip"
        if "DefinitionUri" in properties:
            properties["DefinitionUri"] = f"s3://{BUCKET}/{PurePath(properties['DefinitionUri']).name}"
    processed, traced = transformed(body), transformed(body, {"Tracing": "Active"})
    resources = either("HasTracing", traced["Resources"], processed["Resources"])
    processed["Resources"] = in_any_partition(resources)
    for resource in processed["Resources"].values():
        resource.pop("Metadata", None)  # for `sam build`
    return {section: processed[section] for section in SECTIONS}


def either(condition: str, then: Any, otherwise: Any) -> Any:
    """Return a part of a template for two that SAM made of it: it decides some parameters itself, such as `Tracing`."""
    if then == otherwise:
        return then
    if NOTHING in (then, otherwise) or not (isinstance(then, dict) and isinstance(otherwise, dict)):
        return {"Fn::If": [condition, then, otherwise]}
    return {name: either(condition, then.get(name, NOTHING), otherwise.get(name, NOTHING)) for name in {**then, **otherwise}}


def transformed(body: Any, parameters: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return a template after SAM's transform for a stack with these parameters."""
    from samtranslator.translator.transform import transform  # noqa: PLC0415 - it takes half a second

    copied = json.loads(json.dumps(body))  # as `sam build` expands merge keys: SAM would change what two resources share
    with patch.dict(os.environ, {"AWS_DEFAULT_REGION": REGION}):
        processed: dict[str, Any] = transform(copied, dict(parameters or {}), _NoManagedPolicies())
    return processed


def in_any_partition(part: Any) -> Any:
    """Return a part of a template with the partition that CloudFormation is in: SAM writes that of its own region."""
    match part:
        case list():
            return [in_any_partition(it) for it in part]
        case dict():
            return {name: in_any_partition(it) for name, it in part.items()}
        case str() if re.match(r"arn:aws:", part):
            return {"Fn::Sub": part.replace("arn:aws:", "arn:${AWS::Partition}:", 1)}
    return part
