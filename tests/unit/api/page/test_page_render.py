"""The page as HTML: text stays text, whatever it says, and each field has its control."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.html_page import HtmlPage
from waitpoints.api.page import form as page_form
from waitpoints.api.page import page_request, render
from waitpoints.api.page.definition import Page
from waitpoints.api.page.fields import Kind
from waitpoints.api.page.form import Submission
from waitpoints.api.page.theme import Theme
from waitpoints.errors import InvalidPage
from waitpoints.token import Completed, Output

AT = 1_795_615_559_000
NEWS = {
    "title": "T",
    "fields": {
        "required": ["one"],
        "properties": {
            "one": {"enum": [str(n) for n in range(7)]},
            "many": {"enum": [str(n) for n in range(8)], "title": "Many", "description": "Pick"},
            "code": {"type": "string", "pattern": "^[A-Z]{2}", "minLength": 2, "maxLength": 4, "description": "Two letters"},
        },
    },
}


def page(definition: Any) -> Page:
    return page_request.parse(definition)[0]


def attributes(html: str, name: str) -> list[dict[str, str | None]]:
    return [one for _, one in HtmlPage(html).tags if one.get("name") == f"field.{name}"]


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60).filter(str.strip)
given_texts = st.sampled_from(
    ["<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "&lt;b&gt;", "\u202eabc", "</textarea>"]
)


@given(st.lists(texts | given_texts, min_size=9, max_size=9, unique=True))
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
    assert {title, text, link, label, field, hint, choice} <= set(form.texts)
    assert dict(form.fields) == {"field." + field_name: one for field_name, [one] in values.items()}
    assert form.buttons[label] == ("action", "go")
    assert form.links == ["https://example.com/?a=<b>&c='\""]
    action = definition.actions[0]
    asked = HtmlPage(render.confirm(definition, action, values, theme))
    assert asked.fields == [("action", "go"), *form.fields]
    receipt = HtmlPage(render.done(definition, Submission(action, {}, values), AT, theme))
    assert {title, label, field, choice} <= set(receipt.texts)
    assert {title, label} <= set(HtmlPage(render.ended(Completed(AT, Output('{"action":"go"}')), theme, page=definition)).texts)


def test_a_title_in_the_tab_cannot_turn_the_text_after_it_around() -> None:
    assert "\u202e" not in HtmlPage(render.form(page({"title": "a\u202eb"}), Theme())).title


def test_a_choice_of_few_is_shown_at_once_and_one_of_many_is_a_list() -> None:
    html = render.form(page(NEWS), Theme())
    assert [it["type"] for it in attributes(html, "one")] == ["radio"] * 7
    assert [it.get("type") for it in attributes(html, "many")] == [None]


CONTROLS: dict[Kind, tuple[dict[str, Any], str, str | None]] = {
    Kind.TEXT: ({"type": "string"}, "input", "text"),
    Kind.LONG_TEXT: ({"type": "string", "format": "textarea"}, "textarea", None),
    Kind.DATE: ({"type": "string", "format": "date"}, "input", "date"),
    Kind.EMAIL: ({"type": "string", "format": "email"}, "input", "email"),
    Kind.NUMBER: ({"type": "number"}, "input", "text"),
    Kind.INTEGER: ({"type": "integer"}, "input", "text"),
    Kind.YES_NO: ({"type": "boolean"}, "input", "checkbox"),
    Kind.ONE_OF: ({"enum": ["a"]}, "select", None),
    Kind.SEVERAL_OF: ({"type": "array", "items": {"enum": ["a"]}}, "input", "checkbox"),
}


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_of_field_has_its_control(kind: Kind) -> None:
    schema, tag, type_ = CONTROLS[kind]
    html = render.form(page({"title": "T", "fields": {"properties": {"it": schema}}}), Theme())
    [shown] = [(name, one.get("type")) for name, one in HtmlPage(html).tags if one.get("name") == "field.it"]
    assert shown == (tag, type_)


def test_a_browser_checks_only_what_the_schema_says() -> None:
    html = render.form(page(NEWS), Theme())
    [code] = attributes(html, "code")
    assert (code["minlength"], code["title"]) == ("2", "Two letters")
    assert code["pattern"] is not None
    assert re.fullmatch(code["pattern"], "ABc")
    assert not re.fullmatch(code["pattern"], "aBC")


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


def test_a_browser_is_told_the_length_but_does_not_cut_what_is_pasted() -> None:
    free = {"type": "string", "format": "textarea"}
    fields = {"short": {"type": "string", "maxLength": 5, "description": "A word."}, "free": free, "one": {"enum": ["a"]}}
    html = render.form(page({"title": "T", "fields": {"properties": fields}}), Theme())
    shown = HtmlPage(html)
    assert shown.texts.count("Enter at most 5 characters.") == 1
    assert attributes(html, "short")[0]["aria-describedby"] == "f0-hint f0-limit"
    assert "Enter at most" not in shown.text.replace("Enter at most 5 characters.", "")
    assert not any("maxlength" in one for _, one in shown.tags)


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


def test_a_limit_that_was_missed_stays_beside_its_error() -> None:
    definition = page({"title": "T", "fields": {"properties": {"it": {"type": "integer", "minimum": 1, "maximum": 500}}}})
    errors = page_form.read(definition, b"action=submit&field.it=501", "application/x-www-form-urlencoded")
    assert isinstance(errors, page_form.Errors)
    html = render.form(definition, Theme("fr"), errors=errors)
    assert "Saisissez une valeur de 1 à 500." in HtmlPage(html).texts
    assert attributes(html, "it")[0]["aria-describedby"] == "f0-limit f0-error"


def test_the_brands_name_stands_alone_without_a_place_for_a_logo() -> None:
    shown = HtmlPage(render.form(page({"title": "T"}), Theme(name="Acme")))
    [at] = [at for at, (tag, _) in enumerate(shown.tags) if tag == "header"]
    assert (shown.tags[at + 1][0], shown.texts[0]) == ("main", "Acme")


def test_enter_presses_none_of_several_buttons() -> None:
    two = {"title": "T", "actions": [{"id": "a", "label": "A"}, {"id": "b", "label": "B"}]}
    first = next(one for tag, one in HtmlPage(render.form(page(two), Theme())).tags if tag == "button")
    assert "disabled" in first
    assert HtmlPage(render.form(page({"title": "T"}), Theme())).buttons == {"Submit": ("action", "submit")}


@pytest.mark.parametrize(
    "wrong", [{}, {"one": ["x"], "many": ["x"], "step": ["x"], "odd": ["2"], "half": ["x"], "code": ["x"]}]
)
def test_each_error_is_named_at_its_field_and_in_the_summary(wrong: dict[str, list[str]]) -> None:
    definition = page(NEWS)
    errors = page_form.read(
        definition,
        b"action=submit&" + "&".join(f"field.{k}={v[0]}" for k, v in wrong.items()).encode(),
        "application/x-www-form-urlencoded",
    )
    assert isinstance(errors, page_form.Errors)
    shown = HtmlPage(render.form(definition, Theme("fr"), errors=errors))
    places = {field.name: at for at, field in enumerate(definition.fields)}
    assert shown.links == [f"#f{places[name]}" for name in errors.problems]
    ids = [one["id"] for _, one in shown.tags if "id" in one]
    assert len(ids) == len(set(ids))
    for name in errors.problems:
        assert {f"f{places[name]}", f"f{places[name]}-error"} <= set(ids)


@pytest.mark.parametrize("url", ["https://example.com", "HTTP://example.com:8080/a?b#c", "mailto:ann@example.com?subject=a"])
def test_a_link_of_an_accepted_scheme_is_shown(url: str) -> None:
    [shown] = HtmlPage(render.form(page({"title": "T", "links": [{"url": url}]}), Theme())).links
    assert shown == url


def test_the_largest_definition_is_below_the_limit_as_html_or_refused() -> None:
    render.check_size(page({"title": "T", "text": "<" * 10_000}))
    choices = [f"{at:03}" + "<" * 40 for at in range(80)]
    large = page({"title": "T", "fields": {"properties": {"a": {"enum": choices}, "b": {"enum": choices}}}})
    with pytest.raises(InvalidPage, match="60,000"):
        render.check_size(large)
