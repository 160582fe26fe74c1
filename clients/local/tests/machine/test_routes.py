"""By which door a token is answered, and what it refuses."""

from collections.abc import Iterator
from typing import Any

import pytest
from waitpoints_client import Waitpoints
from waitpoints_client.session import Session
from waitpoints_client.testing import FakeWaitpoints

from waitpoints_local.machine.answers import Answer
from waitpoints_local.machine.fitting_output import Completion
from waitpoints_local.machine.history import Answered
from waitpoints_local.machine.routes import NOT_MATCHING, Refused, answer

PAGE: Any = {"title": "Deploy?", "approvers": ["ann", "bo", "cy"], "actions": [{"id": "yes", "label": "Yes", "needs": 2}]}


@pytest.fixture
def waitpoints() -> Waitpoints:
    return FakeWaitpoints().client()


def completion_of(waitpoints: Waitpoints, *, is_signed: bool = False, **options: Any) -> Completion:
    token = waitpoints.get(waitpoints.create(**options))
    return Completion(token, None, (), not is_signed, bool(token.approvers), is_signed)


def test_a_token_is_answered_by_its_url(waitpoints: Waitpoints) -> None:
    completion = completion_of(waitpoints)
    assert list(answer(waitpoints, completion, lambda _: Answer({"n": 1}))) == [Answered({"n": 1})]
    ended = waitpoints.get(completion.token)
    assert (ended.output, ended.completed_by and ended.completed_by.source) == ({"n": 1}, "callback")


def test_one_that_a_sender_must_sign_for_is_answered_with_the_key(waitpoints: Waitpoints) -> None:
    completion = completion_of(waitpoints, is_signed=True)
    list(answer(waitpoints, completion, lambda _: Answer(None)))
    ended = waitpoints.get(completion.token)
    assert (ended.ok, ended.completed_by and ended.completed_by.source) == (True, "complete")


def test_without_an_answer_it_waits_on(waitpoints: Waitpoints) -> None:
    completion = completion_of(waitpoints)
    assert list(answer(waitpoints, completion, lambda _: None)) == []
    assert waitpoints.get(completion.token).status == "WAITING"


def test_approvers_answer_by_their_own_links_until_it_is_decided(waitpoints: Waitpoints) -> None:
    completion = completion_of(waitpoints, page=PAGE)
    given = list(answer(waitpoints, completion, lambda _: Answer({"action": "yes"})))
    assert given == [Answered({"action": "yes"}, "ann"), Answered({"action": "yes"}, "bo")]
    ended = waitpoints.get(completion.token)
    assert (ended.status, [it.approver for it in ended.answers]) == ("COMPLETED", ["ann", "bo"])


def test_an_approver_without_an_answer_is_left_out(waitpoints: Waitpoints) -> None:
    completion = completion_of(waitpoints, page=PAGE)
    given = list(answer(waitpoints, completion, lambda who: Answer({"action": "yes"}) if who == "bo" else None))
    assert given == [Answered({"action": "yes"}, "bo")]
    assert waitpoints.get(completion.token).status == "WAITING"


def test_what_the_token_refuses_is_told(waitpoints: Waitpoints) -> None:
    completion = completion_of(waitpoints, page=PAGE)
    with pytest.raises(Refused, match="ann: 422: The body does not fit the token's page"):
        list(answer(waitpoints, completion, lambda _: Answer({"action": "maybe"})))


def test_one_that_has_ended_takes_no_answer(waitpoints: Waitpoints) -> None:
    completion = completion_of(waitpoints)
    waitpoints.complete(completion.token)
    with pytest.raises(Refused, match="it has ended before: it is COMPLETED"):
        list(answer(waitpoints, completion, lambda _: Answer(1)))


@pytest.mark.parametrize("options", [{}, {"page": PAGE}])
def test_one_that_somebody_else_has_ended_is_none_of_ours(waitpoints: Waitpoints, options: Any) -> None:
    completion = completion_of(waitpoints, **options)
    waitpoints.fail(completion.token, "no longer needed")
    assert list(answer(waitpoints, completion, lambda _: None)) == []


def test_an_answer_that_complete_when_passes_over_is_refused(waitpoints: Waitpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack answers with 200, as to any delivery that does not match, and the token waits on."""
    completion = completion_of(waitpoints)

    def deliver(*_: object) -> Iterator[object]:
        yield from ()

    monkeypatch.setattr(Session, "deliver", deliver)
    with pytest.raises(Refused, match=NOT_MATCHING):
        list(answer(waitpoints, completion, lambda _: Answer(1)))
