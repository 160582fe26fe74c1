"""What the fake promises: tokens, what settles them, and a sentence for everything else."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from waitpoints_client import (
    APIError,
    ApproverAnswer,
    AsyncWaitpoints,
    AuthenticationError,
    CreatedToken,
    Failed,
    NotFoundError,
    Ok,
    PageOptions,
    UnprocessableEntityError,
    Waitpoints,
)
from waitpoints_client.testing import FakeWaitpoints

UNKNOWN = "waitpoint_01jd3rj5v0000000000000000a"
PAGE: PageOptions = {
    "title": "Deploy?",
    "approvers": [{"id": "ann", "name": "Ann Lee"}, "bo@example.com"],
    "requestedBy": "dee",
    "actions": [{"id": "approve", "label": "Approve", "needs": 2}, {"id": "reject", "label": "Reject"}],
    "escalate": {"after": "1d", "to": ["c/o d"]},
}


def test_a_token_shows_what_it_was_created_with(waitpoints: Waitpoints) -> None:
    given: Any = {"tags": ("a", "b"), "idempotency_key": "k", "metadata": {"n": 1}, "traceparent": "00-1-2-01"}
    times: Any = {"timeout": timedelta(hours=1), "idempotency_key_ttl": "1d"}
    created = waitpoints.create(**given, **times, page=PAGE, notify={"email": True})
    token = waitpoints.get(created)
    assert token.status == "WAITING"
    assert {name: getattr(token, name) for name in given} == given
    assert token.timeout_at == token.created_at + timedelta(hours=1)
    assert token.idempotency_key_expires_at == token.created_at + timedelta(days=1)
    assert (token.page and token.page.title, token.page_actions) == ("Deploy?", ("approve", "reject"))
    assert (token.notify and token.notify.email, token.notices, token.requested_by) == (True, (), "dee")
    assert [(it.id, it.name, it.email) for it in token.approvers] == [
        ("ann", "Ann Lee", None),
        ("bo@example.com", None, "bo@example.com"),
    ]
    assert token.needs == {"approve": 2, "reject": 1}
    assert [it.approver for it in token.links] == ["ann", "bo@example.com", "c/o d"]
    assert (token.links, token.url, token.still_asked) == (created.links, created.url, token.approvers)


@pytest.mark.parametrize("data", [{"by": "Zoë"}, [1, 2.5, None], "", None, "half: \ud800"])
def test_the_first_completion_counts(waitpoints: Waitpoints, data: Any) -> None:
    token = waitpoints.create()
    assert [waitpoints.complete(token, data).settled, waitpoints.fail(token, "no").settled] == [True, False]
    found = waitpoints.get(token)
    assert (found.output, waitpoints.wait(token)) == (data, Ok(data))
    assert found.completed_by
    assert (found.completed_by.source, found.completed_by.at) == ("complete", found.completed_at)


def test_a_token_fails_or_has_no_output(waitpoints: Waitpoints) -> None:
    failed, empty = waitpoints.create(), waitpoints.create()
    waitpoints.fail(failed, "no", name="Rejected")
    waitpoints.complete(empty)
    result = waitpoints.wait(failed)
    assert isinstance(result, Failed)
    assert (result.error.name, result.error.message, result.error.code) == ("Rejected", "no", "WAITPOINT_FAILED")
    assert waitpoints.get(empty).output_text is None


@pytest.mark.parametrize(
    ("body", "output"), [({"a": 1}, {"a": 1}), ('{"a":  1}', {"a": 1}), ("plain", "plain"), (b"[1]", [1]), (None, {})]
)
def test_a_webhook_settles_a_token_as_it_came(fake: FakeWaitpoints, waitpoints: Waitpoints, body: Any, output: Any) -> None:
    token = waitpoints.create(verify={"scheme": "github", "secret": "GITHUB"}, complete_when="body.done", timeout="1h")
    assert fake.deliver(token.url, body).status_code == 200
    assert fake.deliver(token.url, "late").status_code == 200
    found = waitpoints.get(token)
    assert (found.output, found.completed_by and found.completed_by.source) == (output, "callback")


@pytest.mark.parametrize("people", [{}, {"signIn": True}], ids=["links", "signed in"])
def test_a_person_settles_a_token_whatever_they_choose(fake: FakeWaitpoints, waitpoints: Waitpoints, people: Any) -> None:
    token = waitpoints.create(page={**PAGE, **people})
    chosen: Any = {"action": "approve", "fields": {"note": "fine"}}
    assert fake.answer(token, "ann", **chosen).raise_for_status().json() == {"success": True}
    fake.answer(token.id, "bo@example.com", "reject")
    found = waitpoints.get(token)
    [answer] = found.answers
    assert answer.model_dump(include={*chosen, "approver", "at"}) == {**chosen, "approver": "ann", "at": found.completed_at}
    assert (answer.signed_in and answer.signed_in.subject) == ("ann" if people else None)
    assert found.output == {**chosen, "approver": "ann", "answers": found.output["answers"]}
    assert ApproverAnswer.model_validate(found.output["answers"][0]) == answer
    assert found.completed_by
    assert (found.completed_by.approver, found.completed_by.override) == ("ann", False)
    assert found.completed_by.signed_in == answer.signed_in


def test_only_a_url_that_was_given_out_settles(fake: FakeWaitpoints, waitpoints: Waitpoints) -> None:
    asked, signed = waitpoints.create(page=PAGE), waitpoints.create(page={**PAGE, "signIn": True})
    choice = {"action": "approve"}
    assert {link.url for link in signed.links} == {signed.url}
    for url in (asked.url, asked.links[0].url.replace("=ann", "=bo"), signed.url, asked.url[:-1]):
        assert fake.deliver(url, choice).status_code == 401
    assert fake.deliver(asked.links[2].url, choice).status_code == 200
    assert waitpoints.get(asked).output["approver"] == "c/o d"
    assert waitpoints.get(signed).status == "WAITING"
    waitpoints.complete(signed, choice)
    completed_by = waitpoints.get(signed).completed_by
    assert completed_by
    assert completed_by.override
    with pytest.raises(AuthenticationError, match="Invalid API key"):
        Waitpoints(fake.url, "another", transport=fake).get(asked)


def test_a_key_names_one_token_until_it_expires(fake: FakeWaitpoints, waitpoints: Waitpoints) -> None:
    first = waitpoints.create(idempotency_key="k", idempotency_key_ttl="1h")
    assert (waitpoints.create(idempotency_key="k").id, waitpoints.create(idempotency_key="k").is_cached) == (first.id, True)
    assert waitpoints.complete_key("k", 1).settled
    assert waitpoints.get(first).output == 1
    fake.advance("1h")
    assert waitpoints.create(idempotency_key="k").id != first.id


def test_a_completion_by_key_waits_for_its_token(fake: FakeWaitpoints, waitpoints: Waitpoints) -> None:
    kept = waitpoints.complete_key("k", {"paid": True}, ttl="1h")
    waitpoints.fail_key("gone", "no", ttl="1h")
    assert (kept.created, kept.settled, list(waitpoints.list())) == (True, False, [])
    token = waitpoints.create(idempotency_key="k", tags="a")
    assert (token.id, token.is_cached, waitpoints.wait(token)) == (kept.id, True, Ok({"paid": True}))
    again = waitpoints.complete_key("k")
    assert (again.created, again.settled, again.id) == (False, False, token.id)
    fake.advance("1h")
    assert waitpoints.get(waitpoints.create(idempotency_key="gone")).status == "WAITING"


def test_a_list_has_what_passes_its_filters(fake: FakeWaitpoints, waitpoints: Waitpoints) -> None:
    waits = waitpoints.create(tags=["a", "b"], idempotency_key="k")
    fake.advance("2h")
    done, failed = waitpoints.create(tags="b"), waitpoints.create(timeout="1h")
    waitpoints.complete(done)
    waitpoints.fail(failed, "no")
    then = waitpoints.get(done).created_at

    def ids(**filters: Any) -> list[str]:
        return [token.id for token in waitpoints.list(**filters)]

    every: list[CreatedToken] = [failed, done, waits]
    assert ids() == ids(page_size=1) == ids(created_from=then - timedelta(hours=3)) == [it.id for it in every]
    assert ids(oldest_first=True, page_size=2) == [it.id for it in every[::-1]]
    assert ids(status="WAITING") == ids(tags="a") == ids(idempotency_key="k") == ids(created_to=then - timedelta(hours=1))
    assert ids(created_within="1h") == ids(status=["COMPLETED"]) == ids(completed_from=then) == [failed.id, done.id]
    assert (ids(failed=True), ids(tags=["b", "c"]), ids(undelivered=True)) == ([failed.id], [done.id, waits.id], [])


def test_it_keeps_the_requests_that_were_made(fake: FakeWaitpoints) -> None:
    async def create() -> None:
        async with fake.async_client() as waitpoints:
            await waitpoints.create(tags="a")

    asyncio.run(create())
    [request] = fake.requests
    assert (request.method, request.url.path, request.content) == ("POST", "/api/v1/waitpoints/tokens", b'{"tags":"a"}')


def test_the_end_of_a_with_closes_the_connections(fake: FakeWaitpoints) -> None:
    async def use() -> AsyncWaitpoints:
        async with fake.async_client() as waitpoints:
            return waitpoints

    with fake.client() as waitpoints:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        waitpoints.create()
    with pytest.raises(RuntimeError, match="closed"):
        asyncio.run(asyncio.run(use()).create())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"page": {"titel": "Go?"}}, "Invalid page: .* titel"),
        ({"page": {"title": "Go?", "approvers": [{"id": "ann", "mail": "a@b.c"}]}}, "Invalid page: .*mail"),
        ({"page": {"title": 1}}, "Invalid page: .* title"),
        ({"notify": {"sms": "1"}}, "Invalid notify: .* sms"),
        ({"verify": {"scheme": "github"}}, "Invalid verify: .* secret"),
        ({"timeout": "soon"}, 'Invalid timeout "soon": expected a duration such as'),
        ({"timeout": "2020-01-31"}, "it must be in the future"),
        ({"idempotency_key": "k", "idempotency_key_ttl": "1x"}, "Invalid idempotencyKeyTTL"),
    ],
)
def test_what_no_option_has_is_refused_as_a_stack_does(fake: FakeWaitpoints, options: Any, says: str) -> None:
    with pytest.raises(UnprocessableEntityError, match=says) as refused:
        fake.client().create(**options)
    assert refused.value.code in ("InvalidPage", "InvalidNotify", "InvalidVerification", "InvalidTimeout")


def test_an_unknown_token_is_not_found(fake: FakeWaitpoints, waitpoints: Waitpoints) -> None:
    calls: list[Callable[[], object]] = [
        lambda: waitpoints.get(UNKNOWN),
        lambda: waitpoints.wait("no id"),
        lambda: waitpoints.complete(UNKNOWN),
    ]
    for call in calls:
        with pytest.raises(NotFoundError, match="Waitpoint not found") as refused:
            call()
        assert isinstance(refused.value, APIError)
        assert refused.value.code == "TokenNotFound"


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda fake, token: fake.client().extend(token, "7d"), "PATCH"),
        (lambda fake, token: fake.client().hand_over(token, add=["ed"]), "PATCH"),
        (lambda fake, token: fake.client().delete(token), "DELETE"),
        (lambda fake, token: fake.client().create_public_token(token), "/auth/jwt"),
        (lambda fake, _: fake.client().endpoints.put("a", key="body.id", verify="none"), "/endpoints/a"),
        (lambda fake, _: fake.client().keys.list(), "/keys"),
        (lambda fake, token: list(fake.client().list(before=token)), "before"),
        (lambda fake, token: fake.deliver(token.url, "a=1", {"content-type": "application/x-www-form-urlencoded"}), "a form"),
        (lambda fake, token: fake.deliver(token.url, b"\xff"), "bytes"),
    ],
)
def test_what_it_cannot_do_names_the_fixture_that_does_it(fake: FakeWaitpoints, call: Any, named: str) -> None:
    with pytest.raises(NotImplementedError, match=rf"{named}.*: the fixture `waitpoints_stack` of waitpoints-testing"):
        call(fake, fake.client().create())


@pytest.mark.parametrize("gone", [{"ignore_rules": True}, {"retention": timedelta(days=1)}])
def test_an_option_that_is_gone_names_the_fixture(gone: Any) -> None:
    with pytest.raises(TypeError, match=rf"{next(iter(gone))}.*`waitpoints_stack` of waitpoints-testing"):
        FakeWaitpoints(**gone)
