"""What a test asks of a run, and how it fails, on runs whose script says what happens."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError
from clients.local.tests.machine.scripted_run import ScriptedRun, asks
from waitpoints_client import PageOptions
from waitpoints_client.cli import outbox
from waitpoints_client.cli.outbox import Mail

from waitpoints_local.clocks import Skipped
from waitpoints_local.machine import clock, live_run, mails, rest, routes
from waitpoints_local.machine.history import Location
from waitpoints_local.machine.tasks import TaskToken
from waitpoints_local.testing import Run, RunError, Token
from waitpoints_local.webhook_signer import CannotSign, Sent

PAGE: PageOptions = {
    "title": "Deploy?",
    "approvers": ["ann", "bo"],
    "actions": [{"id": "approve", "label": "Approve", "needs": 2}, {"id": "reject", "label": "Reject"}],
}


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_run, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(live_run, "LONGEST_PAUSE", 0.01)


def live(script: Any = asks, patience: float = 20, **options: Any) -> tuple[Run, ScriptedRun]:
    run = ScriptedRun(script, **options)
    return Run(run, "mine", patience), run  # type: ignore[arg-type]  # it stands in


def test_a_token_is_answered_and_the_run_ends() -> None:
    run, _ = live()
    token = run.waiting("Ask")
    assert run.waiting("Ask").id == token.id
    token.answer({"approved": True})

    assert (run.status, run.output) == ("SUCCEEDED", {"approved": True})
    assert [(it.name, it.items, it.input, it.output) for it in run.states] == [
        ("Begin", (), {"order": 4711}, {"order": 4711}),
        ("Ask", (), {"order": 4711}, {"approved": True}),
    ]
    with pytest.raises(RunError, match=r'The run has no error: it succeeded with \{"approved": true\}'):
        _ = run.error


def test_the_failure_of_a_run_has_a_name_and_a_cause_and_its_output_says_where() -> None:
    run, _ = live()
    run.waiting("Ask").answer({"approved": False})

    assert (run.status, run.error, run.cause) == ("FAILED", "Rejected", "by legal")
    with pytest.raises(RunError) as caught:
        _ = run.output
    assert str(caught.value) == (
        'The run has no output: it failed in "Rejected" with Rejected: by legal\n\n'
        "The path that the run took:\n"
        '  1. "Begin"\n     got  {"order": 4711}\n     gave the same\n'
        '  2. "Ask"\n     gave {"approved": false}\n'
        '  3. "Rejected"\n'
        'It failed in "Rejected" with Rejected: by legal'
    )


def test_a_state_that_never_waits_is_refused_at_once_with_those_that_do() -> None:
    run, scripted = live()
    with pytest.raises(RunError, match=r'no state Aks waits .*did you mean Ask.*the states that wait are "Ask", "Ask one"'):
        run.waiting("Aks")
    with pytest.raises(RunError, match='"Ask one" is in a Map: say which item of it, such as item=0'):
        run.waiting("Ask one")
    assert scripted.events == []


def test_a_state_that_the_run_did_not_reach_is_named_with_what_happened_instead() -> None:
    run, _ = live()
    run.waiting("Ask").answer({"approved": True})
    with pytest.raises(RunError, match='"Ask one", item 2 waits for no token: the run succeeded'):
        run.waiting("Ask one", item=2)


def test_a_run_that_waits_for_hours_says_how_they_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(run: ScriptedRun) -> Iterator[None]:
        run.enter("Cool down")
        while True:
            yield

    monkeypatch.setattr(rest, "LASTS", 0.2)
    times = {"Cool down": ("Wait", 14390.2), "Pay": ("Retry", 600), "Ask": ("TimeoutSeconds", 9e9)}
    coming = [clock.Coming(state, *time) for state, time in times.items()]
    run, _ = live(script, patience=300, seen=clock.Seen(True, coming, 0))
    with pytest.raises(RunError) as caught:
        _ = run.output
    wait = 'waits 4h in "Cool down", which run.skip("4h") lets pass'
    retry = 'retries "Pay" in 10m, which run.skip("10m") lets pass'
    assert f"nothing happens in the run, which {wait} and {retry}\n\nThe path" in str(caught.value)


def test_a_run_that_no_one_answers_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "LASTS", 0.2)
    run, _ = live(patience=300)
    with pytest.raises(RunError) as caught:
        _ = run.output
    expected = r'The run has not ended: nothing happens in the run, which waits in "Ask" for waitpoint_.*\n\nThe path'
    assert caught.match(expected)
    assert "     waits for waitpoint_" in str(caught.value)


@pytest.mark.parametrize("soon", ["token", "state", "at work", "ended", "another waiter"])
def test_what_goes_on_by_itself_is_waited_for(monkeypatch: pytest.MonkeyPatch, soon: str) -> None:
    monkeypatch.setattr(rest, "LASTS", 0.0)
    limit = clock.Coming("Ask", "TimeoutSeconds", 20 if soon == "state" else 3660)

    def script(run: ScriptedRun) -> Iterator[None]:
        location = run.enter("Ask")
        token = run.wait(location, timeout="10s" if soon == "token" else "1h")
        if soon == "ended":
            run.waitpoints.complete(token)
        for _ in range(8):
            yield
        run.succeed("by itself")

    run, _ = live(script, seen=clock.Seen(soon != "at work", [limit], 2 if soon == "another waiter" else 1))
    assert run.output == "by itself"


def test_patience_ends() -> None:
    def script(run: ScriptedRun) -> Iterator[None]:
        run.enter("Begin", {"a": "b" * 400})
        while True:
            yield

    run, _ = live(script, patience=0.1)
    with pytest.raises(RunError, match=r'after 0.1 s the run is in "Begin"\n(.|\n)*got  \{"a": "b+… \(409 characters\)'):
        _ = run.status


def test_the_items_of_a_map_have_tokens_of_their_own() -> None:
    def script(run: ScriptedRun) -> Iterator[None]:
        run.enter("Each", [1, 2])
        yield
        tokens = [run.wait(run.enter("Ask one", number, number)) for number in (0, 1)]
        while any(run.result(token) is None for token in tokens):
            yield
        run.succeed([run.result(token) for token in tokens])

    run, _ = live(script)
    run.waiting("Ask one", item=1).answer("second")
    run.waiting("Ask one", item=(0,)).answer("first")
    assert run.output == ["first", "second"]
    assert [(it.name, it.items) for it in run.states] == [("Each", ()), ("Ask one", (0,)), ("Ask one", (1,))]


def test_the_next_token_of_a_state_is_not_the_one_that_has_ended() -> None:
    def script(run: ScriptedRun) -> Iterator[None]:
        results = []
        for turn in range(2):
            location = run.enter("Ask", turn)
            token = run.wait(location)
            while (result := run.result(token)) is None:
                yield
            for _ in range(2):  # the run is slow to go on
                yield
            results.append(result)
            run.leave(location, result)
        run.succeed(results)

    run, _ = live(script)
    first = run.waiting("Ask")
    first.answer(1)
    second = run.waiting("Ask")
    assert second.id != first.id
    second.answer(2)
    assert run.output == [1, 2]


def test_approvers_answer_by_their_own_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(run: ScriptedRun) -> Iterator[None]:
        location = run.enter("Ask")
        token = run.wait(location, page=PAGE)
        while run.result(token) is None:
            yield
        run.succeed([answer["approver"] for answer in run.result(token)["answers"]])

    run, scripted = live(script)
    token = run.waiting("Ask")
    assert [*token.links] == ["ann", "bo"]
    with pytest.raises(RunError, match=r'The token of "Ask" did not take the answer: say who answers, with by=…: ann, bo'):
        token.answer({"action": "approve"})
    with pytest.raises(RunError, match=r"cy is none of its approvers: ann, bo\. post\("):
        token.answer({"action": "approve"}, by="cy")
    refusal, answer = httpx.Response(422, json={"error": "It does not fit"}), scripted.fake.handle_request
    with monkeypatch.context() as patched:
        patched.setattr(scripted.fake, "handle_request", lambda it: refusal if it.method == "POST" else answer(it))
        with pytest.raises(RunError, match="did not take the answer: 422: It does not fit"):
            token.complete({"action": "maybe"})
        with pytest.raises(RunError, match=r"422: It does not fit\. post\("):
            token.answer({"action": "maybe"}, by="bo")
    token.answer({"action": "approve"}, by="bo")
    assert run.output == ["bo"]


def test_an_answer_that_came_too_late_is_no_answer() -> None:
    run, _ = live()
    token = run.waiting("Ask")
    token.answer({"approved": True})
    with pytest.raises(RunError, match="it has ended before: it is COMPLETED"):
        token.answer({"approved": False})
    with pytest.raises(RunError, match="it has ended before: it is COMPLETED"):
        token.fail("no")


def test_a_token_fails_with_a_name() -> None:
    run, scripted = live()
    token = run.waiting("Ask")
    token.fail("No space left", name="DiskFull")
    error = scripted.waitpoints.get(token).result
    assert error is not None
    with pytest.raises(Exception, match="No space left"):
        error.unwrap()
    assert run.error == "Rejected"


def test_a_sender_posts_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    run, scripted = live()
    monkeypatch.setattr(httpx, "post", lambda url, *, content, headers, **_: scripted.fake.deliver(url, content, headers))
    token = run.waiting("Ask")
    headers = {"Content-Type": "text/plain", "Idempotency-Key": "d1"}
    assert [token.post("approved=yes", headers).status_code, token.post({"approved": True}).status_code] == [200, 200]
    assert scripted.waitpoints.get(token).output == "approved=yes"
    text, json = (it for it in scripted.fake.requests if it.url == token.url)
    assert [it.content for it in (text, json)] == [b"approved=yes", b'{"approved": true}']
    assert [it.headers["content-type"] for it in (text, json)] == ["text/plain", "application/json"]
    assert text.headers["idempotency-key"] == "d1"


@pytest.mark.parametrize(
    ("body", "content"), [(b"\xff", b"\xff"), ("té", b"t\xc3\xa9"), ({"é": 1}, b'{"\xc3\xa9": 1}'), (None, b"null")]
)
def test_what_is_posted_is_bytes_or_a_text_or_else_json(body: Any, content: bytes) -> None:
    sent = routes.delivery("https://a", body, {"Content-Type": "text/plain"} if isinstance(body, str) else None)
    kind = "text/plain" if isinstance(body, str) else "application/json"
    assert (sent.url, sent.body, sent.headers) == ("https://a", content, {"content-type": kind})


def test_an_answer_that_a_rule_refuses_says_which_calls_go_round_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise routes.Refused(routes.NOT_MATCHING)

    monkeypatch.setattr(routes, "deliver", refuse)
    run, _ = live()
    token = run.waiting("Ask")
    with pytest.raises(RunError, match=r"its completeWhen does not match this answer\. post\(…\) sends .* complete\(…\) ends"):
        token.answer({"approved": True})
    token.complete({"approved": True})
    assert run.output == {"approved": True}
    with pytest.raises(RunError, match="it has ended before: it is COMPLETED"):
        token.complete(1)


def test_a_delivery_is_signed_as_the_token_asks_for_it_or_says_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Sent] = []

    def sign(_: Any, token_id: str, delivery: Sent) -> Sent:
        if delivery.body == b"1":
            raise CannotSign("no one can")
        return Sent(delivery.body, {**delivery.headers, "signature": token_id}, delivery.url)

    monkeypatch.setattr(routes, "sign", sign)
    monkeypatch.setattr(routes, "post", sent.append)
    token = live()[0].waiting("Ask")
    token.post("{}", signed=True)
    token.post("{}")
    assert [delivery.headers.get("signature") for delivery in sent] == [token.id, None]
    with pytest.raises(RunError, match='The delivery to "Ask" is not signed: no one can\n\nThe path'):
        token.post(1, signed=True)


class TestMails:
    """What is due is sent by the stack's own function, which says whether something is left."""

    def mails(self, monkeypatch: pytest.MonkeyPatch, answers: list[bool], **options: Any) -> tuple[list[str], list[str]]:
        def script(run: ScriptedRun) -> Iterator[None]:
            run.wait(run.enter("Ask"), **options)
            while True:
                yield

        def consume(_: Any, output: str, token_id: str) -> bool:
            invoked.append(output)
            kept.append(Mail(1, "ann@example.com", "Go?", datetime.now(UTC), "Go?", "<p>", (), None, token_id))
            return answers.pop(0)

        kept, invoked = [Mail(1, "bo@example.com", "Other", datetime.now(UTC), "", "", (), None, "waitpoint_1")], list[str]()
        monkeypatch.setattr(mails, "consume", consume)
        monkeypatch.setattr(outbox, "read_mails", lambda _: kept)
        run, _ = live(script, stack=SimpleNamespace(described={}), patience=5)
        run.waiting("Ask")
        return [mail.subject for mail in run.mails], invoked

    @pytest.mark.parametrize(("answers", "patience"), [([False, True], 60), ([False], 0)])
    def test_are_those_of_the_runs_tokens_once_all_are_sent_but_not_waited_for_without_end(
        self, monkeypatch: pytest.MonkeyPatch, answers: list[bool], patience: int
    ) -> None:
        monkeypatch.setattr(mails, "PATIENCE", patience)
        times = len(answers)
        found = self.mails(monkeypatch, answers, page={"title": "Go?"}, notify={"email": ["ann@example.com"]})
        assert found == (["Go?"] * times, ["NoticesFunctionName"] * times)

    def test_are_none_if_no_one_is_notified(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.mails(monkeypatch, []) == ([], [])


class TestTime:
    @pytest.fixture(autouse=True)
    def clocks(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        calls: list[Any] = []

        def skip(_: Any, execution: str, seconds: float) -> list[Any]:
            calls.append((execution, seconds))
            return [Skipped("Ask", "timeout", seconds)]

        monkeypatch.setattr(clock, "skip", skip)
        return calls

    @pytest.mark.parametrize(
        ("time", "seconds"), [("4h", 14400), ("1d12h", 129600), ("0s", 0), (90, 90), (timedelta(minutes=2), 120)]
    )
    def test_it_is_skipped(self, clocks: list[Any], time: Any, seconds: float) -> None:
        run, _ = live()
        assert run.skip(time) == [Skipped("Ask", "timeout", seconds)]
        assert clocks == [(run.arn, seconds)]

    @pytest.mark.parametrize("time", ["soon", "1.5h", "-1h", "1mo", "1h-30m", "4 h", "4", ""])
    def test_what_is_no_time_is_refused(self, clocks: list[Any], time: str) -> None:
        with pytest.raises(ValueError, match=f'{time!r} is no time: write "90s"'):
            live()[0].skip(time)
        assert clocks == []

    def test_a_token_times_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        run, scripted = live()
        monkeypatch.setattr(clock, "time_out", lambda _, __: scripted.fake.advance("1h"))
        run.waiting("Ask").time_out()
        assert run.error == "Rejected"

    def test_what_cannot_pass_says_why(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: Any) -> None:
            raise clock.ClockProblem("it has no timeout")

        run, _ = live()
        monkeypatch.setattr(clock, "time_out", refuse)
        monkeypatch.setattr(clock, "skip", refuse)
        with pytest.raises(RunError, match='The token of "Ask" did not time out: it has no timeout\n\nThe path'):
            run.waiting("Ask").time_out()
        with pytest.raises(RunError, match="4h could not be skipped: it has no timeout\n\nThe path"):
            run.skip("4h")


def test_the_last_error_of_a_state_is_reported() -> None:
    def script(run: ScriptedRun) -> Iterator[None]:
        location = run.enter("Begin", 1)
        for _ in range(3):
            run.note("failed", location, error="Boom", cause="bad")
        run.note("FAILED", error="Boom", cause="bad")
        yield

    run, _ = live(script)
    assert (run.error, run.states[0].failures) == ("Boom", 3)
    told = '  1. "Begin"\n     got  1\n     failed (3 times) with Boom: bad\nIt failed in "Begin" with Boom: bad'
    assert told in run.describe()


def test_where_a_run_is_between_states_is_reported_too() -> None:
    run, scripted = live()
    assert run.describe().endswith("is in no state yet")
    scripted.leave(scripted.enter("Begin"))
    assert run.describe().endswith("is between two states")
    scripted.wait(Location("Ask"))
    assert 'waits in "Ask" for waitpoint_' in run.describe()


class TestATaskTokenOfSomethingElse:
    """A function, a queue, … gets it: the state waits for SendTaskSuccess."""

    def waiting(self, **refuses: str) -> tuple[Run, ScriptedRun, Token, list[tuple[str, dict[str, str]]]]:
        sent: list[tuple[str, dict[str, str]]] = []

        def send(what: str, **said: str) -> None:
            if refuses:
                raise ClientError({"Error": {"Code": "", "Message": refuses["with_"]}}, what)
            sent.append((what, said))

        sends = {f"send_task_{what}": partial(send, what) for what in ("success", "failure", "heartbeat")}
        run, scripted = live(lambda _: iter(()))
        scripted.step_functions = SimpleNamespace(**sends)
        scripted.waiting[scripted.enter("Ask")] = TaskToken("the-token", {})
        return run, scripted, run.waiting("Ask"), sent

    def test_is_answered_fails_and_lives_on_through_step_functions(self) -> None:
        _, scripted, token, sent = self.waiting()
        token.heartbeat()
        assert Location("Ask") in scripted.waiting
        token.answer({"id": 7})
        assert scripted.waiting == {}  # so that another one of the state is waited for
        token.fail("no money", name="Declined")
        token.fail("no money")
        token.complete(None)
        assert token.id == "the-token"
        assert sent == [
            ("heartbeat", {"taskToken": "the-token"}),
            ("success", {"taskToken": "the-token", "output": '{"id": 7}'}),
            ("failure", {"taskToken": "the-token", "cause": "no money", "error": "Declined"}),
            ("failure", {"taskToken": "the-token", "cause": "no money"}),
            ("success", {"taskToken": "the-token", "output": "null"}),
        ]

    def test_that_is_refused_fails_the_test(self) -> None:
        *_, token, _ = self.waiting(with_="Task Timed Out")
        with pytest.raises(RunError, match='The token of "Ask" did not take the answer: Task Timed Out\n\nThe path'):
            token.answer({})

    def test_times_out_by_its_states_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        _, scripted, token, _ = self.waiting()
        late: list[Any] = []
        monkeypatch.setattr(ScriptedRun, "time_out", lambda _, *found: late.append(found), raising=False)
        token.time_out()
        assert (late, scripted.waiting) == ([(Location("Ask"), TaskToken("the-token", {}))], {})

        def refuse(*_: Any) -> None:
            raise clock.ClockProblem("it has no limit")

        monkeypatch.setattr(ScriptedRun, "time_out", refuse)
        with pytest.raises(RunError, match='"Ask" did not time out: it has no limit\n\nThe path'):
            token.time_out()

    def test_has_nothing_of_a_token_of_ours(self) -> None:
        *_, token, sent = self.waiting()
        for ask in (
            lambda: token.url,
            lambda: token.links,
            lambda: token.post({}),
            lambda: token.answer(1, by="ann"),
            lambda: token.fail("no", code="c"),
        ):
            with pytest.raises(RunError, match=r'"Ask" waits for a task token, which has no (URL|links|approvers|code)'):
                ask()
        assert sent == []

    def test_is_at_rest_as_long_as_no_one_answers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rest, "LASTS", 0.05)
        run, *_ = self.waiting()
        with pytest.raises(RunError, match='nothing happens in the run, which waits in "Ask" for its task token'):
            _ = run.output


def test_a_token_of_ours_takes_no_heartbeat() -> None:
    run, _ = live()
    with pytest.raises(RunError, match='"Ask" waits for a token of Waitpoints, which sends no heartbeats'):
        run.waiting("Ask").heartbeat()
