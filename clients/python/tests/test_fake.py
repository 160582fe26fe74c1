"""What only the fake has."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from waitpoints_client import AuthenticationError, NotFoundError, PageOptions, PermissionDeniedError, Waitpoints
from waitpoints_client.testing import FakeWaitpoints


def test_a_waiter_is_resumed_when_its_token_ends() -> None:
    fake = FakeWaitpoints()
    client = fake.client()
    token = client.create(task_token="t" * 20, execution="arn:aws:states:us-east-1:123456789012:execution:orders:1")

    [waiter] = client.get(token).waiters
    assert (waiter.kind, waiter.status, waiter.resumed_at) == ("STEP_FUNCTIONS", "WAITING", None)
    client.complete(token)
    [waiter] = client.get(token).waiters
    assert (waiter.status, waiter.lag_ms) == ("RESUMED", 0)
    [waiter] = client.get(client.create(callback_id="c" * 20)).waiters
    assert waiter.kind == "DURABLE_FUNCTION"


APPROVAL: PageOptions = {
    "title": "Deploy?",
    "approvers": ["ann", "bo@example.com"],
    "actions": [{"id": "approve", "label": "Approve", "needs": 2}, {"id": "reject", "label": "Reject"}],
    "escalate": {"after": "1d", "to": ["lead"]},
}


def test_it_answers_as_a_person_does() -> None:
    fake = FakeWaitpoints()
    token = fake.client().create(page=APPROVAL)

    assert fake.answer(token, "ann", "approve").status_code == 200
    assert fake.client().get(token).status == "WAITING"
    assert fake.answer(token.id, "bo@example.com", "approve").status_code == 200
    assert fake.client().wait(token).unwrap()["approver"] == "bo@example.com"
    unknown = fake.answer(token, "dee", "approve")
    assert (unknown.status_code, unknown.json()["code"]) == (403, "NotAsked")  # no access token is wrong


SIGNED: PageOptions = {
    "title": "Deploy?",
    "approvers": [{"id": "ann", "email": "ann@example.com"}, {"id": "bo", "subject": "bo-1"}],
    "actions": [{"id": "approve", "label": "Approve", "needs": 2}, {"id": "reject", "label": "Reject"}],
    "signIn": True,
}


@pytest.mark.parametrize(
    ("who", "approver", "email"),
    [
        ("ann", "ann", "ann@example.com"),
        ("ANN@example.com", "ann", "ANN@example.com"),
        ("bo", "bo", None),
        ("bo-1", "bo", None),
    ],
)
def test_it_answers_as_who_signs_in(who: str, approver: str, email: str | None) -> None:
    fake = FakeWaitpoints()
    token = fake.client().create(page=SIGNED)
    assert fake.answer(token, who, "approve").status_code == 200

    [answer] = fake.client().get(token).answers
    assert answer.signed_in is not None
    assert (answer.approver, answer.signed_in.email, answer.signed_in.at) == (approver, email, answer.at)
    assert (answer.signed_in.subject == "bo-1") is (approver == "bo")
    assert fake.answer(token, who, "reject").status_code == 200  # the first one stands
    assert [it.action for it in fake.client().get(token).answers] == ["approve"]


def test_who_signs_in_must_be_one_of_its_people() -> None:
    fake = FakeWaitpoints()
    client = fake.client()
    token, later = client.create(page=SIGNED), client.create(page={**SIGNED, "escalate": {"after": "1d", "to": ["a@b.co"]}})
    client.hand_over(token, add=["cy@example.com", {"id": "di", "subject": "cy"}], remove=["ann"])
    for who in ("ann", "ann@example.com", "bo@example.com", "zed", "dee@example.com"):
        refused = fake.answer(token, who, "approve")
        assert (refused.status_code, "handed over" in refused.text) == (403, who.startswith("ann"))
    assert fake.answer(later, "a@b.co", "reject").status_code == 403
    fake.advance("1d")
    assert fake.answer(later, "a@b.co", "reject").status_code == 200
    assert client.get(later).output["approver"] == "a@b.co"


def test_one_account_answers_once_even_under_two_names() -> None:
    fake = FakeWaitpoints()
    client = fake.client()
    token = client.create(page=SIGNED)
    fake.answer(token, "ann", "approve")
    [first] = client.get(token).answers
    assert first.signed_in is not None
    client.hand_over(token, add=[{"id": "of ann", "subject": first.signed_in.subject}])
    assert fake.answer(token, "of ann", "approve").status_code == 200
    assert (client.get(token).status, client.get(token).answers) == ("WAITING", (first,))


@pytest.mark.parametrize(("length", "status"), [(2_800, 200), (3_000, 413)])
def test_the_evidence_of_a_sign_in_counts_towards_an_answers_length(length: int, status: int) -> None:
    fake = FakeWaitpoints(ignore_rules=True)
    page: Any = {**SIGNED, "fields": {"type": "object", "properties": {"note": {"type": "string"}}}}
    token = fake.client().create(page=page)
    assert fake.answer(token, "ann", "approve", {"note": "x" * length}).status_code == status


def test_a_named_key_does_not_override_who_signs_in() -> None:
    fake = FakeWaitpoints(ignore_rules=True)
    token, key = fake.client().create(page=SIGNED), fake.client().keys.create("ci", scopes=["complete"]).key
    with pytest.raises(PermissionDeniedError, match="Only who signs in"):
        Waitpoints(fake.url, key, transport=fake).complete(token, {"action": "reject"})


def test_others_may_answer_once_it_is_escalated() -> None:
    fake = FakeWaitpoints()
    client = fake.client()
    token, soon = client.create(page=APPROVAL), client.create(page=APPROVAL)
    client.extend(soon, client.get(soon).created_at + timedelta(days=1))
    fake.advance(timedelta(hours=23))
    assert fake.answer(token, "lead", "reject").status_code == 403
    fake.advance(timedelta(hours=1))

    assert fake.answer(soon, "lead", "reject").status_code == 403
    assert [it.id for it in client.get(token).still_asked] == ["ann", "bo@example.com", "lead"]
    assert fake.answer(token, "lead", "reject").status_code == 200
    decided = client.get(token)
    assert decided.output["approver"] == "lead"
    assert decided.escalation is not None
    assert decided.escalation.asked_at == decided.escalation.at


def test_a_timeout_keeps_the_answers() -> None:
    fake = FakeWaitpoints()
    token = fake.client().create(page=APPROVAL, timeout="2d")
    fake.answer(token, "ann", "approve")
    fake.advance(timedelta(days=2))
    late = fake.answer(token, "bo@example.com", "approve")

    found = fake.client().get(token)
    assert (late.status_code, found.status, [it.approver for it in found.answers]) == (200, "TIMED_OUT", ["ann"])
    assert (found.completed_by and found.completed_by.override, found.still_asked) == (False, ())


FIELDS: Any = {**APPROVAL, "fields": {"type": "object", "properties": {"note": {"type": "string"}}}}


def deliver(fake: FakeWaitpoints, **options: Any) -> None:
    fake.deliver(fake.client().create(**options).url, {"a": 1}).raise_for_status()


def deliver_to_endpoint(fake: FakeWaitpoints) -> None:
    made = fake.client().endpoints.put("a", key="body.id", verify="none", complete_when="body.done")
    fake.deliver(made.url, {"id": 1}).raise_for_status()


def use_named_key(fake: FakeWaitpoints) -> None:
    made = fake.client().keys.create("nightly", ["read"])
    Waitpoints(fake.url, made.key, transport=fake).create()


@pytest.mark.parametrize(
    ("act", "unchecked"),
    [
        (lambda fake: deliver(fake, verify={"scheme": "github", "secret": "github"}), "`verify`"),
        (lambda fake: deliver(fake, complete_when="body.done"), "`completeWhen`"),
        (lambda fake: deliver(fake, payload_schema={"type": "object"}), "`payloadSchema`"),
        (lambda fake: deliver(fake, page={"title": "Go on?"}), "`page`"),
        (lambda fake: fake.answer(fake.client().create(page=FIELDS), "ann", "reject", {"note": "no"}), "`fields` of a page"),
        (deliver_to_endpoint, "`verify` or `completeWhen` of a"),
        (use_named_key, "the scopes of a named key"),
    ],
)
def test_a_rule_is_not_ignored_unless_it_is_said(act: Callable[[FakeWaitpoints], object], unchecked: str) -> None:
    with pytest.raises(NotImplementedError, match=rf"does not check {unchecked}.*ignore_rules"):
        act(FakeWaitpoints())
    act(FakeWaitpoints(ignore_rules=True))


@pytest.mark.parametrize(
    ("page", "content_type", "said"),
    [
        (APPROVAL, "application/x-www-form-urlencoded", "as JSON only"),
        (None, "multipart/form-data; boundary=b", "not read multipart/form-data"),
    ],
)
def test_a_form_that_it_does_not_read_is_not_taken_for_text(page: Any, content_type: str, said: str) -> None:
    fake = FakeWaitpoints()
    token = fake.client().create(page=page)
    with pytest.raises(NotImplementedError, match=said):
        fake.deliver(token.links[0].url if page else token.url, "action=reject", {"content-type": content_type})


def test_a_rule_for_outputs_holds_for_every_way_to_complete() -> None:
    client = FakeWaitpoints().client()
    token = client.create(payload_schema={"type": "object"}, idempotency_key="k")

    with pytest.raises(NotImplementedError):
        client.complete(token, {})
    with pytest.raises(NotImplementedError):
        client.complete_key("k", {})
    client.fail(token, "no")


def test_it_evaluates_paths_and_says_so_for_other_expressions() -> None:
    fake = FakeWaitpoints()
    endpoint = fake.client().endpoints.put("a", key="join('-', body.ids)", verify="none")

    with pytest.raises(NotImplementedError, match="paths such as"):
        fake.deliver(endpoint.url, {"ids": ["1"]})


def test_an_unknown_url_is_refused_as_a_stack_does() -> None:
    fake = FakeWaitpoints()
    token = fake.client().create()

    assert fake.deliver(token.url[:-64] + "0" * 64, {}).status_code == 401
    assert fake.deliver(f"{fake.url}/api/v1/endpoints/none/{'0' * 88}", {}).status_code == 401
    wrong_method = fake.handle_request(httpx.Request("PUT", f"{fake.url}/api/v1/waitpoints/tokens"))
    assert (wrong_method.status_code, wrong_method.headers["allow"]) == (405, "GET, POST")
    assert fake.deliver(f"{fake.url}/api/v1/nothing", {}).status_code == 404
    with pytest.raises(NotFoundError, match="Waitpoint not found"):
        FakeWaitpoints().client().get(token)


def test_its_limits_are_those_of_a_stack() -> None:
    fake = FakeWaitpoints()
    client = fake.client()
    token, endpoint = client.create(), client.endpoints.put("a", key="body.id", verify="none")

    assert fake.deliver(token.url, b"x" * 3_145_729).status_code == 413
    assert fake.deliver(endpoint.url, b"x" * 3_145_729).status_code == 413
    public = client.create_public_token(token, expires="1h")
    fake.advance(timedelta(hours=1))
    with pytest.raises(AuthenticationError, match="Public Access Token has expired: create another"):
        Waitpoints(fake.url, public, transport=fake).complete(token)


@pytest.mark.parametrize(
    ("api_key", "path"),
    [("fake-api-key", "/api/v1/auth/jwt"), ("tr_prod_sk_0123456789abcdefghijklmn", "/api/v1/auth/public-tokens")],
)
def test_a_public_access_token_is_made_where_the_key_may_make_one(api_key: str, path: str) -> None:
    asked: list[str] = []

    class Watched(FakeWaitpoints):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            asked.append(request.url.path)
            return super().handle_request(request)

    fake = Watched(api_key=api_key)
    token = fake.client().create()
    public = fake.client().create_public_token(token)
    asynchronous = asyncio.run(fake.async_client().create_public_token(token))
    assert asked[1:3] == [path, path]
    for one, settled in ((public, True), (asynchronous, False)):
        assert Waitpoints(fake.url, one, transport=fake).complete(token).settled is settled


def test_a_named_key_ends_and_its_name_is_free_again() -> None:
    fake = FakeWaitpoints(ignore_rules=True)
    ended = fake.client().keys.create("nightly", ["read"], expires="1h")
    fake.advance(timedelta(hours=1))
    revoked = fake.client().keys.create("nightly", ["read"])
    fake.client().keys.revoke("nightly")

    for key in (ended.key, revoked.key):
        with pytest.raises(AuthenticationError):
            Waitpoints(fake.url, key, transport=fake).create()
