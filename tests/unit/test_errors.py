"""The exceptions of the stack."""

import inspect

import pytest

from waitpoints import errors
from waitpoints.errors import MOST_ATTEMPTS, TryAgain, WaitpointsError, attempts

STATUS = {
    400: "InvalidRequest",
    401: "Unauthenticated WrongCallbackHash WrongSignature",
    403: "Forbidden OutsideTag NameOutsideTag NotAsked SignInRefused",
    404: "TokenNotFound EndpointNotFound ApiKeyNotFound OutputNotFound",
    405: "MethodNotAllowed",
    409: "TooManyWaiters KeyTaken TokenHasEnded HasAnswered ApiKeyNameTaken TooManyApiKeys",
    413: "BodyTooLarge",
    503: "UnusableSecret TryAgain WrittenLater IssuerFails",
}
REFUSALS = [it for it in vars(errors).values() if inspect.isclass(it) and issubclass(it, WaitpointsError)]


def test_each_refusal_has_its_status_and_those_for_a_value_have_422() -> None:
    others = {name: status for status, names in STATUS.items() for name in names.split()}
    assert {it.__name__: it.status for it in REFUSALS} == {it.__name__: others.get(it.__name__, 422) for it in REFUSALS}
    assert {it.__name__ for it in REFUSALS} >= others.keys()


def test_clients_repeat_what_may_succeed_later_and_not_what_is_final() -> None:
    assert TryAgain("x").headers == {"retry-after": "1"}
    finals = {it.__name__ for it in REFUSALS if it.final}
    assert finals == {"KeyTaken", "TokenHasEnded", "HasAnswered", "ApiKeyNameTaken", "TooManyApiKeys"}
    assert errors.TokenHasEnded().headers == {"x-should-retry": "false"}
    assert errors.TokenNotFound().headers == {}


def test_the_last_attempt_asks_to_try_again() -> None:
    numbers = attempts("Too many at once")
    assert [next(numbers) for _ in range(MOST_ATTEMPTS)] == list(range(MOST_ATTEMPTS))
    with pytest.raises(TryAgain, match="Too many at once"):
        next(numbers)
