"""A stored page is read as it was written, whatever a create accepts today."""

import json
from typing import Any

import pytest

from waitpoints.api.page import definition, words
from waitpoints.api.page.fields import Kind
from waitpoints.errors import TokenNotFound

UNSEEN = "\u202e\u200f \u061c"
LATER: list[dict[str, Any]] = [
    {"mood": "glad"},
    {"language": "pt"},
    {"language": ["en", "pt"]},
    {"links": [{"url": "https://example.com", "icon": "star"}]},
    {"actions": [{"id": "go", "label": "Go", "after": "1h"}]},
    {"approvers": [{"id": "ann", "phone": "1"}]},
    {"approvers": ["ann"], "escalate": {"after": "1d", "to": ["bo"], "again": True}},
    {"approvers": ["ann"], "escalate": {"after": "1d", "to": [{"id": "bo", "phone": "1"}]}},
    {"fields": {"properties": {"it": {"type": "string"}}, "dependentRequired": {}}},
    {"fields": {"properties": {"it": {"type": "string", "format": "time"}}}},
    {"fields": {"properties": {"it": {"type": "string", "readOnly": True}}}},
    {"fields": {"properties": {"it": {"oneOf": [{"const": 1, "image": "x"}]}}}},
    {"fields": {"properties": {"it": {"type": "array", "items": {"enum": ["a"], "free": True}}}}},
]


@pytest.mark.parametrize(
    "page",
    [
        {"title": UNSEEN, "approvers": [UNSEEN], "actions": [{"id": "yes", "label": UNSEEN, "style": "green"}]},
        {"title": "x" * 201, "links": [{"url": "gopher://example.com/\u202e"}] * 11},
        {"title": "Go?", "fields": {"properties": {"a": {"type": "string", "maxLength": 50_000, "pattern": "(?=a)"}}}},
    ],
)
def test_a_page_that_is_refused_today_still_opens(page: dict[str, Any]) -> None:
    loaded = definition.of_text(json.dumps(page))
    assert loaded.title == page["title"]
    assert [link.url for link in loaded.links] == [link["url"] for link in page.get("links", [])]
    assert len(loaded.fields) == len(page.get("fields", {}).get("properties", {}))


@pytest.mark.parametrize("more", LATER, ids=json.dumps)
def test_what_a_later_version_wrote_is_passed_over(more: dict[str, Any]) -> None:
    """Only after the end: see `test_written_later`."""
    assert definition.of_text(json.dumps({"title": "Go?", **more})).title == "Go?"


def test_the_defaults_are_those_of_the_create() -> None:
    page = definition.of_text('{"title": "Go?", "links": [{"url": "https://example.com"}]}')
    assert (page.text, page.confirm, page.approval, page.reminds, page.fields) == ("", False, None, False, ())
    assert page.actions == (definition.Action("submit", None),)
    assert page.links == (definition.Link("https://example.com", "https://example.com"),)


def test_a_choice_is_shown_by_its_title_or_value() -> None:
    form = {"properties": {"it": {"oneOf": [{"const": 1, "title": "One"}, {"const": 2}]}}, "required": ["it"]}
    [field] = definition.of_text(json.dumps({"title": "Go?", "fields": form})).fields
    assert (field.kind, field.required, [choice.title for choice in field.choices]) == (Kind.ONE_OF, True, ["One", "2"])


def test_a_page_that_is_gone_is_that_of_no_token() -> None:
    with pytest.raises(TokenNotFound):
        definition.of_text(None)


TRANSLATED = {
    "language": ["en", "de"],
    "title": {"en": "Deploy?", "de": "Freigeben?"},
    "text": {"en": "All checks passed.", "de": "Alle Tests sind grün."},
    "links": [{"url": "https://example.com", "label": {"en": "Notes", "de": "Notizen"}}],
    "actions": [{"id": "approve", "label": {"en": "Approve", "de": "Genehmigen"}}, {"id": "no", "label": "No"}],
    "fields": {
        "properties": {
            "title": {
                "type": "string",
                "title": {"en": "Its title", "de": "Titel"},
                "description": {"en": "Short", "de": "Kurz"},
            },
            "risk": {"oneOf": [{"const": "low", "title": {"en": "Low", "de": "Gering"}}, {"const": "high"}]},
        }
    },
}


@pytest.mark.parametrize(
    ("wanted", "language", "shown"),
    [
        (
            "de-AT, en;q=0.9",
            "de",
            ["Freigeben?", "Alle Tests sind grün.", "Notizen", "Genehmigen", "No", "Titel", "Kurz", "Gering"],
        ),
        ("fr", "en", ["Deploy?", "All checks passed.", "Notes", "Approve", "No", "Its title", "Short", "Low"]),
        (
            "fr, de;q=0.1",
            "de",
            ["Freigeben?", "Alle Tests sind grün.", "Notizen", "Genehmigen", "No", "Titel", "Kurz", "Gering"],
        ),
    ],
)
def test_the_texts_and_the_words_are_in_the_language_of_the_page_that_the_reader_wants_most(
    wanted: str, language: str, shown: list[str]
) -> None:
    page = definition.of_text(json.dumps(TRANSLATED)).in_language(wanted)
    title, risk = page.fields
    texts = [page.title, page.text, page.links[0].label, *(action.label for action in page.actions)]
    assert [*texts, title.title, title.description, risk.choices[0].title] == shown
    assert (page.language, title.name) == (language, "title")


def test_a_page_in_a_language_of_a_later_version_is_shown_after_its_end() -> None:
    for language, title in (("pt", "Sim?"), (["pt", "de"], "Ja?")):
        texts = {"pt": "Sim?", "de": "Ja?"} if isinstance(language, list) else {"pt": "Sim?"}
        page = definition.of_text(json.dumps({"title": texts, "language": language}))
        assert (page.title, page.language in words.WORDS) == (title, True)


@pytest.mark.parametrize(("members", "wanted", "language"), [({}, "ja", "ja"), ({"language": "en"}, "ja", "en")])
def test_a_page_that_says_its_language_is_in_no_other(members: dict[str, Any], wanted: str, language: str) -> None:
    assert definition.of({"title": "Go?", **members}, wanted).language == language
