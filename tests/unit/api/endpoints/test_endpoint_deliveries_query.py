"""The parameters of the list of recorded deliveries."""

from urllib.parse import urlencode

import pytest

from waitpoints.api.endpoints.deliveries_query import KINDS, parse
from waitpoints.errors import InvalidRequest
from waitpoints.listing import ListQuery
from waitpoints.recorded_delivery import MAX_TEXT, DeliveryFilter

NOW = 1_800_000_000_000
HOUR = 3_600_000


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({}, ListQuery(DeliveryFilter())),
        ({"page[size]": "100"}, ListQuery(DeliveryFilter(), size=100)),
        ({"page[after]": f"delivery_{'0' * 26}"}, ListQuery(DeliveryFilter(), after="0" * 26)),
        ({"filter[kind]": ""}, ListQuery(DeliveryFilter())),
        ({"filter[kind]": "noKey,pending"}, ListQuery(DeliveryFilter(frozenset({"noKey", "pending"})))),
        ({"filter[key]": "k" * 1000}, ListQuery(DeliveryFilter(key="k" * MAX_TEXT))),
        ({"filter[deliveryId]": "evt 1"}, ListQuery(DeliveryFilter(delivery_id="evt 1"))),
        ({"filter[createdAt][period]": "1h"}, ListQuery(DeliveryFilter(), created_from=NOW - HOUR)),
        ({"filter[createdAt][to]": str(NOW)}, ListQuery(DeliveryFilter(), created_to=NOW)),
    ],
)
def test_is_read(written: dict[str, str], expected: ListQuery[DeliveryFilter]) -> None:
    assert parse(urlencode(written), NOW) == expected


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ({"filter[kind]": "kept,refused"}, "Invalid kinds: refused; expected completed"),
        ({"filter[tags]": "a"}, "filter[tags]"),
        ({"page[size]": "101"}, "page[size]"),
        ({"page[after]": f"waitpoint_{'0' * 26}"}, "page[after]"),
        ({"filter[createdAt][from]": "yesterday"}, "filter[createdAt][from]"),
    ],
)
def test_a_refusal_names_the_parameter(written: dict[str, str], named: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse(urlencode(written), NOW)
    assert named in str(refused.value)


def test_what_is_never_recorded_is_no_kind() -> None:
    assert ("pending" in KINDS, "refused" in KINDS) == (True, False)
