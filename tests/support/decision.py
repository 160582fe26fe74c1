"""A page that two of three people must approve, or one reject, and what they do with their links."""

import json
from collections.abc import Mapping
from typing import Any

from tests.support.in_process.api_gateway import JSON, Api, HttpAnswer

PEOPLE = ["ann", "bo", "cy"]
DECISION: dict[str, Any] = {
    "title": "Deploy 4.2?",
    "approvers": PEOPLE,
    "actions": [{"id": "approve", "label": "Approve", "needs": 2}, {"id": "reject", "label": "Reject"}],
    "fields": {"type": "object", "properties": {"note": {"type": "string"}}},
}
REJECT = '{"action":"reject","fields":{}}'


def crowd_page(people: int, needs: int) -> dict[str, Any]:
    """A page that many people answer, and on which one of two actions decides once `needs` have chosen it."""
    return {
        "title": "Go?",
        "approvers": [f"person {number}" for number in range(people)],
        "actions": [{"id": name, "label": name, "needs": needs} for name in ("yes", "no")],
    }


def link(token: Mapping[str, Any], approver: str) -> str:
    [url] = [one["url"] for one in token["links"] if one["approver"] == approver]
    return str(url)


def choose(api: Api, token: Mapping[str, Any], approver: str, action: str, **fields: Any) -> HttpAnswer:
    return api.post(link(token, approver), json.dumps({"action": action, "fields": fields}), JSON)


def given(shown: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Who has answered what, of a retrieved token or of its output."""
    return [(answer["approver"], answer["action"]) for answer in shown["answers"]]
