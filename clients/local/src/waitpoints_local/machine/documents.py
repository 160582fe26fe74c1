"""Documents with state machines: JSON, or YAML as SAM reads it, with intrinsic functions' short forms and dates as texts."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from waitpoints_local.machine.definition import Unquoted, Unusable, parse_definition

_YAML = (".yaml", ".yml", ".template")
_WHOLE = re.compile(r"\$\{\w+\}")
_WITHOUT_PREFIX = ("Ref", "Condition")


@dataclass(frozen=True)
class MachineFile:
    machine: Any
    """The definition. What only a deployment knows is a placeholder, such as ${NotifyFunction}."""
    source: str
    """What errors call it."""
    values: Mapping[str, str] = field(default_factory=dict)
    """What placeholders come to if the stack has nothing of their name."""
    own: Collection[str] = ()
    """The placeholders that are the user's own resources, whatever the stack has of their names."""


def read_document(path: Path) -> Any:
    """Return what a JSON or YAML file holds. Raises Unusable and OSError."""
    text = path.read_text(encoding="utf-8")
    return parse_yaml(text, str(path)) if path.suffix.lower() in _YAML else parse_definition(text, str(path))


def parse_yaml(text: str, source: str) -> Any:
    """Parse YAML as SAM does. An intrinsic function's short form, such as !Ref, becomes its long one. Raises Unusable."""
    try:
        return check_json(yaml.load(text, Loader), source)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}" if error.problem_mark else ""
        raise Unusable(f"{source}{where}: not YAML ({error.problem})") from None
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
        raise Unusable(f"{source}: not YAML ({error})") from None


def check_json(value: Any, source: str) -> Any:
    """Return a value that JSON can hold. Raises Unusable for any other, with what errors call it."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise Unusable(f"{source}: not what JSON can hold ({error})") from None
    return value


class Loader(yaml.SafeLoader):
    """A SafeLoader whose mappings are what a JSON object can be."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if not isinstance(name, str) and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    None, None, f"the name {key.value} is no text: put it in quotes", key.start_mark
                )
        return super().construct_mapping(node, deep)


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _construct_text(loader: Loader, node: yaml.ScalarNode) -> str:
    text = str(loader.construct_scalar(node))
    return Unquoted(text) if node.style is None and _WHOLE.fullmatch(text) else text


Loader.add_constructor("tag:yaml.org,2002:str", _construct_text)


def _construct_intrinsic(loader: Loader, function: str, node: Any) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        value = value.split(".", 1) if function == "GetAtt" else value
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {function if function in _WITHOUT_PREFIX else f"Fn::{function}": value}


Loader.add_multi_constructor("!", _construct_intrinsic)
