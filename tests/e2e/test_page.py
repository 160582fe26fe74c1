"""The page behind a callback URL, on the deployed stack: people in Chromium, and robots that only fetch."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.browser import runner
from tests.support import page_states
from tests.support.e2e.api import Api
from waitpoints.api.page.markup import visible
from waitpoints_local.stack import Stack

PAGE: dict[str, Any] = {
    "title": "Deploy 4.2 to production?",
    "text": "All 812 checks passed. The new version ships the faster search.\n\nAnn and Bo reviewed it on Tuesday.",
    "links": [{"label": "Release notes", "url": "https://example.com/releases/4.2"}],
    "actions": [{"id": "approve", "label": "Approve"}, {"id": "reject", "label": "Reject", "style": "danger"}],
    "fields": {
        "type": "object",
        "required": ["reason", "share", "contact", "read", "risk", "regions"],
        "properties": {
            "reason": {"type": "string", "title": "Reason", "maxLength": 80, "description": "One line for the change log."},
            "notes": {"type": "string", "format": "textarea", "title": "Notes for the team"},
            "share": {"type": "number", "title": "Share of traffic, in percent", "minimum": 0, "maximum": 100},
            "servers": {"type": "integer", "title": "Servers at a time", "minimum": 1},
            "from": {"type": "string", "format": "date", "title": "Not before"},
            "contact": {"type": "string", "format": "email", "title": "Contact"},
            "read": {"type": "boolean", "const": True, "title": "I have read the release notes"},
            "urgent": {"type": "boolean", "title": "Wake the person on call"},
            "risk": {
                "title": "Risk",
                "oneOf": [{"const": "low", "title": "Low"}, {"const": "high", "title": "High: someone must watch it"}],
            },
            "window": {"title": "Window, in hours", "enum": [1, 2, 4]},
            "regions": {
                "type": "array",
                "title": "Regions",
                "minItems": 1,
                "items": {"oneOf": [{"const": "eu", "title": "Europe"}, {"const": "us", "title": "United States"}]},
            },
        },
    },
}
DECISION: dict[str, Any] = {
    "title": PAGE["title"],
    "approvers": [{"id": "ann", "name": "Ann Lee"}, "bo@example.com", "dee"],
    "actions": [{"id": "approve", "label": "Approve", "needs": 2}, {"id": "reject", "label": "Reject", "style": "danger"}],
    "fields": {"properties": {"note": {"type": "string", "format": "textarea", "title": "Note"}}},
    "confirm": True,
}
CHOSEN = {
    "action": "approve",
    "fields": {
        "reason": "All green",
        "notes": "First line\nSecond <b>line</b>",
        "share": 12.5,
        "servers": 3,
        "from": "2027-01-31",
        "contact": "ann@example.com",
        "read": True,
        "urgent": False,
        "risk": "low",
        "window": 2,
        "regions": ["eu", "us"],
    },
}
HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
FEW_STATES = ("form", "errors", "confirm", "done", "decided", "refusal", "asked", "answered", "too late", "plain URL")
ATTACKS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onfocus=alert(1) autofocus x='",
    "</textarea></title></style><script>alert(1)</script>",
    "<style>*{background:url(https://evil.example/a)}</style>",
    "<base href=https://evil.example/><meta http-equiv=refresh content=0;url=https://evil.example/>",
    "{{7*7}} ${7*7} &lt;b&gt; &amp; <!-- -->",
    "\u202egnihtyna\u202c \u2066x\u2069 \u200f \u061c",
    "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd",
    "\U0001f469\u200d\U0001f467 Z\u0351\u036b\u0343\u036a\u0302A\u0334\u0335L\u0360",
    "a" + "\u0301" * 100,
]


@pytest.mark.parametrize(
    "thorough",
    [pytest.param("", marks=pytest.mark.few), pytest.param("1", marks=pytest.mark.thorough)],
    ids=["once", "every look"],
)
def test_every_state_in_chromium(thorough: str, tmp_path: Path, subtests: pytest.Subtests) -> None:
    """The thorough run shows each page light and dark, wide and narrow, and tries more hostile texts."""
    pages = page_states.states() | page_states.approver_states()
    shown = {name: {"html": pages[name], "shows": ""} for name in (pages if thorough else FEW_STATES)}
    for at, attack in enumerate(ATTACKS if thorough else ATTACKS[::6]):
        page, decision = page_states.hostile(attack)
        pages = page_states.states(definition=page) | page_states.approver_states(definition=decision, note=attack)
        for name in ("form", "confirm", "asked")[: 3 if thorough else 1]:
            shown[f"hostile {name} {at}"] = {"html": pages[name], "shows": visible(attack[:90])}
    documents = tmp_path / "documents.json"
    documents.write_text(json.dumps(shown))
    runner.run(subtests, "documents.test.mjs", DOCUMENTS=str(documents), WIDTH="1280", THOROUGH=thorough)


def test_people_in_chromium(stack: Stack, api: Api, subtests: pytest.Subtests) -> None:
    tokens = [api.create(page=PAGE, timeout="1h") for _ in range(3)]
    executions = [api.wait(token) for token in tokens]
    urls = dict(zip(("URL_JAVASCRIPT", "URL_PLAIN", "URL_KEYBOARD"), (token["url"] for token in tokens), strict=True))
    for token in tokens:
        api.wait_until_registered(token)

    variables = {"API_URL": stack.api_url, "API_KEY": stack.api_key, "PAGE": json.dumps(PAGE), **urls}
    runner.run(subtests, "page.test.mjs", **variables)
    for token, execution in zip(tokens, executions, strict=True):
        assert api.result(execution) == ("SUCCEEDED", CHOSEN)
        shown = api.retrieve(token)
        assert json.loads(shown["output"]) == CHOSEN
        assert shown["completedBy"]["source"] == "callback"
        assert "HeadlessChrome" in shown["completedBy"]["userAgent"]


def test_three_people_on_three_links_in_chromium(stack: Stack, api: Api, subtests: pytest.Subtests) -> None:
    """Two of them must approve, and the third rejects too late."""
    token, execution = api.awaited(page=DECISION, timeout="1h")
    links = {f"URL_{it['approver'].partition('@')[0].upper()}": it["url"] for it in token["links"]}
    variables = {"API_URL": stack.api_url, "API_KEY": stack.api_key, "URL_NOBODY": token["url"]}
    runner.run(subtests, "approvers.test.mjs", **variables, **links)
    succeeded, given = api.result(execution)
    assert (succeeded, given["action"], given["approver"]) == ("SUCCEEDED", "approve", "bo@example.com")
    said = [(it["approver"], it["action"], it["fields"]) for it in given["answers"]]
    assert said == [("ann", "approve", {"note": "Looks good\nNote: not mine"}), ("bo@example.com", "approve", {})]
    shown = api.retrieve(token)
    assert (shown["completedBy"]["approver"], shown["otherDeliveries"]["count"]) == ("bo@example.com", 1)


def test_a_choice_too_large_for_an_item_is_shown_as_decided_too(api: Api) -> None:
    """The role that shows the page reads it in the bucket."""
    long = {f"n{n}": "€" * 10_000 for n in range(5)}
    fields = {"properties": {name: {"type": "string", "format": "textarea"} for name in long}}
    token = api.create(page={**PAGE, "fields": fields})
    api.ask("POST", token["url"], {"action": "approve", "fields": long}, key=None)
    assert json.loads(api.retrieve(token)["output"]) == {"action": "approve", "fields": long}
    decided = api.send(token["url"], headers={"accept": HTML}, method="GET")
    assert (decided.status, b"Decided" in decided.body, b"Approve" in decided.body) == (200, True, True)


def test_robots_that_only_fetch_settle_nothing(api: Api) -> None:
    token = api.create(page={**PAGE, "fields": {"properties": {"note": {"type": "string"}}}})
    visits: list[tuple[str, dict[str, str], int]] = [("HEAD", {}, 200), ("GET", {}, 405)]
    visits += [(method, {"accept": HTML}, 200) for method in ("HEAD", "GET")]
    robots: list[dict[str, str]] = [{}, {"purpose": "prefetch"}, {"sec-purpose": "prefetch"}, {"user-agent": "Slackbot 1.0"}]
    for (method, accepts, status), robot in product(visits, robots):
        assert api.send(token["url"], headers={**accepts, **robot}, method=method).status == status
    shown = api.retrieve(token)
    assert (shown["status"], "otherDeliveries" in shown) == ("WAITING", False)
    assert api.deliver(token, {"action": "approve"}).status == 200
    assert json.loads(api.retrieve(token)["output"]) == {"action": "approve", "fields": {}}
