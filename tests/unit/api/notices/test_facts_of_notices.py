"""A page's facts in mails, Slack and Teams: written as on the page, as far as each channel has room.

`notices/summary`
"""

import json
import re
from typing import Any

import pytest

from tests.support import golden, mails
from tests.support.in_process.html_page import HtmlPage
from tests.support.slack import DECISION, LINK, PAGE, notice
from tests.unit.api.notices.test_mail import elements
from tests.unit.api.notices.test_mail_html import GMAIL_CLIPS
from tests.unit.api.notices.test_notice_documents import FOLDER, rendered
from tests.unit.api.notices.test_slack_message import HOSTILE, OWN, buttons, texts
from waitpoints.api.notices import slack_message, teams
from waitpoints.api.page import page_checks
from waitpoints.errors import InvalidPage
from waitpoints.notices import Channel

USD = {"currency": "USD"}
URL = "https://files.example.com:8443/i/4711.pdf?key=a&b=1"
ORDER: list[dict[str, Any]] = [
    {"label": "Number", "value": "4711"},
    {"label": "Amount", "value": "1500.00", "format": USD},
    {"label": "Share", "value": "19.5", "format": "percent"},
    {"label": "Ordered", "value": "2027-01-31", "format": "date"},
    {"label": "Paid", "value": "2027-01-31T09:30:00Z", "format": "instant"},
    {"label": "Invoice", "value": URL, "format": "link", "kind": "PDF, 2 pages"},
]
REFUND: dict[str, Any] = {
    **{"title": "Refund order 4711?", "timeZone": "Europe/Berlin", "actions": PAGE["actions"]},
    "facts": [{"title": "Order", "facts": ORDER}, {"title": "Customer", "facts": [{"label": "Note", "value": "Late,\nagain"}]}],
}
SIGNS = ["x", "&", "'", "語", "\U0001f600", "\u202e"]


def longest(sign: str, page: dict[str, Any]) -> dict[str, Any]:
    """The page with thirty groups of a fact, each as long as a create accepts."""
    for length in range(500, 0, -5):
        label, value = f"a{sign * min(99, length // 4)}", f"a{sign * (length - 1)}"
        facts = [{"title": label, "facts": [{"label": label, "value": value}]}] * 30
        try:
            page_checks.check_size(page_checks.parse({**page, "facts": facts})[0])
        except InvalidPage:
            continue
        return {**page, "facts": facts}
    raise AssertionError("no length is accepted")


@pytest.mark.parametrize("channel", Channel)
def test_facts_are_written_in_groups_for_the_reader(channel: Channel) -> None:
    golden.check(FOLDER / channel / "facts.txt", rendered(notice(REFUND, channel=channel)))


@pytest.mark.parametrize("channel", Channel)
def test_amounts_and_times_are_those_of_the_language_and_the_zone(channel: Channel) -> None:
    people = [{"id": "ann", "language": "de", "slack": "U024BE7LH", "email": "ann@example.com"}]
    asked = notice({**REFUND, "approvers": people}, channel=channel, person=None if channel is Channel.TEAMS else "ann")
    text = rendered(asked).replace("\u00a0", " ")
    assert all(value in text for value in ("1.500,00 $", "19,5 %", "31. Januar 2027", "10:30 UTC+1"))


def test_a_mail_shows_them_as_a_list_whose_links_name_their_host() -> None:
    html = mails.body(mails.mail(notice(REFUND, channel=Channel.EMAIL)), "html")
    assert f'href="{URL.replace("&", "&amp;")}"' in html
    assert ">files.example.com:8443/i/4711.pdf</a>" in html
    assert "Late,<br>again" in html
    assert [text for text in HtmlPage(html).texts if text in ("Order", "Customer", "Note")] == ["Order", "Customer", "Note"]


def test_the_host_that_is_shown_is_that_of_the_link_in_slack_and_teams() -> None:
    [link] = [one["text"] for one in texts(slack_message.message(notice(REFUND), "", lambda: True)) if URL[:20] in one["text"]]
    assert link == f"<{URL.replace('&', '&amp;')}|files.example.com:8443/i/4711.pdf>"
    runs = [run for block in teams.card(notice(REFUND, channel=Channel.TEAMS), "")["body"] for run in block.get("inlines", [])]
    assert [(run["text"], run["selectAction"]["url"]) for run in runs if "selectAction" in run] == [
        ("files.example.com:8443/i/4711.pdf", URL)
    ]


def saying(text: str) -> dict[str, Any]:
    link = {"label": text, "value": "https://example.com/|`<!channel>*", "format": "link", "kind": text}
    return {**REFUND, "facts": [{"title": text, "facts": [{"label": text, "value": f"{text}\n{text}"}, link]}]}


@pytest.mark.parametrize(
    "hostile", [*HOSTILE, "[Sign in](https://evil.example)", "</td><script>alert(1)</script>", "<at>all</at>"]
)
def test_hostile_labels_and_values_are_text_in_every_channel(hostile: str) -> None:
    page = saying(hostile)
    message = slack_message.message(notice(page), "", lambda: True)
    assert rendered(notice(page))
    for text in texts(message["blocks"]):
        assert not re.search(r"[<>\u202e]", OWN.sub("", text["text"]) if text["type"] == "mrkdwn" else text["text"])
    written = [one["text"] for one in texts(message["blocks"]) if one["type"] == "mrkdwn"]
    assert [one for one in written if "`" in one or hostile in one] == []
    card = teams.card(notice(page, channel=Channel.TEAMS), "")
    assert rendered(notice(page, channel=Channel.TEAMS))
    assert [block["type"] for block in card["body"] if "inlines" not in block] == ["TextBlock"]  # its own, until when
    found, usual = (HtmlPage(mails.body(mails.mail(notice(one, channel=Channel.EMAIL)), "html")) for one in (page, saying("x")))
    assert elements(found) == elements(usual)
    assert found.links == usual.links


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("people", [{}, {"approvers": DECISION["approvers"]}])
def test_thirty_facts_of_the_greatest_length_are_cut_with_a_line_that_says_so(sign: str, people: dict[str, Any]) -> None:
    page = longest(sign, {**PAGE, **people})
    more = "More details are on the page."
    asked = notice(page)
    message = slack_message.message(asked, "<" * 100, lambda: True)
    assert more in rendered(asked)  # which asks Slack's library and the stand-in
    assert any(one.get("url") == LINK for one in buttons(message)) == (not people)
    teams_card = notice(page, channel=Channel.TEAMS)
    assert more in rendered(teams_card)
    assert len(json.dumps(teams.card(teams_card, ""), ensure_ascii=False).encode()) < 27_000
    mail = mails.mail(notice(page, channel=Channel.EMAIL))
    part = mail.get_body(("html",))
    assert part is not None
    assert len(part.as_bytes()) < GMAIL_CLIPS
