"""Which request a call finds. The client's contract shows that it does."""

import asyncio
import inspect
import warnings
from contextlib import nullcontext
from datetime import timedelta
from threading import Thread
from typing import Any, cast

import httpx
import pytest

from waitpoints_client import AskOptions, ConflictError, PageOptions
from waitpoints_client.agents import ApprovalPage, approval_page
from waitpoints_client.asking import find_or_create, request
from waitpoints_client.clock import Pause
from waitpoints_client.testing import FakeWaitpoints

PAGE: PageOptions = {"title": "Refund?", "actions": [{"id": "approve", "label": "Approve"}, {"id": "reject", "label": "No"}]}


def wanted(page: Any = PAGE, **options: Any) -> Any:
    return request(page, **{"key": "k", "approvers": ["ann"], **options})


def test_the_key_tells_an_operator_what_it_is() -> None:
    first, second, within = wanted(), wanted(attempt=2), wanted(tag="team-a")
    _, digest, attempt = first["idempotency_key"].split("/")

    assert (len(digest), attempt) == (64, "1")
    assert second["idempotency_key"] == f"ask/{digest}/2"
    assert within["idempotency_key"] == f"team-a:ask/{digest}/1"  # as a key limited to the tag must write it


def test_the_metadata_say_which_call_it_is_and_not_with_which_arguments() -> None:
    named = wanted(ApprovalPage("refund", {"iban": "secret"}, PAGE), key=None, run="r" * 2000, call="\x01" * 2000)
    plain = wanted()

    assert named["metadata"].items() >= {"tool": "refund", "run": "r" * 199 + "…", "call": "\x01" * 199 + "…"}.items()
    assert "secret" not in str(named)
    assert {**plain["metadata"], "page": "-"} == {"key": "k", "page": "-"}
    fake = FakeWaitpoints().client()
    assert fake.get(fake.create(**named)).metadata == named["metadata"]  # at most 4 KiB


def test_run_ids_that_differ_at_their_end_are_two() -> None:
    one, other = (wanted(key=None, run="r" * 2000 + end, call="c")["idempotency_key"] for end in "ab")

    assert one != other


def test_a_form_with_other_fields_is_another_request() -> None:
    """Else a later version of a program, whose form has one field more, would read its absence as a person's change."""
    pytest.importorskip("jsonschema", reason="needs the extra agents")

    def key(note: Any) -> str:
        schema = {"type": "object", "properties": {"order": {"type": "string", "title": note.get("title", "A")}, "note": note}}
        return str(wanted(approval_page("refund", {"order": "1", "note": "By hand"}, schema))["idempotency_key"])

    nullable = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    assert key(nullable) == key({"title": "B", **nullable}) != key({"type": "string"})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key": None}, "Which call is it"),
        ({"key": None, "run": "r"}, "Which call is it"),
        ({"key": None, "call": "c"}, "Which call is it"),
        ({"run": "r"}, "Which call is it"),
        ({"run": "r", "call": "c"}, "Which call is it"),
        ({"key": ""}, "key must be a text that is not empty"),
        ({"key": None, "run": "r", "call": ""}, "call must be a text that is not empty"),
        ({"key": 4711}, "key must be a text that is not empty"),
        ({"attempt": 0}, "attempt must be a whole number from 1: 0"),
        ({"attempt": True}, "attempt must be a whole number from 1: True"),
        ({"attempt": "2"}, "attempt must be a whole number from 1: '2'"),
        ({"approvers": None}, "Who may answer"),
        ({"approvers": []}, "Who may answer"),
        ({"approvers": None, "sign_in": True}, "Who may answer"),
        ({"page": {**PAGE, "approvers": ["eve"]}}, "Both the page and the options have approvers"),
        ({"page": {**PAGE, "signIn": True}, "sign_in": True}, "Both the page and the options have signIn"),
        ({"page": ApprovalPage("refund", {"ids": {1, 2}}, PAGE)}, r"^arguments\.ids: set is no type of JSON"),
    ],
)
def test_what_names_no_call_or_lets_anyone_answer_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wanted(**options)


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match="did you mean 'approvers'"):
        FakeWaitpoints().client().ask(PAGE, key="k", aprovers=["ann"])  # type: ignore[call-arg]


@pytest.mark.parametrize("named", [{"approvers": ["ann"]}, {"signIn": {"domains": ["example.com"]}}])
def test_the_page_may_say_who_answers(named: Any) -> None:
    assert wanted({**PAGE, **named}, approvers=None)["page"] == {**PAGE, **named}


