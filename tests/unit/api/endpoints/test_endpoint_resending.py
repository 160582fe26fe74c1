"""Process a delivery that is sent again. tests/unit/handlers/test_resend_delivery.py has the route."""

from dataclasses import replace

import pytest

from tests.support.example_requests import record_delivery
from tests.support.fakes.in_memory import InMemory
from tests.support.github_endpoint import BODY, GITHUB, put
from waitpoints.api.endpoints import resending
from waitpoints.endpoint import DeliveryKind, Endpoint
from waitpoints.recorded_delivery import Contents, RecordedDelivery
from waitpoints.token import Completed

pytestmark = pytest.mark.usefixtures("api", "github")
CONTENTS = Contents({"content-type": "application/json"}, "", BODY.encode())


@pytest.fixture
def endpoint(world: InMemory) -> Endpoint:
    return put(world, verify=GITHUB, record_deliveries="7d")


def resend_to(world: InMemory, endpoint: Endpoint, token_id: str) -> RecordedDelivery:
    return replace(record_delivery(endpoint.secret_id, at=world.clock()), token_id=token_id)


def test_processed_twice_it_comes_to_the_same(world: InMemory, endpoint: Endpoint) -> None:
    world.clock.advance(1000)
    token = world.new_token()
    world.clock.advance(1000)
    record = resend_to(world, endpoint, token)
    first, again = (resending.process(endpoint, record, CONTENTS) for _ in range(2))
    assert (first.kind, again.kind, first.was_before, again.was_before) == (*(DeliveryKind.COMPLETED,) * 2, False, True)
    outcome = world.tokens.find(token).outcome
    assert isinstance(outcome, Completed)
    assert outcome.output.json == BODY


def test_a_token_that_is_gone_is_not_awaited(world: InMemory, endpoint: Endpoint) -> None:
    gone = resending.process(endpoint, resend_to(world, endpoint, "waitpoint_" + "0" * 26), CONTENTS)
    assert (gone.kind, gone.detail) == (DeliveryKind.NOT_AWAITED, resending.IS_GONE)
