"""`World.lost` finds a secret that was told. Every run with a fault asks it."""

from collections.abc import Callable

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
    world.deliver(token, SMALL, signed_with=SECRET)
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


def log(_: World, secret: str) -> None:
    telemetry.logger.warning("told", secret=secret)


def answer(world: World, secret: str) -> None:
    world.answers.append(f'{{"error": "{secret}"}}')


def resume(world: World, secret: str) -> None:
    waits = world.waits[WaiterKind.STEP_FUNCTIONS]
    waits._answer("SendTaskFailure", waits.start(), Failure("Error", secret))


IN_ANSWERS = ("API key", "signing key", "webhook secret", "task token", "callback id")


@pytest.mark.parametrize(
    ("tell", "kind", "found"),
    [
        *((log, kind, "the log has") for kind in KINDS),
        *((answer, kind, "an answer has") for kind in IN_ANSWERS),
        (resume, "API key", "an answer has"),
        (resume, "callback hash", "an execution was given"),
    ],
)
def test_a_secret_that_is_told_is_found(stack: MotoStack, tell: Callable[[World, str], None], kind: str, found: str) -> None:
    world = World(stack)
    with world.alive():
        tell(world, secrets_of(world)[kind])
        assert [problem for problem in world.lost() if problem.startswith(found)] != []
