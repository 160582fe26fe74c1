"""What a request to move a deadline may say."""

import re
from typing import Any

import pytest

from waitpoints.api.deadline_request import NewDeadline, parse
from waitpoints.errors import InvalidRequest, InvalidTimeout
from waitpoints.timeouts import Limits

NOW = 1_800_000_000_000
DAY = 86_400_000


class TestParse:
    @pytest.mark.parametrize(
        ("timeout", "expected"), [("7d", NOW + 7 * DAY), ("2030-01-31T18:00:00Z", 1_896_112_800_000), (None, None)]
    )
    def test_counts_a_duration_from_now_and_null_is_none(self, timeout: str | None, expected: int | None) -> None:
        assert parse({"timeout": timeout}, NOW, Limits()) == NewDeadline(expected)

    def test_never_gives_the_default_timeout_of_the_stack(self) -> None:
        assert parse({"timeout": None}, NOW, Limits(default="1d")) == NewDeadline(None)

    @pytest.mark.parametrize("timeout", ["8d", "2030-01-31", None])
    def test_refuses_what_is_over_the_longest_timeout_of_the_stack(self, timeout: str | None) -> None:
        with pytest.raises(InvalidTimeout, match="at most 7d"):
            parse({"timeout": timeout}, NOW, Limits(longest="7d"))
        assert parse({"timeout": "7d"}, NOW, Limits(longest="7d")) == NewDeadline(NOW + 7 * DAY)

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ({}, 'expected either "timeout", such as "7d", or "approvers"'),
            ({"timeout": "7d", "approvers": {"add": ["ann"]}}, 'expected either "timeout", such as "7d", or "approvers"'),
            ({"timeout": "7d", "tags": []}, 'unknown field "tags"'),
            ([], "expected an object"),
        ],
    )
    def test_refuses_any_other_body(self, body: Any, said: str) -> None:
        with pytest.raises(InvalidRequest, match=re.escape(said)):
            parse(body, NOW, Limits())
