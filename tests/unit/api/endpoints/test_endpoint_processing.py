"""What became of a delivery. tests/unit/handlers/test_accept_delivery.py has each kind, from a provider's request on."""

import pytest

from tests.support.fakes.in_memory import InMemory
from tests.support.github_endpoint import put
from waitpoints.api.endpoints.processing import Processed, after_the_end, early_until, processed
from waitpoints.complete_by_key import EarlyCompletion, NotAwaited
from waitpoints.endpoint import DeliveryKind
from waitpoints.ids import new_id
from waitpoints.token import Completed, CompletedBy, Source, TimedOut
from waitpoints.tokens import Completion, Ended, Settled

pytestmark = pytest.mark.usefixtures("api", "github")
NOW = 1_800_000_000_000
BY = CompletedBy(source=Source.ENDPOINT, record="delivery_1")
OTHER = CompletedBy(source=Source.ENDPOINT, record="delivery_2")


@pytest.mark.parametrize(
    ("ttl", "kept_for"), [("0s", 0), ("1h", 3_600_000), ("30d", 86_400_000)], ids=["nothing", "its time", "the retention"]
)
def test_a_delivery_that_came_first_is_kept(world: InMemory, ttl: str, kept_for: int) -> None:
    assert early_until(put(world, key_ttl=ttl), NOW, 86_400) == NOW + kept_for


def test_after_a_timeout_it_is_late() -> None:
    assert [after_the_end(it) for it in (TimedOut(NOW), Completed(NOW))] == [DeliveryKind.LATE, DeliveryKind.REPEATED]


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (Settled(), DeliveryKind.COMPLETED),
        (EarlyCompletion(), DeliveryKind.KEPT),
        (NotAwaited(), DeliveryKind.NOT_AWAITED),
        (Ended(Completed(NOW, completed_by=OTHER), None), DeliveryKind.REPEATED),
        (Ended(TimedOut(NOW), None), DeliveryKind.LATE),
    ],
)
def test_each_result_is_a_kind(world: InMemory, result: Completion, kind: DeliveryKind) -> None:
    token = world.new_token()
    assert processed(result, BY, token, "k") == Processed(kind, "k", token)


@pytest.mark.parametrize(
    ("created", "kind"), [(NOW, DeliveryKind.KEPT), (NOW - 1, DeliveryKind.COMPLETED)], ids=["made it", "settled it"]
)
def test_what_it_did_before_is_no_repetition(created: int, kind: DeliveryKind) -> None:
    token = new_id(created)
    outcome = Completed(NOW, completed_by=BY)
    assert processed(Ended(outcome, None), BY, token) == Processed(kind, None, token, was_before=True)
