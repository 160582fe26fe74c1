"""DELETE of a token (contract T12): `endpoints/token_deletion`."""

from contextlib import nullcontext
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest

import delete_token
from tests.support.decision import DECISION, choose
from tests.support.github_endpoint import BODY, GITHUB, GitHub
from tests.support.in_process.api_gateway import TOKENS, Api, HttpAnswer
from tests.support.in_process.fakes.waits import DENIED, UNAVAILABLE
from tests.support.in_process.moto_shortcut import the_stack
from tests.support.in_process.stores import items
from tests.support.in_process.world import World
from tests.support.refusals import is_refused
from tools.openapi import answers
from waitpoints.api.endpoints import recording
from waitpoints.waiter_result import Failure, Success

FORCE = "?force=true"
LARGE = "x" * 200_000
SAYS = "The waitpoint was deleted before it was completed"
SIGN_IN = {"title": "Go?", "approvers": ["ann@example.com"], "signIn": True}


def ask(api: Api, token_id: str, query: str = "", headers: Any = None) -> HttpAnswer:
    return api.request("DELETE", f"{TOKENS}/{token_id}{query}", None, headers)


def delete(api: Api, token_id: str, query: str = "", headers: Any = None) -> Any:
    answer = ask(api, token_id, query, headers)
    assert answer.status == 200, answer.text
    answers.DeleteWaitpointTokenResponse.model_validate(answer.json)
    return answer.json


def left(world: World) -> tuple[list[Any], dict[str, bytes]]:
    """All that is stored but for keys of the API, endpoints, and what the doctor remembers."""
    kinds = ("waitpoint_", "idempotency#", "deliveries#", "pending", "resend#", "undelivered")
    return [item for item in items() if item["id"].startswith(kinds)], world.objects


MARKS = [f"marked-{number:02}" for number in range(40)]


def marked() -> set[str]:
    """The marks that the table and the bucket have."""
    stored = f"{the_stack().every_item()} {the_stack().objects()}"
    return {mark for mark in MARKS if mark in stored}


class TestASettledToken:
    def test_is_gone_with_all_that_hangs_on_it_and_with_no_other(self, api: Api, world: World) -> None:
        """Of two tokens with all that there is, one settled by approvers and one by a recorded delivery."""
        github = GitHub(world, api, verify=GITHUB, record_deliveries="7d", output="{all: body}")
        other, marks = world.create(key="other"), iter(MARKS)
        before = left(world)
        people = [{"id": f"{next(marks)}@example.com", "name": next(marks)} for _ in range(3)]
        fields = {name: {"type": "string", "title": next(marks)} for name in "abcd"}
        page = {**DECISION, "title": next(marks), "text": next(marks), "approvers": people[:2]}
        page["links"] = [{"label": next(marks), "url": f"https://{next(marks)}.example.com"} for _ in range(2)]
        page["actions"] = [{"id": name, "label": next(marks), "needs": 2} for name in "ox"]
        page["actions"][1] |= {"needs": 1}
        page["fields"] = {"type": "object", "properties": fields}
        asked = {"metadata": {next(marks): next(marks) for _ in range(3)}, "tags": [next(marks) for _ in range(6)]}
        token = api.create(page=page, idempotencyKey=next(marks), timeout="1h", **asked)
        links = api.change(token, approvers={"add": [people[2]], "remove": [people[1]["id"]]})["links"]
        for links_of, person in ((token, people[0]), ({"links": links}, people[2])):
            choose(api, links_of, person["id"], "o", a=next(marks), b=next(marks))
        api.deliver(token, {}, {"webhook-id": next(marks)})
        world.put_object(f"{token['id']}/lost-a-race.json", next(marks).encode())
        second = github.create()
        github.receive(BODY.replace("completed", f'completed", "{next(marks)}": "{next(marks)}", "x": "{next(marks)}{LARGE}'))
        world.store.mark_unresumed(token["id"], world.clock())
        assert (marked(), api.retrieve(token)["status"]) == ({*MARKS}, "COMPLETED")
        for token_id in (token["id"], second):
            delete(api, token_id)
            assert api.get(f"{TOKENS}/{token_id}").status == 404
        assert (marked(), left(world)) == (set(), before)
        assert world.tokens.retrieve(other)

    @pytest.mark.parametrize("data", [None, 1, LARGE])
    @pytest.mark.parametrize("ttl", [None, "1h"])
    def test_frees_its_key(self, api: Api, world: World, data: Any, ttl: str | None) -> None:
        token = api.create(idempotencyKey="order", **({"idempotencyKeyTTL": ttl} if ttl else {}))
        world.put_object(f"{token['id']}/lost-a-race.json", b"1")
        api.complete(token, data=data)
        assert delete(api, token["id"]) == {"success": True} == delete(api, token["id"])
        assert left(world) == ([], {})
        again = api.create(idempotencyKey="order")
        assert (again["isCached"], again["id"] == token["id"]) == (False, False)

    def test_leaves_its_key_to_a_newer_token(self, api: Api, world: World) -> None:
        old = api.create(idempotencyKey="order", idempotencyKeyTTL="10s")
        world.advance(10_000)
        new = api.create(idempotencyKey="order")
        api.complete(old, data=1)
        delete(api, old["id"])
        assert api.create(idempotencyKey="order")["id"] == new["id"]

    def test_that_came_early_is_gone(self, api: Api, world: World) -> None:
        delete(api, api.complete_by_key("order", data=LARGE)["id"])
        assert left(world) == ([], {})

    @pytest.mark.parametrize("key", [None, "order"])
    def test_is_what_it_was_when_it_was_read(self, world: World, key: str | None) -> None:
        token = world.create(key=key)
        read = world.store.get(token)
        assert not world.store.delete(read, holds_key=key is not None)
        world.wait(token)
        world.complete(token, "1")
        assert not world.store.delete(read, holds_key=key is not None)
        assert world.store.delete(world.store.get(token), holds_key=key is not None)

    @pytest.mark.parametrize("waits", [True, False])
    def test_that_is_due_is_timed_out_first(self, api: Api, world: World, waits: bool) -> None:
        token = world.create(timeout=60_000)
        waiter = world.wait(token) if waits else None
        world.advance(60_000)
        delete(api, token)
        assert left(world) == ([], {})
        assert not waiter or isinstance(world.result(waiter), Success)

    def test_is_refused_to_a_key_with_another_tag(self, api: Api, world: World) -> None:
        token = api.create(tags=["team-a"])
        api.complete(token, data=1)
        headers = world.holder("delete:team-b", "read")
        is_refused(world, partial(ask, api, token["id"], headers=headers), 403, "it has delete:team-b")
        delete(api, token["id"], headers=world.holder("delete:team-a", name="other"))


