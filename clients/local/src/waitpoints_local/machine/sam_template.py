"""A state machine in a template of SAM or CloudFormation: its definition, with what the template gives its placeholders."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waitpoints_local.machine.definition import WAITING, Unusable, parse_definition
from waitpoints_local.machine.documents import MachineFile, read_document

_MACHINES = ("AWS::Serverless::StateMachine", "AWS::StepFunctions::StateMachine")
_PSEUDO = {"AWS::Partition": "Partition", "AWS::Region": "Region", "AWS::AccountId": "AccountId"}
_FIXED = {"AWS::URLSuffix": "amazonaws.com", "AWS::StackName": "try"}
_NESTED = ("AWS::CloudFormation::Stack", "AWS::Serverless::Application")
_OF_A_FUNCTION = ("Arn", "Alias", "Version")
_RAW = re.compile(r"\$\{(\w+)\}")
_IN_SUB = re.compile(r"\$\{(!?)\s*([^}]+?)\s*\}")
_OF_SSM = "AWS::SSM::Parameter::Value<"
_PUBLISHED = re.compile(r"/waitpoints/[^/]+/(\w+)")
"""The SSM parameter in which a Waitpoints stack has one of its names."""
_DYNAMIC = re.compile(r"\{\{resolve:ssm:" + _PUBLISHED.pattern + r"(?::\d+)?\}\}")
_HELD = "\ue000{"  # begins a placeholder of ours, apart from those that DefinitionSubstitutions replaces


@dataclass(frozen=True)
class _Template:
    resources: Mapping[str, Any]
    parameters: Mapping[str, Any]
    source: str

    def resolve(self, value: Any) -> Any:
        """Return a value without intrinsic functions. Raises Unusable for those that only a deployment knows."""
        if isinstance(value, list):
            return [self.resolve(member) for member in value]
        if not isinstance(value, dict):
            return value
        match value:
            case {"Ref": str(name)} if len(value) == 1:
                return self._ref(name)
            case {"Fn::GetAtt": [str(name), *attributes]} if len(value) == 1:
                return self._attribute(name, ".".join(map(str, attributes)))
            case {"Fn::GetAtt": str(path)} if len(value) == 1:
                return self._attribute(*path.split(".", 1))
            case {"Fn::Sub": str(text)} if len(value) == 1:
                return self._sub(text, {})
            case {"Fn::Sub": [str(text), dict(own)]} if len(value) == 1:
                return self._sub(text, {name: self.resolve(member) for name, member in own.items()})
            case {"Fn::Join": [str(between), list(parts)]} if len(value) == 1:
                return between.join(str(self.resolve(part)) for part in parts)
        if function := next((name for name in value if name.startswith("Fn::") or name == "Ref"), None):
            raise Unusable(f"{self.source}: only a deployment resolves {function}")
        return {name: self.resolve(member) for name, member in value.items()}

    def _ref(self, name: str) -> str:
        if name in _FIXED:
            return _FIXED[name]
        if name in _PSEUDO:
            return _placeholder(_PSEUDO[name])
        if name in self.resources or name in self.parameters:
            return _placeholder(self._published(name) or name)
        resource, _, attribute = name.partition(".")
        if attribute and resource in self.resources:  # of SAM: !Ref Function.Alias
            return self._attribute(resource, attribute)
        raise Unusable(f"{self.source}: Ref names {name}, which is no parameter or resource of the template")

    def _published(self, parameter: str) -> str:
        """Return the name of a Waitpoints stack that a parameter reads from SSM."""
        found = _PUBLISHED.fullmatch(self.defaults(of_ssm=True).get(parameter, ""))
        return found[1] if found else ""

    def defaults(self, *, of_ssm: bool = False) -> dict[str, str]:
        """Return the parameters' default values, or the names in SSM of those that CloudFormation reads there."""
        having = {name: it for name, it in self.parameters.items() if isinstance(it, dict) and "Default" in it}
        return {name: str(it["Default"]) for name, it in having.items() if str(it.get("Type")).startswith(_OF_SSM) is of_ssm}

    def _attribute(self, name: str, attribute: str = "") -> str:
        resource = self.resources.get(name)
        if not isinstance(resource, dict):
            raise Unusable(f"{self.source}: GetAtt names {name}, which is no resource of the template")
        if resource.get("Type") in _NESTED and attribute.startswith("Outputs."):
            return _placeholder(attribute.removeprefix("Outputs."))
        return _placeholder(name if attribute in _OF_A_FUNCTION else f"{name}_{attribute}")

    def _sub(self, text: str, own: Mapping[str, Any]) -> str:
        def replacement(found: re.Match[str]) -> str:
            literally, name = found[1], found[2]
            if literally:
                return f"${{{name}}}"
            if name in own:
                return str(own[name])
            return self._ref(name) if "." not in name else self._attribute(*name.split(".", 1))

        return _IN_SUB.sub(replacement, text)


