"""The page of a tool's call: what is a field, what is text, and what nobody may approve."""

import hashlib
import json
import pickle
import subprocess
import sys
from copy import deepcopy
from typing import Any
from unicodedata import category

import pytest

from waitpoints_client import ConfigurationError, Ok
from waitpoints_client.agents import approval_page

SCHEMA = {
    "type": "object",
    "required": ["order", "amount"],
    "properties": {
        "order": {"type": "string", "title": "Order"},
        "amount": {"type": "number", "minimum": 0.01, "maximum": 500, "multipleOf": 0.01},
        "reason": {"enum": ["late", "broken"]},
        "express": {"type": "boolean"},
        "items": {"type": "array", "items": {"type": "object"}},
        "coupon": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "note": {"type": "string", "description": "For the customer", "default": ""},
        "parts": {"type": "array", "items": {"enum": ["lamp", "cable", "plug"]}},
        "until": {"type": "string", "format": "date"},
        "shop": {"$ref": "#/$defs/Shop"},
    },
    "$defs": {"Shop": {"enum": ["berlin", "paris"]}},
}
CALL: dict[str, Any] = {
    "order": "A-1",
    "amount": 19.99,
    "reason": "late",
    "express": True,
    "items": [{"sku": "lamp", "count": 2}, {"sku": "plug", "tags": ["a", "b"]}],
    "coupon": None,
    "parts": ["plug", "lamp"],
    "until": "2027-01-31",
    "shop": "paris",
}


def fields(**arguments: Any) -> dict[str, Any]:
    page = approval_page("refund", {**CALL, **arguments}, SCHEMA).page
    return dict(page["fields"]["properties"])


def text(arguments: Any, **options: Any) -> str:
    shown = approval_page("tool", arguments, **options).page["text"]
    assert isinstance(shown, str)
    return shown


def actions(arguments: Any, **options: Any) -> list[str]:
    return [action["id"] for action in approval_page("tool", arguments, **options).page["actions"]]


def test_flat_arguments_are_fields_with_their_values_and_what_the_tool_accepts() -> None:
    page = approval_page("refund", CALL, SCHEMA).page

    shown = page["fields"]["properties"]
    assert shown["order"] == {"type": "string", "title": "Order", "default": "A-1"}
    assert shown["amount"] == {
        "type": "number",
        "title": "amount",
        "minimum": 0.01,
        "maximum": 500,
        "description": "Multiple of: 0.01",
        "default": 19.99,
    }
    assert shown["reason"] == {"enum": ["late", "broken"], "title": "reason", "default": "late"}
    assert shown["express"] == {"enum": ["true", "false"], "title": "express", "default": "true"}
    assert shown["note"] == {"type": "string", "title": "note", "description": "For the customer"}
    assert shown["parts"]["default"] == ["plug", "lamp"]
    assert shown["until"]["format"] == "date"
    assert page["fields"]["required"] == ["order", "amount"]
    assert page["title"] == "Run refund?"


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ({}, None),
        ({"type": "string"}, " "),
        ({"type": "string"}, "x" * 1_001),
        ({"type": "string", "maxLength": 0}, ""),
        ({"type": "number"}, 2**60),
        ({"type": ["string", "null"]}, "a"),
        ({"const": "a"}, "a"),
        ({"enum": ["a", None]}, "a"),
        ({"enum": ["a", "b\nc"]}, "a"),
        ({"enum": ["1", 1]}, 1),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, ["a", "a"]),
        ({"type": "array", "items": {"type": "string"}}, ["a"]),
        ({"type": "object", "properties": {"b": {"type": "string"}}}, {"b": "c"}),
    ],
)
def test_what_a_form_cannot_send_as_it_is_is_text(member: Any, value: Any) -> None:
    schema = {"$schema": "http://json-schema.org/draft-04/schema#", "properties": {"a": member, "other": {"type": "string"}}}

    page = approval_page("tool", {"a": value}, schema)

    assert [*page.fields] == ["other"]
    assert "▸ a:" in str(page.page["text"])


@pytest.mark.parametrize(
    ("member", "field"),
    [
        ({"type": "integer", "minimum": 0, "maximum": 1}, {"type": "integer", "description": "At least: 0\nAt most: 1"}),
        ({"type": "integer", "maximum": 2**63}, {"type": "integer"}),
        ({"type": "string", "pattern": "^a"}, {"type": "string", "description": "Pattern: ^a"}),
        ({"type": "string", "minLength": 5, "maxLength": 50_000}, {"type": "string", "minLength": 5}),
        ({"type": "string", "description": "For\n  people"}, {"type": "string", "description": "For people"}),
        ({"type": "boolean", "default": True}, {"enum": ["true", "false"], "description": "If empty: true"}),
        ({"enum": [1, 2.5]}, {"enum": [1, 2.5]}),
    ],
)
def test_a_field_checks_what_every_stack_can_check_and_says_the_rest(member: Any, field: Any) -> None:
    page = approval_page("tool", {}, {"properties": {"a": member}})

    assert page.fields["a"].schema == {"title": "a", **field}


