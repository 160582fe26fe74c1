"""The endpoints of this project, whose secrets are stand-ins."""

from collections.abc import Iterator

import pytest
from waitpoints_client import Waitpoints

from waitpoints_local.stack import Stack
from waitpoints_local.testing import Endpoint, Machine


@pytest.fixture(scope="session")
def waitpoints(waitpoints_stack: Stack) -> Iterator[Waitpoints]:
    with Waitpoints(waitpoints_stack.api_url, waitpoints_stack.api_key) as client:
        yield client


@pytest.fixture
def github(machine: Machine) -> Endpoint:
    settings = {
        "key": "body.workflow_run.id",
        "completeWhen": "body.action == 'completed'",
        "output": "body.workflow_run",
        "verify": {"scheme": "github", "secret": "GITHUB"},
    }
    return machine.endpoint("github", settings)


@pytest.fixture
def stripe(machine: Machine) -> Endpoint:
    settings = {
        "key": "body.data.object.client_reference_id",
        "completeWhen": "body.data.object.payment_status == 'paid' || body.type == 'checkout.session.expired'",
        "output": "body.data.object",
        "verify": {"scheme": "stripe", "secret": "STRIPE"},
    }
    return machine.endpoint("payments", settings)
