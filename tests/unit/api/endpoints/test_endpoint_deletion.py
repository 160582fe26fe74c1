"""Delete recorded deliveries. tests/unit/handlers/test_delete_deliveries.py has the routes, and what goes with them."""

import pytest

from tests.support.example_requests import record_delivery
from tests.support.fakes.in_memory import InMemory
from tests.support.github_endpoint import BODY, GITHUB, KEY, deliver, put, signature
from tests.support.in_process.api_gateway import Api
from waitpoints.api.endpoints import deletion
from waitpoints.endpoint import Endpoint

pytestmark = pytest.mark.usefixtures("api", "github")


@pytest.fixture
def endpoint(world: InMemory) -> Endpoint:
    return put(world, verify=GITHUB, record_deliveries="7d")


def test_what_it_kept_goes_with_it(world: InMemory, api: Api, endpoint: Endpoint) -> None:
    assert deliver(api, endpoint, BODY, signature(endpoint)).status == 200
    assert world.completions_by_key.find_token(KEY) is not None
    [row] = world.deliveries._rows.values()
    deletion.delete(endpoint, row)
    assert (world.completions_by_key.find_token(KEY), world.deliveries._rows) == (None, {})


def test_without_time_nothing_is_deleted_and_it_is_not_done(world: InMemory, endpoint: Endpoint) -> None:
    for _ in range(3):
        record_delivery(endpoint.secret_id, at=world.clock())
    assert deletion.delete_all(endpoint, lambda: False) == (0, False)
    assert deletion.delete_all(endpoint, lambda: True) == (3, True)
    assert deletion.delete_all(endpoint, lambda: True) == (0, True)
