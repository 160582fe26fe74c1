"""The client's page of a tool's call, as the stack's own code reads, shows and answers it."""

import json
from collections.abc import Mapping
from copy import deepcopy
from html import escape
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waitpoints_client import Ok
from waitpoints_client.agents import ApprovalPage, BatchPage, ToolCall, approval_page, approval_page_of
from waitpoints_client.request_types import Language

from waitpoints.api.page import definition, form, page_checks, render
from waitpoints.api.page.fields import Field, Kind
from waitpoints.api.page.form import Errors, Submission
from waitpoints.api.page.theme import Theme

APPROVERS = [f"somebody.with.a.name.{number}@accounting.example.com" for number in range(20)]
LONGEST_ANSWER = 3_072  # bytes
HOSTILE = st.sampled_from(
    [
        "<script>",
        "a\u202eb",
        "\u200b",
        "\x00",
        "\ud800",
        "é" * 400,
        "&" * 9_000,
        "\n" * 50,
        " ",
        "\r",
        "a\r\nb",
        "x" * 99_999,
        "▸",
    ]
)
TEXTS = st.text(max_size=30) | HOSTILE | st.text(alphabet='a "\\\n\t<', max_size=300)
PLAIN = st.text(alphabet="abc ä,.", max_size=30)
NUMBERS = (
    st.integers(-(2**54), 2**54) | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.1, 1.125, 5e-324])
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=8
)
NAMES = st.sampled_from(["order", "amount", "message", "seen", "a b", "größe"]) | st.text(min_size=1, max_size=8) | TEXTS
SAID = st.fixed_dictionaries({}, optional={"title": TEXTS, "description": TEXTS, "default": JSON, "format": TEXTS})
CHOICES = st.lists(PLAIN | TEXTS | st.integers(-5, 5), min_size=1, max_size=60, unique_by=lambda one: (type(one), one))


def _some(**strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=strategies)


@st.composite
def members(draw: st.DrawFn) -> tuple[dict[str, Any], Any]:
    """A member of a tool's schema, and a value, which mostly fits it."""
    choices = draw(CHOICES)
    bounds = _some(minimum=st.integers(-9, 0), maximum=st.integers(20, 99), exclusiveMaximum=NUMBERS, multipleOf=st.just(0.01))
    schema, value = draw(
        st.sampled_from(
            [
                ({"type": "string"}, PLAIN),
                ({"type": "string", **draw(_some(minLength=st.integers(0, 9), maxLength=st.integers(0, 99)))}, TEXTS),
                ({"type": "string", "pattern": "^a"}, st.just("abc")),
                ({"type": "string"}, st.text(alphabet="abc \n", min_size=250, max_size=900)),
                ({"type": "string", "format": "date"}, st.dates().map(str) | TEXTS),
                ({"type": "number", **draw(bounds)}, st.integers(1, 2_000).map(lambda cents: cents / 100) | NUMBERS),
                ({"type": "integer", **draw(bounds)}, st.integers(1, 9) | NUMBERS),
                ({"type": "boolean"}, st.booleans()),
                ({"enum": choices}, st.sampled_from(choices)),
                ({"type": "array", "items": {"enum": choices}}, st.lists(st.sampled_from(choices), max_size=4)),
                ({"anyOf": [{"type": "string"}, {"type": "null"}]}, TEXTS | st.none()),
                ({"$ref": "#/$defs/it"}, JSON),
                ({}, JSON),
            ]
        )
    )
    return {**schema, **draw(SAID)}, draw(value)


