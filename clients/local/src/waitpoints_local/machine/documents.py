"""Documents with state machines: JSON or YAML."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from waitpoints_local.machine.definition import Unusable, parse
from waitpoints_local.machine.yaml_loader import Loader

_YAML = (".yaml", ".yml", ".template")


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
    return parse_yaml(text, str(path)) if path.suffix.lower() in _YAML else parse(text, str(path))


def parse_yaml(text: str, source: str) -> Any:
    """Parse YAML as SAM does. An intrinsic function's short form, such as !Ref, becomes its long one. Raises Unusable."""
    try:
        found = yaml.load(text, Loader)  # noqa: S506 - a SafeLoader
        json.dumps(found, allow_nan=False)
    except yaml.MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}" if error.problem_mark else ""
        raise Unusable(f"{source}{where}: not YAML ({error.problem})") from None
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
        raise Unusable(f"{source}: not what JSON can hold ({error})") from None
    return found
