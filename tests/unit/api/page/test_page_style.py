"""The colours of the page can be read."""

import re

from hypothesis import given
from hypothesis import strategies as st

from waitpoints.api.page import render
from waitpoints.api.page import style as page_style
from waitpoints.api.page.theme import Theme

COLORS = st.integers(0, 0xFFFFFF).map(lambda it: f"#{it:06x}")


class TestStyle:
    @given(COLORS)
    def test_the_text_on_a_brands_colour_can_be_read(self, color: str) -> None:
        [text] = re.findall(r"--on-brand:(#\w+)", page_style.sheet(color))
        assert page_style.contrast(color, text) >= 4.5

    @given(COLORS)
    def test_a_button_of_the_brands_colour_has_a_visible_edge(self, color: str) -> None:
        edges = re.findall(r"--button-edge:(#\w+)", page_style.sheet(color))
        for edge, card in zip(edges, ("#ffffff", "#181b21"), strict=True):
            assert page_style.contrast(edge, card) >= 3

    def test_the_policy_allows_this_sheet_and_no_other(self) -> None:
        one, other = Theme(color="#000000"), Theme(color="#ffffff")
        policies = {render.headers(theme)["content-security-policy"] for theme in (one, other)}
        assert len(policies) == 2

    def test_a_sheet_names_nothing_to_fetch(self) -> None:
        assert "url(" not in page_style.sheet("#000000")
        assert "@import" not in page_style.sheet("#000000")
