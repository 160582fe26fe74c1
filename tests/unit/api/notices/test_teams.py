"""The card that a Teams channel gets, and what its workflow's answers mean.

Source: learn.microsoft.com, "Create incoming webhooks with Workflows for Microsoft Teams": the message, and its 28 KB.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import adaptive_card
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.slack import DECISION, PAGE, PEOPLE, CachedSecret
from tests.support.slack import notice as slack_request
from waitpoints.api.notices import teams
from waitpoints.api.notices.plan import Notice, NoticeKind
from waitpoints.api.notices.teams import TeamsChannel
from waitpoints.notices import Channel
from waitpoints_local.slack_stand_in import Workspace

BRAND = ("Example Ltd", "#2457d6")


def notice(page: dict[str, Any] = PAGE, kind: NoticeKind = NoticeKind.FIRST, **state: Any) -> Notice:
    return slack_request(page, kind, channel=Channel.TEAMS, **state)


def rendered(asked: Notice, name: str = "Example Ltd") -> dict[str, Any]:
    card = teams.card(asked, name)
    adaptive_card.check(card)
    return card


def runs(card: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (run for block in card["body"] for run in block.get("inlines", []))


def shown(card: dict[str, Any]) -> list[str]:
    return [run["text"] for run in runs(card)]


def linked(card: dict[str, Any]) -> list[str]:
    return [run["selectAction"]["url"] for run in runs(card) if "selectAction" in run]


def size(asked: Notice) -> int:
    return len(json.dumps(teams.card(asked, "Example Ltd"), ensure_ascii=False).encode())


@pytest.fixture
def sender(workspace: Workspace) -> TeamsChannel:
    secrets = {"TEAMS_DEPLOYS": FakeSecret(f"{workspace.url}/teams/secret\n")}
    return TeamsChannel(lambda name: secrets[name], BRAND)


class TestTheCard:
    def test_escapes_what_no_uri_has(self) -> None:
        card = rendered(notice({**PAGE, "links": [{"label": "x", "url": 'https://example.com/ä"<>{}|`^?q=%C3'}]}))
        assert linked(card) == ["https://example.com/%C3%A4%22%3C%3E%7B%7D%7C%60%5E?q=%C3"]

    @pytest.mark.parametrize("letter", ["x", "&", '"', "語", "🎈", "x\n"])
    def test_stays_below_what_teams_takes(self, letter: str) -> None:
        links = [{"label": letter[:1] * 200, "url": f"https://example.com/{'y' * 1_000}"}] * 3
        text = letter * (9_000 // (len(json.dumps(letter, ensure_ascii=False).encode()) - 2))
        asked = notice({**PAGE, "title": letter[:1] * 200, "text": text, "links": links})
        rendered(asked)
        assert size(asked) < 21_000

    def test_has_as_many_links_as_have_room(self) -> None:
        links = [{"label": "x" * 200, "url": f"https://example.com/{'y' * 700}"}] * 5
        card = rendered(notice({**PAGE, "links": links}))
        used = [len(json.dumps(run, separators=(",", ":"))) for run in runs(card) if "selectAction" in run]
        assert teams.LINKS_ROOM - used[0] < sum(used) <= teams.LINKS_ROOM

    def test_is_cut_with_a_sign(self) -> None:
        text = shown(rendered(notice({**PAGE, "text": f"first\n{'x' * 9_000}\nlast"})))
        assert (text[2], text[3][-1], "last" in text) == ("first", "…", False)

    @settings(max_examples=40)
    @given(
        st.lists(
            st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=90).filter(str.strip), min_size=3
        ),
        st.sampled_from(
            [
                "[Sign in](https://evil.example)",
                "\u202e\u2066x",
                "**bold**",
                "<at>all</at>",
                "{{DATE(1)}}",
                "![](https://x/y.png)",
                "- a",
            ]
        ),
    )
    def test_whatever_callers_write_is_in_text_that_knows_no_markdown(self, texts: list[str], hostile: str) -> None:
        words = [f"{text} {hostile}"[:99] for text in texts]
        people = [{**person, "name": name} for person, name in zip(PEOPLE, words, strict=False)]
        page = {**DECISION, "title": words[0], "text": "\n".join(words), "approvers": people}
        page["actions"] = [{"id": "approve", "label": words[1]}, {"id": "reject", "label": words[2]}]
        page["links"] = [{"label": words[1], "url": "https://example.com/x"}]
        card = rendered(notice(page), name=words[2])
        assert linked(card) == ["https://example.com/x"]
        assert not re.search(r"[\u202a-\u202e\u2066-\u2069]", "".join(shown(card)))
        assert [block["text"][:13] for block in card["body"] if block["type"] == "TextBlock"] == ["Answer due by"]


class TestTheCall:
    def test_posts_the_card_to_the_url_in_the_secret(self, workspace: Workspace, sender: TeamsChannel) -> None:
        sender.send(notice())
        [(path, body)] = workspace.calls
        [attachment] = body["attachments"]
        assert (path, body["type"]) == ("/teams/secret", "message")
        assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
        assert attachment["content"] == teams.card(notice(), "Example Ltd")

    def test_reads_the_secret_again_if_the_url_is_gone(self, workspace: Workspace) -> None:
        secret = CachedSecret(f"{workspace.url}/teams/old")
        secret.rotate(f"{workspace.url}/teams/new")
        workspace.next_answers.append((404, {}, {}))
        TeamsChannel(lambda _: secret, BRAND).send(notice())
        assert [path for path, _ in workspace.calls] == ["/teams/old", "/teams/new"]
