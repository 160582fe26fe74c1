"""By which route a token is answered, and what it refuses."""

from typing import Any

import pytest
from waitpoints_client import Waitpoints, calls
from waitpoints_client.testing import FakeWaitpoints

from waitpoints_local.machine.fitting_output import Completion
from waitpoints_local.machine.routes import NOT_MATCHING, Refused, deliver

PAGE: Any = {"title": "Deploy?", "approvers": ["ann", "bo"], "actions": [{"id": "yes", "label": "Yes"}]}


@pytest.fixture
def waitpoints() -> Waitpoints:
    return FakeWaitpoints().client()


def completion_of(waitpoints: Waitpoints, *, is_signed: bool = False, **options: Any) -> Completion:
    token = waitpoints.get(waitpoints.create(**options))
    return Completion(token, None, (), not is_signed, bool(token.approvers), is_signed)


@pytest.mark.parametrize(("is_signed", "source"), [(False, "callback"), (True, "complete")])
def test_a_token_is_answered_by_its_url(waitpoints: Waitpoints, is_signed: bool, source: str) -> None:
    completion = completion_of(waitpoints, is_signed=is_signed)
    deliver(waitpoints, completion, {"n": 1})
    ended = waitpoints.get(completion.token)
    assert (ended.output, ended.completed_by and ended.completed_by.source) == ({"n": 1}, source)


@pytest.mark.parametrize(
    ("value", "approver", "reason"),
    [
        ({"action": "maybe"}, "ann", "422: The body does not fit the token's page"),
        ({"action": "yes"}, "cy", "cy is none of its approvers: ann, bo"),
    ],
)
def test_a_refusal_says_why(waitpoints: Waitpoints, value: Any, approver: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        deliver(waitpoints, completion_of(waitpoints, page=PAGE), value, approver)


def test_an_answer_that_complete_when_passes_over_is_refused(waitpoints: Waitpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack answers with 200, as to any delivery that does not match, and the token still waits."""
    monkeypatch.setattr(calls, "deliver", lambda *_: calls.public_token_claims())
    with pytest.raises(Refused, match=NOT_MATCHING):
        deliver(waitpoints, completion_of(waitpoints), 1)
