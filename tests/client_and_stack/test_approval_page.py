"""The client's page of a tool's call, as the stack's own code reads, shows and answers it."""

import json
from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from waitpoints_client import Ok
from waitpoints_client.agents import ApprovalPage, Decision, approval_page

from waitpoints.api.page import definition, form, page_request, render
from waitpoints.api.page.form import Submission

APPROVERS = [f"somebody.with.a.name.{number}@accounting.example.com" for number in range(20)]
HOSTILE = st.sampled_from(
    [
        "<script>alert(1)</script>",
        "a\u202eb",
        "\u200b",
        "\x00\x07",
        "\ud800",
        "é" * 400,
        "&" * 9_000,
        "\n" * 50,
        " ",
        "\r",
        "a\r\nb",
    ]
)
TEXTS = st.text(max_size=30) | HOSTILE | st.text(alphabet='a "\\\n\t<', max_size=300)
NUMBERS = (
    st.integers(-(2**54), 2**54) | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.1, 1.125, 5e-324])
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=8
)
NAMES = st.sampled_from(["order", "amount", "message", "seen", "a b", "größe"]) | st.text(min_size=1, max_size=8) | TEXTS
SAID = st.fixed_dictionaries({}, optional={"title": TEXTS, "description": TEXTS, "default": JSON})


@st.composite
def member(draw: st.DrawFn) -> tuple[dict[str, Any], Any]:
    """A member of a tool's schema, and a value that fits it, or not always."""
    kind = draw(st.sampled_from(["text", "date", "number", "integer", "boolean", "enum", "list", "nullable", "ref", "any"]))
    bounds = {"minimum": NUMBERS, "maximum": NUMBERS, "exclusiveMinimum": NUMBERS, "multipleOf": st.sampled_from([0.01, 1, 5])}
    choices = draw(st.lists(TEXTS | st.integers(-5, 5), min_size=1, max_size=60, unique_by=lambda one: (type(one), one)))
    schema, value = {
        "text": ({"type": "string", **draw(_some({"minLength": st.integers(0, 9), "maxLength": st.integers(0, 99)}))}, TEXTS),
        "date": ({"type": "string", "format": "date"}, st.dates().map(str) | TEXTS),
        "number": ({"type": "number", **draw(_some(bounds))}, NUMBERS),
        "integer": ({"type": "integer", **draw(_some(bounds))}, st.integers(-(2**54), 2**54)),
        "boolean": ({"type": "boolean"}, st.booleans()),
        "enum": ({"enum": choices}, st.sampled_from(choices)),
        "list": ({"type": "array", "items": {"enum": choices}}, st.lists(st.sampled_from(choices))),
        "nullable": ({"anyOf": [{"type": "string"}, {"type": "null"}]}, TEXTS | st.none()),
        "ref": ({"$ref": "#/$defs/it"}, JSON),
        "any": ({}, JSON),
    }[kind]
    return {**schema, **draw(SAID)}, draw(value)


def _some(strategies: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=strategies)


@st.composite
def call(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A tool's schema, and arguments."""
    members = draw(st.dictionaries(NAMES, member(), max_size=8) | st.dictionaries(NAMES, member(), min_size=30, max_size=60))
    given = [name for name in members if draw(st.booleans())]
    required = [name for name in given if draw(st.booleans())]
    schema = {
        "type": "object",
        "properties": {name: one for name, (one, _) in members.items()},
        "required": required,
        "$defs": {"it": {}},
    }
    return schema, {name: members[name][1] for name in given}


def read_by_stack(page: ApprovalPage) -> definition.Page:
    """Return the page as a create request makes it. Raises InvalidPage."""
    parsed, text = page_request.parse(json.loads(json.dumps({**page.page, "approvers": APPROVERS})))
    assert len(text.encode()) <= page_request.MAX_BYTES
    render.check_size(parsed)
    return parsed


def answer(page: definition.Page, action: str = "approve", **typed: tuple[str, ...]) -> dict[str, Any]:
    """Return the output of a browser's form, as it is or with what was typed."""
    values = {field.name: field.default_texts(".") for field in page.fields} | typed
    values |= {field.name: ("yes",) for field in page.fields if field.must_be_ticked}
    pairs = [("action", action), *((f"field.{name}", text) for name, texts in values.items() for text in texts)]
    choice = form._of_form(page, [(name, text.replace("\n", "\r\n")) for name, text in pairs], ".")
    assert isinstance(choice, Submission), choice
    assert len(choice.output.encode()) <= 3_072
    output: dict[str, Any] = json.loads(choice.output)
    return output


def decide(page: ApprovalPage, output: object) -> Decision:
    return page.decision(Ok(output))


@given(call())
def test_the_stack_accepts_every_page_and_an_unchanged_form_approves_the_call_itself(call: tuple[Any, Any]) -> None:
    schema, arguments = call
    before = deepcopy(arguments)
    page = approval_page("tool", arguments, schema, allow_cut=True)
    parsed = read_by_stack(page)

    decision = decide(page, answer(parsed))

    assert decision.type == "approve"
    assert decision.arguments is arguments
    assert arguments == before
    assert decide(page, answer(parsed, "reject")).type == "reject"