def read_machine(template: Mapping[str, Any], path: Path, resource: str, chosen: Collection[str]) -> MachineFile:
    """Return the machine of a resource, or the only one. Raises Unusable and OSError.

    `chosen` are the substitutions to which the user gives a value or a stand-in.
    """
    resources = {name: it for name, it in template["Resources"].items() if isinstance(it, dict)}
    resource = _find(resources, path, resource)
    source = f"{path}#{resource}"
    properties = resources[resource].get("Properties") or {}
    found = _Template(resources, template.get("Parameters") or {}, source)
    definition = _read_definition(properties, path, source, found)
    machine = _filled(definition, _substitutions(properties, found, chosen), source)
    if properties.get("Type", properties.get("StateMachineType")) == "EXPRESS" and WAITING in json.dumps(machine):
        raise Unusable(f"{source} is EXPRESS, and AWS lets only a STANDARD state machine wait for a token")
    return MachineFile(machine, source, found.defaults(), resources)


def _find(resources: Mapping[str, Any], path: Path, resource: str) -> str:
    machines = [name for name, it in resources.items() if it.get("Type") in _MACHINES]
    if resource in machines or (not resource and len(machines) == 1):
        return resource or machines[0]
    known = f"its state machines are {', '.join(machines)}" if machines else "it has none"
    if resource:
        raise Unusable(f"{path} has no state machine {resource}: {known}")
    raise Unusable(f"{path} is a template: name its state machine, such as {path}#{[*machines, 'Name'][0]} ({known})")


def _read_definition(properties: Mapping[str, Any], path: Path, source: str, template: _Template) -> Any:
    match properties:
        case {"Definition": dict(definition)}:
            written = json.dumps(_with_published(template.resolve(definition)))
            return json.loads(written)  # as SAM writes it into the template, where each placeholder is in quotes
        case {"DefinitionUri": str(uri)} if not uri.startswith("s3:"):
            return template.resolve(read_document(path.parent / uri))
        case {"DefinitionString": given}:
            return _with_published(parse_definition(str(template.resolve(given)), f"{source}, DefinitionString"))
    raise Unusable(
        f"{source} has no definition here: expected Definition, DefinitionString, or DefinitionUri with a local file"
    )


def _with_published(value: Any) -> Any:
    """Replace what CloudFormation would read from SSM, a Waitpoints stack's names, by placeholders of ours."""
    if isinstance(value, dict):
        return {name: _with_published(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_with_published(member) for member in value]
    return type(value)(_DYNAMIC.sub(lambda found: _placeholder(found[1]), value)) if isinstance(value, str) else value


def _substitutions(properties: Mapping[str, Any], template: _Template, chosen: Collection[str]) -> dict[str, str]:
    values = {}
    for name, value in (properties.get("DefinitionSubstitutions") or {}).items():
        try:
            values[name] = _placeholder(name) if name in chosen else _with_published(str(template.resolve(value)))
        except Unusable as error:
            raise Unusable(f"{error}: give {name} a value with --set {name}=…") from None
    return values


def _filled(value: Any, values: Mapping[str, str], source: str) -> Any:
    """Replace each `${Name}` by its substitution, and then make placeholders of ours."""
    if isinstance(value, dict):
        return {name: _filled(member, values, source) for name, member in value.items()}
    if isinstance(value, list):
        return [_filled(member, values, source) for member in value]
    if not isinstance(value, str):
        return value

    def replacement(found: re.Match[str]) -> str:
        if found[1] not in values:
            raise Unusable(f"{source}: {found[0]} is replaced by nothing: DefinitionSubstitutions has no {found[1]}")
        return values[found[1]]

    return type(value)(_RAW.sub(replacement, value).replace(_HELD, "${"))


def _placeholder(name: str) -> str:
    return f"{_HELD}{name}}}"
