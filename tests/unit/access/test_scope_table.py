"""Which key may use which route, every cell (contract Q3)."""

import pytest

from tests.support.example_requests import named, record_delivery
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.world import World
from tests.support.scope_table import CLOSED, KEYS, ROOT_ONLY, Holders, cells
from tools.openapi.operation import Operation
from waitpoints.wiring import services


def record(name: str) -> str:
    endpoint = services.endpoints.get(name)
    assert endpoint is not None
    return record_delivery(endpoint.secret_id).id


@pytest.fixture
def holders(api: Api, world: World) -> Holders:
    def ask(method: str, path: str, body: object, key: str) -> tuple[int, object]:
        answer = api.request(method, path, body, {"authorization": f"Bearer {key}", "content-type": "application/json"})
        return answer.status, answer.json

    return Holders(ask, world.api_key.read_current(), world.advance, record)


@pytest.mark.parametrize("operation", CLOSED, ids=named)
def test_each_route_takes_the_keys_with_its_scope_and_no_others(holders: Holders, operation: Operation) -> None:
    holders.try_row(operation)


def test_every_route_that_takes_the_api_key_has_a_scope_or_is_for_the_root_key_alone() -> None:
    assert {operation.id for operation in CLOSED if operation.scope is None} == ROOT_ONLY
    assert {operation.id for operation in CLOSED if operation.path.startswith(KEYS)} <= ROOT_ONLY


def test_the_table_has_every_kind_of_cell() -> None:
    statuses = {(cell.holder, cell.status) for operation in CLOSED for cell in cells(operation)}
    assert {status for _, status in statuses} == {200, 401, 403}
    assert {holder for holder, status in statuses if status == 200} >= {
        "root",
        "create:team-a",
        "endpoints",
        "deliveries:team-a",
    }
