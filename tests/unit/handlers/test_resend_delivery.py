"""Send a recorded delivery again, over the handlers: `endpoints/resending` and `endpoints/resend_request`."""

import json
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest

from tests.support.github_endpoint import BODY, KEY, GitHub
from tests.support.in_process.api_gateway import Api, HttpAnswer
from tests.support.in_process.world import World
from tests.support.races import race
from tests.support.refusals import is_refused
from waitpoints.api.endpoints import pending as pending_deliveries
from waitpoints.api.endpoints import resending
from waitpoints.idempotency_key import MAX_LENGTH
from waitpoints.recorded_delivery import RecordedDelivery
from waitpoints.token import CompletedBy, Document, DocumentKind, Rules, Source, Verification
from waitpoints.waiter_result import Success

DAY = 86_400_000
PAGE = Document(DocumentKind.PAGE, '{"title": "Go?", "actions": [{"id": "submit", "label": "OK"}]}')
SCHEMA = Document(DocumentKind.SCHEMA, '{"required": ["size"]}')
UNKNOWN = "waitpoint_" + "0" * 26
OTHER = {"complete_when": "body.action == 'other'"}


class Resends(GitHub):
    def send(self, delivery: str, body: Any = None, **headers: str) -> HttpAnswer:
        url = f"/api/v1/endpoints/github/deliveries/{delivery}/resend"
        return self.api.post(url, {} if body is None else body, {**self.api.authorized, **headers})

    def sent(self, delivery: str, **body: Any) -> Any:
        """Send it again a second later. Returns the new row."""
        self.world.advance(1_000)
        answer = self.send(delivery, body)
        assert answer.status == 200, answer.text
        return answer.json


@pytest.fixture
def github(world: World, api: Api) -> Resends:
    return Resends(world, api, verify=Verification("github", "github"), record_deliveries="7d")


@pytest.fixture
def first(github: Resends) -> RecordedDelivery:
    """A delivery that has come a day before, so what it kept is no more."""
    received = github.receive(headers={"x-event": "done"})
    github.world.advance(DAY)
    return received


class TestIsRefused:
    @pytest.mark.parametrize(
        ("body", "status", "says"),
        [
            ([], 400, 'expected an object, such as {} or {"tokenId": "waitpoint_…"}'),
            ({"tokenid": UNKNOWN}, 400, 'unknown field "tokenid": did you mean "tokenId"?'),
            ({"tokenId": None}, 400, 'expected a text at "tokenId"'),
            ({"idempotencyKey": 5}, 400, 'expected a text at "idempotencyKey"'),
            ({"idempotencyKey": ""}, 400, "idempotencyKey must"),
            ({"idempotencyKey": "x" * (MAX_LENGTH + 1)}, 400, "idempotencyKey must"),
            ({"tokenId": UNKNOWN}, 404, "TokenNotFound"),
            ({"tokenId": UNKNOWN.replace("waitpoint", "delivery")}, 404, "TokenNotFound"),
        ],
    )
    def test_with_another_body(self, github: Resends, first: RecordedDelivery, body: Any, status: int, says: str) -> None:
        is_refused(github.world, lambda: github.send(first.id, body), status, says)

    @pytest.mark.parametrize("which", ["delivery_" + "0" * 26, "%C3%BC", "of another endpoint", "expired"])
    def test_of_what_is_not_recorded(self, github: Resends, first: RecordedDelivery, which: str) -> None:
        if which == "expired":
            github.world.advance(6 * DAY + 1_000)
        elif which == "of another endpoint":
            github.put(name="other")
        wanted = first.id if which[0] in "oe" else which
        asks = f"/api/v1/endpoints/{github.endpoint.name}/deliveries/{wanted}/resend"
        is_refused(github.world, lambda: github.api.post(asks, {}), 404, "DeliveryNotFound")

    def test_without_its_endpoint_or_its_body(self, github: Resends, first: RecordedDelivery) -> None:
        github.world.deliveries.lose_contents()
        is_refused(github.world, lambda: github.send(first.id), 404, resending.NO_CONTENTS)
        github.world.endpoints.delete("github")
        assert github.send(first.id).json["code"] == "EndpointNotFound"

    @pytest.mark.parametrize(
        ("scopes", "tags", "status"),
        [
            ("deliveries complete", "team-b", 200),
            ("deliveries:team-a complete:team-a", "x team-a", 200),
            ("deliveries", None, 403),
            ("complete", None, 403),
            ("endpoints read create complete", None, 403),
            ("deliveries:team-b complete", None, 403),
            ("deliveries complete:team-b", None, 403),
            ("deliveries complete:team-a", "team-b", 403),
            ("deliveries complete:team-a", "", 403),
        ],
    )
    def test_without_both_scopes_for_the_endpoint_and_its_key_or_the_token(
        self, github: Resends, first: RecordedDelivery, scopes: str, tags: str | None, status: int
    ) -> None:
        github.put(tag="team-a")
        token = github.create(key=None, tags=(tags or "").split())
        key = github.world.api_key_store.make("ci", *scopes.split())
        ask = partial(github.send, first.id, {} if tags is None else {"tokenId": token}, authorization=f"Bearer {key}")
        if status == 403:
            is_refused(github.world, ask, 403, "lacks the scope")
            return
        answer = ask()
        assert (answer.status, answer.json["resentBy"], github.rows()[-1].by) == (200, "ci", "ci")
        by = github.world.completed(token).completed_by
        assert by is not None
        assert by.key == "ci"

    @pytest.mark.parametrize("later", ["endpoint", "token", "token by its key"])
    def test_while_what_a_later_version_wrote_is_there(self, github: Resends, first: RecordedDelivery, later: str) -> None:
        token = github.create()
        github.make_later(None if later == "endpoint" else token)
        ask = partial(github.send, first.id, {"tokenId": token} if later == "token" else {})
        assert is_refused(github.world, ask, 503).headers["retry-after"] == "1"