def test_a_date_that_no_calendar_has_is_a_text() -> None:
    old = {"$schema": "http://json-schema.org/draft-04/schema#", "properties": {"a": {"type": "string", "format": "date"}}}

    assert approval_page("tool", {"a": "soon"}, old).fields["a"].schema["description"] == "Format: date"


def test_a_text_that_has_no_length_is_no_field() -> None:
    assert approval_page("tool", {}, {"properties": {"a": {"type": "string", "minLength": 5, "maxLength": 4}}}).fields == {}


def test_what_is_no_field_is_text_with_a_line_for_each_value() -> None:
    shown = approval_page("refund", {**CALL, "free": "one\ntwo"}, SCHEMA).page["text"]

    assert shown == (
        "More arguments, which stay as they are:\n▸ items:\n  ▸ 1.\n    ▸ sku: lamp\n    ▸ count: 2\n  ▸ 2.\n    ▸ sku: plug\n"
        "    ▸ tags:\n      ▸ 1. a\n      ▸ 2. b\n▸ coupon: null\n▸ shop: paris\n▸ free:\n  │ one\n  │ two"
    )


@pytest.mark.parametrize("value", ["12", "true", "null", "", " a", '"a"', "[]", "│ a"])
def test_a_text_that_looks_like_something_else_is_in_quotes(value: str) -> None:
    assert text({"a": value}).startswith('Arguments:\n▸ a: "')


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ({"a": 12, "b": None, "c": [], "d": "ok", "e: f": 1.5}, '▸ a: 12\n▸ b: null\n▸ c: []\n▸ d: ok\n▸ "e: f": 1.5'),
        ({"a": "x\n▸ b: 5", "▸ c": 1}, '▸ a:\n  │ x\n  │ \\u25b8 b: 5\n▸ "\\u25b8 c": 1'),
        ({"a\u200b": 1, "a\\u200b": 2}, '▸ "a\\u200b": 1\n▸ "a\\u005cu200b": 2'),
        ({"a": "x" + "\n" * 500 + "y" + " " * 500 + "z"}, "▸ a: x[500 line breaks]y[500 spaces]z"),
        ({"a": "thanks ❤️ 👩‍🔧"}, "▸ a: thanks ❤️ 👩‍🔧"),
    ],
    ids=["no quotes", "lines that imitate an argument", "names that look the same", "many blanks", "emoji"],
)
def test_each_argument_has_a_line_that_no_text_can_imitate_or_hide(arguments: Any, shown: str) -> None:
    assert text(arguments) == f"Arguments:\n{shown}"


@pytest.mark.parametrize("arguments", ["a", ["a", 1], 5, None, {}])
def test_arguments_that_are_no_object_or_empty_are_text(arguments: Any) -> None:
    assert len(text(arguments, schema=SCHEMA)) > 5


@pytest.mark.parametrize(
    "value",
    [
        "a\u202eb",
        "a\u200bb",
        "a\x07b",
        "a\ud800b",
        "a\u2066b",
        "a\U000e0041b",
        "a\u2028b",
        "a\rb",
        "a\u3164b",
        "e" + "\u0301" * 9,
    ],
)
def test_what_cannot_be_seen_or_moves_text_is_written_out(value: str) -> None:
    shown = text({"value": value, f"name{value}": 1})

    assert "\\u" in shown.lower()
    assert not {category(one) for one in shown.replace("\n", "")} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert "order" not in approval_page("refund", {**CALL, "order": value}, SCHEMA).fields


def test_two_arguments_with_one_title_are_shown_by_their_names() -> None:
    page = approval_page(
        "pay", {"from": "a", "to": "b"}, {"properties": {name: {"type": "string", "title": "X"} for name in ("from", "to")}}
    )

    assert [field.schema["title"] for field in page.fields.values()] == ["from", "to"]


@pytest.mark.parametrize("arrow", "▸►▶‣")
def test_what_looks_like_the_arrow_is_written_out(arrow: str) -> None:
    assert arrow not in text({"a": f"x {arrow} b: 5"}).removeprefix("Arguments:\n▸")


