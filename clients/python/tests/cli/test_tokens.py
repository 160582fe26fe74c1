"""The commands for tokens, against a stack on moto."""

import io
import json
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
from recorded_stack import RecordedStack
from typer.testing import Result

from waitpoints_client import PageOptions, Token, Waitpoints
from waitpoints_client.cli import show, stacks, token_views
from waitpoints_client.cli.arguments import read_content
from waitpoints_client.cli.problems import CommandProblem
from waitpoints_client.cli.tokens import url_of
from waitpoints_client.testing import FakeWaitpoints

Run = Callable[..., Result]
Printed = Callable[..., Any]


APPROVAL: PageOptions = {
    "title": "Deploy?",
    "approvers": ["ann", "bo@example.com", "cy"],
    "requestedBy": "dee",
    "actions": [{"id": "approve", "label": "Approve", "needs": 2}, {"id": "reject", "label": "Reject"}],
    "escalate": {"after": "1d", "to": ["lead"]},
}


ONE: PageOptions = {"title": "Go?", "approvers": ["ann"]}


VERIFY = {"scheme": "github", "secret": "GITHUB"}


def at(instant: datetime) -> str:
    """A time as a pipe gets it."""
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def changed(token: Token, **members: Any) -> Token:
    """A token as a stack shows it, of which the fake does not know so much."""
    return Token.model_validate({**token.model_dump(), **members})


def fields(result: Result) -> dict[str, str]:
    """What a command printed in a pipe: a name and a value in each line."""
    assert result.exit_code == 0, result.output
    return dict(line.split("\t") for line in result.stdout.splitlines())


class TestCreate:
    def test_prints_the_id_and_the_url(self, run: Run, waitpoints: Waitpoints) -> None:
        created = fields(run("create", "--timeout", "1h", "-t", "a", "--tag", "b"))

        token = waitpoints.get(created["id"])
        assert created == {"id": token.id, "url": token.url}
        assert token.tags == ("a", "b")
        assert token.timeout_at == token.created_at + timedelta(hours=1)

    def test_prints_the_id_alone_for_a_script(self, run: Run, waitpoints: Waitpoints) -> None:
        printed = run("create", "--quiet").stdout
        [token] = waitpoints.list()
        assert printed == f"{token.id}\n"

    @pytest.mark.parametrize(
        ("given", "notify"),
        [
            (["slack:#deploys"], {"slack": "#deploys"}),
            (
                ["email:a@example.com", "email:b@example.com", "teams:TEAMS"],
                {"email": ["a@example.com", "b@example.com"], "teams": "TEAMS"},
            ),
            (["email:a@example.com", "outcome"], {"email": ["a@example.com"], "outcome": True}),
            (['{"slack": "C024BE91L"}'], {"slack": "C024BE91L"}),
            (["-"], {"email": ["a@example.com"]}),
        ],
    )
    def test_tells_people_of_its_page(self, run: Run, waitpoints: Waitpoints, given: list[str], notify: dict[str, Any]) -> None:
        words = [word for one in given for word in ("--notify", one)]
        token = fields(run("create", "--page", '{"title": "Go?"}', *words, input='{"email": ["a@example.com"]}'))["id"]
        found = waitpoints.get(token).notify
        assert found
        assert json.loads(found.model_dump_json(exclude_defaults=True)) == notify
        assert fields(run("get", token))["told"] == f"nobody yet: `waitpoints logs {token}` shows what failed"

    def test_says_that_a_key_has_a_token(self, run: Run) -> None:
        first = fields(run("create", "--key", "order-1", "--key-ttl", "1h"))
        assert fields(run("create", "--key", "order-1")) == {**first, "cached": "yes"}

    def test_prints_the_link_of_each_approver(self, run: Run, printed: Printed, waitpoints: Waitpoints) -> None:
        created = fields(run("create", "--page", json.dumps(APPROVAL), "--key", "k"))

        links = {f"link {it.approver}": it.url for it in waitpoints.get(created["id"]).links}
        assert list(links) == ["link ann", "link bo@example.com", "link cy", "link lead"]
        assert created == {"id": created["id"], "url": waitpoints.get(created["id"]).url, **links}
        again = printed("create", "--page", json.dumps(APPROVAL), "--key", "k")
        assert [(f"link {it['approver']}", it["url"]) for it in again["links"]] == list(links.items())

    @pytest.mark.parametrize(
        ("options", "sent"),
        [
            ("--verify github:GITHUB --complete-when body.a", {"verify": VERIFY, "completeWhen": "body.a"}),
            ('--verify {"scheme":"github","secret":"GITHUB"}', {"verify": VERIFY}),
            ("--verify -", {"verify": {"title": "Go?"}}),
            ("--schema @a.json", {"payloadSchema": {"type": "object"}}),
            ("--schema a.json", {"payloadSchema": {"type": "object"}}),
            ("--page -", {"page": {"title": "Go?"}}),
            ('--metadata {"order":4711}', {"metadata": {"order": 4711}}),
            ("--metadata @a.json", {"metadata": {"type": "object"}}),
            ("--page - --notify email", {"page": {"title": "Go?"}, "notify": {"email": True}}),
        ],
    )
    def test_sends_its_options(self, asked: Callable[..., list[str]], no_stack: Path, options: str, sent: Any) -> None:
        (no_stack / "a.json").write_text('{"type": "object"}')
        [request] = asked("create", *options.split(), input='{"title": "Go?"}')
        assert json.loads(request.partition(" /waitpoints/tokens ")[2]) == sent


