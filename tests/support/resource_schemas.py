"""The schemas of CloudFormation's resource types, as AWS publishes them and cfn-lint brings them."""

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

import jsonschema_rs

from tests.support.in_process.template import REGION
from tools.stack import LOCAL


@cache
def schema(kind: str) -> dict[str, Any]:
    [schemas] = (LOCAL / "sam").glob("lib/python*/site-packages/cfnlint/data/schemas")
    name = json.loads((schemas / "providers" / f"{REGION}.json").read_text())[kind]
    return json.loads((schemas / "resources" / f"{name}.json").read_text())


def create_only(kind: str) -> frozenset[str]:
    """The properties of a type whose change is a replacement."""
    found = schema(kind)
    paths = found.get("createOnlyProperties", []) + found.get("conditionalCreateOnlyProperties", [])
    return frozenset(path.split("/")[2] for path in paths)


def tagging(kind: str) -> dict[str, Any]:
    """What a type's schema says of tags, with the registry's defaults."""
    of_registry = {"taggable": True, "tagOnCreate": True, "tagUpdatable": True, "tagProperty": "/properties/Tags"}
    return {**of_registry, **schema(kind)["tagging"]}


def services(kinds: Iterable[str]) -> set[str]:
    """The services whose actions CloudFormation calls to make, change and delete resources of these types."""
    handlers = [handler for kind in kinds for name, handler in schema(kind)["handlers"].items() if name != "list"]
    return {action.partition(":")[0].lower() for handler in handlers for action in handler["permissions"]}


def errors(kind: str, properties: dict[str, Any]) -> list[str]:
    """What of a resource's properties does not fit its schema."""
    found = schema(kind)
    set_by_aws = {path.split("/")[2] for path in found.get("readOnlyProperties", [])} & properties.keys()
    validator = jsonschema_rs.validator_for(found)
    return [f"{kind}: {name} is read-only" for name in sorted(set_by_aws)] + [
        f"{kind}: {error.message}" for error in validator.iter_errors(properties)
    ]
