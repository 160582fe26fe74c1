"""The exceptions of the stack."""

import inspect

import pytest

from waitpoints import errors
from waitpoints.errors import MOST_ATTEMPTS, TryAgain, WaitpointsError, attempts

CODES = {
    400: "InvalidRequest",
    401: "Unauthenticated WrongCallbackHash WrongSignature",
    403: "unauthorized NotAsked SignInRefused",
    404: "TokenNotFound EndpointNotFound DeliveryNotFound ApiKeyNotFound OutputNotFound",
    405: "MethodNotAllowed",
    409: "TooManyWaiters KeyTaken TokenHasEnded StillWaits NotAllResumed HasAnswered ApiKeyNameTaken TooManyApiKeys",
    413: "BodyTooLarge",
    422: "InvalidTimeout TooManyTags InvalidVerification InvalidCompleteWhen InvalidPayloadSchema InvalidMember InvalidPage "
    "InvalidNotify InvalidEndpoint InvalidApiKey PayloadRefused ResendRefused",
    500: "InternalServerError",
    503: "UnusableSecret TryAgain EndpointDisabled WrittenLater IssuerFails SignInPaused SignInsBusy",
}
"""Callers compare these. Add new ones; never rename or remove one, nor change its status."""
REFUSALS = [
    it for it in vars(errors).values() if inspect.isclass(it) and issubclass(it, WaitpointsError) and it is not WaitpointsError
]


def test_the_codes_are_these() -> None:
    assert {it.code: it.status for it in REFUSALS} == {
        code: status for status, codes in CODES.items() for code in codes.split()
    }


def test_a_code_is_the_name_of_its_class_except_trigger_devs() -> None:
    """So a state fails with the same name, and no two classes have one code."""
    assert {it.__name__ for it in REFUSALS if it.code != it.__name__} == {"Forbidden", "OutsideTag", "NameOutsideTag"}


def test_clients_repeat_what_may_succeed_later_and_not_what_is_final() -> None:
    assert TryAgain("x").headers == {"retry-after": "1"}
    finals = {it.__name__ for it in REFUSALS if it.final}
    assert finals == {
        "KeyTaken",
        "TokenHasEnded",
        "StillWaits",
        "NotAllResumed",
        "HasAnswered",
        "ApiKeyNameTaken",
        "TooManyApiKeys",
    }
    assert errors.TokenHasEnded().headers == {"x-should-retry": "false"}
    assert errors.TokenNotFound().headers == {}


def test_no_failure_of_the_stack_is_on_purpose() -> None:
    """The alarm on the API's failures does not ring for these."""
    assert {it.__name__ for it in REFUSALS if it.on_purpose} == {
        "EndpointDisabled",
        "IssuerFails",
        "SignInPaused",
        "SignInsBusy",
    }


def test_the_last_attempt_asks_to_try_again() -> None:
    numbers = attempts("Too many at once")
    assert [next(numbers) for _ in range(MOST_ATTEMPTS)] == list(range(MOST_ATTEMPTS))
    with pytest.raises(TryAgain, match="Too many at once"):
        next(numbers)
