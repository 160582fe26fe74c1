"""Pages on which people sign in: every call fails in every way, to AWS and to the issuer, and whoever tries again gets through.

Nobody answers as another person, and what a page shows while a call fails says nothing of the request. `make test` tries
faults in the flows of OFTEN, which make each kind of call between them.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.faults.aws import client
from tests.support.faults.figures import Figures
from tests.support.faults.flows import HOUR, NO, PLAIN, UNWRAPPED, WITH_CONTEXT, Way
from tests.support.faults.matrix import Matrix
from tests.support.faults.sign_in import CLIENT_SECRET, TITLE, Person, SignInWorld
from tests.support.faults.wire import TOLD_APART, Fault
from tests.support.faults.world import Timeout
from tests.support.in_process.fakes.issuer import SECRET, Key, issuer
from tests.support.in_process.moto_stack import MotoStack, updated
from tests.support.in_process.template import SIGN_IN
from waitpoints.oidc.issuer import REFETCH_AFTER

Flow = Callable[[SignInWorld], None]
FLOWS: dict[str, Flow] = {}
OFTEN = ["sign in", "sign in while everything is replaced", "answers of which the last decides"]
PAGE: dict[str, Any] = {
    "title": TITLE,
    "signIn": True,
    "approvers": [{"id": "ann", "subject": "ann-1"}, {"id": "bo", "email": "bo@example.com"}, {"id": "cy", "subject": "cy-1"}],
    "actions": [{"id": "approve", "label": "Approve", "needs": 2}, {"id": "reject", "label": "Reject"}],
    "fields": {"properties": {"reason": {"type": "string", "maxLength": 5}}, "required": ["reason"]},
}
OPEN = {**{name: PAGE[name] for name in ("title", "actions", "fields")}, "signIn": {"domains": ["example.com"]}}
ED = {"id": "ed", "subject": "ed-1"}
ASKED: dict[str, Any] = {"page": PAGE, "timeout": "30m"}


def flow(function: Flow) -> Flow:
    FLOWS[function.__name__.replace("_", " ")] = function
    return function


def decided(world: SignInWorld, token: dict[str, Any], people: list[str], *ways: Way) -> Callable[[], None]:
    """Let runs wait. What is returned lets them go on with what these people have decided by then."""
    executions = [(world.wait(token, *way), way) for way in ways]

    def end() -> None:
        if world.outcomes_are_open:
            Person(world, "cy", has_session=True).answer(token, "reject")
        world.come_to_rest()
        outcome = world.decision_of(token, people)
        for execution, way in executions:
            world.expect(execution, token, outcome, *way)

    return end


@flow
def sign_in(world: SignInWorld) -> None:
    token = world.create(**ASKED)
    end = decided(world, token, ["cy"], PLAIN)
    cy = Person(world, "cy")
    with world.faulty():
        assert TITLE in cy.open(token).text
    assert world.token(token["id"]).answers == ()
    cy.answer(token, "reject")
    end()


@flow
def sign_in_while_everything_is_replaced(world: SignInWorld) -> None:
    """The issuer's keys and the client's secret, of which functions that are warm know the old ones."""
    token = world.create(**ASKED)
    end = decided(world, token, ["cy"], PLAIN)
    world.is_warm = True
    Person(world, "bo").open(token)
    world.clock.advance(REFETCH_AFTER)
    world.idp.key = Key("two" if world.idp.key.kid == "one" else "one")
    world.idp.keys = [world.idp.key.public]
    world.put_client_secret(f"{SECRET} {world.idp.key.kid}")
    cy = Person(world, "cy")
    with world.faulty():
        cy.open(token)
    cy.answer(token, "reject")
    end()


@flow
def answers_of_which_the_last_decides(world: SignInWorld) -> None:
    token = world.create(**ASKED)
    end = decided(world, token, ["ann", "bo"], UNWRAPPED, WITH_CONTEXT)
    people = [Person(world, name, has_session=True) for name in ("ann", "bo")]
    with world.faulty():
        for person in people:
            person.answer(token, "approve")
    end()


@flow
def an_answer_by_anyone_of_a_domain(world: SignInWorld) -> None:
    token = world.create(page=OPEN)
    end = decided(world, token, ["cy-1"], PLAIN)
    cy = Person(world, "cy", has_session=True)
    with world.faulty():
        cy.answer(token, "reject")
    end()


@flow
def an_answer_after_the_sessions_key_was_rotated(world: SignInWorld) -> None:
    """The page is open, and its form is sent: the person signs in again, and presses the button of the page shown then."""
    token = world.create(**ASKED)
    end = decided(world, token, ["cy"], PLAIN)
    cy = Person(world, "cy", has_session=True)
    form = cy.form(cy.open(token), "reject")
    world.rotate("SessionKey")
    with world.faulty():
        cy.answer(token, "reject", form)
    end()


@flow
def an_answer_past_the_timeout(world: SignInWorld) -> None:
    token = world.create(**ASKED)
    execution = world.wait(token)
    cy = Person(world, "cy", has_session=True)
    form = cy.form(cy.open(token), "reject")
    world.clock.advance(HOUR // 2)
    with world.faulty():
        cy.answer(token, "reject", form)
    world.advance(HOUR)
    world.expect(execution, token, Timeout())


@flow
def look_and_sign_out(world: SignInWorld) -> None:
    token = world.create(**ASKED)
    end = decided(world, token, ["cy"], PLAIN)
    cy = Person(world, "cy", has_session=True)
    with world.faulty():
        assert TITLE in cy.open(token).text
        cy.sign_out(token)
    assert world.token(token["id"]).answers == ()
    cy.answer(token, "reject")
    end()


@flow
def the_root_key_in_place_of_who_signs_in(world: SignInWorld) -> None:
    token = world.create(**ASKED)
    execution = world.wait(token)
    world.take_key("complete")
    with world.faulty():
        world.complete(token, '{"action":"reject","fields":{"reason":"fine"}}', status=403)
        world.named_key = None
        world.fail(token, NO)
    world.come_to_rest()
    world.expect(execution, token, NO)


@flow
def a_hand_over(world: SignInWorld) -> None:
    token = world.create(**ASKED)
    end = decided(world, token, ["ed"], PLAIN)
    with world.faulty():
        world.hand_over(token, [ED], ["cy"], 200)
    Person(world, "ed").answer(token, "reject")
    end()


@flow
def create_a_page_with_a_sign_in(world: SignInWorld) -> None:
    with world.faulty():
        token = world.create(idempotencyKey="deploy", **ASKED)
    end = decided(world, token, ["cy"], PLAIN)
    Person(world, "cy").answer(token, "reject")
    end()


LONGER = [name for name in FLOWS if name not in OFTEN]


@pytest.fixture(scope="module")
def matrix(stack: MotoStack, figures: Figures) -> Iterator[Matrix[SignInWorld]]:
    with issuer() as idp, updated(stack, {**SIGN_IN, "OidcIssuer": idp.url}) as changed:
        yield Matrix(FLOWS, lambda: SignInWorld(changed, idp), figures)
        client("secretsmanager").delete_secret(SecretId=CLIENT_SECRET, ForceDeleteWithoutRecovery=True)


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_without_faults_has_one_outcome(matrix: Matrix[SignInWorld], name: str) -> None:
    assert matrix.lost_without_faults(name) == []


@pytest.mark.parametrize("name", OFTEN)
def test_who_tries_again_gets_through_when_a_call_fails(matrix: Matrix[SignInWorld], name: str) -> None:
    assert matrix.lost_in_choice(name, OFTEN) == {}


@pytest.mark.thorough
@pytest.mark.parametrize("name", LONGER)
def test_who_tries_again_gets_through_when_a_call_of_another_flow_fails(matrix: Matrix[SignInWorld], name: str) -> None:
    assert matrix.lost_in_choice(name, LONGER) == {}


@pytest.mark.thorough
@pytest.mark.parametrize("fault", TOLD_APART, ids=lambda fault: fault.name)
@pytest.mark.parametrize("name", OFTEN)
def test_who_tries_again_gets_through_when_any_call_fails(matrix: Matrix[SignInWorld], name: str, fault: Fault) -> None:
    assert matrix.lost_in_any(name, fault, but=matrix.choice(OFTEN)) == {}


def the_other_person_rejects(world: SignInWorld) -> None:
    for token in world.tokens:
        Person(world, "cy", has_session=True).answer(token, "reject")


def the_root_key_ends_it(world: SignInWorld) -> None:
    for token in world.tokens:
        world.complete(token, '{"action":"reject","fields":{"reason":"root"}}')


def the_first_is_removed(world: SignInWorld) -> None:
    for token in world.tokens:
        world.hand_over(token, [ED], ["ann"], 200, 409)


def the_timeout_passes(world: SignInWorld) -> None:
    world.come_to_rest()
    world.advance(HOUR // 2)


def the_sessions_key_is_rotated(world: SignInWorld) -> None:
    world.rotate("SessionKey")


def come_to_an_end(world: SignInWorld) -> None:
    for token in world.tokens:
        world.fail(token, NO)
    world.come_to_rest()


@pytest.mark.parametrize(
    "act",
    [
        the_first_is_removed,
        *(
            pytest.param(act, marks=pytest.mark.thorough)
            for act in (the_other_person_rejects, the_root_key_ends_it, the_timeout_passes, the_sessions_key_is_rotated)
        ),
    ],
)
def test_two_answers_have_one_outcome_when_something_else_happens_between_calls(matrix: Matrix[SignInWorld], act: Flow) -> None:
    assert matrix.lost_between_calls("answers of which the last decides", act, finish=come_to_an_end) == {}