class TestGet:
    def test_shows_what_became_of_a_token(self, run: Run, waitpoints: Waitpoints) -> None:
        token = waitpoints.create(tags=["a", "b"], idempotency_key="k", metadata={"order": 4711})
        assert fields(run("get", token.id))["status"] == "WAITING"

        waitpoints.complete(token, {"approved": True})
        found = fields(run("get", token.id))
        assert {name: found[name] for name in ("status", "tags", "key", "metadata", "output", "url")} == {
            "status": "COMPLETED",
            "tags": "a,b",
            "key": "k",
            "metadata": '{"order": 4711}',
            "output": '{"approved":true}',
            "url": token.url,
        }

    def test_shows_where_a_decision_stands(self, fake: FakeWaitpoints, waitpoints: Waitpoints) -> None:
        created = waitpoints.create(page=APPROVAL)
        waits, now = waitpoints.get(created), datetime.now(timezone.utc)
        answers = [{"approver": "ann", "action": "approve", "fields": {"note": "tab\there"}, "at": now}]
        later = {"at": now + timedelta(days=1), "to": [{"id": "lead"}]}
        found = token_views.details(changed(waits, answers=answers, escalation=later))
        shown = {name: found[name] for name in ("chosen", "answer 1", "still asked", "asked later", "requested by")}
        assert shown == {
            "chosen": "approve 1 of 2, reject 0 of 1",
            "answer 1": f'approve by ann {at(now)} {{"note": "tab\\there"}}',
            "still asked": "bo@example.com, cy",
            "asked later": f"lead {at(now + timedelta(days=1))}",
            "requested by": "dee",
        }
        assert [name for name in found if name.startswith("link ")] == [f"link {it.approver}" for it in created.links]
        escalated = token_views.details(changed(waits, answers=answers, escalation={**later, "asked_at": now}))
        assert escalated["still asked"] == "bo@example.com, cy, lead"
        assert "asked later" not in escalated

        fake.answer(created, "cy", "approve")
        decided = waitpoints.get(created)
        found = token_views.details(changed(decided, answers=[*answers, *decided.model_dump()["answers"]], escalation=later))
        assert found["ended"] == f"{at(decided.answers[0].at)} by cy"
        assert (found["chosen"], found["answer 2"]) == (
            "approve 2 of 2, reject 0 of 1",
            f"approve by cy {at(decided.answers[0].at)}",
        )
        assert {"still asked", "asked later", "link ann"}.isdisjoint(found)

    def test_shows_that_people_answer_only_signed_in_and_who_did(self, run: Run, fake: FakeWaitpoints) -> None:
        shared: Any = {"title": "Go?", "actions": [{"id": "go", "label": "Go", "needs": 1}]}
        pages: list[Any] = [
            {**shared, "approvers": ["ann@example.com"], "signIn": True},
            {**shared, "signIn": {"domains": ["example.com", "example.org"]}},
        ]
        named, token = (fake.client().create(page=page) for page in pages)
        assert fields(run("get", named.id))["answers"] == "only signed in"
        fake.answer(token, "cy@example.org", "go")

        found = fields(run("get", token.id))
        assert found["answers"] == "only signed in, with an account of example.com, example.org"
        assert (found["chosen"], found["answer 1"].startswith("go by cy@example.org ")) == ("go 1 of 1", True)
        assert found["ended"].endswith(" by cy@example.org")

    def test_shows_how_often_it_was_asked_again(self, waitpoints: Waitpoints) -> None:
        token, now = waitpoints.get(waitpoints.create(page={"title": "Go?"})), datetime.now(timezone.utc)
        for reminders, said in (
            ({"count": 0, "next_at": now}, f"0, the next {at(now)}"),
            ({"count": 1, "last_at": now, "next_at": now}, f"1, the last {at(now)}, the next {at(now)}"),
            ({"count": 2, "last_at": now}, f"2, the last {at(now)}"),
        ):
            assert token_views.details(changed(token, reminders=reminders))["reminders"] == said

    def test_shows_who_was_told_and_what_a_channel_refused(self, waitpoints: Waitpoints) -> None:
        token, now = waitpoints.get(waitpoints.create()), datetime.now(timezone.utc)
        notices = [
            {"channel": "slack", "to": "#deploys", "status": "sent", "at": now},
            {"channel": "email", "to": "ann@example.com", "approver": "ann", "status": "sent", "at": now, "reminders": 2},
            {"channel": "email", "to": "bo@example.com", "approver": "bo@example.com", "status": "refused", "at": now}
            | {"reason": "MessageRejected"},
            {"channel": "email", "to": "dee@example.com", "status": "sent", "at": now, "outcome": True},
        ]
        found = token_views.details(changed(token, notify={"slack": "#deploys", "email": True}, notices=notices))
        assert {name: text for name, text in found.items() if name.startswith("told")} == {
            "told 1": f"slack #deploys {at(now)}",
            "told 2": f"email ann@example.com for ann {at(now)}",
            "told 3": f"email bo@example.com {at(now)} refused: MessageRejected",
            "told 4": f"email dee@example.com {at(now)}, the outcome",
        }

    @pytest.mark.parametrize(
        ("by", "said"),
        [
            ({"source": "callback", "slackUser": "U024BE7LH", "slackName": "Ann Lee"}, "Ann Lee in Slack"),
            ({"source": "callback", "slackUser": "U024BE7LH"}, "U024BE7LH in Slack"),
            ({"source": "complete", "key": "nightly"}, "complete with the key nightly"),
        ],
    )
    def test_shows_who_completed_it(self, waitpoints: Waitpoints, by: dict[str, str], said: str) -> None:
        waitpoints.complete(created := waitpoints.create())
        token = waitpoints.get(created)
        shown = token_views.details(changed(token, completed_by={**by, "at": token.completed_at}))
        assert shown["ended"].endswith(f" by {said}")

    def test_shows_which_key_created_it_and_no_url_that_the_key_may_not_see(self, waitpoints: Waitpoints) -> None:
        token = waitpoints.get(waitpoints.create())
        found = token_views.details(changed(token, created_by="maker", url=""))
        assert found["created"].endswith(" with the key maker")
        assert "url" not in found

    def test_shows_with_which_key_it_was_handed_over(self, waitpoints: Waitpoints) -> None:
        token = waitpoints.get(waitpoints.create(page=APPROVAL))
        change = {"added": ["ed"], "removed": [], "at": token.created_at, "key": "ci"}
        found = token_views.details(changed(token, hand_overs=[change]))
        assert found["handed over 1"] == f"+ed {at(token.created_at)} with the key ci"

    def test_shows_the_error_of_a_failed_token_and_nothing_of_approvers_without_them(
        self, run: Run, waitpoints: Waitpoints
    ) -> None:
        token = waitpoints.create(page={"title": "Go?"})
        waitpoints.fail(token, "no", name="Rejected")

        found = fields(run("get", token.id))
        assert (found["status"], found["error"]) == ("FAILED", "Rejected: no")
        assert set(found) == {"id", "title", "status", "created", "ended", "error", "url"}

    def test_prints_the_answer_of_the_api_as_json(self, printed: Printed, waitpoints: Waitpoints) -> None:
        token = waitpoints.create()
        waitpoints.complete(token, [1])

        found = printed("get", token.id)
        assert (found["id"], found["status"], found["output"], found["outputIsError"]) == (token.id, "COMPLETED", "[1]", False)
        assert "timeoutAt" not in found


