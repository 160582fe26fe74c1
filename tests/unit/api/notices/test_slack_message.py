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

from tests.support.slack import ANN, BO, DECISION, FIELD, LINK, PAGE, PEOPLE, REQUIRED, answer, decided, notice
from waitpoints.api.notices import slack_message
from waitpoints.api.notices.plan import Notice, NoticeKind
from waitpoints.token import HandOver
from waitpoints_local.slack_stand_in import MOST_CHARACTERS, problem

PRESET = {"type": "object", "properties": {"urgent": {"type": "boolean", "default": True}}}
OWN = re.compile(r"<@[UW][A-Z0-9]+>|<!date\^\d+\^\{date_short\}, \{time\}\|[^<>|]+>|<(https?|mailto):[^<>|]+\|[^<>|]+>")
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


def test_who_was_removed_reads_so_and_nothing_of_the_answers() -> None:
    message = rendered(notice(DECISION, person="ann", answers=(answer("bo"),), hand_overs=(HandOver((), ("ann",), 1),)))
    said = "Your answer is no longer needed. This request was handed over to other people."
    assert shown(message) == f"{DECISION['title']}\n{said}"
    assert buttons(message) == []


def test_who_asked_and_was_removed_reads_the_outcome() -> None:
    asked = notice(DECISION, NoticeKind.OUTCOME, person="ann", hand_overs=(HandOver((), ("ann",), 1),), outcome=decided("bo"))
    assert "Decided by Bo Chen." in shown(rendered(asked))


@pytest.mark.parametrize(
    ("page", "has_buttons"),
    [
        ({**PAGE, "fields": REQUIRED}, True),
        ({**PAGE, "fields": PRESET}, True),  # a click would answer what the person has not seen
        (PAGE, False),
        ({**PAGE, "fields": FIELD}, False),
    ],
)
def test_where_a_click_cannot_answer_the_button_opens_the_page(page: dict[str, Any], has_buttons: bool) -> None:
    [only] = buttons(rendered(notice(page), has_buttons=has_buttons))
    assert (only["action_id"], only["url"]) == ("waitpoints-open", LINK)


def test_no_button_answers_what_others_must_have_entered_too() -> None:
    asked = notice({**DECISION, "fields": FIELD, "sameFields": True}, person="ann")
    assert [one["action_id"] for one in buttons(rendered(asked))] == ["waitpoints-open"]


def test_the_channel_gets_no_link_of_a_person() -> None:
    message = rendered(notice(DECISION), has_buttons=False)
    assert buttons(message) == []
    assert "Everyone who was asked has a personal link." in shown(message)


@pytest.mark.parametrize("more", [{"fields": FIELD}, {"text": "x" * 3_001}, {"text": "&" * 700}])
def test_a_button_also_opens_a_page_that_has_more(more: dict[str, Any]) -> None:
    found = [one["action_id"] for one in buttons(rendered(notice({**PAGE, **more})))]
    assert found == ["waitpoints:approve", "waitpoints:reject", "waitpoints-open"]


@pytest.mark.parametrize("fields", [REQUIRED, PRESET])
def test_an_action_that_needs_no_fields_is_a_button_beside_the_page(fields: dict[str, Any]) -> None:
    approve, reject = PAGE["actions"]
    page = {**PAGE, "actions": [approve, {**reject, "needsFields": False}], "fields": fields}
    assert [one["action_id"] for one in buttons(rendered(notice(page)))] == ["waitpoints:reject", "waitpoints-open"]
    for more in ({}, {"sameFields": True}):
        message = rendered(notice({**page, **more, "approvers": PEOPLE}))
        assert [one["action_id"] for one in buttons(message)] == ["waitpoints:reject"]
        assert "Everyone who was asked has a personal link." in shown(message)


def test_a_text_is_cut_to_what_slack_takes_and_no_escape_is_cut_in_two() -> None:
    message = rendered(notice({**PAGE, "title": "<" * 200, "text": "&" * 3_000}))
    header, text = message["blocks"][0]["text"]["text"], message["blocks"][1]["text"]["text"]
    assert re.fullmatch("(&lt;){37}…", header)
    assert re.fullmatch("(&amp;){599}…", text)


def test_links_that_have_no_room_are_on_the_page() -> None:
    links = [{"label": "x" * 200, "url": f"https://example.com/{'y' * 1_000}"}] * 10
    text = shown(rendered(notice({**PAGE, "links": links})))
    assert text.count("https://") == 1
    assert "_More links are on the page._" in text


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
            "fields": {"properties": {"reason": {"type": "string", "title": label}}},
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
    {"answers": (answer("bo", reason=" ".join(HOSTILE)),)},
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
        assert not re.search(r"[\u202a-\u202e\u2066-\u2069]", left)
        assert text.get("emoji") is False or text.get("verbatim") is True
    assert not re.search("[<>]", message["text"])
    assert "`" not in "".join(text["text"] for text in texts(message["blocks"]) if text["type"] == "mrkdwn")
    mentioned = re.findall(r"<@(\w+)>", shown(message))
    assert set(mentioned) <= {ANN, BO}
    lines = shown(message).splitlines()
    assert sum(line.endswith(": Not answered yet") for line in lines) <= 3


@pytest.mark.parametrize(("length", "is_shown"), [(120, True), (200, False)])
def test_what_people_entered_is_left_out_where_it_takes_the_room_of_people(length: int, is_shown: bool) -> None:
    fields = {f"{number}": {"type": "string"} for number in range(10)}
    answers = (answer("bo", **dict.fromkeys(fields, "x" * length)),)
    asked = notice({**DECISION, "fields": {"properties": fields}}, person="ann", answers=answers)
    text = shown(rendered(asked))
    assert ("  • 9: xxx" in text, "Cy: Not answered yet" in text) == (is_shown, True)


@pytest.mark.parametrize("length", [0, 1, 30])
def test_the_largest_message_is_within_what_slack_takes(length: int) -> None:
    people = [{"id": f"{number:02}", "name": "<" * 100, "slack": f"U{number:020}"} for number in range(20)]
    page: dict[str, Any] = {
        "title": "<" * 200,
        "text": "<" * 3_000,
        "links": [{"label": "<" * 200, "url": f"https://example.com/{'&' * 1_000}"}] * 3,
        "actions": [{"id": f"{number}{'x' * 63}", "label": "<" * 100, "style": "danger"} for number in range(8)],
        "fields": FIELD,
        "confirm": True,
        "approvers": people,
    }
    if length:
        page |= {"links": page["links"][:1], "facts": [{"title": "x", "facts": [{"label": "x", "value": "x" * length}]}] * 30}
    message = rendered(notice(page), name="<" * 100)
    assert 9_000 < len(json.dumps(message["blocks"], ensure_ascii=False)) < MOST_CHARACTERS
