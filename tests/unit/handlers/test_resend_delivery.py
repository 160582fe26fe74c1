"""Send a recorded delivery again, over the handlers."""

import json
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tests.support.fakes.in_memory import InMemory
from tests.support.github_endpoint import BODY, GITHUB, KEY, SECRET, counted, create, deliver, put, signature, url_of
from tests.support.in_process.api_gateway import Api, HttpAnswer
from tests.support.races import race
from tests.support.webhook_signer import sign
from waitpoints.api.endpoints import pending as pending_deliveries
from waitpoints.api.endpoints import resending
from waitpoints.endpoint import Endpoint
from waitpoints.idempotency_key import MAX_LENGTH
from waitpoints.recorded_delivery import RecordedDelivery
from waitpoints.token import (
    Completed,
    CompletedBy,
    Document,
    DocumentKind,
    IdempotencyKey,
    NewToken,
    Rules,
    Source,
    Token,
    Verification,
)
from waitpoints.waiter_result import Success

pytestmark = pytest.mark.usefixtures("github")

PAGE = Document(DocumentKind.PAGE, '{"title": "Go?", "actions": [{"id": "submit", "label": "OK"}]}')
SCHEMA = Document(DocumentKind.SCHEMA, '{"required": ["size"]}')
UNKNOWN = "waitpoint_" + "0" * 26


@pytest.fixture
def endpoint(world: InMemory, api: Api) -> Endpoint:
    return put(world, verify=GITHUB, record_deliveries="7d")


def received(world: InMemory, api: Api, endpoint: Endpoint, **headers: str) -> RecordedDelivery:
    """Deliver, and return what was recorded of it."""
    assert deliver(api, endpoint, headers={**signature(endpoint), **headers}).status == 200
    return rows(world, endpoint)[-1]


def rows(world: InMemory, endpoint: Endpoint) -> list[RecordedDelivery]:
    """All recorded deliveries of the endpoint, in their order."""
    return [row for (secret_id, _), row in world.deliveries._rows.items() if secret_id == endpoint.secret_id]


def send(api: Api, delivery: str, body: Any = None, headers: Any = None) -> HttpAnswer:
    return api.post(f"/api/v1/endpoints/github/deliveries/{delivery}/resend", {} if body is None else body, headers)


def sent(world: InMemory, api: Api, delivery: str, **body: Any) -> Any:
    """Send it again a second later. Returns the new row."""
    world.clock.advance(1_000)
    answer = send(api, delivery, body)
    assert answer.status == 200, answer.text
    return answer.json


def completed(world: InMemory, token_id: str) -> Completed:
    outcome = world.tokens.retrieve(token_id).outcome
    assert isinstance(outcome, Completed)
    return outcome


@pytest.mark.parametrize("later", ["endpoint", "token", "token by its key"])
def test_what_a_later_version_wrote_is_answered_503_before_anything_is_stored(
    world: InMemory, api: Api, endpoint: Endpoint, later: str
) -> None:
    put(world, verify=GITHUB, record_deliveries="7d", complete_when="body.action == 'other'")
    first, token = received(world, api, endpoint), create(world)
    put(world, verify=GITHUB, record_deliveries="7d", is_later=later == "endpoint")
    world.store.tokens[token] = replace(world.store.tokens[token], is_later=later != "endpoint")
    answer = send(api, first.id, {"tokenId": token} if later == "token" else {})
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert rows(world, endpoint) == [first]


def test_to_a_token_with_verify_that_has_ended_it_is_late_and_not_refused(
    world: InMemory, api: Api, endpoint: Endpoint
) -> None:
    put(world, verify=GITHUB, record_deliveries="7d", complete_when="body.action == 'other'")
    first = received(world, api, endpoint)
    token = create(world, rules=Rules(verify=Verification("stripe", "stripe")), timeout_at=world.clock() + 1)
    assert sent(world, api, first.id, tokenId=token)["kind"] == "late"


