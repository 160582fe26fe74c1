"""Text becomes HTML in one place, which escapes it."""

import re

from hypothesis import given
from hypothesis import strategies as st

from waitpoints.api.page.markup import Element, Fragment, Markup


@given(st.text(max_size=30))
def test_markup_escapes_what_it_did_not_make(text: str) -> None:
    made = Element("p", text, [text, None], title=text)
    assert re.fullmatch(r'<p title="[^<>"]*">[^<>"]*</p>', made, re.DOTALL)
    assert Fragment(made, Markup("<br>")) == f"{made}<br>"
