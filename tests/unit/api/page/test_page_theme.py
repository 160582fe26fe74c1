"""What the sentences of a page are made of, and its colours, which can be read. Tests `page/palette`, too."""

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import show_console
from waitpoints.api.page import render
from waitpoints.api.page.palette import DARK, LIGHT
from waitpoints.api.page.theme import Theme, contrast, sheet
from waitpoints.token import TimedOut

COLORS = st.integers(0, 0xFFFFFF).map(lambda it: f"#{it:06x}")


def test_a_sentence_has_its_parts_in_the_order_of_the_language() -> None:
    parts: dict[str, Any] = {"needs": 2, "people": 3, "choice": "Go", "count": 1}
    assert Theme("en").sentence("needed", **parts) == "2 of 3 people must choose <strong><bdi>Go</bdi></strong>. So far: 1."
    assert Theme("ja").sentence("needed", **parts).startswith("3人中2人が<strong><bdi>Go</bdi></strong>")


class TestStyle:
    @given(COLORS)
    def test_the_text_on_a_brands_colour_can_be_read(self, color: str) -> None:
        [text] = re.findall(r"--on-brand:(#\w+)", sheet(color))
        assert contrast(color, text) >= 4.5

    @given(COLORS)
    def test_a_button_of_the_brands_colour_has_a_visible_edge(self, color: str) -> None:
        edges = re.findall(r"--button-edge:(#\w+)", sheet(color))
        for edge, card in zip(edges, (LIGHT["card"], DARK["card"]), strict=True):
            assert contrast(edge, card) >= 3

    def test_the_policy_allows_this_sheet_and_no_other(self) -> None:
        one, other = Theme(color="#000000"), Theme(color="#ffffff")
        policies = {render.headers(theme, "")["content-security-policy"] for theme in (one, other)}
        assert len(policies) == 2

    def test_the_policy_allows_the_script_of_a_page_with_times_and_none_of_another(self) -> None:
        with_times = render.ended(TimedOut(1), Theme())
        [allowed] = re.findall(r"script-src '(sha256-[^']+)'", render.headers(Theme(), with_times)["content-security-policy"])
        [script] = re.findall(r"<script>(.*)</script>", with_times)
        assert allowed == f"sha256-{b64encode(sha256(script.encode()).digest()).decode()}"
        without = render.notice(404, Theme())
        assert "script" not in without + render.headers(Theme(), without)["content-security-policy"]

    def test_a_sheet_names_nothing_to_fetch(self) -> None:
        assert "url(" not in sheet("#000000")
        assert "@import" not in sheet("#000000")


class TestPalette:
    @pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
    def test_can_be_read_and_seen(self, colors: dict[str, str]) -> None:
        grounds = [colors[name] for name in ("page", "card", "field", "quiet")]
        texts = [(name, ground) for name in ("text", "muted", "link", "danger", "good") for ground in grounds]
        texts += [("danger", colors["danger-soft"]), ("good", colors["good-soft"]), ("on-danger", colors["danger"])]
        assert [it for it in texts if contrast(colors[it[0]], it[1]) < 4.5] == []
        assert [ground for ground in grounds if contrast(colors["edge"], ground) < 3] == []

    def test_is_the_consoles_too(self) -> None:
        style = (Path(show_console.FOLDER) / "style.css").read_text()
        light, dark = style.split("@media (prefers-color-scheme: dark)")[:2]
        for colors, text in ((LIGHT, light), (DARK, dark)):
            assert colors.items() <= dict(re.findall(r"--([a-z-]+): (#\w+);", text)).items()
