"""The TypeScript of what a template takes and gives: a property for each parameter, an attribute for each output."""

import json
import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

TYPES = {"String": "string", "Number": "number"}
_WIDTH = 120


def in_properties(text: str, names: Iterable[str]) -> str:
    """Return a text with the properties of the parameters that it names. Names of one word may be words."""
    compound = "|".join(name for name in names if re.fullmatch("[A-Z][a-z]+[A-Z].*", name))
    return re.sub(rf"\b({compound})\b", lambda found: _camel(found[1]), text)


def types(template: Mapping[str, Any]) -> str:
    """Return the module `release.ts`."""
    parameters, outputs = template["Parameters"], template["Outputs"].items()
    return "\n".join(
        (
            "/** What the stack is made with: the parameters of the release's template. */",
            *_interface("WaitpointsProps", (_property(name, it, parameters) for name, it in parameters.items())),
            "",
            "/** The outputs of the release's template. */",
            *_interface("WaitpointsOutputs", (_attribute(name, it) for name, it in outputs)),
            "",
        )
    )


def _interface(name: str, members: Iterable[str]) -> list[str]:
    return [f"export interface {name} {{", *members, "}"]


def _property(name: str, parameter: Mapping[str, Any], names: Iterable[str]) -> str:
    allowed = parameter.get("AllowedValues")
    kind = " | ".join(map(json.dumps, allowed)) if allowed else TYPES[parameter["Type"]]
    comment = _comment(in_properties(parameter["Description"], names), parameter["Default"])
    return f"{comment}\n  readonly {_camel(name)}?: {kind};"


def _attribute(name: str, output: Mapping[str, Any]) -> str:
    """Without its condition a stack lacks an output."""
    return f"{_comment(output['Description'])}\n  readonly {_camel(name)}{'?' if 'Condition' in output else ''}: string;"


def _comment(description: str, default: str | float = "") -> str:
    lines = textwrap.wrap(description.replace("*/", "*\\/"), _WIDTH, break_on_hyphens=False)
    if default != "":
        lines.append(f"@default {json.dumps(default)}")
    if len(lines) == 1:
        return f"  /** {lines[0]} */"
    return "\n".join(("  /**", *(f"   * {line}" for line in lines), "   */"))


def _camel(name: str) -> str:
    return name[0].lower() + name[1:]