class TestList:
    def test_is_a_line_for_each_token_in_a_pipe(self, run: Run, fake: FakeWaitpoints, waitpoints: Waitpoints) -> None:
        first = waitpoints.create(tags=["a", "b"], idempotency_key="k", timeout="1h")
        fake.advance(timedelta(seconds=1))
        second = waitpoints.create()
        waitpoints.fail(second, "no")

        lines = [line.split("\t") for line in run("list").stdout.splitlines()]

        found = waitpoints.get(first)
        assert found.timeout_at is not None
        assert lines[1] == [first.id, "WAITING", at(found.created_at), at(found.timeout_at), "a,b", "k", ""]
        assert (lines[0][0], lines[0][1]) == (second.id, "FAILED")

    def test_and_get_have_the_title_of_the_page(self, run: Run, printed: Printed, waitpoints: Waitpoints) -> None:
        title = "Deploy\t4.2?"
        token = waitpoints.create(page={"title": title})

        assert run("list").stdout.splitlines()[0].split("\t")[-1] == title.replace("\t", " ")
        assert list(fields(run("get", token.id)).items())[1] == ("title", title.replace("\t", " "))
        assert [printed("get", token.id)["page"], printed("list")[0]["page"]] == [{"title": title}] * 2

    def test_filters(self, printed: Printed, fake: FakeWaitpoints, waitpoints: Waitpoints) -> None:
        waiting = waitpoints.create(tags=["a"], idempotency_key="k")
        fake.advance(timedelta(seconds=1))
        done = waitpoints.create(tags=["b"])
        waitpoints.complete(done)

        def listed(*arguments: str) -> list[str]:
            return [token["id"] for token in printed("list", *arguments)]

        assert listed() == [done.id, waiting.id]
        assert listed("--oldest-first") == [waiting.id, done.id]
        assert listed("-n", "1") == [done.id]
        assert listed("--status", "waiting") == listed("--tag", "a") == listed("--key", "k") == [waiting.id]
        assert listed("--status", "WAITING", "--status", "COMPLETED", "--since", "1h") == [done.id, waiting.id]
        assert listed("--failed") == listed("--undelivered") == []

    def test_reads_more_than_one_page(self, printed: Printed, waitpoints: Waitpoints) -> None:
        for _ in range(120):
            waitpoints.create()
        assert len(printed("list", "-n", "110")) == 110

    def test_watched_in_a_pipe_shows_what_changes(
        self, run: Run, waitpoints: Waitpoints, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = waitpoints.create()
        pauses = iter(range(3))

        def pause(_: float) -> None:
            match next(pauses):
                case 1:
                    waitpoints.complete(token)
                case 2:
                    raise KeyboardInterrupt

        monkeypatch.setattr(show, "pause", pause)
        result = run("list", "--watch")

        assert result.exit_code == 130
        assert [line.split("\t")[:2] for line in result.stdout.splitlines()] == [[token.id, "WAITING"], [token.id, "COMPLETED"]]


@pytest.mark.usefixtures("handlers")
class TestExtend:
    def test_prints_when_the_token_times_out_now(self, run: Run, printed: Printed, waitpoints: Waitpoints) -> None:
        token = waitpoints.create()
        moved = fields(run("extend", token.id, "7d"))
        assert moved == {"id": token.id, "times out": at(waitpoints.get(token).created_at + timedelta(days=7))}
        assert printed("extend", token.id, "2099-01-31T18:00:00Z")["timeoutAt"] == "2099-01-31T18:00:00Z"
        assert fields(run("extend", token.id, "none")) == {"id": token.id, "times out": "never"}
        assert printed("extend", token.id, "none") == {"id": token.id}


@pytest.mark.usefixtures("handlers")
class TestHandOver:
    def test_prints_the_links_of_who_was_added(self, run: Run, printed: Printed, waitpoints: Waitpoints) -> None:
        token = waitpoints.create(page=ONE)
        person = '{"id": "flo", "name": "Flo"}'
        found = fields(run("hand-over", token.id, "--add", "ed", "--add", person, "--remove", "ann"))
        assert list(found) == ["id", "link ed", "link flo"]
        assert printed("hand-over", token.id, "--add", "ed")["links"][0]["url"] == found["link ed"]
        shown, now = fields(run("get", token.id)), waitpoints.get(token)
        assert shown["handed over 1"] == f"+ed +flo -ann {at(now.hand_overs[0].at)}"

    @pytest.mark.parametrize("written", ['["x"]', '"quoted"', "{bad", "@list.json", "-"])
    def test_adds_no_other_json_than_an_object(
        self, run: Run, fake: RecordedStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("list.json").write_text('["x"]')
        result = run("hand-over", "waitpoint_1", "--add", written, input='"x"')
        assert result.exit_code == 2
        assert result.stderr.endswith("""write '{"id": "ann", "email": "ann@example.com"}', for example\n""")
        assert fake.heard == []

    def test_reads_a_person_from_a_file_or_standard_input(self, run: Run, waitpoints: Waitpoints, tmp_path: Path) -> None:
        token, file = waitpoints.create(page=ONE), tmp_path / "ed.json"
        file.write_text('{"id": "ed"}')
        found = fields(run("hand-over", token.id, "--add", f"@{file}", "--add", "-", "--add", "5", input='{"id": "flo"}'))
        assert list(found) == ["id", "link ed", "link flo", "link 5"]

    def test_of_nobody_says_what_is_expected(self, run: Run, waitpoints: Waitpoints) -> None:
        result = run("hand-over", waitpoints.create(page=ONE).id)
        assert result.exit_code == 1
        assert "expected add, remove, or both" in result.stderr


class TestComplete:
    @pytest.mark.parametrize(
        ("arguments", "output"),
        [
            (['{"approved": true}'], {"approved": True}),
            (["12"], 12),
            (["--text", "fine"], "fine"),
            (["-"], {"from": "stdin"}),
            ([], None),
        ],
    )
    def test_gives_the_output(self, run: Run, waitpoints: Waitpoints, arguments: list[str], output: Any) -> None:
        token = waitpoints.create()

        result = run("complete", token.id, *arguments, input='{"from": "stdin"}')

        assert (result.exit_code, result.output) == (0, "")
        assert waitpoints.get(token).output == output

    def test_refuses_a_standard_input_that_is_closed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", None)

        with pytest.raises(CommandProblem, match="- reads standard input, which is closed"):
            read_content("-")

    def test_refuses_a_standard_input_that_is_no_text(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'"\xff"'), errors="surrogateescape"))

        with pytest.raises(CommandProblem, match="standard input is not text in UTF-8"):
            read_content("-")

    def test_says_as_json_that_it_is_done(self, printed: Printed, waitpoints: Waitpoints) -> None:
        assert printed("complete", waitpoints.create().id) == {"success": True, "settled": True}
        assert printed("fail", waitpoints.create().id, "no") == {"success": True, "settled": True}

    def test_fails_a_token(self, run: Run, waitpoints: Waitpoints) -> None:
        token = waitpoints.create()
        assert run("fail", token.id, "too late", "--name", "Rejected", "--code", "E1").exit_code == 0

        error = waitpoints.get(token).error
        assert error is not None
        assert (error.message, error.name, error.code) == ("too late", "Rejected", "E1")

    def test_by_key_keeps_what_comes_first(self, run: Run, printed: Printed, waitpoints: Waitpoints) -> None:
        kept = fields(run("complete-key", "orders:1", '{"paid": true}', "--ttl", "1h"))
        assert kept["kept"] == "for the token that is created with this key"

        created = waitpoints.create(idempotency_key="orders:1")
        assert (created.id, waitpoints.get(created).output) == (kept["id"], {"paid": True})
        assert printed("complete-key", "orders:1") == {"settled": False, "id": created.id, "created": False}


