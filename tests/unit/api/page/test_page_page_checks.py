"""What a `page` may contain.

`page/shapes`
"""

import json
import re
from typing import Any

import pytest

from waitpoints.api.page import page_checks
from waitpoints.errors import InvalidPage

URLS_REFUSED = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "//example.com",
    "/path",
    "https:example.com",
    "https:/example.com",
    "https://",
    "https:\\\\example.com",
    "https://exa mple.com",
    "https://example.com/\u0000",
    "mailto:",
    "blob:https://example.com/1",
    "",
    None,
]


@pytest.mark.parametrize("url", URLS_REFUSED)
def test_a_link_of_another_scheme_is_refused(url: Any) -> None:
    with pytest.raises(InvalidPage, match=re.escape("page.links[0].url")):
        page_checks.parse({"title": "T", "links": [{"label": "a", "url": url}]})[1]


@pytest.mark.parametrize(
    ("definition", "place"),
    [
        ("a text", "page"),
        ({}, "page.title"),
        ({"title": " "}, "page.title"),
        ({"title": "x" * 201}, "page.title"),
        ({"title": "a\u0000"}, "page.title"),
        ({"title": "a\ud800"}, "page.title"),
        ({"title": "T", "text": "x" * 10_001}, "page.text"),
        ({"title": "T", "confirm": "yes"}, "page.confirm"),
        ({"title": "T", "links": [{"url": "https://a.example"}] * 11}, "page.links"),
        ({"title": "T", "actions": []}, "page.actions"),
        ({"title": "T", "actions": [{"id": str(n), "label": "A"} for n in range(9)]}, "page.actions"),
        ({"title": "T", "actions": [{"id": "a", "label": "A"}] * 2}, "page.actions"),
        ({"title": "T", "actions": [{"id": "a b", "label": "A"}]}, "page.actions[0].id"),
        ({"title": "T", "actions": [{"id": "a"}]}, "page.actions[0].label"),
        ({"title": "T", "actions": [{"id": "a", "label": "x" * 101}]}, "page.actions[0].label"),
        ({"title": "T", "actions": [{"id": "a", "label": "A", "style": "red"}]}, "page.actions[0].style"),
        ({"title": "T", "actions": [{"id": "a", "label": "A", "needsFields": 0}]}, "page.actions[0].needsFields"),
        ({"title": "T", "text": "ü" * 9_000}, "page"),
    ],
)
def test_a_definition_that_cannot_be_shown_is_refused_with_its_place(definition: Any, place: str) -> None:
    with pytest.raises(InvalidPage, match=re.escape(place)):
        page_checks.parse(definition)


TEXT, NUMBER, CHOICE = {"type": "string"}, {"type": "integer"}, {"oneOf": [{"const": "eu"}]}
SEVERAL, AT = {"type": "array", "items": CHOICE}, "page.fields.properties.a"


def form(field: Any) -> dict[str, Any]:
    return {"title": "T", "fields": {"properties": {"a": field}}}


@pytest.mark.parametrize(
    ("definition", "unknown", "nearest"),
    [
        ({"title": "T", "txet": 1}, 'page: unknown field "txet"', "text"),
        ({"title": "T", "links": [{"url": "https://a.example", "lable": 1}]}, 'page.links[0]: unknown field "lable"', "label"),
        ({"title": "T", "actions": [{"id": "a", "label": "A", "stile": 1}]}, 'page.actions[0]: unknown field "stile"', "style"),
        ({"title": "T", "fields": {"requierd": 1}}, 'page.fields: unknown keyword "requierd"', "required"),
        (form({**TEXT, "minLenght": 1}), f'{AT}: unknown keyword of a field (text) "minLenght"', "minLength"),
        (form({**NUMBER, "minimun": 1}), f'{AT}: unknown keyword of a field (integer) "minimun"', "minimum"),
        (form({**CHOICE, "titel": 1}), f'{AT}: unknown keyword of a field (one of) "titel"', "title"),
        (form({"oneOf": [{"const": "eu", "titel": 1}]}), f'{AT}.oneOf[0]: unknown keyword "titel"', "title"),
        (form({**SEVERAL, "tilte": 1}), f'{AT}: unknown keyword of a field (several of) "tilte"', "title"),
        (form({**SEVERAL, "items": {**CHOICE, "enmu": 1}}), f'{AT}.items: unknown keyword "enmu"', "enum"),
    ],
)
def test_a_misspelt_member_of_each_object_is_refused_with_the_nearest(definition: Any, unknown: str, nearest: str) -> None:
    with pytest.raises(InvalidPage) as refusal:
        page_checks.parse(definition)
    assert refusal.value.message == f'Invalid {unknown}: did you mean "{nearest}"?'


