"""A type checker knows what the API takes of a page, `notify` and `verify`, and names what it does not take."""

import re
import sys
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter
from waitpoints_client import NotifyOptions, PageOptions, Verify

from tests.support.programs import ended
from tools.stack import ROOT

SCHEMAS: dict[str, Any] = yaml.load((ROOT / "openapi.yaml").read_text(), yaml.CSafeLoader)["components"]["schemas"]
CREATE: dict[str, Any] = SCHEMAS["CreateWaitpointTokenRequest"]["properties"]
TYPES: dict[str, Any] = {"page": PageOptions, "notify": NotifyOptions, "verify": Verify}


def shape(schema: dict[str, Any], definitions: dict[str, Any], *, choices: bool = True) -> Any:
    """What a schema takes: types, members, which of them are required, and with `choices` the texts that a text may be."""

    def inner(part: dict[str, Any]) -> Any:
        return shape(part, definitions, choices=choices)

    if "$ref" in schema:
        return inner(definitions[schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return frozenset(map(inner, schema["anyOf"]))
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return frozenset(values) if choices or values == [True] else "string"
    members = schema.get("properties", {})
    if names := schema.get("propertyNames"):
        members = dict.fromkeys(names["enum"], schema["additionalProperties"])
    if members:
        required = schema.get("required", ())
        return frozenset((name, name in required, inner(member)) for name, member in members.items())
    if isinstance(schema.get("additionalProperties"), dict):
        return ("by name", inner(schema["additionalProperties"]))
    return ("list of", inner(schema["items"])) if schema.get("type") == "array" else schema.get("type", "anything")


@pytest.mark.parametrize("option", TYPES)
def test_the_type_of_an_option_is_that_of_the_api(option: str) -> None:
    """Of `verify`, the API describes in words which texts a member may be."""
    exactly = option != "verify"
    typed = TypeAdapter(TYPES[option]).json_schema(ref_template="{model}")
    ours = shape(typed, typed.get("$defs", {}), choices=exactly)
    assert len(ours) >= len(CREATE[option].get("properties", ()))
    assert ours == shape(CREATE[option], SCHEMAS, choices=exactly)


FIELD = '"fields": {{"type": "object", "properties": {{"a": {}}}}}'
WRONG = {  # what mypy must name: a program in which a member is wrong
    "actoins": 'waitpoints.create(page={"title": "Go?", "actoins": []})',
    "title": 'waitpoints.create(page={"actions": []})',
    "lable": 'waitpoints.create(page={"title": "Go?", "actions": [{"id": "a", "lable": "A"}]})',
    "needs": 'waitpoints.create(page={"title": "Go?", "actions": [{"id": "a", "label": "A", "needs": "2"}]})',
    "style": 'waitpoints.create(page={"title": "Go?", "actions": [{"id": "a", "label": "A", "style": "red"}]})',
    "adress": 'waitpoints.create(page={"title": "Go?", "links": [{"url": "https://example.com", "adress": "A"}]})',
    "too": 'waitpoints.create(page={"title": "Go?", "escalate": {"after": "1d", "too": ["bo"]}})',
    "signIn": 'waitpoints.create(page={"title": "Go?", "signIn": {"domain": ["example.com"]}})',
    "requierd": f'waitpoints.create(page={{"title": "Go?", {FIELD[:-2].format({})}, "requierd": []}}}})',
    "minimun": f'waitpoints.create(page={{"title": "Go?", {FIELD.format({"minimun": 1})}}})',
    "enumm": f'waitpoints.create(page={{"title": "Go?", {FIELD.format({"items": {"enumm": []}})}}})',
    "titel": f'waitpoints.create(page={{"title": "Go?", {FIELD.format({"oneOf": [{"const": 1, "titel": "One"}]})}}})',
    "emial": 'waitpoints.create(notify={"emial": True})',
    "slack": 'waitpoints.create(notify={"slack": ["#deploys"]})',
    "secert": 'waitpoints.create(verify={"scheme": "github", "secret": "GITHUB", "secert": ""})',
    "unitt": 'waitpoints.create(verify={"scheme": "hmac", "secret": "A", "timestamp": {"unitt": "s"}})',
    "confrim": 'page: PageOptions = {"title": "Go?", "confrim": True}',
    "mail": 'person: ApproverOptions = {"id": "ann", "mail": "ann@example.com"}',
}
RIGHT = """\
page: PageOptions = {"title": {"en": "Go?", "de": "Los?"}, "language": ["en", "de"], "approvers": ["ann@example.com"]}
page["fields"] = {"type": "object", "properties": {"share": {"type": "integer", "minimum": 1, "default": 10}}}
waitpoints.create(page=page, notify={"email": True, "outcome": True})
waitpoints.create(page={"title": "Go?", "links": [{"url": "https://example.com"}], "signIn": {"domains": ["example.com"]}})
waitpoints.create(verify={"scheme": "hmac", "secret": "A", "header": "x-a", "timestamp": {"prefix": "t="}})
waitpoints.ask(page, key="deploy", sign_in=True)
"""
SETUP = """\
from waitpoints_client import ApproverOptions, PageOptions, Waitpoints

waitpoints = Waitpoints("https://hooks.example.com", "key")
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What mypy finds in each program, one of which is `right`."""
    folder = tmp_path_factory.mktemp("programs")
    programs = {**WRONG, "right": RIGHT}
    for name, program in programs.items():
        (folder / f"{name}.py").write_text(SETUP + program)
    options = ["--strict", "--config-file=", "--python-version=3.10", f"--cache-dir={ROOT / '.mypy_cache' / 'programs'}"]
    environment = {"MYPYPATH": str(ROOT / "clients" / "python" / "src"), "PATH": ""}
    done = ended([sys.executable, "-m", "mypy", *options, *folder.glob("*.py")], folder, environment)
    assert done.returncode == 1, done.stdout + done.stderr
    return {name: "\n".join(re.findall(rf"^{name}\.py:\d+: error: (.*)", done.stdout, re.MULTILINE)) for name in programs}


@pytest.mark.slow
@pytest.mark.parametrize("member", WRONG)
def test_mypy_names_a_wrong_member(found: dict[str, str], member: str) -> None:
    assert f'"{member}"' in found[member]


@pytest.mark.slow
def test_mypy_finds_nothing_in_a_right_program(found: dict[str, str]) -> None:
    assert found["right"] == ""


def test_the_client_says_that_it_has_types() -> None:
    assert (ROOT / "clients" / "python" / "src" / "waitpoints_client" / "py.typed").exists()
