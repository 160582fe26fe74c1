"""Python's values as texts of the API."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any, cast

import httpx
import pytest

from waitpoints_client import Waitpoints, wire


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(days=7), "7d"),
        (timedelta(days=1, hours=12), "1d12h"),
        (timedelta(weeks=1, hours=2, minutes=3, seconds=4), "7d2h3m4s"),
        (timedelta(seconds=90), "1m30s"),
        (timedelta(0), "0s"),
        (timedelta(milliseconds=2000), "2s"),
        (90, "1m30s"),
        (0, "0s"),
        ("1w", "1w"),
    ],
)
def test_a_duration_is_written_exactly(value: Any, text: str) -> None:
    assert wire.duration(value) == text


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (timedelta(seconds=-1), ValueError, "A duration cannot be negative: -1 day, 23:59:59"),
        (-1, ValueError, "cannot be negative"),
        (10**20, ValueError, "cannot be so long"),
        (timedelta.max, ValueError, "whole number of seconds"),
        (timedelta(milliseconds=1500), ValueError, r"whole number of seconds: 1\.5 s"),
        (timedelta(microseconds=1), ValueError, "whole number of seconds"),
        (1.5, TypeError, "whole seconds or a text such as '10m', not float"),
        (True, TypeError, "not bool"),
        (datetime(2030, 1, 1, tzinfo=timezone.utc), TypeError, "not datetime"),
    ],
)
def test_a_duration_that_the_api_cannot_say_is_refused(value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        wire.duration(value)


def test_an_instant_is_written_in_utc_and_to_the_millisecond() -> None:
    instant = datetime(2030, 1, 31, 18, 0, 0, 123_999, tzinfo=timezone(timedelta(hours=-5)))

    assert wire.instant(instant) == wire.timeout(instant) == "2030-01-31T23:00:00.123Z"
    assert wire.instant("2030") == "2030"
    with pytest.raises(ValueError, match=r"2030-01-31T00:00:00 has no time zone: use for example datetime.now\(timezone.utc\)"):
        wire.timeout(datetime(2030, 1, 31))


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+01:00"])
def test_an_instant_that_utc_does_not_have_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not in the years 1 to 9999 of UTC"):
        wire.instant(datetime.fromisoformat(text))


def test_scopes_are_no_text() -> None:
    with pytest.raises(TypeError, match="scopes is a list"):
        client().keys.create("name", "read")


@pytest.mark.parametrize("token", [None, 1, b"waitpoint_1"])
def test_what_is_no_token_is_refused(token: Any) -> None:
    with pytest.raises(TypeError, match=f"Expected a token or its id, not {type(token).__name__}"):
        Waitpoints("https://stack.example.com", "key").get(token)


def sent(call: Callable[[Waitpoints], object]) -> bytes:
    """The body of the request that a call makes."""
    bodies: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        return httpx.Response(200, json={"id": "waitpoint_1", "url": "u", "isCached": False, "success": True})

    call(Waitpoints("https://stack.example.com", "key", transport=httpx.MockTransport(answer)))
    [body] = bodies
    return body


def test_options_are_sent_under_the_names_of_the_api() -> None:
    options: Any = {"timeout": 60, "idempotency_key": "k", "idempotency_key_ttl": timedelta(days=1), "unwrap": False}
    assert sent(lambda client: client.create(**options, tags=None)) == (
        b'{"timeout":"1m","idempotencyKey":"k","idempotencyKeyTTL":"1d","unwrap":false}'
    )


def test_an_unknown_option_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(TypeError, match=r"Unknown option 'time_out': did you mean 'timeout'\?"):
        client().create(**cast("Any", {"time_out": "7d"}))
    with pytest.raises(TypeError, match=r"Unknown option 'tag': did you mean 'tags'\?"):
        client().list(**cast("Any", {"tag": "a"}))


def client() -> Waitpoints:
    return Waitpoints("https://stack.example.com", "key", transport=httpx.MockTransport(lambda _: httpx.Response(500)))


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"tags": []}, "tags is empty: leave it out to list all"),
        ({"tags": ""}, "tags is empty"),
        ({"tags": ["a", ""]}, "tags is empty"),
        ({"status": ()}, "status is empty"),
        ({"idempotency_key": ""}, "idempotency_key is empty"),
        ({"tags": "a,b"}, "'a,b' has a comma, at which the API separates values"),
        ({"created_from": datetime(2030, 1, 1)}, "has no time zone"),
        ({"created_within": timedelta(-1)}, "cannot be negative"),
    ],
)
def test_a_filter_that_would_choose_something_else_is_refused(filters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        client().list(**cast("Any", filters))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}])
def test_what_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        client().complete("waitpoint_1", value)


@pytest.mark.parametrize(
    ("data", "body"), [({"a": "é"}, '{"data":{"a":"é"}}'.encode()), ("é\ud800", b'{"data":"\\u00e9\\ud800"}')]
)
def test_a_body_is_utf_8_unless_it_has_half_of_a_surrogate_pair(data: Any, body: bytes) -> None:
    assert sent(lambda client: client.complete("waitpoint_1", data)) == body
