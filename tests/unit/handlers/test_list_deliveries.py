"""GET /api/v1/endpoints/{name}/deliveries (contract N30): `endpoints/deliveries_query`."""

from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.endpoint_routes import GITHUB, SMALLEST, put, stored
from tests.support.example_requests import record_delivery
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.world import World
from tests.support.refusals import is_refused
from tools.openapi import answers
from waitpoints.endpoint import DeliveryKind
from waitpoints.recorded_delivery import MAX_TEXT
from waitpoints.token import iso

DELIVERIES = f"{GITHUB}/deliveries"
HOUR = 3_600_000


@pytest.fixture(autouse=True)
def endpoint(api: Api) -> None:
    put(api, SMALLEST)


def record(world: World, hours_ago: int = 0, **row: Any) -> str:
    return record_delivery(stored(world).secret_id, **{"at": world.clock() - hours_ago * HOUR, **row}).id


def listed(api: Api, **query: Any) -> Any:
    answer = api.ask("GET", f"{DELIVERIES}?{urlencode(query)}")
    answers.ListDeliveriesResult.model_validate(answer)
    return answer


def ids(api: Api, **query: Any) -> list[str]:
    return [it["id"] for it in listed(api, **query)["data"]]


def test_shows_the_newest_first_without_what_was_sent(api: Api, world: World) -> None:
    older = record(world, hours_ago=2)
    newer = record(world, hours_ago=1, kind=DeliveryKind.COMPLETED, key="github:7", token_id="waitpoint_" + "0" * 26)
    answer = listed(api)
    assert ([it["id"] for it in answer["data"]], answer["pagination"]) == ([newer, older], {})
    assert answer["data"][0] == {
        "id": newer,
        "endpoint": "github",
        "kind": "completed",
        "createdAt": iso(world.clock() - HOUR),
        "expiresAt": answer["data"][0]["expiresAt"],
        "size": 32,
        "key": "github:7",
        "tokenId": "waitpoint_" + "0" * 26,
    }


def test_goes_on_where_a_page_ends(api: Api, world: World) -> None:
    made = [record(world, hours_ago) for hours_ago in range(5)]
    pages, cursor = [], ""
    for _ in range(3):
        page = listed(api, **{"page[size]": 2, "page[after]": cursor})
        pages.append([it["id"] for it in page["data"]])
        cursor = page["pagination"].get("next", "")
    assert (pages, cursor) == ([made[:2], made[2:4], made[4:]], "")
    assert ids(api, **{"page[after]": made[3]}) == made[4:], "an id is a cursor, too"


def test_filters(api: Api, world: World) -> None:
    pending = record(world, 0, pending=True)
    kept = record(world, 1, kind=DeliveryKind.KEPT, key="github:1", delivery_id="event-1")
    repeated = record(world, 30, kind=DeliveryKind.REPEATED, key="github:2", delivery_id="event-1")
    no_key = record(world, 50, kind=DeliveryKind.NO_KEY)
    filters = {
        "filter[kind]": {
            "kept": [kept],
            "noKey,kept": [kept, no_key],
            "pending": [pending],
            "pending,noKey": [pending, no_key],
            "": [pending, kept, repeated, no_key],
        },
        "filter[key]": {"github:1": [kept], "github:3": [], "": [pending, kept, repeated, no_key]},
        "filter[deliveryId]": {"event-1": [kept, repeated], "event": []},
        "filter[createdAt][period]": {"10h": [pending, kept], "2d": [pending, kept, repeated]},
        "filter[createdAt][from]": {iso(world.clock() - HOUR): [pending, kept]},
        "filter[createdAt][to]": {str(world.clock() - 30 * HOUR): [repeated, no_key]},
    }
    for name, values in filters.items():
        for value, found in values.items():
            assert ids(api, **{name: value}) == found, (name, value)
    assert ids(api, **{"filter[kind]": "kept,repeated", "filter[deliveryId]": "event-1", "filter[key]": "github:2"}) == [
        repeated
    ]


def test_a_long_key_or_event_is_found_by_what_is_stored_of_it(api: Api, world: World) -> None:
    one = record(world, kind=DeliveryKind.KEPT, key="k" * MAX_TEXT, delivery_id="e" * MAX_TEXT)
    assert ids(api, **{"filter[key]": "k" * 2000}) == ids(api, **{"filter[deliveryId]": "e" * 2000}) == [one]


def test_what_has_expired_is_not_shown(api: Api, world: World) -> None:
    record(world, expires_at=world.clock() // 1000)
    live = record(world, expires_at=world.clock() // 1000 + 1)
    assert ids(api) == [live]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("filter[kind]=refused", "Invalid kinds: refused; expected completed, kept, repeated, late, notAwaited, notMatching"),
        ("filter[kind]=kept,", "filter[kind]"),
        ("filter[Kind]=kept", "filter[kind]"),
        ("filter[tags]=a", "filter[tags]"),
        ("page[size]=101", "page[size] must be a whole number from 1 to 100"),
        ("page[after]=1", "page[after] must be a cursor"),
        ("page[after]=waitpoint_01jd3rj5v0000000000000000a", "page[after] must be a cursor"),
        ("filter[createdAt][from]=yesterday", "filter[createdAt][from] Invalid date"),
        ("sort=createdAt", "sort"),
    ],
)
def test_another_query_is_400_and_names_what_is_accepted(api: Api, world: World, query: str, said: str) -> None:
    is_refused(world, lambda: api.get(f"{DELIVERIES}?{query}"), 400, "InvalidRequest", said)


def test_of_an_endpoint_that_was_made_again_those_of_the_old_one_are_not_found(api: Api, world: World) -> None:
    old = record(world)
    assert api.request("DELETE", GITHUB).status == 200
    for path in (DELIVERIES, f"{DELIVERIES}/{old}"):
        is_refused(world, partial(api.get, path), 404, "EndpointNotFound")
    put(api, SMALLEST)
    assert ids(api) == []
    is_refused(world, lambda: api.get(f"{DELIVERIES}/{old}"), 404, "DeliveryNotFound")