def test_a_text_that_is_longer_than_its_field_is_also_shown_in_full() -> None:
    mail = "line\n" * 20

    page = approval_page("mail", {"body": mail}, {"properties": {"body": {"type": "string"}}})

    assert page.fields["body"].schema["format"] == "textarea"
    assert str(page.page["text"]).count("  │ line\n") == 20


@pytest.mark.parametrize("size", [20_000, 10_000_000])
def test_a_long_argument_has_both_ends_its_length_and_hash_and_cannot_be_approved(size: int) -> None:
    value = "begin" + "x" * size + "end"

    shown = text({"a": value, "b": 1})

    assert shown.startswith("This is too long to be shown whole, so nobody can approve it here.\n\nArguments:\n▸ a: beginx")
    assert f"[Cut: {len(value):,} characters. SHA-256 of the text: {hashlib.sha256(value.encode()).hexdigest()}]" in shown
    assert shown.endswith("xend\n▸ b: 1")
    assert actions({"a": value}, respond=True) == ["reject", "respond"]
    assert actions({"a": value}, allow_cut=True) == ["approve", "reject"]


def test_without_approve_nothing_runs_and_nothing_can_be_edited() -> None:
    page = approval_page("weather", CALL, SCHEMA, approve=False, respond=True)
    assert [action["id"] for action in page.page["actions"]] == ["reject", "respond"]
    assert [*page.page["fields"]["properties"]] == ["message"]
    approved = page.decision(Ok({"action": "approve", "fields": {}, "approver": "ann"}))
    assert (approved.type, approved.runs) == ("reject", False)


@pytest.mark.parametrize(
    "value", [" " * 200_000, [1] * 100_000, [{"a": "\u0301" * 200_000, "b": 1}], {f"m{at}": at for at in range(50_000)}]
)
def test_a_huge_argument_is_cut(value: Any) -> None:
    shown = text({"a": value, "b": 1})

    assert len(shown) < 9_500
    assert "[Cut: " in shown
    assert shown.endswith("\n▸ b: 1")


def test_what_no_page_can_show_is_not_edited() -> None:
    schema = {"properties": {"a": {"type": "array", "uniqueItems": True}, "b": {"type": "string"}}}

    assert [*approval_page("tool", {"a": [{}], "b": ""}, schema).fields] == ["b"]
    assert approval_page("tool", {"a": [{"n": n} for n in range(50_000)], "b": ""}, schema, allow_cut=True).fields == {}


def test_what_nobody_can_approve_nobody_can_edit() -> None:
    options: dict[str, Any] = {"title": "Refund?", "respond": True, "needs": 2, "labels": {"message": "Why?"}}

    page = approval_page("refund", {**CALL, "note": "x" * 20_000}, SCHEMA, **options).page

    assert [*page["fields"]["properties"]] == ["message"]
    assert page["fields"]["properties"]["message"]["title"] == "Why?"
    assert [action["id"] for action in page["actions"]] == ["reject", "respond"]
    assert "sameFields" not in page
    assert "▸ amount: 19.99" in str(page["text"])


def test_many_members_are_cut_as_one() -> None:
    arguments = {f"member {number}": number for number in range(2_000)}

    shown = text(arguments)

    assert "member 0: 0" in shown
    assert "member 1999: 1999" in shown
    whole = json.dumps(arguments, separators=(",", ":")).encode()
    assert f"[Cut: {len(whole):,} characters. SHA-256 of the JSON: {hashlib.sha256(whole).hexdigest()}]" in shown


def test_a_name_of_100_kilobytes_and_deep_arguments_are_text() -> None:
    deep: Any = 1
    for _ in range(200):
        deep = {"a": [deep]}

    assert "[Cut: " in text({"n" * 100_000: 1})
    assert "▸ deep:\n  ▸ a:\n    ▸ 1.\n      ▸ a:" in text({"deep": deep})


@pytest.mark.parametrize("wrong", [{"a": float("nan")}, {"a": {1}}, {1: "a"}, {"a": {None: 1}}])
def test_what_is_no_json_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="The arguments are no JSON"):
        approval_page("tool", wrong)


def test_what_nests_too_deeply_for_json_is_refused() -> None:
    deep: Any = []
    for _ in range(200_000):
        deep = [deep]

    with pytest.raises(ValueError, match="The arguments are no JSON"):
        approval_page("tool", deep)


@pytest.mark.parametrize(
    "schema", [{"type": "nonsense"}, {"$ref": "http://127.0.0.1:9/a"}, {"required": 5}, {"properties": 5}, {}]
)
def test_a_schema_that_cannot_be_checked_or_has_no_members_leaves_text(schema: Any) -> None:
    page = approval_page("tool", {"a": 1}, schema)

    assert page.fields == {}
    assert page.page["text"] == "Arguments:\n▸ a: 1"


