"""What the sentences of a page are made of."""

from typing import Any

from waitpoints.api.page.theme import Theme


def test_a_sentence_has_its_parts_in_the_order_of_the_language() -> None:
    parts: dict[str, Any] = {"needs": 2, "people": 3, "choice": "Go", "count": 1}
    assert Theme("en").sentence("needed", **parts) == "2 of 3 must choose <strong><bdi>Go</bdi></strong>. So far: 1."
    assert Theme("ja").sentence("needed", **parts).startswith("3人中2人が<strong><bdi>Go</bdi></strong>")
