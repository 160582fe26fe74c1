"""The page behind a callback URL, on the deployed stack: people in Chromium, and robots that only fetch."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.browser import runner
from tests.support.e2e.api import Api, RawAnswer
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
    "fields": {"properties": {"note": {"type": "string", "title": "Note"}}},
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
ROBOTS = """
Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; Trident/6.0) SafeLinks
Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/119.0 Safari/537.36 Proofpoint-URLDefense
Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 Barracuda Sentinel (EE)
BarracudaCentral/1.0
Mimecast-Browser/2.0
Mozilla/4.0 (compatible; ms-office; MSOffice 16)
Microsoft Office Existence Discovery
Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5
Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)
Slack-ImgProxy (+https://api.slack.com/robots)
Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)
TelegramBot (like TwitterBot)
WhatsApp/2.23.20.0
facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)
Twitterbot/1.0
LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)
Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)
Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) BingPreview/1.0b
Google-PageRenderer Google (+https://developers.google.com/+/web/snippet/)
Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) Applebot/0.1 facebookexternalhit/1.1 Facebot Twitterbot/1.0
Iframely/1.3.1 (+https://iframely.com/docs/about)
Embedly/0.2 (+http://support.embed.ly/)
Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)
Mozilla/5.0 (compatible; vkShare; +http://vk.com/dev/Share)
Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)
Mozilla/5.0 (compatible; CloudflareRadar-URL-Scanner/1.0)
urlscan.io/1.0
Zscaler-Sandbox/1.0
curl/8.5.0
python-requests/2.32.3
""".strip().splitlines()


@pytest.mark.parametrize("thorough", ["", pytest.param("1", marks=pytest.mark.thorough)], ids=["once", "every look"])
def test_people_in_chromium(stack: Stack, api: Api, thorough: str, subtests: pytest.Subtests) -> None:
    """The thorough run shows each state of the page light and dark, wide and narrow, and tries more hostile texts."""
    tokens = [api.create(page=PAGE, timeout="1h") for _ in range(3)]
    executions = [api.start_waiting(token) for token in tokens]
    urls = dict(zip(("URL_JAVASCRIPT", "URL_PLAIN", "URL_KEYBOARD"), (token["url"] for token in tokens), strict=True))
    for token in tokens:
        api.wait_until_registered(token)

    variables = {"API_URL": stack.api_url, "API_KEY": stack.api_key, "PAGE": json.dumps(PAGE), "THOROUGH": thorough, **urls}
    results = runner.run("page.test.mjs", **variables)
    for result in results:
        with subtests.test(result.name):
            assert result.passed, result.error
    for token, execution in zip(tokens, executions, strict=True):
        assert api.result(execution) == ("SUCCEEDED", CHOSEN)
        shown = api.retrieve(token)
        assert json.loads(shown["output"]) == CHOSEN
        assert shown["completedBy"]["source"] == "callback"
        assert "HeadlessChrome" in shown["completedBy"]["userAgent"]


@pytest.mark.parametrize("thorough", ["", pytest.param("1", marks=pytest.mark.thorough)], ids=["once", "every look"])
def test_three_people_on_three_links_in_chromium(stack: Stack, api: Api, thorough: str, subtests: pytest.Subtests) -> None:
    """Two of them must approve, and the third rejects too late. The thorough run shows each state in every look."""
    token = api.create(page=DECISION, timeout="1h")
    execution = api.start_waiting(token)
    api.wait_until_registered(token)
    links = {f"URL_{it['approver'].partition('@')[0].upper()}": it["url"] for it in token["links"]}
    variables = {"API_URL": stack.api_url, "API_KEY": stack.api_key, "THOROUGH": thorough, "URL_NOBODY": token["url"]}
    for result in runner.run("approvers.test.mjs", **variables, **links):
        with subtests.test(result.name):
            assert result.passed, result.error
    succeeded, given = api.result(execution)
    assert (succeeded, given["action"], given["approver"]) == ("SUCCEEDED", "approve", "bo@example.com")
    said = [(it["approver"], it["action"], it["fields"]) for it in given["answers"]]
    assert said == [("ann", "approve", {"note": "Looks good"}), ("bo@example.com", "approve", {})]
    shown = api.retrieve(token)
    assert (shown["completedBy"]["approver"], shown["otherDeliveries"]["count"]) == ("bo@example.com", 1)


def form(api: Api, token: dict[str, Any], **fields: str) -> RawAnswer:
    """Post the page's form as a browser without JavaScript does."""
    body = urlencode(fields).encode()
    return api.deliver(token["url"], body, {"accept": HTML, "content-type": "application/x-www-form-urlencoded"})


def test_of_many_people_at_once_one_wins_and_the_others_are_sent_to_what_was_decided(api: Api) -> None:
    token = api.create(page={**PAGE, "fields": {"properties": {"who": {"type": "integer"}}}})
    with ThreadPoolExecutor(6) as pool:
        actions = [("approve", "reject")[n % 2] for n in range(6)]
        answers = list(pool.map(lambda n: form(api, token, action=actions[n], **{"field.who": str(n)}), range(6)))
    assert sorted(answer.status for answer in answers) == [200] + [303] * 5
    [winner] = [n for n, answer in enumerate(answers) if answer.status == 200]
    assert json.loads(api.retrieve(token)["output"]) == {"action": actions[winner], "fields": {"who": winner}}
    assert {answer.headers.get("location") for answer in answers} == {None, token["url"].rpartition("/")[2]}
    decided = api.deliver(token["url"], headers={"accept": HTML}, method="GET").body.decode()
    assert f"<bdi>{actions[winner].capitalize()}</bdi></strong> was chosen" in decided


def test_a_choice_too_large_for_an_item_is_shown_as_decided_too(api: Api) -> None:
    long = {f"n{n}": "€" * 10_000 for n in range(5)}
    fields = {"properties": {name: {"type": "string", "format": "textarea"} for name in long}}
    token = api.create(page={**PAGE, "fields": fields})
    sent = {f"field.{name}": text for name, text in long.items()}
    assert form(api, token, action="approve", **sent).status == 200
    assert json.loads(api.retrieve(token)["output"]) == {"action": "approve", "fields": long}
    decided = api.deliver(token["url"], headers={"accept": HTML}, method="GET")
    assert (decided.status, b"Decided" in decided.body, b"Approve" in decided.body) == (200, True, True)


def test_a_form_with_errors_is_shown_again_with_its_timeout(api: Api) -> None:
    token = api.create(page=PAGE, timeout="1h")
    again = form(api, token, action="approve")
    assert (again.status, b"Open until" in again.body) == (422, True)
    assert api.retrieve(token)["status"] == "WAITING"


def test_robots_that_only_fetch_settle_nothing(api: Api) -> None:
    assert len(ROBOTS) == 30
    token = api.create(page={**PAGE, "fields": {"properties": {"note": {"type": "string"}}}})
    for agent in ROBOTS:
        seen = [
            api.deliver(token["url"], headers={"user-agent": agent, **headers}, method=method).status
            for method, headers in (("HEAD", {}), ("HEAD", {"accept": HTML}), ("GET", {}), ("GET", {"accept": HTML}))
        ]
        assert seen == [200, 200, 405, 200], agent
        assert api.retrieve(token)["status"] == "WAITING", agent
    for header in (
        {"purpose": "prefetch"},
        {"sec-purpose": "prefetch;prerender"},
        {"x-moz": "prefetch"},
        {"x-purpose": "preview"},
    ):
        assert api.deliver(token["url"], headers={"accept": HTML, **header}, method="GET").status == 200
        assert api.retrieve(token)["status"] == "WAITING", header
    assert "otherDeliveries" not in api.retrieve(token)
    assert api.callback(token, {"action": "approve"}).status == 200
    assert json.loads(api.retrieve(token)["output"]) == {"action": "approve", "fields": {}}