class TestCompleteInPlaceOfApprovers:
    """An API key may. The command asks nothing, and says that it was an override."""

    @pytest.mark.parametrize(
        ("words", "how"), [(["complete", '{"action": "reject"}'], "been completed"), (["fail", "no"], "been failed")]
    )
    def test_says_so(self, run: Run, fake: FakeWaitpoints, waitpoints: Waitpoints, words: list[str], how: str) -> None:
        token = waitpoints.create(page=APPROVAL)
        result = run(words[0], token.id, *words[1:])

        said = f"{token.id} has {how} in place of its approvers: ann, bo@example.com, cy\n"
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", said)
        assert fields(run("get", token.id))["ended"].endswith(" by complete, in place of its approvers")
        assert run(words[0], token.id, *words[1:]).stderr.startswith(f"{token.id} had already {how} at ")

    def test_says_so_by_key(self, run: Run, waitpoints: Waitpoints) -> None:
        token = waitpoints.create(page=APPROVAL, idempotency_key="k")
        assert " in place of its approvers: " in run("complete-key", "k", '{"action": "reject"}').stderr
        assert waitpoints.get(token).output == {"action": "reject"}


class TestCompleteAfterTheEnd:
    """It is no error, and changes nothing. The command says so only if another one ended the token."""

    @pytest.mark.parametrize("words", [["complete"], ["complete", "{}"], ["fail", "no"], ["complete", "--json"]], ids=" ".join)
    @pytest.mark.parametrize("how", ["been completed", "been failed", "timed out"])
    def test_says_what_ended_it_and_when(
        self, run: Run, fake: FakeWaitpoints, waitpoints: Waitpoints, words: list[str], how: str
    ) -> None:
        token = waitpoints.create(timeout="1h")
        match how:
            case "been completed":
                fake.deliver(token.url, {"a": 1})
            case "been failed":
                waitpoints.fail(token, "no")
            case _:
                fake.advance(timedelta(hours=2))
        before = waitpoints.get(token)

        result = run(words[0], token.id, *words[1:])

        assert before.completed_at
        said = f"{token.id} had already {how} at {at(before.completed_at)}: nothing changed\n"
        assert (result.exit_code, result.stderr) == (0, said)
        assert result.stdout == ('{\n  "success": true,\n  "settled": false\n}\n' if "--json" in words else "")
        assert waitpoints.get(token) == before

    @pytest.mark.parametrize(
        ("options", "settled", "looks"),
        [(["--json"], True, 0), (["--json"], False, 1), (["--json"], None, 1), ([], True, 1)],
        ids=["settled", "ended", "older stack", "for a person"],
    )
    def test_looks_for_a_program_only_if_it_may_have_ended_before(
        self,
        run: Run,
        fake: FakeWaitpoints,
        waitpoints: Waitpoints,
        monkeypatch: pytest.MonkeyPatch,
        options: list[str],
        settled: bool | None,
        looks: int,
    ) -> None:
        token = waitpoints.create()
        answer, requests = fake.handle_request, []

        def answered(request: httpx.Request) -> httpx.Response:
            requests.append(request.method)
            if request.method != "POST":
                return answer(request)
            answer(request)
            return httpx.Response(200, json={"success": True} if settled is None else {"success": True, "settled": settled})

        monkeypatch.setattr(fake, "handle_request", answered)
        assert run("complete", token.id, *options).stderr == ""
        assert requests == ["POST", *["GET"] * looks]

    def test_by_key_says_it_too_unless_the_completion_is_kept(self, run: Run, waitpoints: Waitpoints) -> None:
        token = waitpoints.create(idempotency_key="k")
        first, second = run("complete-key", "k", "1"), run("complete-key", "k", "2")
        assert (first.stderr, second.stdout) == ("", f"id\t{token.id}\n")
        assert second.stderr.startswith(f"{token.id} had already been completed at ")
        assert (run("complete-key", "other").stderr, waitpoints.get(token).output) == ("", 1)

    def test_does_not_take_a_lost_answer_for_another_completion(
        self, run: Run, fake: FakeWaitpoints, waitpoints: Waitpoints, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = waitpoints.create()
        answer, lost = fake.handle_request, ["once"]

        def lose_one(request: httpx.Request) -> httpx.Response:
            answered = answer(request)
            if request.url.path.endswith("/complete") and lost:
                lost.clear()
                return httpx.Response(503, headers={"x-should-retry": "true"}, json={})
            return answered

        monkeypatch.setattr(fake, "handle_request", lose_one)
        monkeypatch.setattr("time.sleep", lambda _: None)
        result = run("complete", token.id, "1")
        assert (result.exit_code, result.stderr, lost) == (0, "", [])

    def test_says_nothing_to_who_may_not_look(
        self, run: Run, fake: FakeWaitpoints, waitpoints: Waitpoints, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token, answer = waitpoints.create(), fake.handle_request

        def refuse_to_show(request: httpx.Request) -> httpx.Response:
            return httpx.Response(403, json={"error": "no"}) if request.method == "GET" else answer(request)

        monkeypatch.setattr(fake, "handle_request", refuse_to_show)
        for _ in range(2):
            result = run("complete", token.id)
            assert (result.exit_code, result.output) == (0, "")


class TestWait:
    @pytest.mark.parametrize(
        ("ended", "status", "stdout", "stderr", "as_json"),
        [
            ("completed", 0, '"yes"\n', "", {"ok": True, "output": "yes"}),
            ("failed", 1, "", "Rejected: no", {"ok": False, "error": {"message": "no", "name": "Rejected", "code": "E"}}),
            ("timed out", 2, "", "WaitpointTimeoutError: Waitpoint timed out at ", {"timedOut": True}),
            ("waiting", 2, "", "TOKEN still waits after 0s", {"ok": False, "waiting": True}),
        ],
    )
    def test_prints_the_result_and_exits_with_its_status(
        self,
        run: Run,
        printed: Printed,
        fake: FakeWaitpoints,
        waitpoints: Waitpoints,
        ended: str,
        status: int,
        stdout: str,
        stderr: str,
        as_json: dict[str, Any],
    ) -> None:
        token = waitpoints.create(timeout="1h")
        match ended:
            case "completed":
                waitpoints.complete(token, "yes")
            case "failed":
                waitpoints.fail(token, "no", name="Rejected", code="E")
            case "timed out":
                fake.advance(timedelta(hours=2))
        result = run("wait", token.id, "--for", "0s")
        assert (result.exit_code, result.stdout) == (status, stdout)
        assert result.stderr.startswith(f"Error: {stderr.replace('TOKEN', token.id)}" if stderr else "")
        assert printed("wait", token.id, "--for", "0s", status=status).items() >= as_json.items()

    def test_says_in_its_help_what_each_status_means(self, run: Run) -> None:
        said = " ".join(run("wait", "--help").stdout.split())
        assert "0 if it was completed; 1 if it was failed, and after any error; 2 if it timed out" in said


class TestUrl:
    def test_is_printed_alone(self, run: Run, printed: Printed, waitpoints: Waitpoints) -> None:
        token = waitpoints.create()
        assert run("url", token.id).stdout == f"{token.url}\n"
        assert printed("url", token.id) == {"url": token.url}

    def test_is_opened_in_the_browser(self, run: Run, printed: Printed, waitpoints: Waitpoints, opened: list[str]) -> None:
        token = waitpoints.create()
        assert run("open", token.id).output == ""
        assert printed("open", token.id) == {"url": token.url}
        assert opened == [token.url, token.url]

    @pytest.mark.usefixtures("opened")
    @pytest.mark.parametrize("command", ["url", "open"])
    def test_is_the_link_of_the_approver_that_is_named(
        self, run: Run, printed: Printed, waitpoints: Waitpoints, command: str
    ) -> None:
        token = waitpoints.create(page=APPROVAL)
        for link in token.links:
            assert printed(command, token.id, "--as", link.approver) == {"url": link.url}
        of_one = waitpoints.create(page={**APPROVAL, "approvers": ["ann"], "actions": [{"id": "yes", "label": "Yes"}]})
        assert printed(command, of_one.id) == {"url": of_one.links[0].url}

        whose = "ann, bo@example.com, cy or lead"
        for words, said in (
            ([], f"Each approver has a link of their own, so say whose: --as {whose}"),
            (["--as", "dee"], f"dee is no approver of {token.id}: say --as {whose}"),
        ):
            result = run(command, token.id, *words)
            assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"Error: {said}\n")

    def test_is_one_for_all_where_people_sign_in(self, waitpoints: Waitpoints) -> None:
        found = waitpoints.get(waitpoints.create(page=APPROVAL).id)
        links = [{"approver": link.approver, "url": found.url} for link in found.links]
        token = changed(found, links=links)
        assert [url_of(token, who) for who in (None, "ann", "lead")] == [token.url] * 3
        shown = token_views.details(token)
        assert [name for name in shown if name.startswith("link")] == []
        assert shown["url"] == token.url

    def test_of_a_key_that_may_not_complete_it_is_not_known(self, waitpoints: Waitpoints) -> None:
        for page in (APPROVAL, PageOptions(title="Go?")):
            found = waitpoints.get(waitpoints.create(page=page).id)
            with pytest.raises(CommandProblem, match="lacks the scope complete"):
                url_of(changed(found, url="", links=[]), None)

    def test_is_shown_if_there_is_no_browser(self, run: Run, waitpoints: Waitpoints, monkeypatch: pytest.MonkeyPatch) -> None:
        token = waitpoints.create()
        monkeypatch.setattr("webbrowser.open", lambda _: False)

        result = run("open", token.id)

        assert (result.exit_code, result.stderr) == (
            1,
            f"Error: No browser could be started, so open it yourself: {token.url}\n",
        )


def test_delete_asks_first_and_may_force(asked: Callable[..., list[str]]) -> None:
    assert asked("delete", "waitpoint_1", input="n\n") == []
    assert asked("delete", "waitpoint_1", input="y\n") == ["DELETE /waitpoints/tokens/waitpoint_1"]
    assert asked("delete", "waitpoint_1", "--force", "-y") == ["DELETE /waitpoints/tokens/waitpoint_1?force=true"]


def test_delete_says_which_delivery_stays(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"id": "delivery_1", "endpoint": "orders", "kind": "completed", "createdAt": "2030-01-31T18:00:00Z", "size": 2}
    answer = httpx.Response(200, json={"success": True, "keptDelivery": {**kept, "expiresAt": "2030-02-28T18:00:00Z"}})
    transport = httpx.MockTransport(lambda _: answer)
    monkeypatch.setattr(stacks, "find_client", lambda _: Waitpoints("https://a.test", "key", transport=transport))
    assert json.loads(run("delete", "waitpoint_1", "--yes", "--json").stdout)["keptDelivery"]["id"] == "delivery_1"
    said = "delivery_1, which orders recorded, stays: it has settled another token, too.\n"
    assert run("delete", "waitpoint_1", "--yes").stderr == said
