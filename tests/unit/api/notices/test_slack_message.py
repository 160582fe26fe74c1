"""What a message in Slack says and offers, and that Slack takes it whatever callers write.

The limits are those of docs.slack.dev, reference/block-kit. `slack_sdk` checks them, too, and so does the stand-in.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from tests.support.slack import ANN, BO, CREATED, DECISION, FIELD, LINK, PAGE, PEOPLE, REQUIRED, TOKEN_ID, answer, notice
from waitpoints.api.notices import slack_message
from waitpoints.api.notices.plan import Notice, NoticeKind
from waitpoints.token import Completed, CompletedBy, Failed, Output, Source, TimedOut, TokenError
from waitpoints_local.slack_stand_in import MOST_CHARACTERS, problem

PRESET = {"type": "object", "properties": {"urgent": {"type": "boolean", "default": True}}}
OWN = re.compile(
    r"<@[UW][A-Z0-9]+>|<!date\^\d+\^\{date_short_pretty\} at \{time\}\|[^<>|]+>|<(https?|mailto):[^<>|]+\|[^<>|]+>"
)
HOSTILE = [
    "<!channel>",
    "<!here> <!everyone>",
    "<@U024BE7LH>",
    "<#C024BE7LR>",
    "<!subteam^S024BE7LK>",
    "<https://evil.example|Sign in>",
    "&lt;!channel&gt;",
    "a|b> <!channel>",
    "```",
    "*bold* _it_ ~no~ `code`",
    "\u202egnp.exe",
    "a\nBo Chen: Approve it",
    ":tada: @channel #general",
]


def rendered(asked: Notice, *, has_buttons: bool = True, name: str = "Example Ltd") -> dict[str, Any]:
    """The message, once Slack's own library and the stand-in take it."""
    message = slack_message.message(asked, name, lambda: has_buttons)
    assert problem(message) is None
    for block in Block.parse_all(message["blocks"]):
        block.to_dict()
    return message


def texts(value: Any) -> Iterator[dict[str, Any]]:
    """The text objects of a message."""
    if isinstance(value, dict):
        if value.get("type") in ("plain_text", "mrkdwn"):
            yield value
        for member in value.values():
            yield from texts(member)
    elif isinstance(value, list):
        for member in value:
            yield from texts(member)


def shown(message: dict[str, Any]) -> str:
    return "\n".join(text["text"] for text in texts(message["blocks"]))


def buttons(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for block in message["blocks"] if block["type"] == "actions" for one in block["elements"]]


def decided(approver: str | None = None, **members: str) -> Completed:
    by = CompletedBy(source=Source.CALLBACK, approver=approver, **members)
    return Completed(CREATED + 120_000, Output('{"action":"approve","fields":{}}'), by)