class TestForce:
    def test_fails_the_runs_that_wait(self, api: Api, world: World) -> None:
        token, waiters = world.awaited(2, key="order")
        waiters.append(world.wait(token, world.new_waiter(unwrap=True)))
        is_refused(world, partial(ask, api, token), 409, "StillWaits")
        delete(api, token, FORCE)
        assert world.result(waiters[2]) == Failure("WaitpointDeletedError", SAYS)
        assert "WAITPOINT_DELETED" in str(world.result(waiters[0]))
        assert world.waits.calls == {it.handle: 1 for it in waiters}
        assert left(world) == ([], {})

    def test_needs_the_scope_complete_for_a_token_that_waits(self, api: Api, world: World) -> None:
        token = api.create(tags=["team-a"])["id"]
        for number, scopes in enumerate((["delete"], ["delete", "complete:team-b"])):
            headers = world.holder(*scopes, name=f"key-{number}")
            is_refused(world, partial(ask, api, token, FORCE, headers), 403, "lacks the scope complete")
        delete(api, token, FORCE, world.holder("delete:team-a", "complete:team-a", name="both"))

    def test_needs_the_root_key_where_people_sign_in(self, api: Api, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OIDC_ISSUER", "https://issuer.example.com")
        monkeypatch.setenv("OIDC_CLIENT_ID", "waitpoints")
        token = api.create(page=SIGN_IN)["id"]
        is_refused(world, partial(ask, api, token, FORCE, world.holder("delete", "complete")), 403, "the root key")
        delete(api, token, FORCE)
        assert left(world) == ([], {})

    @pytest.mark.parametrize("page", [DECISION, {"title": "Go?"}])
    def test_overrides_approvers(self, api: Api, world: World, page: Any) -> None:
        delete(api, api.create(page=page)["id"], FORCE, world.holder("delete", "complete"))
        assert left(world) == ([], {})

    @pytest.mark.parametrize("settle", [True, False])
    def test_waits_for_what_cannot_be_resumed_now(self, api: Api, world: World, settle: bool) -> None:
        token, [waiter] = world.awaited(timeout=60_000)
        world.waits.fail_next(UNAVAILABLE, times=100)
        if settle:
            world.complete(token, "1")
            is_refused(world, partial(ask, api, token), 409, "NotAllResumed")
        assert ask(api, token, FORCE).status == 503
        world.waits.fail_no_more()
        delete(api, token, FORCE)
        assert left(world) == ([], {})
        assert world.result(waiter)

    def test_leaves_what_cannot_be_resumed_at_all(self, api: Api, world: World) -> None:
        token, _ = world.awaited()
        world.waits.fail_next(DENIED, times=100)
        for _ in range(2):
            answer = ask(api, token, FORCE)
            assert (answer.status, answer.json["code"]) == (409, "NotAllResumed")
        world.waits.fail_no_more()
        world.tokens.give_up(token)
        delete(api, token)

    def test_leaves_a_later_versions_token(self, api: Api, world: World) -> None:
        world.store.make_later(token := world.create())
        is_refused(world, partial(ask, api, token, FORCE), 503, "WrittenLater")


@pytest.mark.parametrize(
    ("token_id", "query", "status", "says"),
    [
        ("x", "", 404, "TokenNotFound"),
        ("delivery_" + "0" * 26, FORCE, 404, "TokenNotFound"),
        ("0" * 26, "?force=1", 400, "force must be true or false"),
        ("0" * 26, "?forced=true", 400, 'did you mean "force"'),
    ],
)
def test_a_malformed_request_is_refused(api: Api, world: World, token_id: str, query: str, status: int, says: str) -> None:
    is_refused(world, partial(ask, api, token_id, query), status, says)


def test_of_a_token_that_never_was_is_a_success(api: Api) -> None:
    assert delete(api, "waitpoint_" + "0" * 26) == {"success": True} == delete(api, "0" * 26, FORCE)


class TestTheDeliveryThatSettledIt:
    @pytest.fixture
    def github(self, world: World, api: Api) -> GitHub:
        return GitHub(world, api, verify=GITHUB, record_deliveries="7d")

    def resend(self, github: GitHub, delivery: str, **body: Any) -> Any:
        return github.api.ask("POST", f"/api/v1/endpoints/github/deliveries/{delivery}/resend", body)

    def test_goes_with_it_and_another_stays(self, github: GitHub, world: World) -> None:
        token = github.create()
        record, other = github.receive(), github.receive()
        assert (record.token_id, record.kind, other.kind) == (token, "completed", "repeated")
        assert delete(github.api, token) == {"success": True}
        assert github.rows() == [other]
        assert world.deliveries.contents(github.endpoint.secret_id, record.id) is None
        assert (github.counted, github.receive().kind) == ({"completed": 1, "repeated": 1}, "kept")

    def test_that_was_claimed_goes(self, github: GitHub, world: World) -> None:
        github.receive()
        delete(github.api, github.create())
        assert left(world) == ([], {})

    def test_goes_with_what_its_resends_kept_of_it(self, github: GitHub, world: World) -> None:
        token = github.create(ttl=60_000)
        record = github.receive()
        world.advance(60_000)
        assert self.resend(github, record.id)["kind"] == "kept"
        assert delete(github.api, token) == {"success": True}
        assert left(world) == ([], {})

    @pytest.mark.parametrize("is_finished", [True, False])
    @pytest.mark.parametrize("of_resend", [True, False])
    def test_stays_if_it_settled_another_token_too(self, github: GitHub, of_resend: bool, is_finished: bool) -> None:
        """With whichever of the two tokens is deleted first."""
        token, other = github.create(), github.world.create()
        record = github.receive()
        with nullcontext() if is_finished else patch.object(recording, "finish", return_value=None):
            github.api.post(f"/api/v1/endpoints/github/deliveries/{record.id}/resend", {"tokenId": other})
        answer = delete(github.api, other if of_resend else token)
        assert (answer["keptDelivery"]["id"], answer["keptDelivery"]["endpoint"]) == (record.id, "github")
        assert delete(github.api, token if of_resend else other) == {"success": True}
        assert left(github.world) == ([], {})

    def test_of_an_endpoint_that_is_gone_is_left_to_the_doctor(self, github: GitHub, world: World) -> None:
        token = github.create()
        github.receive()
        world.endpoints.delete("github")
        assert delete(github.api, token) == {"success": True}

    def test_with_too_many_resends_is_for_the_next_request(self, github: GitHub, world: World) -> None:
        token = github.create()
        github.receive()
        with patch.object(delete_token, "SECONDS", 0):
            assert ask(github.api, token).status == 503
        assert world.tokens.retrieve(token), "it is there as long as its delivery may be"
        delete(github.api, token)
        assert left(world) == ([], {})