BOTH = ["en", "de"]


@pytest.mark.parametrize(
    ("definition", "place"),
    [
        ({"title": "T", "language": "it"}, "page.language: expected one of en, de, fr, es, ja, zh, or a list"),
        ({"title": "T", "language": []}, "page.language"),
        *(
            (
                {"title": "T", "timeZone": given},
                "page.timeZone: expected a name of IANA's time zone database, such as",
            )
            for given in ("Europe/Berlln", "europe/berlin", "Factory", "../zones", "", None, 1, ["UTC"])
        ),
        ({"title": "T", "language": ["en", "en"]}, "page.language"),
        ({"title": "T", "language": [["en"]]}, "page.language"),
        ({"title": {"en": "T"}}, "page.title: expected a text, or an object that has one for each language of page.language"),
        ({"title": {"en": "T"}, "language": BOTH}, "page.title"),
        ({"title": {"en": "T", "de": "T", "fr": "T"}, "language": BOTH}, "page.title"),
        ({"title": {"en": "T", "de": 5}, "language": BOTH}, "page.title: expected a text of 1 to 200 characters"),
        ({"title": {"en": "T", "de": "x" * 201}, "language": BOTH}, "page.title"),
        ({"title": {"en": "T", "de": "\u202e"}, "language": BOTH}, "page.title"),
        ({"title": "T", "actions": [{"id": {"en": "a", "de": "b"}, "label": "A"}], "language": BOTH}, "page.actions[0].id"),
        ({"title": "T", "approvers": [{"id": "a", "name": {"en": "A", "de": "B"}}], "language": BOTH}, "page.approvers"),
        ({"title": "T", "fields": {"properties": {"a": {"enum": [{"en": "A", "de": "B"}]}}}, "language": BOTH}, "page.fields"),
        ({"title": "T", "text": json.loads("[" * 400 + "]" * 400), "language": BOTH}, "page.text"),
    ],
)
def test_a_text_for_each_language_is_refused_unless_each_can_be_shown(definition: Any, place: str) -> None:
    with pytest.raises(InvalidPage, match=re.escape(place)):
        page_checks.parse(definition)


@pytest.mark.parametrize("unseen", ["\u202e", "\u2066", "\u200f", "\u200b", "\ufeff", "\u00ad", "\U000e0041"], ids=ascii)
@pytest.mark.parametrize("url", ["https://example.com/{}gpj.exe", "https://{}example.com", "mailto:ann@example.com?subject={}"])
def test_a_url_that_is_not_what_it_looks_like_is_refused(url: str, unseen: str) -> None:
    page = {"title": "Go?", "links": [{"label": "Sign in", "url": url.format(unseen)}]}
    with pytest.raises(InvalidPage, match=r"page\.links\[0\]\.url: characters that cannot be seen are not accepted"):
        page_checks.parse(page)
    assert page_checks.parse({**page, "links": [{"url": url.format("%E2%80%AE")}]})[1]


UNSEEN = "\u202e\u200f \u061c\u2800\u3164"


@pytest.mark.parametrize(
    ("page", "place"),
    [
        ({"title": UNSEEN}, "page.title"),
        ({"title": "Go?", "actions": [{"id": "yes", "label": UNSEEN}]}, "page.actions[0].label"),
        ({"title": "Go?", "links": [{"label": UNSEEN, "url": "https://example.com"}]}, "page.links[0].label"),
        ({"title": "Go?", "approvers": [{"id": "ann", "name": UNSEEN}]}, "page.approvers"),
        ({"title": "Go?", "approvers": [UNSEEN.strip()]}, "page.approvers"),
    ],
)
def test_a_name_that_nobody_sees_is_refused(page: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidPage, match=re.escape(f"{place}: expected more than characters that cannot be seen")):
        page_checks.parse(page)
