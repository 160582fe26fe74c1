"""What the sentences of a page are made of."""

from datetime import UTC, datetime
from typing import Any

from waitpoints.api.page.markup import Markup
from waitpoints.api.page.theme import Theme, isolated


def test_a_sentence_has_its_parts_in_the_order_of_the_language() -> None:
    parts: dict[str, Any] = {"needs": 2, "people": 3, "choice": "Go", "count": 1}
    assert Theme("en").sentence("needed", **parts) == "2 of 3 must choose <strong><bdi>Go</bdi></strong>. So far: 1."
    assert Theme("ja").sentence("needed", **parts).startswith("3人中2人が<strong><bdi>Go</bdi></strong>")


def test_a_part_is_text_whatever_it_says() -> None:
    hostile = "{name} <b>{0}"
    assert Theme().sentence("decided_by", isolated, name=hostile) == "Decided by <bdi>{name} &lt;b&gt;{0}</bdi>."


def test_a_time_is_for_people_and_for_machines() -> None:
    shown = Theme("de").time(datetime(2026, 11, 25, 14, 5, tzinfo=UTC))
    assert shown == Markup('<time datetime="2026-11-25T14:05:00Z">25. November 2026, 14:05 UTC</time>')
