"""A page with a field of each kind, and what a person does with it."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from tests.support.in_process.api_gateway import Api, HttpAnswer
from tests.support.in_process.html_page import HtmlPage

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8", "accept-language": "en-GB,en;q=0.9"}
FORM = {**BROWSER, "content-type": "application/x-www-form-urlencoded"}
APPROVAL: dict[str, Any] = {
    "title": "Deploy 4.2 to production?",
    "text": "All checks passed.\nAnn built it.",
    "links": [{"label": "Release notes", "url": "https://example.com/notes?a=1&b=2"}],
    "actions": [{"id": "approve", "label": "Approve it"}, {"id": "reject", "label": "Reject it", "style": "danger"}],
    "fields": {
        "type": "object",
        "required": ["amount"],
        "properties": {
            "amount": {"type": "integer", "title": "Amount", "minimum": 1},
            "share": {"type": "number", "title": "Share"},
            "note": {"type": "string", "format": "textarea", "title": "Note"},
            "urgent": {"type": "boolean", "title": "Urgent"},
            "regions": {"type": "array", "title": "Regions", "items": {"enum": ["eu", "us"]}},
        },
    },
}
FITTING = {"field.amount": "7", "field.share": "2.5", "field.note": "Fine <b>\r\nby me"}
GIVEN = {"amount": 7, "share": 2.5, "note": "Fine <b>\nby me", "urgent": False}
NOTHING_TO_PRESS = {"button", "form", "input", "textarea", "select"}


def opened(api: Api, token: Mapping[str, Any], **headers: str) -> HtmlPage:
    """The page of a token, as a browser opens it."""
    answer = api.get(token["url"], {**BROWSER, **headers})
    assert answer.status == 200, answer.text
    return page_of(answer)


def page_of(answer: HttpAnswer) -> HtmlPage:
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert len(answer.text.encode()) < 50_000
    return HtmlPage(answer.text)


def submit(api: Api, token: Mapping[str, Any], fields: Any = FITTING, action: str | None = "approve") -> HttpAnswer:
    """Post the form as a browser does."""
    pairs = [*(fields.items() if isinstance(fields, Mapping) else fields), *([("action", action)] if action else [])]
    return api.post(token["url"], urlencode(pairs).encode(), FORM)


def output(api: Api, token: Mapping[str, Any]) -> Any:
    shown = api.retrieve(token["id"])
    assert shown["status"] == "COMPLETED", shown
    return json.loads(shown["output"])


def has_nothing_to_press(page: HtmlPage) -> bool:
    return not NOTHING_TO_PRESS & {tag for tag, _ in page.tags} and not page.links