class TestByItsKey:
    def test_the_run_that_waits_now_goes_on(self, world: InMemory, api: Api, endpoint: Endpoint) -> None:
        put(world, verify=GITHUB, record_deliveries="7d", complete_when="body.action == 'other'")
        first = received(world, api, endpoint, **{"x-github-delivery": "d-1", "user-agent": "GitHub"})
        assert str(first.kind) == "notMatching"
        put(world, verify=GITHUB, record_deliveries="3d")
        waiter = world.new_waiter()
        token = create(world, waiter=waiter)
        world.clock.advance(60_000)
        row = send(api, first.id, headers={**api.authorized, "user-agent": "curl/8"}).json
        assert world.step_functions.result(waiter.handle) == Success(f'{{"ok":true,"output":{BODY}}}')
        now = world.clock()
        assert row == {
            "id": row["id"],
            "endpoint": "github",
            "kind": "completed",
            "createdAt": row["createdAt"],
            "expiresAt": row["expiresAt"],
            "size": len(BODY),
            "key": KEY,
            "tokenId": token,
            "deliveryId": "d-1",
            "resendOf": first.id,
            "ip": "192.0.2.1",
            "userAgent": "curl/8",
        }
        stored = world.deliveries.get(endpoint.secret_id, row["id"])
        assert stored is not None
        assert (stored.at, stored.expires_at) == (now, (now + 3 * 86_400_000) // 1000 + 1)
        assert completed(world, token).completed_by == CompletedBy(
            source=Source.ENDPOINT,
            ip="192.0.2.1",
            user_agent="curl/8",
            content_type="application/json",
            delivery_id="d-1",
            record=row["id"],
        )
        assert world.deliveries.get(endpoint.secret_id, first.id) == first
        assert counted(world, endpoint) == {"notMatching": 1}, "a resend is no delivery of the provider"

    def test_without_a_token_it_is_kept(self, world: InMemory, api: Api, endpoint: Endpoint) -> None:
        first = received(world, api, endpoint)
        assert str(first.kind) == "kept"
        assert sent(world, api, first.id)["kind"] == "repeated"
        world.clock.advance(86_400_000)
        again = sent(world, api, first.id)
        assert (again["kind"], again["tokenId"] != first.token_id) == ("kept", True)
        assert completed(world, create(world)).output.json == BODY

    def test_it_is_what_a_delivery_with_todays_settings_would_be(self, world: InMemory, api: Api, endpoint: Endpoint) -> None:
        first = received(world, api, endpoint)
        settings = partial(put, world, verify=GITHUB, record_deliveries="7d")
        for kind, changed in {
            "notMatching": {"complete_when": "body.action == 'other'"},
            "noKey": {"key": "body.other"},
            "noOutput": {"output": "length(`1`)"},
            "notAwaited": {"key": "body.action", "key_ttl": "0s"},
        }.items():
            settings(**changed)
            assert sent(world, api, first.id)["kind"] == kind
        assert [str(row.kind) for row in rows(world, endpoint)] == ["kept", "notMatching", "noKey", "noOutput", "notAwaited"]

    def test_after_the_tokens_end_it_is_repeated_or_late(self, world: InMemory, api: Api, endpoint: Endpoint) -> None:
        token = create(world, timeout_at=world.clock() + 60_000)
        first = received(world, api, endpoint)
        before = world.tokens.retrieve(token).outcome
        again = sent(world, api, first.id)
        assert (again["kind"], again["tokenId"], again["key"]) == ("repeated", token, KEY)
        shown = world.tokens.retrieve(token)
        assert (shown.outcome, shown.other_deliveries and shown.other_deliveries.count) == (before, 1)

        other = put(world, verify=GITHUB, record_deliveries="7d", key="body.action")
        timed = world.tokens.create(
            NewToken(key=IdempotencyKey("github:completed"), timeout_at=world.clock() + 2_000), world.clock()
        ).token_id
        world.clock.advance(2_000)
        late = sent(world, api, first.id)
        assert (late["kind"], late["tokenId"], other.secret_id) == ("late", timed, endpoint.secret_id)

    def test_the_tokens_schema_holds(self, world: InMemory, api: Api, endpoint: Endpoint) -> None:
        first = received(world, api, endpoint)
        world.clock.advance(86_400_000)
        token = create(world, document=SCHEMA)
        row = sent(world, api, first.id)
        assert (row["kind"], row["key"]) == ("notMatching", KEY)
        assert row["detail"].startswith("The body does not match the token's payloadSchema")
        assert world.tokens.retrieve(token).outcome is None
        put(world, verify=GITHUB, record_deliveries="7d", output="{size: body.workflow_run.seconds}")
        assert sent(world, api, first.id)["kind"] == "completed"
        assert completed(world, token).output.json == '{"size":1.5}'

    def test_an_output_over_100_kib_is_in_the_bucket(self, world: InMemory, api: Api, endpoint: Endpoint) -> None:
        body = json.dumps({**json.loads(BODY), "text": "x" * 200_000})
        headers = sign("github", body.encode(), url_of(endpoint), 0, SECRET).headers
        assert deliver(api, endpoint, body, headers).status == 200
        world.clock.advance(86_400_000)
        token = create(world, document=Document(DocumentKind.SCHEMA, '{"required": ["text"]}'))
        row = sent(world, api, rows(world, endpoint)[0].id)
        assert (row["kind"], row["size"]) == ("completed", len(body))
        assert completed(world, token).output.stored_at is not None
        assert completed(world, token).output.json == body


ODD_BODIES = [
    (b"", "application/json"),
    (b"null", "application/json"),
    (b'{"id": 12345678901234567890, "n": 1.50, "a": 1, "a": 2, "__proto__": 1, "half": "\\ud800"}', "application/json"),
    (b"a=1&a=2&b=%C3%BC", "application/x-www-form-urlencoded"),
    ("<größe/>".encode(), "application/xml"),
    ("größe".encode("latin-1"), "application/xml; charset=iso-8859-1"),
    (b"\x00\xff\xfe\n\n", "application/octet-stream"),
    (b"{", "application/json"),
]


class TestToAToken:
    @pytest.mark.parametrize(("body", "kind"), ODD_BODIES)
    def test_the_output_is_what_the_delivery_gave(
        self, world: InMemory, api: Api, endpoint: Endpoint, body: bytes, kind: str
    ) -> None:
        put(world, verify=GITHUB, record_deliveries="7d", key='headers."x-id"', complete_when=None)
        first = create(world)
        signed = sign("github", body, url_of(endpoint), 0, SECRET).headers
        headers = {**signed, "content-type": kind, "x-id": KEY.partition(":")[2]}
        assert deliver(api, endpoint, body, headers).status == 200
        second = world.new_token()
        assert sent(world, api, rows(world, endpoint)[0].id, tokenId=second)["kind"] == "completed"
        assert completed(world, second).output.json == completed(world, first).output.json is not None

    def test_it_needs_neither_the_key_nor_completeWhen_of_the_endpoint(  # noqa: N802 - the setting's name
        self, world: InMemory, api: Api, endpoint: Endpoint
    ) -> None:
        put(world, verify=GITHUB, record_deliveries="7d", key="body.other", complete_when="body.action == 'other'")
        first = received(world, api, endpoint)
        put(
            world,
            verify=GITHUB,
            record_deliveries="7d",
            key="body.other",
            complete_when="body.action == 'other'",
            output="body.workflow_run.seconds",
        )
        token = world.new_token()
        row = sent(world, api, first.id, tokenId=token.removeprefix("waitpoint_"))
        assert (row["kind"], row["tokenId"], "key" in row) == ("completed", token, False)
        assert completed(world, token).output.json == "1.5"

    def test_its_completeWhen_holds(self, world: InMemory, api: Api, endpoint: Endpoint) -> None:  # noqa: N802
        first = received(world, api, endpoint, **{"x-event": "done"})
        for expression, kind in {
            "body.action == 'other'": "notMatching",
            "headers.\"x-event\" == 'done' && body.action == 'completed'": "completed",
        }.items():
            token = world.tokens.create(NewToken(rules=Rules(complete_when=expression)), world.clock()).token_id
            row = sent(world, api, first.id, tokenId=token)
            assert (row["kind"], row["tokenId"]) == (kind, token)
            assert (world.tokens.retrieve(token).outcome is None) is (kind == "notMatching")
            assert row.get("detail") == (resending.NOT_MATCHING if kind == "notMatching" else None)

    def test_its_schema_holds(self, world: InMemory, api: Api, endpoint: Endpoint) -> None:
        first = received(world, api, endpoint)
        token = world.tokens.create(NewToken(document=SCHEMA), world.clock()).token_id
        assert sent(world, api, first.id, tokenId=token)["kind"] == "notMatching"
        assert world.tokens.retrieve(token).outcome is None

    def test_one_that_has_ended_is_repeated_or_late(self, world: InMemory, api: Api, endpoint: Endpoint) -> None:
        first = received(world, api, endpoint)
        ended, timed_out = world.new_token(), world.new_token(timeout=500)
        world.tokens.complete(ended, "1", CompletedBy(source=Source.COMPLETE))
        assert sent(world, api, first.id, tokenId=ended)["kind"] == "repeated"
        assert sent(world, api, first.id, tokenId=timed_out)["kind"] == "late"
        assert completed(world, ended).output.json == "1"

    def test_one_that_is_removed_meanwhile_is_said(
        self, world: InMemory, api: Api, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, token = received(world, api, endpoint), world.new_token()
        begin = world.deliveries.begin

        def begin_and_remove(*arguments: Any) -> RecordedDelivery:
            del world.store.tokens[token]
            return begin(*arguments)

        monkeypatch.setattr(world.deliveries, "begin", begin_and_remove)
        row = sent(world, api, first.id, tokenId=token)
        assert (row["kind"], row["detail"]) == ("notAwaited", resending.IS_GONE)


FORBIDDEN_TOKENS = {
    "verify": NewToken(rules=Rules(verify=Verification("github", "github"))),
    "a page": NewToken(document=PAGE),
    "approvers": NewToken(document=replace(PAGE, has_approvers=True)),
    "a sign-in": NewToken(document=replace(PAGE, has_approvers=True, has_sign_in=True)),
}


@pytest.mark.parametrize("named", FORBIDDEN_TOKENS)
class TestATokenThatOnlySomebodyElseCompletes:
    def test_is_refused_before_anything_is_recorded(self, world: InMemory, api: Api, endpoint: Endpoint, named: str) -> None:
        first = received(world, api, endpoint)
        world.clock.advance(86_400_000)
        token = world.tokens.create(replace(FORBIDDEN_TOKENS[named], key=IdempotencyKey(KEY)), world.clock()).token_id
        for body in ({}, {"tokenId": token}, {"idempotencyKey": "k"}):
            answer = send(api, first.id, body)
            assert (answer.status, answer.json["code"]) == (422, "ResendRefused")
            assert answer.error == "A waitpoint with verify or a page cannot be completed by a delivery that is sent again"
        assert world.tokens.retrieve(token).outcome is None
        assert rows(world, endpoint) == [first]

    @pytest.mark.parametrize("by_id", [False, True])
    def test_stays_if_it_comes_after_that_check(
        self, world: InMemory, api: Api, endpoint: Endpoint, named: str, by_id: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = received(world, api, endpoint)
        world.clock.advance(86_400_000)
        token = world.tokens.create(replace(FORBIDDEN_TOKENS[named], key=IdempotencyKey(KEY)), world.clock()).token_id
        monkeypatch.setattr(resending, "_check_target", lambda *_: None)
        row = sent(world, api, first.id, **({"tokenId": token} if by_id else {}))
        assert row["kind"] == "notMatching"
        assert world.tokens.retrieve(token).outcome is None


class TestTwice:
    def test_with_one_key_it_is_one(self, world: InMemory, api: Api, endpoint: Endpoint) -> None:
        first = received(world, api, endpoint)
        world.clock.advance(86_400_000)
        key = "ö" * MAX_LENGTH
        once = sent(world, api, first.id, idempotencyKey=key)
        assert once["kind"] == "kept"
        assert sent(world, api, first.id, idempotencyKey=key) == once
        assert sent(world, api, first.id, idempotencyKey=key, tokenId=once["tokenId"]) == once
        assert len(rows(world, endpoint)) == 2
        assert sent(world, api, first.id, idempotencyKey="other")["kind"] == "repeated"
        assert sent(world, api, once["id"], idempotencyKey=key)["resendOf"] == once["id"], "of another delivery"

    def test_with_one_key_it_is_processed_once(self, world: InMemory, api: Api, endpoint: Endpoint) -> None:
        """Not even if it could complete a token by now."""
        first = received(world, api, endpoint)
        put(world, verify=GITHUB, record_deliveries="7d", complete_when="body.action == 'other'")
        once = sent(world, api, first.id, idempotencyKey="k")
        assert once["kind"] == "notMatching"
        put(world, verify=GITHUB, record_deliveries="7d")
        world.clock.advance(86_400_000)
        token = create(world)
        assert sent(world, api, first.id, idempotencyKey="k") == once
        assert world.tokens.retrieve(token).outcome is None

    def test_with_one_key_it_goes_to_one_token(self, world: InMemory, api: Api, endpoint: Endpoint) -> None:
        first = received(world, api, endpoint)
        tokens = [world.new_token() for _ in range(4)]
        answers = race([partial(send, api, first.id, {"idempotencyKey": "k", "tokenId": token}) for token in tokens])
        assert sorted(answer.status for answer in answers) == [200, 422, 422, 422]
        [refused] = {answer.json["code"] for answer in answers if answer.status == 422}
        assert (refused, len(rows(world, endpoint))) == ("ResendRefused", 2)
        assert sum(world.tokens.retrieve(token).outcome is not None for token in tokens) == 1
        assert send(api, first.id, {"idempotencyKey": "k", "tokenId": UNKNOWN}).status == 422

    def test_with_one_key_it_goes_to_one_token_also_if_another_request_began_meanwhile(
        self, world: InMemory, api: Api, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, (one, other) = received(world, api, endpoint), (world.new_token(), world.new_token())
        sent(world, api, first.id, idempotencyKey="k", tokenId=one)
        monkeypatch.setattr(world.deliveries, "find_resend", lambda *_: None)
        assert send(api, first.id, {"idempotencyKey": "k", "tokenId": other}).status == 422
        assert (world.tokens.retrieve(other).outcome, len(rows(world, endpoint))) == (None, 2)

    def test_at_the_same_moment_it_is_one(self, world: InMemory, api: Api, endpoint: Endpoint) -> None:
        first = received(world, api, endpoint)
        for number in range(20):
            world.clock.advance(86_400_000 if number == 0 else 0)
            waiter, token = world.new_waiter(), world.new_token()
            world.tokens.wait(token, waiter)
            world.clock.advance(1)  # what one moment makes and completes is an early completion
            body = {"idempotencyKey": f"k{number}", "tokenId": token}
            answers = race([partial(send, api, first.id, body)] * 4)
            assert {answer.status for answer in answers} == {200}
            assert len({answer.text for answer in answers}) == 1, answers
            assert answers[0].json["kind"] == "completed"
            assert world.tokens.retrieve(token).other_deliveries is None
            assert world.step_functions.calls[waiter.handle] == 1
        assert len(rows(world, endpoint)) == 21

    @pytest.mark.parametrize("by_doctor", [False, True])
    @pytest.mark.parametrize("to_token", [False, True])
    @pytest.mark.parametrize("has_settled", [False, True])
    def test_the_second_one_or_the_doctor_does_what_a_crash_left_undone(
        self,
        world: InMemory,
        api: Api,
        endpoint: Endpoint,
        monkeypatch: pytest.MonkeyPatch,
        to_token: bool,
        has_settled: bool,
        by_doctor: bool,
    ) -> None:
        first = received(world, api, endpoint)
        world.clock.advance(86_400_000)
        waiter = world.new_waiter()
        token = world.new_token() if to_token else create(world)
        world.tokens.wait(token, waiter)
        world.clock.advance(1)
        body = {"idempotencyKey": "k", **({"tokenId": token} if to_token else {})}
        world.endpoints.set_disabled(endpoint.name, True, world.clock())
        with monkeypatch.context() as crash:
            crash.setattr(
                "tests.support.fakes.delivery_store.MemoryDeliveryStore.finish"
                if has_settled
                else "waitpoints.tokens.Tokens.complete",
                fail,
            )
            assert send(api, first.id, body).status == 500
        pending = rows(world, endpoint)[-1]
        assert (pending.kind, pending.token_id) == (None, token if to_token else None)
        if by_doctor:
            repairs = pending_deliveries.repair(list(world.deliveries.pending(world.clock())), lambda: True)
            assert (repairs.repaired, repairs.remaining) == (0 if has_settled else 1, [])
        row = sent(world, api, first.id, **body)
        assert counted(world, endpoint) == {"kept": 1}
        assert (row["id"], row["kind"], row["tokenId"]) == (pending.id, "completed", token)
        assert world.step_functions.calls[waiter.handle] == 1
        assert world.tokens.retrieve(token).other_deliveries is None

    def test_of_a_resend_that_was_deleted_there_is_none(self, world: InMemory, api: Api, endpoint: Endpoint) -> None:
        first = received(world, api, endpoint)
        row = sent(world, api, first.id, idempotencyKey="k")
        world.deliveries.delete(endpoint.secret_id, row["id"])
        assert send(api, first.id, {"idempotencyKey": "k"}).status == 404
        assert len(rows(world, endpoint)) == 1

    def test_after_its_record_has_expired_it_is_another_one(self, world: InMemory, api: Api, endpoint: Endpoint) -> None:
        put(world, verify=GITHUB, record_deliveries="1h")
        first = received(world, api, endpoint)
        world.deliveries._rows[endpoint.secret_id, first.id] = replace(first, expires_at=first.expires_at + 86_400)
        row = sent(world, api, first.id, idempotencyKey="k")
        world.clock.advance(3_600_000 + 1_000)
        assert sent(world, api, first.id, idempotencyKey="k")["id"] != row["id"]


def fail(*_: Any) -> None:
    raise RuntimeError("the function ends here")


class TestWhatIsSent:
    def test_a_resend_can_be_sent_again(self, world: InMemory, api: Api, endpoint: Endpoint) -> None:
        first = received(world, api, endpoint)
        again = sent(world, api, first.id)
        once_more = sent(world, api, again["id"])
        assert (again["resendOf"], once_more["resendOf"]) == (first.id, again["id"])

    def test_a_pending_delivery_too(
        self, world: InMemory, api: Api, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waiter = world.new_waiter()
        token = create(world, waiter=waiter)
        with monkeypatch.context() as crash:
            crash.setattr(world.tokens, "complete", fail)
            assert deliver(api, endpoint, headers=signature(endpoint)).status == 500
        [pending] = rows(world, endpoint)
        assert pending.kind is None
        row = sent(world, api, pending.id)
        assert (row["kind"], row["tokenId"]) == ("completed", token)

    def test_what_a_disabled_endpoint_has_recorded(self, world: InMemory, api: Api, endpoint: Endpoint) -> None:
        token = create(world)
        world.endpoints.set_disabled(endpoint.name, False, world.clock())
        first = received(world, api, endpoint)
        world.endpoints.set_disabled(endpoint.name, True, world.clock())
        assert sent(world, api, first.id)["kind"] == "repeated"
        assert world.tokens.retrieve(token).outcome is not None

    def test_of_an_endpoint_that_records_no_more_is_kept_as_long_as_the_original(
        self, world: InMemory, api: Api, endpoint: Endpoint
    ) -> None:
        first = received(world, api, endpoint)
        put(world, verify=GITHUB)
        row = sent(world, api, first.id)
        stored = world.deliveries.get(endpoint.secret_id, row["id"])
        assert stored is not None
        assert stored.expires_at == first.expires_at

    def test_without_its_body_it_is_404_and_nothing_is_recorded(self, world: InMemory, api: Api, endpoint: Endpoint) -> None:
        first = received(world, api, endpoint)
        del world.deliveries._contents[endpoint.secret_id, first.id]
        answer = send(api, first.id)
        assert (answer.status, answer.error) == (404, resending.NO_CONTENTS)
        assert rows(world, endpoint) == [first]

    def test_deleted_meanwhile_it_is_404(
        self, world: InMemory, api: Api, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, finish = received(world, api, endpoint), world.deliveries.finish

        def delete_and_finish(secret_id: str, delivery: RecordedDelivery) -> bool:
            world.deliveries.delete(secret_id, delivery.id)
            return finish(secret_id, delivery)

        monkeypatch.setattr(world.deliveries, "finish", delete_and_finish)
        answer = send(api, first.id)
        assert (answer.status, answer.error) == (404, resending.DELETED)

    @pytest.mark.parametrize("which", ["delivery_" + "0" * 26, "delivery_x", "x", "%C3%BC", "0" * 3000])
    def test_an_unknown_one_is_404(self, api: Api, endpoint: Endpoint, which: str) -> None:
        answer = send(api, which)
        assert (answer.status, answer.json["code"]) == (404, "DeliveryNotFound")

    def test_an_expired_one_and_one_of_another_endpoint_are_404(self, world: InMemory, api: Api, endpoint: Endpoint) -> None:
        first = received(world, api, endpoint)
        world.clock.advance(7 * 86_400_000 + 1_000)
        assert send(api, first.id).status == 404
        answer = api.post(f"/api/v1/endpoints/other/deliveries/{first.id}/resend", {})
        assert (answer.status, answer.json["code"]) == (404, "EndpointNotFound")


class TestTheRequest:
    @pytest.mark.parametrize(
        ("body", "error"),
        [
            ([], 'expected an object, such as {} or {"tokenId": "waitpoint_…"}'),
            ({"tokenid": UNKNOWN}, 'unknown field "tokenid": did you mean "tokenId"?'),
            ({"tokenId": None}, 'expected a text at "tokenId"'),
            ({"tokenId": 5}, 'expected a text at "tokenId"'),
            ({"idempotencyKey": None}, 'expected a text at "idempotencyKey"'),
        ],
    )
    def test_another_body_is_400(self, world: InMemory, api: Api, endpoint: Endpoint, body: Any, error: str) -> None:
        first = received(world, api, endpoint)
        answer = send(api, first.id, body)
        assert (answer.status, answer.error) == (400, f"Validation error: {error}")
        assert rows(world, endpoint) == [first]

    @pytest.mark.parametrize("key", ["", "x" * (MAX_LENGTH + 1)])
    def test_a_key_that_no_token_can_have_is_400(self, world: InMemory, api: Api, endpoint: Endpoint, key: str) -> None:
        answer = send(api, received(world, api, endpoint).id, {"idempotencyKey": key})
        assert answer.status == 400
        assert answer.error.startswith("idempotencyKey must")

    @pytest.mark.parametrize("token", [UNKNOWN, "", "x", "ü" * 3000])
    def test_a_token_that_does_not_exist_is_404(self, world: InMemory, api: Api, endpoint: Endpoint, token: str) -> None:
        first = received(world, api, endpoint)
        answer = send(api, first.id, {"tokenId": token})
        assert (answer.status, answer.json["code"]) == (404, "TokenNotFound")
        assert rows(world, endpoint) == [first]

    def test_an_empty_body_is_accepted(self, world: InMemory, api: Api, endpoint: Endpoint) -> None:
        assert send(api, received(world, api, endpoint).id, b"").json["kind"] == "repeated"


class TestTheCaller:
    @pytest.mark.parametrize(
        ("scopes", "status"),
        [
            ("deliveries complete", 200),
            ("deliveries:team-a complete:team-a", 200),
            ("deliveries", 403),
            ("complete", 403),
            ("endpoints read create complete", 403),
            ("deliveries:team-b complete", 403),
            ("deliveries complete:team-b", 403),
        ],
    )
    def test_needs_both_scopes_for_the_endpoint_and_its_key(
        self, world: InMemory, api: Api, endpoint: Endpoint, scopes: str, status: int
    ) -> None:
        put(world, verify=GITHUB, record_deliveries="7d", tag="team-a")
        first = received(world, api, endpoint)
        key = world.api_key_store.make("ci", *scopes.split())
        answer = send(api, first.id, headers={"authorization": f"Bearer {key}"})
        assert answer.status == status, answer.text
        assert [row.by for row in rows(world, endpoint)] == ([None, "ci"] if status == 200 else [None])
        if status == 200:
            assert answer.json["resentBy"] == "ci"

    @pytest.mark.parametrize(("tags", "status"), [(("team-a", "x"), 200), (("team-b",), 403), ((), 403)])
    def test_needs_the_tag_of_the_token(
        self, world: InMemory, api: Api, endpoint: Endpoint, tags: tuple[str, ...], status: int
    ) -> None:
        first = received(world, api, endpoint)
        token = world.tokens.create(NewToken(tags=tags), world.clock()).token_id
        key = world.api_key_store.make("ci", "deliveries", "complete:team-a")
        answer = send(api, first.id, {"tokenId": token}, {"authorization": f"Bearer {key}"})
        assert answer.status == status
        found: Token = world.tokens.retrieve(token)
        assert (found.outcome is None) is (status == 403)
        if isinstance(found.outcome, Completed) and found.outcome.completed_by:
            assert found.outcome.completed_by.key == "ci"