def test_it_waits_until_people_decided() -> None:
    fake = FakeWaitpoints()
    fake.on_create(lambda token: Thread(target=fake.answer, args=(token, "ann", "approve")).start())

    assert fake.client().ask(PAGE, poll=0.01, key="k", approvers=["ann"]).unwrap()["approver"] == "ann"


class TestTheWarning:
    """It shows the line that asks, and nothing that was asked."""

    def ask(self, fake: FakeWaitpoints, title: str) -> AskOptions:
        options: AskOptions = {"key": "k", "approvers": ["ann"]}
        token = fake.client().create(**request({**PAGE, "title": title}, **options))
        fake.answer(token, "ann", "reject")
        return options

    def test_shows_the_caller_s_line(self) -> None:
        fake = FakeWaitpoints()
        options = self.ask(fake, "Refund?")
        with warnings.catch_warnings(record=True) as shown:
            warnings.simplefilter("always")
            fake.client().ask({**PAGE, "title": "secret"}, **options)
        self.check(shown, inspect.currentframe())

    def test_shows_the_line_that_awaits(self) -> None:
        fake = FakeWaitpoints()
        options = self.ask(fake, "Refund?")

        async def ask() -> None:
            async with fake.async_client() as waitpoints:
                with warnings.catch_warnings(record=True) as shown:
                    warnings.simplefilter("always")
                    await waitpoints.ask({**PAGE, "title": "secret"}, **options)
                self.check(shown, inspect.currentframe())

        asyncio.run(ask())

    def check(self, shown: list[warnings.WarningMessage], frame: Any) -> None:
        [warning] = shown
        assert (warning.filename, warning.lineno) == (__file__, frame.f_lineno - 1)
        assert issubclass(warning.category, UserWarning)
        assert "secret" not in str(warning.message)


def taken(code: str | None) -> httpx.Response:
    said = {"error": "The key is taken", **({"code": code} if code else {})}
    return httpx.Response(409, json=said, headers={"x-should-retry": "false"})


class TestAKeyThatTheListDoesNotKnowYet:
    """With a sign-in, the stack refuses a key that another page holds, and the index of keys is behind the table."""

    def flow(self) -> tuple[FakeWaitpoints, Any]:
        fake = FakeWaitpoints()
        options: AskOptions = {"key": "k", "sign_in": {"domains": ["example.com"]}}
        fake.client().create(**request({**PAGE, "title": "Else?"}, **options))
        return fake, find_or_create(fake.client()._session, PAGE, options)

    def answers(self, empty: int) -> tuple[list[float], str]:
        """Run it while the first lists are empty. Returns the pauses and the token that it found."""
        fake, flow = self.flow()
        next(flow)
        heard: Any = taken("KeyTaken")
        pauses: list[float] = []
        try:
            while True:
                step = flow.send(heard)
                heard = None
                if not hasattr(step, "method"):
                    pauses.append(step.seconds)
                    continue
                with fake.client()._http as http:
                    heard = http.request(step.method, step.url, params=step.params, headers=step.headers, content=step.content)
                if step.params and len(pauses) <= empty:
                    heard = cast("Any", type(heard))(200, json={"data": [], "pagination": {}})
        except StopIteration as end:
            return pauses, end.value

    def test_is_looked_for_again(self) -> None:
        with pytest.warns(UserWarning, match="asks the same with another page"):
            pauses, token = self.answers(2)

        assert (pauses, token[:10]) == ([0.0, 0.2, 0.8], "waitpoint_")

    @pytest.mark.parametrize(("code", "is_taken"), [(None, True), ("KeyTaken", True), ("TooManyWaiters", False)])
    def test_is_looked_for_after_no_other_conflict(self, code: str | None, is_taken: bool) -> None:
        _, flow = self.flow()
        next(flow)
        with nullcontext() if is_taken else pytest.raises(ConflictError, match="is taken"):
            assert flow.send(taken(code)) == Pause(0.0)

    def test_is_refused_in_the_end(self) -> None:
        with pytest.raises(ConflictError, match="is taken"):
            self.answers(9)


def test_a_timeout_that_is_counted_from_now_does_not_make_another_request() -> None:
    first, second = (wanted(timeout=timedelta(minutes=minutes), notify=None) for minutes in (5, 9))

    assert (first["idempotency_key"], first["metadata"]) == (second["idempotency_key"], second["metadata"])
    assert first["timeout"] != second["timeout"]
