"""Times of mails and messages in the zone that a page names."""

from datetime import UTC, datetime

import pytest

from tests.support import mails
from waitpoints import zones
from waitpoints.api.notices.summary import Summary
from waitpoints.api.page import words
from waitpoints.api.page.facts import values

SUMMER = datetime(2027, 7, 31, 22, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "at", "written"),
    [
        (None, SUMMER, "31 July 2027, 22:30 UTC"),
        ("Europe/Berlin", SUMMER, "1 August 2027, 00:30 UTC+2"),
        ("Europe/Berlin", SUMMER.replace(month=1), "31 January 2027, 23:30 UTC+1"),
        ("America/St_Johns", SUMMER, "31 July 2027, 20:00 UTC-2:30"),
        ("Asia/Kathmandu", SUMMER, "1 August 2027, 04:15 UTC+5:45"),
        ("Europe/London", SUMMER.replace(month=1), "31 January 2027, 22:30 UTC"),
        ("Of/Another-Version", SUMMER, "31 July 2027, 22:30 UTC"),
    ],
)
def test_a_time_says_how_far_it_is_from_utc(zone: str | None, at: datetime, written: str) -> None:
    assert words.time("en", at, zone) == written
    fact = values.Fact("Paid", at.isoformat(), values.INSTANT)
    assert values.written("en", fact, zone) == written


@pytest.mark.parametrize("language", words.WORDS)
def test_every_language_names_the_distance(language: str) -> None:
    assert words.time(language, SUMMER, "Asia/Kathmandu").endswith("04:15 UTC+5:45")


def test_a_notice_is_in_the_zone_of_its_page() -> None:
    summary = Summary.of(mails.notice({**mails.PAGE, "timeZone": "Asia/Kathmandu"}))
    assert summary.time(round(SUMMER.timestamp() * 1000)) == "1 August 2027, 04:15 UTC+5:45"


def test_a_name_needs_no_files_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lambda's machine has none that is promised. tzdata's file of names has each zone that it knows."""
    assert {"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"} <= zones.names()
    monkeypatch.setattr("zoneinfo.TZPATH", ())
    assert all(zones.local(SUMMER, name).tzinfo is not UTC for name in ("Europe/Berlin", "Asia/Tokyo"))