@st.composite
def tool_calls(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A tool's schema, and arguments, which mostly fit it."""
    few, some = (st.dictionaries(NAMES, members(), min_size=least, max_size=5) for least in (0, 4))
    many = some.map(lambda found: {f"{name} {number}": it for name, it in found.items() for number in range(8)})
    found = draw(few | few | few | many)
    given = [name for name in found if draw(st.integers(0, 3))]
    required = [name for name in given if draw(st.booleans())]
    properties = {name: schema for name, (schema, _) in found.items()}
    schema = {"type": "object", "properties": properties, "required": required, "$defs": {"it": {}}}
    return schema, {name: found[name][1] for name in given}


def read_by_stack(page: ApprovalPage | BatchPage) -> definition.Page:
    """Return the page as a create request makes it. Raises InvalidPage."""
    parsed, _ = page_checks.parse(json.loads(json.dumps({**page.page, "approvers": APPROVERS})))
    page_checks.check_size(parsed)
    return parsed


def answer(
    page: definition.Page, action: str, typed: Mapping[str, tuple[str, ...]] | None = None, decimal: str = "."
) -> dict[str, Any] | Errors:
    """Return the output of a browser's form, as it is but for what was typed."""
    values = {field.name: field.default_texts(decimal) for field in page.fields} | dict(typed or {})
    values |= {field.name: ("yes",) for field in page.fields if field.must_be_ticked}
    pairs = [(f"field.{name}", text.replace("\n", "\r\n")) for name, texts in values.items() for text in texts]
    choice = form._of_form(page, [("action", action), *pairs], decimal)
    if not isinstance(choice, Submission):
        assert isinstance(choice, Errors)
        return choice
    assert len(choice.output.encode()) <= LONGEST_ANSWER
    return json.loads(choice.output)


@pytest.mark.slow
@settings(max_examples=30)  # each renders pages
@given(tool_calls(), st.sampled_from(".,"))
def test_the_stack_accepts_each_page_and_an_unchanged_form_approves_the_call_itself(
    call: tuple[Any, Any], decimal: str
) -> None:
    schema, arguments = call
    before = deepcopy(arguments)
    page = approval_page("tool", arguments, schema, allow_cut=True, needs=2)
    parsed = read_by_stack(page)

    decision = page.decision(Ok(answer(parsed, "approve", decimal=decimal)))

    assert decision.type == "approve"
    assert decision.arguments is arguments
    assert arguments == before
    assert page.decision(Ok(answer(parsed, "reject"))).type == "reject"


@pytest.mark.slow
@settings(max_examples=30)  # each renders pages
@given(tool_calls())
def test_a_page_shows_the_value_of_each_argument(call: tuple[Any, Any]) -> None:
    schema, arguments = call
    page = approval_page("tool", arguments, schema, allow_cut=True)
    parsed = read_by_stack(page)

    shown = render.form(parsed, Theme())

    for field in parsed.fields:
        assert all(escape(text) in shown for text in field.default_texts())
    assert {one.name for one in parsed.fields if one.default_texts()} >= {name for name in page.fields if arguments.get(name)}
    text = str(page.page["text"])
    as_text = len(arguments.keys() - page.fields.keys()) + sum(field.is_long for field in page.fields.values())
    assert text.count("\n▸ ") == as_text or "[Cut: " in text


def other(field: Field) -> tuple[str, ...]:
    """Return what a person may type or choose in place of a field's default."""
    if field.kind is Kind.SEVERAL_OF:
        return tuple(choice.text for choice in field.choices if choice.text not in field.default_texts())[:1]
    if field.kind is Kind.ONE_OF:
        return next(((one.text,) for one in field.choices if (one.text,) != field.default_texts()), ())
    return {Kind.DATE: ("2031-12-24",), Kind.NUMBER: ("7.5",), Kind.INTEGER: ("8",)}.get(field.kind, ("one\ntwo",))


@pytest.mark.slow
@settings(max_examples=30)  # each renders pages
@given(tool_calls(), st.data())
def test_a_changed_field_changes_its_argument_alone_or_rejects(call: tuple[Any, Any], data: st.DataObject) -> None:
    schema, arguments = call
    page = approval_page("tool", arguments, schema, allow_cut=True)
    parsed = read_by_stack(page)
    for name in page.fields:
        field = next(field for field in parsed.fields if field.name == name)
        output = answer(parsed, "approve", {name: data.draw(st.sampled_from([other(field), ()]))})
        if isinstance(output, Errors):
            continue

        decision = page.decision(Ok(output))

        if decision.type == "edit":
            changed = {**arguments, **decision.arguments}.keys() - {
                one for one in arguments if one in decision.arguments and decision.arguments[one] is arguments[one]
            }
            assert changed == {name}
            assert page.schema
            assert page.schema.problem(decision.arguments) is None
        elif decision.type == "approve":
            assert decision.arguments is arguments
        else:
            assert "does not fit the tool" in decision.message


@given(JSON | st.fixed_dictionaries({"action": st.sampled_from(["approve", "respond"]) | JSON, "fields": JSON}))
def test_no_output_raises(output: object) -> None:
    page = approval_page("t", {"order": "a", "n": 1}, {"properties": {"order": {"type": "string"}, "n": {"type": "number"}}})
    batch = approval_page_of([ToolCall("1", "t", {})])

    assert page.decision(Ok(output)).type in ("approve", "edit", "reject")
    assert batch.decisions(Ok(output))["1"].type == "reject"


@given(st.lists(st.tuples(TEXTS, JSON, st.booleans(), st.booleans()), min_size=1, max_size=14))
def test_the_stack_accepts_each_page_of_several_calls_and_each_gets_its_own_decision(calls: list[Any]) -> None:
    asked = [ToolCall(str(at), name, one, approve, respond) for at, (name, one, approve, respond) in enumerate(calls)]
    page = approval_page_of(asked, needs=2, allow_cut=True)
    parsed = read_by_stack(page)
    typed = {field.name: (field.choices[0].text,) for field in parsed.fields if field.choices}
    typed |= {field.name: ("x",) for field in parsed.fields if not field.choices}

    decisions = page.decisions(Ok(answer(parsed, "decide", typed)))

    assert [decisions[call.id].type for call in asked] == ["approve" if call.approve else "reject" for call in asked]
    assert all(decisions[call.id].arguments is call.arguments for call in asked if call.approve)
    assert {one.type for one in page.decisions(Ok(answer(parsed, "reject"))).values()} == {"reject"}


def test_the_stack_accepts_a_page_in_six_languages_with_the_longest_texts() -> None:
    languages: tuple[Language, ...] = ("en", "de", "fr", "es", "ja", "zh")
    words = dict.fromkeys(languages, "語" * 60)

    page = approval_page(
        "tool",
        {"a": "&" * 50_000},
        title=dict.fromkeys(languages, "語" * 999),
        text="&" * 9_000,
        allow_cut=True,
        respond=True,
        labels={"approve": words, "reject": words, "respond": words, "message": words},
    )

    assert read_by_stack(page).in_language("ja").title == "語" * 199 + "…"
