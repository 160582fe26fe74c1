"""`schemas`: what `make openapi` wrote of a model validates as the model does. And how a function finds pydantic's core."""

import io
import re
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import programs
from tests.support.expressions import json_values
from tools.openapi import request_schemas
from tools.stack import ROOT
from waitpoints.api import request_model, schemas
from waitpoints.api.models.base import RequestModel
from waitpoints.api.request_model import Written, validate
from waitpoints.errors import InvalidRequest, WaitpointsError

MODULES = {file.stem: import_module(f"waitpoints.api.models.{file.stem}") for file in request_schemas.bodies()}
WRITTEN: dict[type[RequestModel], Written[Any]] = {
    model: getattr(import_module(f"waitpoints.api.schemas.{name}"), request_schemas.constant(model))
    for name, module in MODULES.items()
    for model in request_schemas.models_of(module)
}
EACH = pytest.mark.parametrize(("model", "written"), WRITTEN.items(), ids=[it.__name__ for it in WRITTEN])
TEXTS = [
    "",
    "1h",
    "none",
    "admin",
    "write:waitpoints",
    "k" * 2048,
    "k" * 2049,
    "A" * 20,
    "\N{GRINNING FACE}" * 65,
    "a\0",
    "\ud800",
]
ARN = "arn:aws:states:us-east-1:123456789012:execution:orders:4711"
OTHERS = [
    None,
    True,
    0,
    1.0,
    10**30,
    [],
    ["a"] * 11,
    ["a", 1],
    {},
    {"scopes": ["admin"]},
    {"scopes": [1]},
    {"a": "b"},
    {1: 2},
    ARN,
]
"""At the limits of some field, or beyond them."""


def values(model: type[RequestModel]) -> list[Any]:
    return [*TEXTS, *OTHERS, *(example for field in model.model_fields.values() for example in field.examples or ())]


def outcome(validator: Any, value: Any) -> Any:
    """What pydantic says of a value: the fields and which were set, the errors, or what a check raised."""
    try:
        valid = validator.validate_python(value, extra="ignore")
    except WaitpointsError as refusal:
        return type(refusal), refusal.message
    except ValueError as error:
        return [{**it, "ctx": repr(it.get("ctx"))} for it in error.errors(include_url=False)]  # type: ignore[attr-defined]
    return plain(valid), valid.model_fields_set


def plain(value: Any) -> Any:
    """A value with its fields in place of each model."""
    return {name: plain(it) for name, it in value} if hasattr(value, "model_fields_set") else value


@EACH
@given(st.data())
def test_a_written_model_says_what_the_model_says(
    model: type[RequestModel], written: Written[Any], data: st.DataObject
) -> None:
    any_value = st.sampled_from(values(model)) | json_values
    names = [field.alias or name for name, field in model.model_fields.items()]
    value = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys([*names, "unknown"], any_value)) | json_values)
    assert outcome(written.validator, value) == outcome(model.__pydantic_validator__, value)


@EACH
def test_each_field_takes_and_refuses_what_the_models_does(model: type[RequestModel], written: Written[Any]) -> None:
    """And it is asked of a body with all that is required, too."""
    required = {name: shown[0] for name, shown in written.required.items()}
    bodies = [{**more, field: it} for field in written.fields for it in values(model) for more in ({}, required)]
    for body in [{}, required, *bodies, *values(model)]:
        assert outcome(written.validator, body) == outcome(model.__pydantic_validator__, body)


def test_none_is_left_of_a_model_that_is_gone() -> None:
    assert set(request_schemas.FOLDER.glob("*.py")) == request_schemas.written().keys()


def test_they_are_written_for_the_layers_core() -> None:
    layer = (ROOT / "layers" / "dependencies" / "requirements.txt").read_text()
    assert re.findall("^pydantic-core==(.+)$", layer, re.MULTILINE) == [schemas.PYDANTIC_CORE]


REFUSED: list[tuple[Any, str]] = [
    ({"name": 1, "scopes": ["read"]}, 'expected a text at "name"'),
    ({"name": "a"}, '"scopes" is required, such as ["create:team-a","read"]'),
    ([], 'expected an object with "name" and "scopes"'),
]


@pytest.fixture(params=["written", "pydantic's"])
def made(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Written[Any]:
    """A model as a function has it, whether or not it finds the extension module."""
    written = WRITTEN[MODULES["api_key"].CreateKeyRequest]
    if request.param == "written":
        return written
    monkeypatch.setattr(request_model, "_load_core", lambda: ModuleType("no core"))
    return Written(written.model, written.fields, written.required, written.schema)


def test_a_function_that_finds_no_core_answers_the_same(made: Written[Any]) -> None:
    assert dict(validate(made, {"name": "a", "scopes": ["read"]})) == {"name": "a", "scopes": ["read"], "expires_in": None}
    for body, message in REFUSED:
        with pytest.raises(InvalidRequest, match=re.escape(message)):
            validate(made, body)


def test_that_no_core_was_found_is_logged(monkeypatch: pytest.MonkeyPatch, log: io.StringIO) -> None:
    monkeypatch.setattr(request_model, "_load_core", lambda: ModuleType("no core"))
    written = WRITTEN[MODULES["deadline"].MoveDeadlineRequest]
    Written(written.model, written.fields, written.required, written.schema)
    assert "Importing pydantic" in log.getvalue()


PYDANTIC_AFTERWARDS = """
import sys
from waitpoints.api.schemas.create_token import CREATE_WAITPOINT_TOKEN_REQUEST as written
assert not [it for it in sys.modules if it.startswith("pydantic")], "imported without need"
from waitpoints.api.models.create_token import CreateWaitpointTokenRequest as Model
for valid in (written.read({"tags": "a"}), Model.model_validate({"tags": "a"})): print(valid.tags)
"""


def test_pydantic_can_be_imported_afterwards() -> None:
    printed = programs.printed([sys.executable, "-c", PYDANTIC_AFTERWARDS], environment={"PYTHONPATH": str(ROOT / "functions")})
    assert printed == "('a',)\n('a',)\n"
