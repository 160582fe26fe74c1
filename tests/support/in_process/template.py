"""template.yaml as data: its functions, routes and resources, so that nothing repeats them by hand."""

import importlib
import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
REGION = "us-east-1"
ACCOUNT = "123456789012"
STACK_NAME = "waitpoints"
CHANNELS = {"MailFrom": "approvals@example.com", "Slack": "on", "Teams": "on"}
"""The parameters of a stack that tells people of tokens in every way."""
SIGN_IN = {
    "OidcIssuer": "https://issuer.example.com",
    "OidcClientId": "waitpoints",
    "PublicBaseUrl": "https://hooks.example.com",
}
"""The parameters of a stack at which people can sign in."""
CONSOLE = {**SIGN_IN, "ConsoleReaders": "example.org", "ConsoleOperators": "ann@example.com, groups=operators"}
"""The parameters of a stack at whose console people can sign in."""
EVERYTHING = {**CHANNELS, **CONSOLE}
"""With these parameters a stack has every function."""

Resource = dict[str, Any]
_PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::Partition": "aws",
    "AWS::StackName": STACK_NAME,
    "AWS::URLSuffix": "amazonaws.com",
}
_NOTHING = object()  # AWS::NoValue: removes the property


class _Loader(yaml.CSafeLoader):
    """Load YAML with CloudFormation's short forms: `!Ref X` becomes `{"Ref": "X"}`, `!Sub …` becomes `{"Fn::Sub": …}`."""


def _short_form(loader: _Loader, name: str, node: yaml.Node) -> Any:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _short_form)


def parse(text: str) -> Any:
    """Return a template, with CloudFormation's short forms as their long forms."""
    return yaml.load(text, _Loader)  # noqa: S506 - a safe one


@cache
def read(path: Path) -> Any:
    """Return the template in a file, as `parse` does."""
    return parse(path.read_text())


@dataclass(frozen=True)
class Context:
    """The context object that Lambda passes to a handler."""

    function_name: str
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    memory_limit_in_mb: int = 512

    @property
    def invoked_function_arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """As much as Lambda gives at most."""
        return 900_000


@dataclass(frozen=True)
class Function:
    """An AWS::Serverless::Function. `name` is the name of its module, such as `create_token`."""

    logical_id: str
    properties: Resource

    @property
    def name(self) -> str:
        return str(self.properties["Handler"]).split(".")[0]

    def handler(self) -> Callable[[Any, Any], Any]:
        module, attribute = self.properties["Handler"].split(".")
        return getattr(importlib.import_module(module), attribute)

    def call(self, event: Any) -> Any:
        """Invoke the function as Lambda does: convert event and result to JSON and back."""
        result = self.handler()(json.loads(json.dumps(event)), Context(self.logical_id))
        return json.loads(json.dumps(result))


@dataclass(frozen=True)
class Route:
    """The route that serves a request."""

    function: Function
    route_key: str
    path_parameters: Mapping[str, str]


