"""Functions of the previous version and of this one, mixed as in a rollout: each reads what the other has written."""

from collections.abc import Mapping
from typing import Any

import pytest

from in_process.api_gateway import TOKENS, Api
from in_process.fakes.clock import FakeClock
from in_process.fakes.step_functions import FakeStepFunctions
from in_process.moto_stack import MotoStack
from tests.support.previous_functions import PreviousFunctions

pytestmark = pytest.mark.slow

HOUR = 3_600_000
PAGE = {"title": "Pay?", "fields": {"properties": {"amount": {"type": "number"}}}}
COMPLETE = "/api/v1/waitpoints/complete"
KNOWN_SINCE = {"pageActions"}
"""What an answer of this version has, and the previous one's has not."""


@pytest.fixture(scope="module")
def functions(stack: MotoStack, tmp_path_factory: pytest.TempPathFactory) -> PreviousFunctions:
    return PreviousFunctions(stack, tmp_path_factory.mktemp("previous"))


@pytest.fixture
def previous(functions: PreviousFunctions, clock: FakeClock, step_functions: FakeStepFunctions) -> PreviousFunctions:
    """The previous version's functions, with this one's clock and executions."""
    functions.use(clock, step_functions_client=step_functions)
    return functions


def made(api: Api, waits: FakeStepFunctions, clock: FakeClock) -> dict[str, Mapping[str, Any]]:
    """A token of every kind, by what it is."""
    options: dict[str, dict[str, Any]] = {
        "plain": {},
        "short": {"timeout": "1m"},
        "long": {"timeout": "2h", "tags": ["a", "b"]},
        "key": {"idempotencyKey": "order-1", "idempotencyKeyTTL": "1h"},
        "rules": {"completeWhen": "body.paid"},
        "schema": {"payloadSchema": {"type": "object"}},
        "page": {"page": PAGE},
        "completed": {"timeout": "30d"},
        "failed": {},
        "timed out": {"timeout": "1s"},
    }
    tokens = {name: api.create(taskToken=waits.start_task(), **given) for name, given in options.items()}
    clock.advance(2000)
    assert api.post(tokens["completed"]["url"], {"paid": True}, {"content-type": "application/json"}).status == 200
    assert api.post(tokens["rules"]["url"], {}, {"content-type": "application/json"}).status == 200  # and does not settle it
    assert api.post(f"{TOKENS}/{tokens['failed']['id']}/complete", {"error": {"message": "no"}}).status == 200
    assert api.post(f"{TOKENS}/{tokens['timed out']['id']}/complete", {}).status == 200
    assert api.post(COMPLETE, {"idempotencyKey": "kept", "data": 1}).status == 200
    return tokens


def test_the_previous_version_reads_what_this_one_writes(
    stack: MotoStack, api: Api, clock: FakeClock, step_functions: FakeStepFunctions, previous: PreviousFunctions
) -> None:
    old, tokens = Api(previous.template, stack.secret("ApiKey")), made(api, step_functions, clock)
    for name, token in tokens.items():
        found = {member: value for member, value in api.retrieve(token["id"]).items() if member not in KNOWN_SINCE}
        with previous.in_place():
            assert old.retrieve(token["id"]) == found, name
    with previous.in_place():
        assert old.get(TOKENS).json == api.get(TOKENS).json


def test_the_previous_version_finishes_what_this_one_has_begun(
    stack: MotoStack, api: Api, clock: FakeClock, step_functions: FakeStepFunctions, previous: PreviousFunctions
) -> None:
    """Its doctor scans every item of the table, and times out what has no timer."""
    tokens = made(api, step_functions, clock)
    clock.advance(3 * HOUR)
    found = previous.call("doctor", {})
    assert (found["finished"], found["undone"]) == (2, 0)
    statuses = {name: api.retrieve(token["id"])["status"] for name, token in tokens.items()}
    assert {name for name, status in statuses.items() if status == "TIMED_OUT"} == {"short", "long", "timed out"}
    assert [token["id"] for token in api.get(f"{TOKENS}?filter[undelivered]=true").json["data"]] == []
