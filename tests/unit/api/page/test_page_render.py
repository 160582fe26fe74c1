"""The page as HTML: text stays text, whatever it says, and each field has its control."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.in_process.html_page import HtmlPage
from waitpoints.api.page import page_checks, render
from waitpoints.api.page.definition import Page
from waitpoints.api.page.form import Submission
from waitpoints.api.page.markup import visible
from waitpoints.api.page.theme import Theme
from waitpoints.token import Completed, Output

AT = 1_795_615_559_000


def page(definition: Any) -> Page:
    return page_checks.parse(definition)[0]


def attributes(html: str, name: str) -> list[dict[str, str | None]]:
    return [one for _, one in HtmlPage(html).tags if one.get("name") == f"field.{name}"]


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60).filter(str.strip)
given_texts = st.sampled_from(
    ["<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "&lt;b&gt;", "\u202eabc", "</textarea>"]
)


@given(st.lists(texts | given_texts, min_size=9, max_size=9, unique=True))
@example(["a", "b", "c", "d", "e", "f", "g", "0 ", "i"])
def test_every_text_of_a_caller_and_of_a_person_is_shown_as_it_is(words: list[str]) -> None:
    title, text, link, label, name, field, hint, choice, typed = words
    definition = page(
        {
            "title": title,
            "text": text,
            "links": [{"label": link, "url": "https://example.com/?a=<b>&c='\""}],
            "actions": [{"id": "go", "label": label}, {"id": "no", "label": "No"}],
            "fields": {
                "properties": {
                    name: {"type": "string", "format": "textarea", "title": field, "description": hint},
                    "choices" + name: {"enum": [choice]},
                    "line" + name: {"type": "string"},
                }
            },
        }
    )
    values = {name: [typed], "choices" + name: [choice], "line" + name: [typed]}
    theme = Theme("en", "Brand <b>")
    form = HtmlPage(render.form(definition, theme, values=values))
    assert dict(form.fields) == {"field." + field_name: one for field_name, [one] in values.items()}
    title, text, link, label, field, hint, choice = map(visible, (title, text, link, label, field, hint, choice))
    assert {title, text, link, label, field, hint, choice} <= set(form.texts)
    assert form.buttons[label] == ("action", "go")
    assert form.links == ["https://example.com/?a=<b>&c='\""]
    action = definition.actions[0]
    asked = HtmlPage(render.confirm(definition, action, values, theme))
    assert asked.fields == [("action", "go"), *form.fields]
    receipt = HtmlPage(render.done(definition, Submission(action, {}, values), AT, theme))
    assert {title, label, field, choice} <= set(receipt.texts)
    assert {title, label} <= set(HtmlPage(render.ended(Completed(AT, Output('{"action":"go"}')), theme, page=definition)).texts)


def test_a_link_to_a_site_says_that_it_opens_a_new_tab_and_one_to_a_mailbox_does_not() -> None:
    links = [{"label": "Notes", "url": "https://example.com"}, {"label": "Ann", "url": "mailto:ann@example.com"}]
    tags = HtmlPage(render.form(page({"title": "T", "links": links}), Theme("de"))).tags
    names = [attributes["aria-label"] for tag, attributes in tags if tag == "svg"]
    assert names == ["öffnet in neuem Tab"]


def test_a_title_in_the_tab_cannot_turn_the_text_after_it_around() -> None:
    assert HtmlPage(render.form(page({"title": "a\u202eb"}), Theme())).title == r"a\u202eb"


@pytest.mark.parametrize(
    ("schema", "keyboard"),
    [
        ({"type": "number"}, None),
        ({"type": "number", "minimum": -1}, None),
        ({"type": "number", "minimum": 0}, "decimal"),
        ({"type": "number", "exclusiveMinimum": 0}, "decimal"),
        ({"type": "integer", "minimum": 1}, "numeric"),
    ],
)
def test_a_phone_has_a_minus_where_a_number_may_have_one(schema: dict[str, Any], keyboard: str | None) -> None:
    definition = page({"title": "T", "fields": {"properties": {"it": schema}}})
    [shown] = attributes(render.form(definition, Theme()), "it")
    assert (shown["type"], shown.get("inputmode")) == ("text", keyboard)


@pytest.mark.parametrize(("language", "typed", "shown"), [("de", "1.5", "1,5"), ("en", " 007 ", "7"), ("es", "1e3", "1000")])
def test_a_number_is_repeated_as_it_was_understood(language: str, typed: str, shown: str) -> None:
    definition = page({"title": "T", "fields": {"properties": {"it": {"type": "number"}, "none": {"type": "number"}}}})
    values, theme = {"it": [typed], "none": []}, Theme(language)
    choice = Submission(definition.actions[0], {}, values)
    for html in (render.confirm(definition, choice.action, values, theme), render.done(definition, choice, AT, theme)):
        assert shown in HtmlPage(html).texts
        assert theme["no_answer"] in HtmlPage(html).texts


def test_a_date_is_repeated_in_the_readers_words_and_sent_as_it_was() -> None:
    definition = page({"title": "T", "fields": {"properties": {"it": {"type": "string", "format": "date"}}}})
    html = render.confirm(definition, definition.actions[0], {"it": ["2026-12-01"]}, Theme("fr"))
    assert "1er décembre 2026" in HtmlPage(html).texts
    assert [one["value"] for one in attributes(html, "it")] == ["2026-12-01"]


@pytest.mark.parametrize(
    ("pattern", "is_sent"),
    [
        ("^[A-Z]{2}", True),
        (r"^[^0-9]*$", True),
        (r"^\d{4}-\d{2}(?:-\d{2})?$", True),
        (r"^[\w.\-]+@example\.com$", True),
        (r"^(a|b)+?[!-]?", False),
        (r"^[\w.-]+$", False),
        (r"[a&&b]", False),
        (r"[(]", False),
        (r"a**", False),
        (r"a}", False),
        (r"(?i)a", False),
        (r"(?P<n>a)", False),
        (r"\x{61}", False),
    ],
)
def test_a_browser_gets_only_a_pattern_that_it_reads_as_the_server_does(pattern: str, is_sent: bool) -> None:
    """Browsers compile it with the flag v, and write an error to the console if they cannot."""
    schema = {"type": "string", "pattern": pattern}
    [shown] = attributes(render.form(page({"title": "T", "fields": {"properties": {"it": schema}}}), Theme()), "it")
    assert shown.get("pattern") == (rf"[\s\S]*(?:{pattern})[\s\S]*" if is_sent else None)


LISTED = {"enum": ["a", "b", "c"]}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 500.0}, "Enter a value from 1 to 500."),
        ({"type": "number", "minimum": -0.5}, "Enter -0.5 or more."),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 9}, "Enter more than 0. Enter less than 9."),
        ({"type": "number", "maximum": 9, "multipleOf": 0.5}, "Enter 9 or less. Enter a multiple of 0.5."),
        ({"type": "string", "minLength": 2, "maxLength": 4}, "Enter 2 to 4 characters."),
        ({"type": "string", "format": "textarea", "minLength": 4, "maxLength": 4}, "Enter 4 characters."),
        ({"type": "string", "format": "email", "minLength": 9}, "Enter at least 9 characters."),
        ({"type": "array", "items": LISTED, "minItems": 2, "maxItems": 2}, "Choose 2."),
        ({"type": "array", "items": LISTED, "maxItems": 2}, "Choose at most 2."),
        ({"type": "array", "items": LISTED, "minItems": 1, "maxItems": 3}, ""),
        ({"type": "string", "minLength": 1, "maxLength": 10_000, "pattern": "^a"}, ""),
        ({"type": "number"}, ""),
        (LISTED, ""),
        ({"type": "boolean"}, ""),
    ],
)
def test_a_field_says_its_limits_before_it_is_filled_in(schema: dict[str, Any], said: str) -> None:
    shown = HtmlPage(render.form(page({"title": "T", "fields": {"properties": {"it": schema}}}), Theme()))
    tied = [one for _, one in shown.tags if "f0-limit" in (one.get("aria-describedby") or "")]
    named = [one for _, one in shown.tags if one.get("id") == "f0-limit"]
    assert (said in shown.texts, len(tied), len(named)) == ((True, 1, 1) if said else (False, 0, 0))