class TestTheMessageOfAPageThatAnybodyAnswers:
    def test_says_what_the_page_says(self) -> None:
        message = rendered(notice())
        assert [block["type"] for block in message["blocks"]] == [
            "header",
            "section",
            "section",
            "context",
            "actions",
            "context",
        ]
        assert "All checks passed.\nAnn built it." in shown(message)
        assert "<https://example.com/notes?a=1&amp;b=2|Release notes>" in shown(message)
        until = "<!date^1764356400^{date_short_pretty} at {time}|28 November 2025, 19:00 UTC>"
        assert f"Open until {until}" in shown(message)
        assert shown(message).endswith("Example Ltd")
        assert message["text"] == "Deploy 4.2 to production?: An answer is needed."

    def test_has_a_button_for_each_action(self) -> None:
        approve, reject = buttons(rendered(notice()))
        assert (approve["action_id"], approve["value"], approve["style"]) == ("waitpoints:approve", TOKEN_ID, "primary")
        assert (reject["text"]["text"], reject["style"]) == ("Reject it", "danger")
        assert "confirm" not in approve

    def test_asks_a_second_time_where_the_page_does(self) -> None:
        [approve, _] = buttons(rendered(notice({**PAGE, "confirm": True})))
        said = {name: text["text"] for name, text in approve["confirm"].items()}
        assert (said["text"], said["confirm"], said["deny"]) == ("You cannot change it afterwards.", "Approve it", "Go back")

    def test_names_the_one_button_of_a_page_without_actions(self) -> None:
        [only] = buttons(rendered(notice({"title": "Done?"})))
        assert (only["text"]["text"], only["action_id"]) == ("Submit", "waitpoints:submit")

    @pytest.mark.parametrize(
        ("page", "has_buttons"),
        [
            ({**PAGE, "fields": REQUIRED}, True),
            ({**PAGE, "fields": PRESET}, True),  # whoever clicks would answer what they have not seen
            (PAGE, False),
            ({**PAGE, "fields": FIELD}, False),
        ],
    )
    def test_opens_the_page_where_a_click_cannot_answer(self, page: dict[str, Any], has_buttons: bool) -> None:
        [only] = buttons(rendered(notice(page), has_buttons=has_buttons))
        assert (only["action_id"], only["url"], only["text"]["text"]) == ("waitpoints-open", LINK, "Open the page")

    @pytest.mark.parametrize("more", [{"fields": FIELD}, {"text": "x" * 3_001}, {"text": "&" * 700}])
    def test_also_opens_the_page_where_it_has_more(self, more: dict[str, Any]) -> None:
        assert [one["action_id"] for one in buttons(rendered(notice({**PAGE, **more})))] == [
            "waitpoints:approve",
            "waitpoints:reject",
            "waitpoints-open",
        ]

    def test_is_cut_to_what_slack_takes_and_no_escape_is_cut_in_two(self) -> None:
        message = rendered(notice({**PAGE, "title": "<" * 200, "text": "&" * 3_000}))
        header, text = message["blocks"][0]["text"]["text"], message["blocks"][1]["text"]["text"]
        assert re.fullmatch("(&lt;){37}…", header)
        assert re.fullmatch("(&amp;){599}…", text)

    def test_says_how_many_links_it_left_out(self) -> None:
        links = [{"label": "x" * 200, "url": f"https://example.com/{'y' * 1_000}"}] * 10
        text = shown(rendered(notice({**PAGE, "links": links})))
        assert text.count("https://") == 1
        assert "_More links are on the page._" in text

    @pytest.mark.parametrize(
        ("outcome", "said"),
        [
            (decided(), "“Approve it” was chosen."),
            (decided(slack_user=ANN, slack_name="ada"), "“Approve it” was chosen by ada."),
            (Completed(CREATED, Output("[1]")), "Completed."),
            (Completed(CREATED, Output(None, "key")), "Completed."),
            (Failed(CREATED, TokenError("no")), "Cancelled. No answer is needed any more."),
            (TimedOut(CREATED), "Timed out. It can no longer be answered."),
        ],
    )
    def test_shows_how_it_ended_and_has_no_button(self, outcome: Any, said: str) -> None:
        message = rendered(notice(kind=NoticeKind.EDIT, ref="C1/1.2", outcome=outcome))
        assert buttons(message) == []
        assert said in shown(message).splitlines()
        assert "Open until" not in shown(message)
        assert message["text"] == f"Deploy 4.2 to production?: {said}"


class TestTheMessageOfAPageWithApprovers:
    def test_mentions_in_the_channel_who_is_asked_and_says_what_is_needed(self) -> None:
        message = rendered(notice(DECISION))
        assert f"Asked: <@{ANN}> <@{BO}>" in shown(message).splitlines()
        assert "2 of 3 must choose “Approve it”. So far: 0.\nOne person is enough for “Reject it”." in shown(message)
        assert "Cy: Not answered yet" in shown(message).splitlines()
        assert [one["action_id"] for one in buttons(message)] == ["waitpoints:approve", "waitpoints:reject"]
        assert "Only the people who are asked can answer." in shown(message)

    def test_says_who_has_answered_and_mentions_who_has_not(self) -> None:
        text = shown(rendered(notice(DECISION, NoticeKind.EDIT, ref="C1/1.2", answers=(answer("ann"),))))
        assert f"Asked: <@{BO}>" in text.splitlines()
        assert "Ann Lee: Approve it\nBo Chen: Not answered yet\nCy: Not answered yet" in text
        assert "So far: 1." in text

    @pytest.mark.parametrize(("page", "has_buttons"), [({**DECISION, "fields": REQUIRED}, True), (DECISION, False)])
    def test_has_no_link_in_the_channel(self, page: dict[str, Any], has_buttons: bool) -> None:
        message = rendered(notice(page), has_buttons=has_buttons)
        assert buttons(message) == []
        assert "Each person who is asked has a personal link, in a direct message or by mail." in shown(message)

    def test_gives_each_person_their_link_in_a_direct_message(self) -> None:
        message = rendered(notice({**DECISION, "fields": REQUIRED}, person="ann"))
        assert [one["url"] for one in buttons(message)] == [LINK]
        assert "<@" not in shown(message)

    def test_tells_a_person_what_they_chose(self) -> None:
        message = rendered(notice(DECISION, NoticeKind.EDIT, person="ann", ref="D1/1.2", answers=(answer("ann"),)))
        assert "You chose “Approve it”. Answers from others are still needed." in shown(message)
        assert message["text"] == "Deploy 4.2 to production?: Your answer is recorded."
        assert buttons(message) == []

    def test_says_who_decided(self) -> None:
        answers = (answer("ann"), answer("bo"))
        text = shown(rendered(notice(DECISION, NoticeKind.EDIT, ref="C1/1.2", answers=answers, outcome=decided("bo"))))
        assert "“Approve it” was chosen by Bo Chen." in text.splitlines()
        assert "Ann Lee: Approve it\nBo Chen: Approve it" in text
        assert "Cy" not in text
        assert "<@" not in text