def test_arguments_that_the_schema_refuses_are_text() -> None:
    page = approval_page("refund", {**CALL, "amount": "much"}, SCHEMA)

    assert page.fields == {}
    assert "amount: much" in str(page.page["text"])


def test_the_messages_field_has_a_name_that_no_argument_has() -> None:
    page = approval_page("tool", {"message": "hello"}, {"properties": {"message": {"type": "string"}}})

    assert page.message == "message_"
    assert [*page.page["fields"]["properties"]] == ["message", "message_"]
    assert approval_page("tool", {}, {"properties": {"message": {}}}).message == "message_"


def test_several_approvers_approve_the_same_values() -> None:
    page = approval_page("refund", CALL, SCHEMA, needs=2).page

    assert page["sameFields"] == ["order", "amount", "reason", "express", "note", "parts", "until"]
    assert page["actions"][0].get("needs") == 2
    assert "sameFields" not in approval_page("refund", CALL, needs=2).page


def test_without_edit_or_schema_every_argument_is_text() -> None:
    for page in (approval_page("refund", CALL, SCHEMA, edit=False), approval_page("refund", CALL)):
        assert page.fields == {}
        assert "amount: 19.99" in str(page.page["text"])


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\u202eb", "x" * 100_000, "<b>"])
def test_a_hostile_name_makes_a_title(name: str) -> None:
    title = approval_page(name, {}).page["title"]

    assert isinstance(title, str)
    assert title.startswith("Run ")
    assert len(title) <= 200
    assert title.isprintable()


@pytest.mark.parametrize("title", [" ", "\n", "\u200b", {"en": "", "de": "\u00a0"}])
def test_a_title_that_nobody_could_see_is_written_out(title: Any) -> None:
    page = approval_page("refund", {}, title=title).page

    assert all(one.strip() for one in ([page["title"]] if isinstance(page["title"], str) else page["title"].values()))


def test_the_same_call_makes_the_same_page_which_can_be_stored() -> None:
    page = approval_page("refund", CALL, SCHEMA)

    assert page == approval_page("refund", deepcopy(CALL), SCHEMA) == pickle.loads(pickle.dumps(page))  # noqa: S301 - our own
    assert "A-1" not in repr(page)


def test_a_title_of_your_own_has_the_tools_name_below_it_and_your_text() -> None:
    page = approval_page("refund", {"a": 1}, title="Refund " + "x" * 500, text="Ann asked for it.").page

    assert len(page["title"]) == 200
    assert page["text"] == "Ann asked for it.\n\nTool: refund\n\nArguments:\n▸ a: 1"


def test_words_can_be_in_other_languages() -> None:
    page = approval_page(
        "refund",
        {},
        title={"en": "Refund?", "de": "Erstatten?"},
        respond=True,
        labels={"approve": {"en": "Yes", "de": "Ja"}, "reject": "X", "respond": "Y", "message": {"en": "Note", "de": "Notiz"}},
    ).page

    assert page["language"] == ["en", "de"]
    assert page["title"] == {"en": "Refund?", "de": "Erstatten?"}
    assert [action["label"] for action in page["actions"]] == [{"en": "Yes", "de": "Ja"}, "X", "Y"]
    assert page["fields"]["properties"]["message"]["title"] == {"en": "Note", "de": "Notiz"}


def test_an_unknown_label_is_refused() -> None:
    with pytest.raises(TypeError, match="Unknown option 'aprove': did you mean 'approve'"):
        approval_page("refund", {}, labels={"aprove": "Yes"})  # type: ignore[arg-type]  # misspelt


def test_a_long_text_must_be_read_before_it_is_approved() -> None:
    page = approval_page("tool", {"a": "x" * 4_000}).page

    assert page["fields"]["required"] == ["seen"]
    assert page["fields"]["properties"]["seen"]["const"] is True
    assert "seen" not in approval_page("tool", {"a": "x" * 40_000}).page["fields"]["properties"]


def test_editing_without_the_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)

    assert approval_page("refund", CALL, SCHEMA, edit=False).fields == {}
    with pytest.raises(ConfigurationError, match=r"waitpoints-client\[agents\]"):
        approval_page("refund", CALL, SCHEMA)


def test_pages_that_are_not_edited_import_nothing_of_the_extra() -> None:
    program = "import sys; from waitpoints_client.agents import approval_page as page; page('a', {}, {}, edit=False)"
    subprocess.run([sys.executable, "-c", f"{program}; assert 'jsonschema' not in sys.modules"], check=True)
