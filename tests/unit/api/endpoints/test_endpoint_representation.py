"""An endpoint as the API shows it."""

import pytest

from tests.support.endpoint_routes import FULL, SMALLEST, get, put, stored
from tests.support.fakes.in_memory import InMemory
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.fakes.secret import FakeSecret
from tools.openapi.operations import ENDPOINTS
from waitpoints.endpoint import DeliveryKind, EndpointStatistics, LastDelivery
from waitpoints.token import iso


@pytest.fixture(autouse=True)
def secret(world: InMemory) -> None:
    world.webhook_secrets["shared"] = FakeSecret("the-secret-that-the-provider-repeats")


class TestRetrieve:
    def test_shows_what_put_answered(self, api: Api) -> None:
        endpoint = put(api, FULL)
        assert get(api) == {**endpoint, "deliveries": {}}

    def test_shows_counts_and_the_last_delivery_of_each_kind_that_came(self, api: Api, world: InMemory) -> None:
        put(api, SMALLEST)
        full = LastDelivery(
            at=world.clock(), ip="192.0.2.1", user_agent="GitHub-Hookshot", delivery_id="d-1", key="github:7", detail="why"
        )
        bare = LastDelivery(at=world.clock() + 1)
        counts = {DeliveryKind.NOT_MATCHING: 2_000, DeliveryKind.COMPLETED: 1}
        last = {DeliveryKind.NOT_MATCHING: bare, DeliveryKind.COMPLETED: full}
        world.endpoints.count(stored(world).secret_id, EndpointStatistics(counts, last))
        assert get(api)["deliveries"] == {
            "notMatching": {"count": 2_000, "lastAt": iso(bare.at)},
            "completed": {
                "count": 1,
                "lastAt": iso(full.at),
                "lastIp": "192.0.2.1",
                "lastUserAgent": "GitHub-Hookshot",
                "lastDeliveryId": "d-1",
                "lastKey": "github:7",
                "lastDetail": "why",
            },
        }

    @pytest.mark.parametrize("name", ["unknown", "GitHub", "x" * 5_000, "%2F", "%ED%A0%80"])
    def test_of_an_unknown_or_impossible_name_is_404(self, api: Api, name: str) -> None:
        put(api, SMALLEST)
        answer = api.get(f"{ENDPOINTS}/{name}")
        assert (answer.status, answer.error) == (404, "Endpoint not found")
