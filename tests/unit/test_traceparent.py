"""Which texts are a traceparent (https://www.w3.org/TR/trace-context-1/#traceparent-header)."""

import pytest

from waitpoints.traceparent import first_valid

VALID = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize("text", [VALID, VALID[:-2] + "00", VALID[:-2] + "ff"])
def test_version_00_is_kept_whatever_its_flags(text: str) -> None:
    assert first_valid(text) == text


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        VALID.upper(),
        f"{VALID}-",
        f" {VALID}",
        f"{VALID}\n",
        f"{VALID},{VALID}",
        f"01{VALID[2:]}",
        f"ff{VALID[2:]}",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
        VALID.replace("4b", "٤b"),
        "\ud800" * 55,
    ],
)
def test_anything_else_is_ignored(text: str | None) -> None:
    assert first_valid(text) is None
    assert first_valid(text, VALID) == VALID
