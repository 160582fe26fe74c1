"""`World.lost` finds a secret that was told. Every run with a fault asks it."""

import pytest

from tests.support.faults.flows import LARGE, SECRET, SMALL
from tests.support.faults.world import World
from tests.support.in_process.moto_stack import MotoStack
from waitpoints import telemetry
from waitpoints.token import WaiterKind
from waitpoints.waiter_result import Failure


def secrets_of(world: World) -> dict[str, str]:
    """One secret of each kind, of a token that was completed."""
    token = world.create(verify={"scheme": "stripe", "secret": world.make_webhook_secret(SECRET)})
    endpoint = world.put_endpoint()
    world.wait(token)
    world.wait(token)
    world.callback(token, SMALL, signed_with=SECRET)
    return {
        "API key": world.secret("ApiKey"),
        "signing key": world.secret("SigningKey"),
        "webhook secret": SECRET,
        "callback hash": token["url"].rsplit("/", 1)[1],
        "hash of an endpoint": endpoint["url"].rsplit("/", 1)[1],
        "idempotency key": world.say_key("order-4711"),
        "payload": SMALL,
        "large payload": LARGE,
        "task token": next(iter(world.waits[WaiterKind.STEP_FUNCTIONS].results())),
        "callback id": next(iter(world.waits[WaiterKind.DURABLE_FUNCTION].results())),
    }


KINDS = (
    "API key",
    "signing key",
    "webhook secret",
    "callback hash",
    "hash of an endpoint",
    "idempotency key",
    "payload",
    "large payload",
    "task token",
    "callback id",
)


def test_nothing_is_found_where_nothing_was_told(stack: MotoStack) -> None:
    world = World(stack)
    with world.alive():
        assert tuple(secrets_of(world)) == KINDS
        assert world.log.getvalue().count('"message":"request"') >= 3
        assert world.lost() == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_secret_in_the_log_is_found(stack: MotoStack, kind: str) -> None:
    world = World(stack)
    with world.alive():
        telemetry.logger.warning("told", secret=secrets_of(world)[kind])
        assert [problem for problem in world.lost() if problem.startswith("the log has")] != []


@pytest.mark.parametrize("kind", ["API key", "signing key", "webhook secret", "task token", "callback id"])
def test_a_secret_in_an_answer_is_found(stack: MotoStack, kind: str) -> None:
    world = World(stack)
    with world.alive():
        world.answers.append(f'{{"error": "{secrets_of(world)[kind]}"}}')
        assert [problem for problem in world.lost() if problem.startswith("an answer has")] != []


@pytest.mark.parametrize("kind", ["API key", "callback hash"])
def test_a_secret_in_a_result_is_found(stack: MotoStack, kind: str) -> None:
    world = World(stack)
    with world.alive():
        told = secrets_of(world)[kind]
        waits = world.waits[WaiterKind.STEP_FUNCTIONS]
        task_token = waits.start()
        waits._answer("SendTaskFailure", task_token, Failure("Error", told))
        assert world.lost() != []
