"""The grammar of `timeout` and `idempotencyKeyTTL`: what each value means, and which values are refused."""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.in_process.template import Template
from waitpoints.errors import InvalidTimeout
from waitpoints.timeouts import LATEST, Limits, date, duration, key_expires_at, timeout_at

NOW = 1_800_000_000_000  # 2027-01-15T08:00:00Z
SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0, ms: int = 0) -> int:
    return round(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()) * 1000 + ms


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        ("1s", SECOND),
        ("10m", 10 * MINUTE),
        ("2h", 2 * HOUR),
        ("2hr", 2 * HOUR),
        ("7d", 7 * DAY),
        ("2w", 14 * DAY),
        ("1d12h", 36 * HOUR),
        ("12h1d", 36 * HOUR),
        ("1w2d3h4m5s", 9 * DAY + 3 * HOUR + 4 * MINUTE + 5 * SECOND),
        ("1d2d", DAY),
        ("1h2hr", HOUR),
        ("0d5s", 5 * SECOND),
        ("007s", 7 * SECOND),
        ("90000s", 90_000 * SECOND),
    ],
)
def test_a_duration_is_counted_from_now(written: str, milliseconds: int) -> None:
    assert timeout_at(written, NOW) == NOW + milliseconds


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2030-01-31T18:00:00Z", at(2030, 1, 31, 18)),
        ("2030-01-31T18:00:00.5Z", at(2030, 1, 31, 18, ms=500)),
        ("2030-01-31T18:00:00.123456789Z", at(2030, 1, 31, 18, ms=123)),
        ("2030-01-31T18:00:00.000999999999999Z", at(2030, 1, 31, 18)),
        ("2030-01-31T18:00:00", at(2030, 1, 31, 18)),
        ("2030-01-31 18:00:00", at(2030, 1, 31, 18)),
        ("2030-01-31T18:00Z", at(2030, 1, 31, 18)),
        ("2030-01-31T18:00:00+02:00", at(2030, 1, 31, 16)),
        ("2030-01-31T18:00:00-0530", at(2030, 1, 31, 23, 30)),
        ("2030-01-31T24:00:00Z", at(2030, 2, 1)),
        ("2028-02-29", at(2028, 2, 29)),
        ("2030-01-31", at(2030, 1, 31)),
        ("2030-01", at(2030, 1, 1)),
        ("2030", at(2030, 1, 1)),
        ("Thu, 31 Jan 2030 18:00:00 GMT", at(2030, 1, 31, 18)),
        ("Thu Jan 31 2030 18:00:00 GMT+0100 (Central European Standard Time)", at(2030, 1, 31, 17)),
        ("Jan 1 2030", at(2030, 1, 1)),
        ("9999-12-31T23:59:59Z", at(9999, 12, 31, 23, 59, 59)),
    ],
)
def test_a_date_is_that_instant(written: str, instant: int) -> None:
    assert timeout_at(written, NOW) == instant


def test_without_a_timeout_the_token_never_times_out() -> None:
    assert timeout_at(None, NOW) is None


@pytest.mark.parametrize(
    "written",
    [
        *("soon", "1.5h", "10ms", "1 h", "h", "1", "32", "-5m", "+5m", "1H", "5 minutes", " 10m", "10m ", "10m\n", "\u0661m"),
        *("0s", "0d0h", "1" * 101 + "s", "2020-01-01", "2027-01-15T08:00:00Z", "Jan 1 2001", "12"),
        *("2030-02-30", "2030-13-01", "2030-01-31T25:00:00Z", "2030-01-31T18:60:00Z", "2030-01-31T18:00:00+25:00"),
        *("2030-01-31T18:00:60Z", "2030-01-31T18:00:00+24:00", "2030-01-31T18:00:00+01:60"),
        *("2030-01-31T24:00:00.001Z", "31 Foo 2030", "10000-01-01", "99999999999w", "9" * 99 + "s", "0000-01-01"),
        *(60_000, 0, 1.5, True, False, [], ["10m"], {}, {"seconds": 5}),
    ],
)
def test_a_value_that_is_no_future_instant_is_refused_and_the_accepted_forms_are_named(written: Any) -> None:
    with pytest.raises(InvalidTimeout, match=r"10m|future|before the year 10000"):
        timeout_at(written, NOW)


def test_the_error_message_for_a_long_text_is_short() -> None:
    with pytest.raises(InvalidTimeout) as refused:
        timeout_at("x" * 100_000, NOW)
    assert len(refused.value.message) < 400


class TestLimitsOfTheStack:
    def test_the_default_applies_to_tokens_without_a_timeout(self) -> None:
        limits = Limits(default="7d")
        assert timeout_at(None, NOW, limits) == NOW + 7 * DAY
        assert timeout_at("1h", NOW, limits) == NOW + HOUR

    def test_the_maximum_is_inclusive(self) -> None:
        limits = Limits(longest="1d")
        assert timeout_at("24h", NOW, limits) == NOW + DAY
        for too_long in ("86401s", "2030-01-01"):
            with pytest.raises(InvalidTimeout, match="1d"):
                timeout_at(too_long, NOW, limits)

    def test_a_token_without_a_timeout_exceeds_any_maximum(self) -> None:
        with pytest.raises(InvalidTimeout, match="MaxTimeout"):
            timeout_at(None, NOW, Limits(longest="1d"))

    def test_the_default_can_keep_a_token_within_the_maximum(self) -> None:
        assert timeout_at(None, NOW, Limits(default="1h", longest="1d")) == NOW + HOUR