class Template:
    def __init__(self, body: Mapping[str, Any], parameters: Mapping[str, str] | None = None) -> None:
        self.body = body
        defaults = {name: str(declared["Default"]) for name, declared in body["Parameters"].items()}
        self.parameters = {**defaults, **(parameters or {})}

    @classmethod
    def load(cls, parameters: Mapping[str, str] | None = None) -> "Template":
        """Return the template of a stack with these parameters. It is the same one each time: change nothing in it."""
        return _loaded(tuple((parameters or {}).items()))

    def resources(self, kind: str) -> dict[str, Resource]:
        """Return the properties of every resource of a type, by logical id."""
        return {name: resource.get("Properties", {}) for name, resource in self._of_kind(kind)}

    def has(self, logical_id: str) -> bool:
        """Whether a stack with these parameters has a resource of the template."""
        condition = self.body["Resources"][logical_id].get("Condition")
        return condition is None or self._holds(condition, {})

    def functions(self) -> dict[str, Function]:
        """Return every function that a stack with these parameters has, by the name of its module."""
        return dict(self._functions)

    @cached_property
    def _functions(self) -> dict[str, Function]:
        found = self.resources("AWS::Serverless::Function").items()
        functions = [Function(name, properties) for name, properties in found if self.has(name)]
        return {function.name: function for function in functions}

    def routes(self) -> dict[str, Function]:
        """Return the function of each route of the HTTP API, such as `ANY /api/v1/waitpoints/tokens`."""
        return {
            f"{event['Properties']['Method']} {event['Properties']['Path']}": function
            for function in self.functions().values()
            for event in function.properties.get("Events", {}).values()
            if event["Type"] == "HttpApi"
        }

    def stream_filter(self, function: str) -> list[Any]:
        """Return the patterns with which a function's mapping filters the table's stream."""
        events = self.functions()[function].properties["Events"].values()
        [mapping] = [event["Properties"] for event in events if event["Type"] == "DynamoDB"]
        return [json.loads(found["Pattern"]) for found in self.resolve(mapping["FilterCriteria"]["Filters"], {})]

    def route(self, method: str, path: str) -> Route | None:
        """Return the route that API Gateway selects: literal parts win over parameters, the method over ANY."""
        matches = []
        for route_key, pattern, function in self._patterns:
            wanted, match = route_key.split(" ", 1)[0], pattern.fullmatch(path)
            if match and wanted in (method, "ANY"):
                matches.append((len(match.groupdict()), wanted == "ANY", Route(function, route_key, match.groupdict())))
        return min(matches, key=lambda found: found[:2])[2] if matches else None

    @cached_property
    def _patterns(self) -> list[tuple[str, re.Pattern[str], Function]]:
        """Every route with the pattern of its paths."""
        return [(route_key, _pattern(route_key.split(" ", 1)[1]), function) for route_key, function in self.routes().items()]

    def resolve(self, value: Any, resources: "Mapping[str, Mapping[str, str]]") -> Any:
        """Return `value` with its intrinsic functions resolved. `resources` maps logical ids to `Attributes`."""
        if isinstance(value, list):
            return [item for item in (self.resolve(item, resources) for item in value) if item is not _NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name in ("Ref", "Condition") or name.startswith("Fn::"):
                return self._intrinsic(name.removeprefix("Fn::"), argument, resources)
        members = {name: self.resolve(member, resources) for name, member in value.items()}
        return {name: member for name, member in members.items() if member is not _NOTHING}

    def _intrinsic(self, name: str, argument: Any, resources: Mapping[str, Mapping[str, str]]) -> Any:
        match name, argument:
            case "Ref", str(target):
                return self._ref(target, resources)
            case "GetAtt", [target, attribute]:
                return resources[target][attribute]
            case "Sub", str(text):
                return self._sub(text, {}, resources)
            case "Sub", [text, variables]:
                return self._sub(text, self.resolve(variables, resources), resources)
            case "If", [condition, then, otherwise]:
                return self.resolve(then if self._holds(condition, resources) else otherwise, resources)
            case "Condition", str(condition):
                return self._holds(condition, resources)
            case "Equals", [left, right]:
                return str(self.resolve(left, resources)) == str(self.resolve(right, resources))
            case "Not", [condition]:
                return not self.resolve(condition, resources)
            case "And", conditions:
                return all(self.resolve(condition, resources) for condition in conditions)
            case "Or", conditions:
                return any(self.resolve(condition, resources) for condition in conditions)
            case "Split", [separator, text]:
                return self.resolve(text, resources).split(separator)
            case "Join", [separator, parts]:
                return separator.join(map(str, self.resolve(parts, resources)))
        raise NotImplementedError(f"intrinsic function {name} of {argument!r}")

    def _ref(self, target: str, resources: Mapping[str, Mapping[str, str]]) -> Any:
        if target == "AWS::NoValue":
            return _NOTHING
        known = _PSEUDO_PARAMETERS.get(target, self.parameters.get(target))
        return resources[target]["Ref"] if known is None else known

    def _sub(self, text: str, variables: Mapping[str, Any], resources: Mapping[str, Mapping[str, str]]) -> str:
        def value(match: re.Match[str]) -> str:
            target, _, attribute = match[1].partition(".")
            if target in variables:
                return str(variables[target])
            return str(resources[target][attribute] if attribute else self._ref(target, resources))

        return re.sub(r"\$\{([^!}]+)\}", value, text)

    def _holds(self, condition: str, resources: Mapping[str, Mapping[str, str]]) -> bool:
        return bool(self.resolve(self.body["Conditions"][condition], resources))

    def _of_kind(self, kind: str) -> Iterator[tuple[str, Resource]]:
        return ((name, resource) for name, resource in self.body["Resources"].items() if resource["Type"] == kind)


@cache
def _loaded(parameters: tuple[tuple[str, str], ...]) -> Template:
    return Template(read(ROOT / "template.yaml"), dict(parameters))


def _pattern(path: str) -> re.Pattern[str]:
    """Return the pattern of a route's path: `{path+}` matches the rest of a path, another parameter one part of it."""
    parts = re.sub(r"\\\{(\w+)\\\+\\\}", r"(?P<\1>.+)", re.escape(path))
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", parts))
