"""Find an endpoint, and one of its recorded deliveries. tests/unit/handlers has the routes."""

import pytest

from tests.support.example_requests import record_delivery
from tests.support.fakes.in_memory import InMemory
from tests.support.github_endpoint import GITHUB, put
from waitpoints.api.endpoints.recorded import find_delivery
from waitpoints.errors import DeliveryNotFound

pytestmark = pytest.mark.usefixtures("api", "github")


def test_a_delivery_is_found_until_it_expires(world: InMemory) -> None:
    endpoint = put(world, verify=GITHUB, record_deliveries="1h")
    found = record_delivery(endpoint.secret_id, at=world.clock(), expires_at=world.clock() // 1000 + 3600)
    assert find_delivery(endpoint, found.id.removeprefix("delivery_")).id == found.id
    world.clock.advance(3_601_000)
    with pytest.raises(DeliveryNotFound):
        find_delivery(endpoint, found.id)


def test_that_of_another_endpoint_is_not_found(world: InMemory) -> None:
    endpoint, other = put(world, verify=GITHUB), put(world, name="other", verify=GITHUB)
    found = record_delivery(other.secret_id, at=world.clock())
    with pytest.raises(DeliveryNotFound):
        find_delivery(endpoint, found.id)