class TestByItsKey:
    def test_the_run_that_waits_now_goes_on(self, github: Resends) -> None:
        github.put(**OTHER)
        first = github.receive(headers={"x-github-delivery": "d-1", "user-agent": "GitHub"})
        assert str(first.kind) == "notMatching"
        github.put(record_deliveries="3d")
        world, waiter = github.world, github.world.new_waiter()
        token = github.create(waiter=waiter)
        now = world.advance(60_000)
        row = github.send(first.id, **{"user-agent": "curl/8"}).json
        assert world.step_functions.result(waiter.handle) == Success(f'{{"ok":true,"output":{BODY}}}')
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
        stored = github.row(row["id"])
        assert (stored.at, stored.expires_at) == (now, (now + 3 * DAY) // 1000 + 1)
        assert github.world.completed(token).completed_by == CompletedBy(
            source=Source.ENDPOINT,
            ip="192.0.2.1",
            user_agent="curl/8",
            content_type="application/json",
            delivery_id="d-1",
            record=row["id"],
        )
        assert github.row(first.id) == first
        assert github.counted == {"notMatching": 1}, "a resend is no delivery of the provider"

    def test_it_is_what_a_delivery_with_todays_settings_would_be(self, github: Resends) -> None:
        first = github.receive()
        for kind, changed in {
            "repeated": {},
            "notMatching": OTHER,
            "noKey": {"key": "body.other"},
            "noOutput": {"output": "length(`1`)"},
            "notAwaited": {"key": "body.action", "key_ttl": "0s"},
        }.items():
            github.put(**changed)
            assert github.sent(first.id)["kind"] == kind
        github.put()
        github.world.advance(DAY)
        kept = github.sent(first.id)
        assert (kept["kind"], kept["tokenId"] != first.token_id) == ("kept", True)
        assert github.world.completed(github.create()).output.json == BODY

    def test_after_the_tokens_end_it_is_repeated_or_late(self, github: Resends) -> None:
        token = github.create(timeout=60_000)
        first = github.receive()
        before = github.world.completed(token)
        again = github.sent(first.id)
        assert (again["kind"], again["tokenId"], again["key"]) == ("repeated", token, KEY)
        shown = github.world.tokens.retrieve(token)
        assert (shown.outcome, shown.other_deliveries and shown.other_deliveries.count) == (before, 1)

        github.put(key="body.action")
        timed = github.create(key="github:completed", timeout=1_000)
        late = github.sent(first.id)
        assert (late["kind"], late["tokenId"]) == ("late", timed)

    def test_the_tokens_schema_holds(self, github: Resends, first: RecordedDelivery) -> None:
        token = github.create(document=SCHEMA)
        row = github.sent(first.id)
        assert (row["kind"], row["key"]) == ("notMatching", KEY)
        assert row["detail"].startswith("The body does not match the token's payloadSchema")
        assert github.waits(token)
        github.put(output="{size: body.workflow_run.seconds}")
        assert github.sent(first.id)["kind"] == "completed"
        assert github.world.completed(token).output.json == '{"size":1.5}'

    def test_an_output_over_100_kib_is_in_the_bucket(self, github: Resends) -> None:
        body = json.dumps({**json.loads(BODY), "text": "x" * 200_000})
        first = github.receive(body)
        github.world.advance(DAY)
        token = github.create(document=Document(DocumentKind.SCHEMA, '{"required": ["text"]}'))
        row = github.sent(first.id)
        assert (row["kind"], row["size"]) == ("completed", len(body))
        output = github.world.completed(token).output
        assert (output.stored_at is not None, output.json) == (True, body)


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
    def test_the_output_is_what_the_delivery_gave(self, github: Resends, body: bytes, kind: str) -> None:
        github.put(key='headers."x-id"', complete_when=None)
        one, other = github.create(), github.world.create()
        first = github.receive(body, {"content-type": kind, "x-id": KEY.partition(":")[2]})
        assert github.sent(first.id, tokenId=other)["kind"] == "completed"
        assert github.world.completed(other).output.json == github.world.completed(one).output.json is not None

    def test_it_needs_neither_the_key_nor_completeWhen_of_the_endpoint(self, github: Resends) -> None:  # noqa: N802
        github.put(key="body.other", **OTHER)
        first = github.receive()
        github.put(key="body.other", output="body.workflow_run.seconds", **OTHER)
        token = github.world.create()
        row = github.sent(first.id, tokenId=token.removeprefix("waitpoint_"))
        assert (row["kind"], row["tokenId"], "key" in row) == ("completed", token, False)
        assert github.world.completed(token).output.json == "1.5"

    @pytest.mark.parametrize(
        ("asked", "kind", "detail"),
        [
            ({"rules": Rules(complete_when="body.action == 'other'")}, "notMatching", resending.NOT_MATCHING),
            ({"rules": Rules(complete_when="headers.\"x-event\" == 'done' && body.action == 'completed'")}, "completed", None),
            ({"document": SCHEMA}, "notMatching", "The body does not match the token's payloadSchema"),
        ],
    )
    def test_its_own_rules_hold(
        self, github: Resends, first: RecordedDelivery, asked: Any, kind: str, detail: str | None
    ) -> None:
        token = github.create(key=None, **asked)
        row = github.sent(first.id, tokenId=token)
        assert (row["kind"], row["tokenId"], github.waits(token)) == (kind, token, kind == "notMatching")
        assert row.get("detail") == detail or row["detail"].startswith(detail)

    def test_one_that_has_ended_is_repeated_or_late_whatever_its_rules(self, github: Resends, first: RecordedDelivery) -> None:
        ended = github.world.create()
        github.world.complete(ended, "1")
        signed = github.create(key=None, rules=Rules(verify=Verification("stripe", "stripe")), timeout=500)
        for token, kind in ((ended, "repeated"), (github.world.create(500), "late"), (signed, "late")):
            assert github.sent(first.id, tokenId=token)["kind"] == kind
        assert github.world.completed(ended).output.json == "1"

    def test_one_that_is_removed_meanwhile_is_said(
        self, github: Resends, first: RecordedDelivery, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token, begin = github.world.create(), github.world.deliveries.begin

        def begin_and_remove(*arguments: Any) -> RecordedDelivery:
            github.world.store.remove(token)
            return begin(*arguments)

        monkeypatch.setattr(github.world.deliveries, "begin", begin_and_remove)
        row = github.sent(first.id, tokenId=token)
        assert (row["kind"], row["detail"]) == ("notAwaited", resending.IS_GONE)


FORBIDDEN_TOKENS: dict[str, dict[str, Any]] = {
    "verify": {"rules": Rules(verify=Verification("github", "github"))},
    "a page": {"document": PAGE},
    "approvers": {"rules": Rules(has_approvers=True), "document": PAGE},
    "a sign-in": {"rules": Rules(has_approvers=True, has_sign_in=True), "document": PAGE},
}


@pytest.mark.parametrize("named", FORBIDDEN_TOKENS)
class TestATokenThatOnlySomebodyElseCompletes:
    @pytest.fixture
    def token(self, github: Resends, first: RecordedDelivery, named: str) -> str:
        return github.create(**FORBIDDEN_TOKENS[named])

    def test_is_refused_before_anything_is_recorded(self, github: Resends, first: RecordedDelivery, token: str) -> None:
        says = "A waitpoint with verify or a page cannot be completed by a delivery that is sent again"
        for body in ({}, {"tokenId": token}, {"idempotencyKey": "k"}):
            is_refused(github.world, partial(github.send, first.id, body), 422, says, "ResendRefused")

    @pytest.mark.parametrize("by_id", [False, True])
    def test_stays_if_it_comes_after_that_check(
        self, github: Resends, first: RecordedDelivery, token: str, by_id: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(resending, "_check_target", lambda *_: None)
        row = github.sent(first.id, **({"tokenId": token} if by_id else {}))
        assert (row["kind"], github.waits(token)) == ("notMatching", True)


class TestTwice:
    def test_with_one_key_it_is_one(self, github: Resends, first: RecordedDelivery) -> None:
        key = "ö" * MAX_LENGTH
        once = github.sent(first.id, idempotencyKey=key)
        assert once["kind"] == "kept"
        assert github.sent(first.id, idempotencyKey=key) == once
        assert github.sent(first.id, idempotencyKey=key, tokenId=once["tokenId"]) == once
        assert len(github.rows()) == 2
        assert github.sent(first.id, idempotencyKey="other")["kind"] == "repeated"
        assert github.sent(once["id"], idempotencyKey=key)["resendOf"] == once["id"], "of another delivery"

    def test_with_one_key_it_is_processed_once(self, github: Resends, first: RecordedDelivery) -> None:
        """Not even if it could complete a token by now."""
        github.put(**OTHER)
        once = github.sent(first.id, idempotencyKey="k")
        assert once["kind"] == "notMatching"
        github.put()
        token = github.create()
        assert github.sent(first.id, idempotencyKey="k") == once
        assert github.waits(token)

    def test_with_one_key_it_goes_to_one_token(self, github: Resends, first: RecordedDelivery) -> None:
        tokens = [github.world.create() for _ in range(4)]
        answers = race([partial(github.send, first.id, {"idempotencyKey": "k", "tokenId": token}) for token in tokens])
        assert sorted(answer.status for answer in answers) == [200, 422, 422, 422]
        assert {answer.json["code"] for answer in answers if answer.status == 422} == {"ResendRefused"}
        assert (len(github.rows()), [github.waits(token) for token in tokens].count(False)) == (2, 1)
        assert github.send(first.id, {"idempotencyKey": "k", "tokenId": UNKNOWN}).status == 422

    def test_with_one_key_it_goes_to_one_token_also_if_another_request_began_meanwhile(
        self, github: Resends, first: RecordedDelivery, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one, other = github.world.create(), github.world.create()
        github.sent(first.id, idempotencyKey="k", tokenId=one)
        monkeypatch.setattr(github.world.deliveries, "find_resend", lambda *_: None)
        ask = partial(github.send, first.id, {"idempotencyKey": "k", "tokenId": other})
        is_refused(github.world, ask, 422, resending.ELSEWHERE)

    def test_at_the_same_moment_it_is_one(self, github: Resends, first: RecordedDelivery) -> None:
        world = github.world
        for number in range(20):
            waiter, token = world.new_waiter(), world.create()
            world.wait(token, waiter)
            world.advance(1)  # what one moment makes and completes is an early completion
            body = {"idempotencyKey": f"k{number}", "tokenId": token}
            answers = race([partial(github.send, first.id, body)] * 4)
            assert {answer.status for answer in answers} == {200}
            assert len({answer.text for answer in answers}) == 1, answers
            assert answers[0].json["kind"] == "completed"
            assert world.tokens.retrieve(token).other_deliveries is None
            assert world.step_functions.calls[waiter.handle] == 1
        assert len(github.rows()) == 21

    @pytest.mark.parametrize("by_doctor", [False, True])
    @pytest.mark.parametrize("to_token", [False, True])
    @pytest.mark.parametrize("has_settled", [False, True])
    def test_the_second_one_or_the_doctor_does_what_a_crash_left_undone(
        self, github: Resends, first: RecordedDelivery, to_token: bool, has_settled: bool, by_doctor: bool
    ) -> None:
        world, waiter = github.world, github.world.new_waiter()
        token = world.create() if to_token else github.create()
        world.wait(token, waiter)
        world.advance(1)
        body = {"idempotencyKey": "k", **({"tokenId": token} if to_token else {})}
        github.disable()
        crashes_in: tuple[Any, str] = (world.deliveries, "finish") if has_settled else (world.tokens, "complete")
        with patch.object(*crashes_in, side_effect=RuntimeError):
            assert github.send(first.id, body).status == 500
        pending = github.rows()[-1]
        assert (pending.kind, pending.token_id) == (None, token if to_token else None)
        if by_doctor:
            repairs = pending_deliveries.repair(list(world.deliveries.pending(world.clock())), lambda: True)
            assert (repairs.repaired, repairs.remaining) == (0 if has_settled else 1, [])
        row = github.sent(first.id, **body)
        assert github.counted == {"kept": 1}
        assert (row["id"], row["kind"], row["tokenId"]) == (pending.id, "completed", token)
        assert world.step_functions.calls[waiter.handle] == 1
        assert world.tokens.retrieve(token).other_deliveries is None

    def test_of_a_resend_that_was_deleted_there_is_none(self, github: Resends, first: RecordedDelivery) -> None:
        row = github.sent(first.id, idempotencyKey="k")
        github.world.deliveries.delete(github.endpoint.secret_id, row["id"])
        is_refused(github.world, lambda: github.send(first.id, {"idempotencyKey": "k"}), 404)

    def test_after_its_record_has_expired_it_is_another_one(self, github: Resends, first: RecordedDelivery) -> None:
        github.put(record_deliveries="1h")
        row = github.sent(first.id, idempotencyKey="k")
        github.world.advance(3_600_000 + 1_000)
        assert github.sent(first.id, idempotencyKey="k")["id"] != row["id"]


class TestWhatIsSent:
    def test_may_be_a_resend_or_what_a_disabled_endpoint_has_recorded(self, github: Resends, first: RecordedDelivery) -> None:
        github.disable()
        again = github.sent(first.id)
        once_more = github.sent(again["id"])
        assert (again["resendOf"], once_more["resendOf"], again["kind"]) == (first.id, again["id"], "kept")

    def test_may_be_pending(self, github: Resends) -> None:
        token = github.create(waiter=github.world.new_waiter())
        with patch.object(github.world.tokens, "complete", side_effect=RuntimeError):
            assert github.deliver().status == 500
        [pending] = github.rows()
        assert pending.kind is None
        row = github.sent(pending.id)
        assert (row["kind"], row["tokenId"]) == ("completed", token)

    def test_of_an_endpoint_that_records_no_more_is_kept_as_long_as_the_original(
        self, github: Resends, first: RecordedDelivery
    ) -> None:
        github.put(record_deliveries=None)
        assert github.row(github.sent(first.id)["id"]).expires_at == first.expires_at

    def test_deleted_meanwhile_it_is_404(
        self, github: Resends, first: RecordedDelivery, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        finish = github.world.deliveries.finish

        def delete_and_finish(secret_id: str, delivery: RecordedDelivery) -> bool:
            github.world.deliveries.delete(secret_id, delivery.id)
            return finish(secret_id, delivery)

        monkeypatch.setattr(github.world.deliveries, "finish", delete_and_finish)
        answer = github.send(first.id)
        assert (answer.status, answer.error) == (404, resending.DELETED)

    def test_needs_no_body_of_the_request(self, github: Resends, first: RecordedDelivery) -> None:
        assert github.send(first.id, b"").json["kind"] == "kept"