class TestTheReply:
    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            (notice(kind=NoticeKind.REMINDER), f"Reminder: an answer is still needed. <{LINK}|Open the page>"),
            (notice(DECISION, NoticeKind.REMINDER, answers=(answer("ann"),)), f"<@{BO}> Reminder: an answer is still needed."),
            (
                notice(DECISION, NoticeKind.REMINDER, person="ann"),
                f"<@{ANN}> Reminder: your answer is still needed. <{LINK}|Open the page>",
            ),
            (
                notice(DECISION, NoticeKind.LAST, person="ann"),
                f"<@{ANN}> Others have answered. One more answer decides. <{LINK}|Open the page>",
            ),
        ],
    )
    def test_asks_again_without_buttons(self, asked: Notice, said: str) -> None:
        reply = slack_message.reply(asked)
        assert problem(reply) is None
        assert shown(reply) == said
        assert buttons(reply) == []


def hostile_page(text: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda title, body, label, names, action: {
            **PAGE,
            "title": title,
            "text": body,
            "links": [{"label": label, "url": "https://example.com/a|b><!channel>`"}] * 3,
            "actions": [{"id": "approve", "label": action}, {"id": "reject", "label": title[:100]}],
            "approvers": [{**person, "name": name} for person, name in zip(PEOPLE, names, strict=True)],
            "confirm": True,
        },
        text.map(lambda it: it[:200]),
        text,
        text.map(lambda it: it[:200]),
        st.lists(text.map(lambda it: it[:100]), min_size=3, max_size=3),
        text.map(lambda it: it[:100]),
    )


ANYTHING = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=400).filter(lambda it: it.strip() != "")
WORDS = st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=200).map(" ".join)
STATES: list[dict[str, Any]] = [
    {},
    {"answers": (answer("ann"),)},
    {"answers": (answer("ann"), answer("bo")), "outcome": decided("bo")},
    {"outcome": decided(slack_name="<!channel>")},
]


@given(hostile_page(st.one_of(ANYTHING, WORDS)), st.sampled_from(STATES), st.sampled_from([None, "ann"]))
def test_whatever_callers_write_slack_takes_it_and_finds_no_mention_and_no_link_of_theirs(
    page: dict[str, Any], state: dict[str, Any], person: str | None
) -> None:
    message = rendered(notice(page, person=person, **state), name=page["approvers"][0]["name"])
    for text in texts(message["blocks"]):
        left = OWN.sub("", text["text"]) if text["type"] == "mrkdwn" else text["text"]
        assert "<" not in left
        assert ">" not in left
        assert text.get("emoji") is False or text.get("verbatim") is True
    assert not re.search("[<>]", message["text"])
    assert "`" not in "".join(text["text"] for text in texts(message["blocks"]) if text["type"] == "mrkdwn")
    mentioned = re.findall(r"<@(\w+)>", shown(message))
    assert set(mentioned) <= {ANN, BO}
    lines = shown(message).splitlines()
    assert sum(line.endswith(": Not answered yet") for line in lines) <= 3


def test_the_largest_message_is_within_what_slack_takes() -> None:
    people = [{"id": f"{number:02}", "name": "<" * 100, "slack": f"U{number:020}"} for number in range(20)]
    page = {
        "title": "<" * 200,
        "text": "<" * 3_000,
        "links": [{"label": "<" * 200, "url": f"https://example.com/{'&' * 1_000}"}] * 3,
        "actions": [{"id": f"{number}{'x' * 63}", "label": "<" * 100, "style": "danger"} for number in range(8)],
        "fields": FIELD,
        "confirm": True,
        "approvers": people,
    }
    message = rendered(notice(page), name="<" * 100)
    assert 9_000 < len(json.dumps(message["blocks"], ensure_ascii=False)) < MOST_CHARACTERS
