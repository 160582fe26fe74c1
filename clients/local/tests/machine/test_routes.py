"""By which route a token is answered, and what it refuses."""

from typing import Any

import pytest
from waitpoints_client import Waitpoints, calls
from waitpoints_client.testing import FakeWaitpoints

from waitpoints_local.machine import routes
from waitpoints_local.machine.fitting_output import Completion
from waitpoints_local.machine.routes import NOT_MATCHING, Refused

PAGE: Any = {"title": "Deploy?", "approvers": ["ann", "bo"], "actions": [{"id": "yes", "label": "Yes"}]}


@pytest.fixture
def waitpoints() -> Waitpoints:
    return FakeWaitpoints().client()


def completion_of(waitpoints: Waitpoints, **options: Any) -> Completion:
    token = waitpoints.get(waitpoints.create(**options))
    return Completion(token, None, (), by_post=True, has_page=bool(token.approvers))


def deliver(waitpoints: Waitpoints, completion: Completion, value: Any, approver: str | None = None) -> None:
    """Answer a token that asks for no signature: the stack is not looked at."""
    routes.deliver(None, waitpoints, completion, value, approver)  # type: ignore[arg-type]


def test_a_token_is_answered_by_its_url(waitpoints: Waitpoints) -> None:
    completion = completion_of(waitpoints)
    deliver(waitpoints, completion, {"n": 1})
    ended = waitpoints.get(completion.token)
    assert (ended.output, ended.completed_by and ended.completed_by.source) == ({"n": 1}, "callback")


@pytest.mark.parametrize(
    ("body", "content"), [(b"\xff", b"\xff"), ("té", b"t\xc3\xa9"), ({"é": 1}, b'{"\xc3\xa9": 1}'), (None, b"null")]
)
def test_what_is_posted_is_bytes_or_a_text_or_else_json(body: Any, content: bytes) -> None:
    sent = routes.delivery("https://a", body, {"Content-Type": "text/plain"} if isinstance(body, str) else None)
    kind = "text/plain" if isinstance(body, str) else "application/json"
    assert (sent.url, sent.body, sent.headers) == ("https://a", content, {"content-type": kind})


@pytest.mark.parametrize(
    ("value", "approver", "reason"),
    [
        ({"action": "yes"}, None, "401: Only a URL that a create has given out"),
        ({"action": "yes"}, "cy", "cy is none of its approvers: ann, bo"),
    ],
)
def test_a_refusal_says_why(waitpoints: Waitpoints, value: Any, approver: str | None, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        deliver(waitpoints, completion_of(waitpoints, page=PAGE), value, approver)


def test_an_answer_that_complete_when_passes_over_is_refused(waitpoints: Waitpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack answers with 200, as to any delivery that does not match, and the token still waits."""
    monkeypatch.setattr(calls, "deliver", lambda *_: calls.list_tokens({}).after(None))
    with pytest.raises(Refused, match=NOT_MATCHING):
        deliver(waitpoints, completion_of(waitpoints), 1)