@pytest.mark.parametrize(
    ("written", "lifetime"),
    [("60s", MINUTE), ("5m", 5 * MINUTE), ("24h", DAY), ("30d", 30 * DAY), ("1w", 7 * DAY), ("1d12h", 36 * HOUR), (None, None)],
)
def test_a_ttl_is_the_lifetime_of_its_key(written: str | None, lifetime: int | None) -> None:
    assert key_expires_at(written, NOW) == (None if lifetime is None else NOW + lifetime)


@pytest.mark.parametrize(
    "written", ["", "0s", "0d", "1.5h", "soon", "60", "60S", " 60s", "-60s", "2030-01-01", "9" * 16 + "s", "9" * 15 + "d"]
)
def test_an_invalid_ttl_is_refused(written: str) -> None:
    with pytest.raises(InvalidTimeout, match="idempotencyKeyTTL"):
        key_expires_at(written, NOW)


@pytest.mark.parametrize("parameter", ["DefaultTimeout", "MaxTimeout"])
class TestAParameterOfTheStack:
    """CloudFormation refuses a value that no token could have, so callers never see an error for it."""

    def accepts(self, parameter: str, value: str) -> bool:
        declared = Template.load().body["Parameters"][parameter]
        return len(value) <= declared["MaxLength"] and re.fullmatch(declared["AllowedPattern"], value, re.ASCII) is not None

    @pytest.mark.parametrize("value", ["", "30s", "10m", "1h", "2hr", "7d", "52w", "1d12h", "86400s"])
    def test_may_be_a_duration_or_nothing(self, parameter: str, value: str) -> None:
        assert self.accepts(parameter, value)

    @pytest.mark.parametrize("value", ["0s", "7", "d", "7 d", "1.5h", "10ms", "-7d", "soon", "2030-01-01", "999999w", "7D"])
    def test_may_be_nothing_else(self, parameter: str, value: str) -> None:
        assert not self.accepts(parameter, value)

    @given(data=st.data())
    def test_that_is_accepted_is_a_valid_timeout(self, parameter: str, data: st.DataObject) -> None:
        declared = Template.load().body["Parameters"][parameter]
        pattern = re.compile(declared["AllowedPattern"], re.ASCII)
        value = data.draw(st.from_regex(pattern, fullmatch=True).filter(lambda value: value and self.accepts(parameter, value)))
        assert timeout_at(None, NOW, Limits(default=value)) == timeout_at(value, NOW, Limits(longest=value))


UNITS = {"w": 7 * DAY, "d": DAY, "h": HOUR, "m": MINUTE, "s": SECOND}


@given(st.dictionaries(st.sampled_from(sorted(UNITS)), st.integers(0, 10_000), min_size=1), st.randoms())
def test_units_may_come_in_any_order(amounts: dict[str, int], random: Any) -> None:
    parts = [f"{number}{unit}" for unit, number in amounts.items()]
    random.shuffle(parts)
    assert duration("".join(parts)) == sum(number * UNITS[unit] for unit, number in amounts.items())


INSTANTS = st.datetimes(datetime(2028, 1, 1), datetime(9999, 12, 31, 23, 59, 59))  # noqa: DTZ001 - of any zone
ZONES = st.integers(-23 * 60, 23 * 60)


@given(INSTANTS, ZONES)
def test_every_iso_date_is_read_in_its_own_time_zone(when: datetime, minutes: int) -> None:
    sign, hours, rest = "-" if minutes < 0 else "+", *divmod(abs(minutes), 60)
    since = when.replace(tzinfo=UTC) - timedelta(minutes=minutes) - datetime(1970, 1, 1, tzinfo=UTC)
    instant = since // timedelta(milliseconds=1)  # exact: a float is not, some thousand years ahead
    if not NOW < instant <= LATEST:
        return
    written = f"{when.isoformat(timespec='milliseconds')}{sign}{hours:02}:{rest:02}"
    assert timeout_at(written, NOW) == instant


ALMOST = st.text(alphabet="0123456789wdhrms-:TZ+., GMTJan", max_size=40) | st.text(max_size=40)


@given(ALMOST)
def test_any_text_is_read_as_a_ttl_or_refused(written: str) -> None:
    with suppress(InvalidTimeout):
        instant = key_expires_at(written, NOW)
        assert instant is None if written == "" else instant is not None and NOW <= instant <= LATEST


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ALMOST,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(ANY_JSON)
def test_any_json_value_is_read_as_a_future_instant_or_none_or_refused(written: Any) -> None:
    with suppress(InvalidTimeout):
        instant = timeout_at(written, NOW)
        assert written in (None, "") if instant is None else isinstance(written, str) and NOW < instant <= LATEST


@given(ALMOST)
def test_any_text_is_read_as_a_date_or_none_or_refused(written: str) -> None:
    with suppress(InvalidTimeout):
        instant = date(written)
        assert instant is None or instant <= LATEST + SECOND
