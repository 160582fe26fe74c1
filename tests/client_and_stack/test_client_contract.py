"""What the client promises: on the handlers, here, and on a deployed stack, in `tests/e2e/test_python_client.py`.

Each runs with the sync client and with the async one.
"""

import asyncio
import inspect
import json
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import pytest
from waitpoints_client import (
    APIError,
    AskOptions,
    AsyncPages,
    AsyncWaitpoints,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    CreatedToken,
    DeliveryFilters,
    Endpoint,
    Failed,
    NotFoundError,
    Ok,
    PageOptions,
    PermissionDeniedError,
    RecordedDelivery,
    Result,
    TokenFailedError,
    TokenPage,
    TokenTimedOutError,
    UnprocessableEntityError,
    Verify,
    Waitpoints,
    WaitTimeoutError,
)
from waitpoints_client.agents import ApprovalPage
from waitpoints_client.asking import request

from tests.support import sign_in
from tests.support.client_of_handlers import Handlers
from tests.support.in_process.api_gateway import JSON
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.world import BASE_URL, World

UNKNOWN = "waitpoint_01jd3rj5v0000000000000000a"
NO_ONE: PageOptions = {"title": "Go?", "approvers": []}
PAST = datetime(2020, 1, 1, tzinfo=UTC)
VERIFIED: Verify = {"scheme": "token", "secret": "CONTRACT", "header": "X-Hook-Token"}
DELIVERED_HEADERS = {
    "content-type": "application/octet-stream",
    "x-hook-token": "the-secret-of-the-contract",
    "cookie": "a=b",
    "webhook-id": "event-1",
    "x-note": "kept",
}


@dataclass(frozen=True)
class Served:
    """A stack to call. `transport` makes what sends to it, and `advance` lets time pass.

    `answer_signed_in` chooses an action of a token as who has signed in with an address, and returns the status.
    """

    url: str
    api_key: str
    transport: Callable[[], Any]
    advance: Callable[..., object]
    answer_signed_in: Callable[[CreatedToken, str, str], int]

    def deliver(self, to: str, body: bytes, headers: Mapping[str, str] = JSON) -> int:
        """Post to a URL as a webhook's provider does. Returns the status."""
        with httpx.Client(transport=self.transport()) as sender:
            return sender.post(to, content=body, headers=dict(headers)).status_code


@pytest.fixture
def served(world: World, monkeypatch: pytest.MonkeyPatch) -> Served:
    world.clock.now = round(time.time() * 1000)
    world.webhook_secrets["CONTRACT"] = FakeSecret("the-secret-of-the-contract")
    stack = sign_in.install(world, "https://issuer.example.com", monkeypatch)
    handlers = Handlers(stack.api, world)

    def answer(token: CreatedToken, who: str, action: str) -> int:
        browser = stack.browser_of(f"subject of {who.lower()}", who, domain=who.lower().partition("@")[2])
        session = stack.sessions.read(browser.cookies)
        assert session is not None
        form = {"session": stack.sessions.form_token(session, token.id), "action": action}
        return browser.post(token.url, form).status

    key = world.api_key.read_current()
    return Served(BASE_URL, key, lambda: handlers, world.advance, answer)


class Blocking:
    """An async client that is called like the sync one, so that one test is for both."""

    def __init__(self, inner: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._inner, self._loop = inner, loop

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name in ("endpoints", "keys"):
            return Blocking(found, self._loop)
        return self._blocking(found) if callable(found) else found

    def _blocking(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **options: Any) -> Any:
            result = call(*arguments, **options)
            if inspect.isawaitable(result):
                return self._loop.run_until_complete(result)
            return BlockingPages(result, self._loop)

        return called


class BlockingPages:
    def __init__(self, pages: AsyncPages[Any], loop: asyncio.AbstractEventLoop) -> None:
        self._pages, self._loop = pages, loop

    def __iter__(self) -> Iterator[Any]:
        return self._each(self._pages.__aiter__())

    def pages(self) -> Iterator[Any]:
        return self._each(self._pages.pages())

    def _each(self, found: Any) -> Iterator[Any]:
        async def following() -> Any:
            return await found.__anext__()

        while True:
            try:
                yield self._loop.run_until_complete(following())
            except StopAsyncIteration:
                return


Connect = Callable[..., Waitpoints]


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest, served: Served) -> Iterator[Connect]:
    """Makes a client of the stack, with its key or another one."""

    def synchronous(key: str = served.api_key, transport: Any = None) -> Waitpoints:
        return Waitpoints(served.url, key, transport=transport or served.transport())

    if request.param == "sync":
        yield synchronous
        return
    loop = asyncio.new_event_loop()

    def asynchronous(key: str = served.api_key, transport: Any = None) -> Waitpoints:
        inner = AsyncWaitpoints(served.url, key, transport=transport or served.transport())
        return cast("Waitpoints", Blocking(inner, loop))

    yield asynchronous
    loop.close()


@pytest.fixture
def waitpoints(connect: Connect) -> Iterator[Waitpoints]:
    client = connect()
    yield client
    client.close()


@pytest.fixture
def tag() -> str:
    """A tag, or a part of a key, that no other test has."""
    return uuid.uuid4().hex


def test_a_created_token_waits(waitpoints: Waitpoints, tag: str) -> None:
    created = waitpoints.create(timeout=timedelta(days=1, hours=12), tags=[tag, "order-1"])

    assert created.url.startswith("http")
    assert not created.is_cached
    token = waitpoints.get(created)
    assert (token.id, token.status, token.url) == (created.id, "WAITING", created.url)
    assert (token.ok, token.output, token.error, token.result) == (None, None, None, None)
    assert set(token.tags) == {tag, "order-1"}
    assert token.timeout_at == token.created_at + timedelta(days=1, hours=12)
    assert (token.completed_at, token.completed_by, token.waiters) == (None, None, ())


def test_metadata_comes_back_as_it_was_given(waitpoints: Waitpoints, tag: str) -> None:
    given = {"order": 4711, "run": {"by": "Zoë", "at": [1.5, None]}}
    token = waitpoints.create(metadata=given, idempotency_key=tag)

    assert waitpoints.create(idempotency_key=tag, metadata={}).id == token.id
    assert waitpoints.get(token).metadata == given
    assert waitpoints.get(waitpoints.create()).metadata is None


def test_a_completion_says_whether_it_settled_the_token(waitpoints: Waitpoints, tag: str) -> None:
    first, second = waitpoints.create(), waitpoints.create(idempotency_key=tag)

    assert [waitpoints.complete(first, 1).settled, waitpoints.fail(first, "no").settled] == [True, False]
    completion, failure = waitpoints.complete_key(tag), waitpoints.fail_key(tag, "no")
    assert (completion.id, completion.created, completion.settled) == (second.id, False, True)
    assert (failure.id, failure.created, failure.settled) == (second.id, False, False)
    assert waitpoints.wait(second) == Ok(None)
    third = waitpoints.create(idempotency_key=f"{tag}-3")
    assert waitpoints.fail_key(f"{tag}-3", "no", name="Rejected").settled
    failed = waitpoints.wait(third)
    assert isinstance(failed, Failed)
    assert (failed.error.name, failed.error.code) == ("Rejected", "WAITPOINT_FAILED")


@pytest.mark.parametrize("data", [{"approved": True, "by": "Zoë"}, [1, 2.5, None], "text", "", 0, 2**70, None, "half: \ud800"])
def test_a_completed_token_has_its_output(waitpoints: Waitpoints, data: Any) -> None:
    token = waitpoints.create()
    waitpoints.complete(token, data)
    waitpoints.complete(token, "too late")

    completed = waitpoints.get(token)
    assert (completed.status, completed.ok, completed.output) == ("COMPLETED", True, data)
    assert completed.result == Ok(data)
    assert completed.completed_by is not None
    assert completed.completed_by.source == "complete"
    assert completed.completed_at == completed.completed_by.at


def test_a_token_can_be_completed_without_an_output(waitpoints: Waitpoints) -> None:
    without, null = waitpoints.create(), waitpoints.create()
    waitpoints.complete(without)
    waitpoints.complete(null, None)

    assert waitpoints.get(without).output_text is None
    assert waitpoints.get(null).output_text == "null"
    assert waitpoints.wait(without) == waitpoints.wait(null) == Ok(None)


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ('{"id": 1, "id": 2}', {"id": 2}),
        ("0.1000000000000000055511151231257827", 0.1),
        ("[1e400, -1e400]", [float("inf"), float("-inf")]),
        ("-" + "9" * 5_000, float("-inf")),
        (' {"spaces": 1 }\n', {"spaces": 1}),
        ("[" * 490 + "]" * 490, json.loads("[" * 490 + "]" * 490)),
    ],
    ids=["repeated key", "long decimal", "beyond floats", "beyond Python's integers", "spaces", "deep"],
)
def test_whatever_is_posted_can_be_read(served: Served, waitpoints: Waitpoints, text: str, output: Any) -> None:
    token = waitpoints.create()
    assert served.deliver(token.url, text.encode(), {"content-type": "application/octet-stream"}) == 200

    assert waitpoints.wait(token, timeout=120) == Ok(output)
    assert waitpoints.get(token).output_text == text


def test_a_failed_token_has_its_error(waitpoints: Waitpoints) -> None:
    token = waitpoints.create()
    waitpoints.fail(token, "rejected by legal", name="Rejected", code="LEGAL")

    failed = waitpoints.get(token)
    assert (failed.status, failed.ok, failed.output) == ("COMPLETED", False, None)
    assert failed.error is not None
    assert (failed.error.message, failed.error.name, failed.error.code) == ("rejected by legal", "Rejected", "LEGAL")
    with pytest.raises(TokenFailedError, match="rejected by legal") as raised:
        waitpoints.wait(token).unwrap()
    assert (raised.value.name, raised.value.code) == ("Rejected", "LEGAL")


def test_a_token_times_out(served: Served, waitpoints: Waitpoints) -> None:
    token = waitpoints.create(timeout=timedelta(seconds=1))
    served.advance(seconds=1)

    result = waitpoints.wait(token, poll=0.05, timeout=120)
    assert isinstance(result, Failed)
    assert result.timed_out
    assert result.error.name == "WaitpointTimeoutError"
    assert waitpoints.get(token).status == "TIMED_OUT"
    with pytest.raises(TokenTimedOutError, match="timed out at"):
        result.unwrap()


def test_a_timeout_is_moved_and_removed(served: Served, waitpoints: Waitpoints) -> None:
    token = waitpoints.create(timeout=timedelta(hours=1))
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=9)

    for timeout in (later, timedelta(days=2), 600, "30m"):
        moved = waitpoints.extend(token, timeout)
        assert (moved.id, moved.timeout_at) == (token.id, waitpoints.get(token).timeout_at)
        assert moved.timeout_at is not None
    assert waitpoints.extend(token.id, later).timeout_at == later
    assert waitpoints.extend(token, None).timeout_at is None
    assert waitpoints.get(token).timeout_at is None
    assert waitpoints.extend(token, 1).timeout_at is not None
    served.advance(seconds=1)
    assert waitpoints.wait(token, timeout=120).ok is False


def test_the_timeout_of_what_has_ended_is_refused_at_once(waitpoints: Waitpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    token = waitpoints.create(timeout="1h")
    waitpoints.complete(token)
    monkeypatch.setattr("waitpoints_client.session.Pause", None)  # there is none before another attempt
    with pytest.raises(ConflictError, match="409: The waitpoint has ended") as raised:
        waitpoints.extend(token, "2h")
    assert raised.value.code == "TokenHasEnded"
    with pytest.raises(NotFoundError, match="404: Waitpoint not found"):
        waitpoints.extend(UNKNOWN, "2h")


def test_wait_returns_what_is_posted_to_the_url(served: Served, waitpoints: Waitpoints) -> None:
    token = waitpoints.create()
    with pytest.raises(WaitTimeoutError, match=token.id):
        waitpoints.wait(token, timeout=0)

    assert served.deliver(token.url, b'{"approved": true}') == 200
    assert served.deliver(token.url, b"again") == 200

    assert waitpoints.wait(token, timeout=timedelta(seconds=120)) == Ok({"approved": True})
    completed = waitpoints.get(token)
    assert completed.completed_by is not None
    assert completed.completed_by.source == "callback"
    assert completed.other_deliveries is not None
    assert completed.other_deliveries.count == 1


def test_a_key_names_one_token(waitpoints: Waitpoints, tag: str) -> None:
    first = waitpoints.create(idempotency_key=tag, idempotency_key_ttl="1h")
    second = waitpoints.create(idempotency_key=tag, timeout="5m")

    assert (first.is_cached, second.is_cached) == (False, True)
    assert first.id == second.id
    token = waitpoints.get(first)
    assert (token.idempotency_key, token.timeout_at) == (tag, None)
    assert token.idempotency_key_expires_at == token.created_at + timedelta(hours=1)


def test_threads_share_a_client(served: Served, connect: Connect) -> None:
    client = Waitpoints(served.url, served.api_key, transport=served.transport())

    def completed(number: int) -> str:
        token = client.create()
        client.complete(token, number)
        assert client.wait(token, timeout=120) == Ok(number)
        return token.id

    with ThreadPoolExecutor(8) as threads:
        ids = list(threads.map(completed, range(16)))
    assert [connect().get(token_id).output for token_id in ids] == list(range(16))


def test_a_cancelled_wait_can_be_made_again(served: Served, connect: Connect) -> None:
    token = connect().create()

    async def cancelled_and_made_again() -> Result:
        async with AsyncWaitpoints(served.url, served.api_key, transport=served.transport()) as waitpoints:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(waitpoints.wait(token, poll=0.01), 0.2)
            await waitpoints.complete(token, "done")
            return await waitpoints.wait(token)

    assert asyncio.run(cancelled_and_made_again()) == Ok("done")


class LosesTheFirstAnswer(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A connection that breaks after the first request has arrived."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.answers: list[httpx.Response] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._kept(self._inner.handle_request(request))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self._kept(await self._inner.handle_async_request(request))

    def _kept(self, answer: httpx.Response) -> httpx.Response:
        self.answers.append(answer)
        if len(self.answers) == 1:
            raise httpx.ReadError("connection reset by peer")
        return answer


def test_a_lost_answer_makes_no_second_token(
    served: Served, connect: Connect, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waitpoints_client.session.FIRST_DELAY", 0.0)
    transport = LosesTheFirstAnswer(served.transport())
    client = connect(transport=transport)
    created = client.create(tags=tag)

    assert len(transport.answers) == 2
    assert not created.is_cached
    assert [token.id for token in client.list(tags=tag)] == [created.id]


def test_a_list_has_every_token_once(waitpoints: Waitpoints, tag: str) -> None:
    ids = [waitpoints.create(tags=tag).id for _ in range(5)]

    oldest_first = [token.id for token in waitpoints.list(tags=tag, page_size=2, oldest_first=True)]
    assert sorted(oldest_first) == oldest_first
    assert set(oldest_first) == set(ids)
    pages = list(waitpoints.list(tags=[tag, "no-such-tag"], page_size=2).pages())
    assert [token.id for page in pages for token in page.items] == oldest_first[::-1]
    [before] = list(waitpoints.list(tags=tag, page_size=2, before=pages[1].previous).pages())[:1]
    assert before.items == pages[0].items


def test_filters_choose_what_is_listed(waitpoints: Waitpoints, tag: str) -> None:
    waiting = waitpoints.create(tags=tag, idempotency_key=tag)
    completed, failed = waitpoints.create(tags=tag), waitpoints.create(tags=tag)
    waitpoints.complete(completed, 1)
    waitpoints.fail(failed, "no")
    now = datetime.now(UTC)
    hour = timedelta(hours=1)

    def ids(**filters: Any) -> set[str]:
        return {token.id for token in waitpoints.list(tags=tag, **filters)}

    everything = {waiting.id, completed.id, failed.id}
    assert ids(status="WAITING") == ids(idempotency_key=tag) == {waiting.id}
    assert ids(status=["COMPLETED", "TIMED_OUT"]) == ids(completed_within=hour) == {completed.id, failed.id}
    assert ids(failed=True) == {failed.id}
    assert ids(failed=False) == {waiting.id, completed.id}
    assert ids(failed=None, created_within=hour) == ids(created_from=now - hour, created_to=now + hour) == everything
    assert ids(created_to=now - hour) == ids(completed_from=now + hour) == ids(completed_to=now - hour) == set()
    assert [token.id for token in waitpoints.list(undelivered=True, created_from=now + hour)] == []
    [listed] = waitpoints.list(tags=tag, failed=True)
    assert (listed.ok, listed.tags, listed.url) == (False, (tag,), failed.url)


def test_a_key_can_be_completed_before_its_token_is_created(waitpoints: Waitpoints, tag: str) -> None:
    kept = waitpoints.complete_key(tag, {"paid": True}, ttl=timedelta(hours=1))
    token = waitpoints.create(idempotency_key=tag, tags=tag, metadata={"n": 1})

    assert (kept.created, kept.settled, kept.id, token.is_cached) == (True, False, token.id, True)
    assert waitpoints.get(token).metadata == {"n": 1}
    assert waitpoints.wait(token) == Ok({"paid": True})
    assert [listed.id for listed in waitpoints.list(tags=tag)] == [token.id]


def test_a_public_access_token_completes_its_token_alone(waitpoints: Waitpoints, connect: Connect) -> None:
    mine, other = waitpoints.create(), waitpoints.create()
    public = connect(mine.public_access_token)
    public.complete(mine, 1)

    assert waitpoints.get(mine).output == 1
    with pytest.raises(PermissionDeniedError) as denied:
        public.complete(other, 1)
    assert (denied.value.status, denied.value.code) == (403, "unauthorized")
    with pytest.raises(AuthenticationError):
        public.get(mine)


@pytest.mark.parametrize("by", ["token", "scope"])
def test_a_public_access_token_is_created_for_a_token_or_for_scopes(waitpoints: Waitpoints, connect: Connect, by: str) -> None:
    token = waitpoints.create()
    if by == "token":
        key = waitpoints.create_public_token(token, expires=timedelta(minutes=5))
    else:
        key = waitpoints.create_public_token(scopes=["write:waitpoints"], expires=datetime.now(UTC) + timedelta(minutes=5))
    connect(key).complete(token, by)

    assert waitpoints.public_token_claims().pub is True
    assert waitpoints.get(token).output == by


@pytest.mark.parametrize(
    ("refused", "error", "code", "said"),
    [
        (lambda client: client.get(UNKNOWN), NotFoundError, "TokenNotFound", "404: Waitpoint not found"),
        (lambda client: client.complete("no id", 1), NotFoundError, "TokenNotFound", "404: Waitpoint not found"),
        (lambda client: client.wait(UNKNOWN), NotFoundError, "TokenNotFound", "404: Waitpoint not found"),
        (lambda client: client.endpoints.get("none"), NotFoundError, "EndpointNotFound", "404: Endpoint not found"),
        (lambda client: client.create(timeout=PAST), UnprocessableEntityError, "InvalidTimeout", "future"),
        (lambda client: client.create(tags=list("abcdefghijk")), UnprocessableEntityError, "TooManyTags", "10 tags"),
        (lambda client: client.create(page=NO_ONE), UnprocessableEntityError, "InvalidPage", "page.approvers"),
        (lambda client: client.create(unwrap=True), BadRequestError, "InvalidRequest", "needs a taskToken or a callbackId"),
        (lambda client: list(client.list(page_size=101)), BadRequestError, "InvalidRequest", r"page\[size\]"),
    ],
)
def test_a_refusal_is_an_exception_of_its_status_with_its_code(
    waitpoints: Waitpoints, refused: Callable[[Waitpoints], object], error: type[APIError], code: str, said: str
) -> None:
    with pytest.raises(error, match=said) as raised:
        refused(waitpoints)
    assert raised.value.code == code


def test_a_wrong_key_is_refused(connect: Connect) -> None:
    with pytest.raises(AuthenticationError, match="Invalid API key") as raised:
        connect("another-key").get(UNKNOWN)
    assert raised.value.code == "Unauthenticated"


def test_a_token_is_created_with_every_kind_of_rule(waitpoints: Waitpoints) -> None:
    by_rules = waitpoints.create(complete_when="body.status == 'done'", payload_schema={"type": "object"})
    by_page = waitpoints.create(
        page={
            "title": "Deploy?",
            "text": "All checks passed",
            "links": [{"url": "https://example.com", "label": "Notes"}],
            "actions": [{"id": "approve", "label": "Approve", "style": "primary"}],
            "fields": {"type": "object", "properties": {"note": {"type": "string"}}},
            "confirm": True,
        }
    )

    shortest = waitpoints.create(page={"title": "Go on?"})

    assert waitpoints.get(by_rules).status == waitpoints.get(by_page).status == "WAITING"
    assert [waitpoints.get(it).page_actions for it in (by_rules, by_page, shortest)] == [(), ("approve",), ("submit",)]


def test_retrieve_has_the_title_of_a_page_and_a_list_its_beginning(waitpoints: Waitpoints, tag: str) -> None:
    title = "Größe 42 an 漢字 😀? " * 10
    without, token, short = waitpoints.create(tags=tag), waitpoints.create(page={"title": title}, tags=tag), title[:100]
    whole = waitpoints.create(page={"title": short}, tags=tag)

    listed = {it.id: it.page and it.page.title for it in waitpoints.list(tags=tag)}

    assert (waitpoints.get(token).page, waitpoints.get(without).page) == (TokenPage(title=title), None)
    assert (listed[token.id], listed[whole.id], listed[without.id]) == (f"{title[:99]}…", short, None)
    both = waitpoints.create(page={"title": {"en": "Go on?", "de": "Weiter?"}, "language": ["de", "en"]})
    assert waitpoints.get(both).page == TokenPage(title="Weiter?")


APPROVAL: PageOptions = {
    "title": "Deploy?",
    "approvers": [{"id": "ann", "name": "Ann Lee", "email": "ann@example.com"}, "bo@example.com", "c/o d"],
    "requestedBy": "dee",
    "actions": [{"id": "approve", "label": "Approve", "needs": 2}, {"id": "reject", "label": "Reject"}],
    "escalate": {"after": "1d", "to": ["lead"]},
}
PEOPLE = ["ann", "bo@example.com", "c/o d"]


@pytest.fixture
def approval(waitpoints: Waitpoints) -> CreatedToken:
    """A token that two of three people must approve."""
    return waitpoints.create(page=APPROVAL)


@pytest.fixture
def choose(served: Served, approval: CreatedToken) -> Callable[[str, Any], int]:
    """Posts what a person chooses to their link, and returns the status."""
    links = {link.approver: link.url for link in approval.links}

    def choose(approver: str, choice: Any) -> int:
        body = choice if isinstance(choice, bytes) else json.dumps(choice).encode()
        return served.deliver(links[approver], body)

    return choose


Choose = Callable[[str, Any], int]


def test_a_token_says_who_may_answer_and_how_many_must(waitpoints: Waitpoints, approval: CreatedToken) -> None:
    token = waitpoints.get(approval)

    assert [it.id for it in token.approvers] == PEOPLE
    assert [it.email for it in token.approvers] == ["ann@example.com", "bo@example.com", None]
    assert (token.approvers[0].name, token.requested_by) == ("Ann Lee", "dee")
    assert token.needs == {"approve": 2, "reject": 1}
    assert (token.answers, token.still_asked) == ((), token.approvers)
    assert [link.approver for link in approval.links] == [*PEOPLE, "lead"]
    assert token.links == approval.links
    assert token.escalation is not None
    assert token.escalation.at == token.created_at + timedelta(days=1)
    assert ([it.id for it in token.escalation.to], token.escalation.asked_at) == (["lead"], None)
    waitpoints.extend(approval, timedelta(hours=1))
    assert waitpoints.get(approval).escalation is None  # it ends before
    plain = waitpoints.get(waitpoints.create(page={"title": "Go on?"}))
    assert (plain.approvers, plain.links, plain.needs, plain.answers, plain.escalation) == ((), (), {}, (), None)


def test_enough_people_decide_and_each_answers_once(waitpoints: Waitpoints, approval: CreatedToken, choose: Choose) -> None:
    assert choose("ann", {"action": "approve"}) == 200
    assert choose("ann", {"action": "approve", "fields": {}}) == choose("ann", {"action": "reject"}) == 200
    token = waitpoints.get(approval)
    assert (token.status, [(it.approver, it.action) for it in token.answers]) == ("WAITING", [("ann", "approve")])
    assert [it.id for it in token.still_asked] == PEOPLE[1:]
    assert token.other_deliveries is not None
    assert token.other_deliveries.count == 1  # the same answer again is not another one

    assert choose("c/o d", b'{"action": "approve"}') == choose("bo@example.com", {"action": "reject"}) == 200
    token = waitpoints.get(approval)
    assert [(it.approver, it.action, it.fields) for it in token.answers] == [("ann", "approve", {}), ("c/o d", "approve", {})]
    assert (token.output["action"], token.output["fields"], token.output["approver"]) == ("approve", {}, "c/o d")
    assert [it["approver"] for it in token.output["answers"]] == ["ann", "c/o d"]
    assert token.completed_by is not None
    assert (token.completed_by.source, token.completed_by.approver, token.completed_by.override) == ("callback", "c/o d", False)
    assert (token.completed_at, token.still_asked) == (token.answers[-1].at, ())


def test_a_token_is_handed_over(waitpoints: Waitpoints, approval: CreatedToken, choose: Choose) -> None:
    done = waitpoints.hand_over(approval, add=["ed", {"id": "flo", "name": "Flo"}], remove=["ann"])
    assert (done.id, [link.approver for link in done.links]) == (approval.id, ["ed", "flo"])
    assert waitpoints.hand_over(approval, add=["ed", {"id": "flo", "name": "Flo"}], remove=["ann"]) == done
    assert choose("ann", {"action": "approve"}) == 403
    assert waitpoints.hand_over(approval.id, remove=["flo"]).links == ()

    token = waitpoints.get(approval)
    assert [it.id for it in token.approvers] == ["bo@example.com", "c/o d", "ed"]
    assert [(it.added, it.removed, it.key) for it in token.hand_overs] == [
        (("ed", "flo"), ("ann",), None),
        ((), ("flo",), None),
    ]


def test_the_api_key_overrides_the_approvers(
    waitpoints: Waitpoints, connect: Connect, approval: CreatedToken, choose: Choose, tag: str
) -> None:
    public = connect(approval.public_access_token)
    with pytest.raises(PermissionDeniedError, match="Only its approvers and the API key"):
        public.complete(approval, {"action": "reject"})
    choose("ann", {"action": "approve"})
    waitpoints.complete(approval, {"action": "reject"})
    by_key = waitpoints.create(page=APPROVAL, idempotency_key=tag)
    waitpoints.fail_key(tag, "cancelled")

    overridden, cancelled = waitpoints.get(approval), waitpoints.get(by_key)
    assert overridden.output == {"action": "reject", "fields": {}}
    assert [it.approver for it in overridden.answers] == ["ann"]
    for token in (overridden, cancelled):
        assert token.completed_by is not None
        assert (token.completed_by.source, token.completed_by.approver, token.completed_by.override) == ("complete", None, True)


SIGNED: PageOptions = {**APPROVAL, "requestedBy": "dee@example.com"}
del SIGNED["escalate"], SIGNED["approvers"]
NAMED: PageOptions = {**SIGNED, "approvers": ["ann@example.com", "bo@example.com"], "signIn": True}
OPEN: PageOptions = {**SIGNED, "signIn": {"domains": ["example.com"]}}


@pytest.mark.parametrize("page", [NAMED, OPEN], ids=["approvers", "domains"])
class TestPeopleWhoSignIn:
    def test_answer_as_themselves(self, served: Served, waitpoints: Waitpoints, page: PageOptions) -> None:
        token = waitpoints.create(page=page)
        refused = [served.answer_signed_in(token, who, "reject") for who in ("dee@example.com", "eve@sub.example.com")]
        assert refused == [403, 403]
        for who, action in (("Ann@Example.com", "approve"), ("ann@example.com", "reject"), ("bo@example.com", "approve")):
            assert served.answer_signed_in(token, who, action) == 200

        found = waitpoints.get(token)
        assert found.page is not None
        assert (found.page.sign_in is True) is (page is NAMED)
        assert [(it.action, it.signed_in and it.signed_in.email) for it in found.answers] == [
            ("approve", "Ann@Example.com"),
            ("approve", "bo@example.com"),
        ]
        ann, bo = [it.signed_in for it in found.answers]
        assert ann is not None
        assert found.answers[0].approver == ("ann@example.com" if page is NAMED else ann.subject)
        assert found.completed_by is not None
        assert (found.completed_by.signed_in, found.completed_by.override) == (bo, False)
        evidence = found.output["answers"][0]["signedIn"]
        assert evidence.keys() == {"issuer", "subject", "email", "at"}
        assert (evidence["issuer"], evidence["subject"]) == (ann.issuer, ann.subject)

    def test_are_the_only_ones_who_answer(
        self, served: Served, waitpoints: Waitpoints, connect: Connect, page: PageOptions, tag: str
    ) -> None:
        token = waitpoints.create(page=page, idempotency_key=tag)
        for url in (token.url, *(link.url for link in token.links)):
            assert served.deliver(url, b'{"action": "reject"}') == 403
        public = connect(token.public_access_token)
        with pytest.raises(PermissionDeniedError, match="Only who signs in, and the root key by its id"):
            public.complete(token, {"action": "reject"})
        with pytest.raises(PermissionDeniedError, match="Only who signs in, and the root key by its id"):
            waitpoints.fail_key(tag, "no")
        assert (waitpoints.get(token).status, waitpoints.get(token).answers) == ("WAITING", ())

        assert waitpoints.complete(token, {"action": "reject"}).settled
        completed_by = waitpoints.get(token).completed_by
        assert completed_by is not None
        assert (completed_by.override, completed_by.signed_in) == (True, None)
        assert waitpoints.complete_key(tag, {"action": "reject"}).settled is False


PAGE: PageOptions = {"title": "Refund?", "actions": [{"id": "approve", "label": "Yes"}, {"id": "reject", "label": "No"}]}
REFUND = {"order": "4711", "euros": 50}


def asked(run: str, /, **changed: Any) -> AskOptions:
    return cast("AskOptions", {"run": run, "call": "call_1", "approvers": ["ann", "bo"], **changed})


class TestAsk:
    def test_the_same_call_finds_its_request(self, served: Served, waitpoints: Waitpoints, tag: str) -> None:
        page = ApprovalPage("refund", REFUND, PAGE)
        created = waitpoints.create(**request(page, **asked(tag)))  # by a process that was killed before the answer
        assert served.deliver(created.links[0].url, b'{"action": "approve"}') == 200
        same = ApprovalPage("refund", {"euros": 50.0, "order": "4711"}, PAGE)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            results = [waitpoints.ask(it, **asked(tag)) for it in (page, same)]

        [token] = list(waitpoints.list(idempotency_key=waitpoints.get(created).idempotency_key))
        assert token.id == created.id
        assert [result.unwrap()["approver"] for result in results] == ["ann", "ann"]
        assert (waitpoints.get(token).metadata or {}).items() >= {"run": tag, "call": "call_1", "tool": "refund"}.items()

    @pytest.mark.parametrize(
        ("name", "arguments", "changed"),
        [
            ("refund", {**REFUND, "euros": 51}, {}),
            ("void", REFUND, {}),
            ("refund", REFUND, {"call": "call_2"}),
            ("refund", REFUND, {"run": "another"}),
            ("refund", REFUND, {"attempt": 2}),
            ("refund", REFUND, {"run": None, "call": None, "key": "call_1"}),
        ],
    )
    def test_another_call_is_another_request(
        self, waitpoints: Waitpoints, tag: str, name: str, arguments: Any, changed: Any
    ) -> None:
        first = waitpoints.create(**request(ApprovalPage("refund", REFUND, PAGE), **asked(tag)))
        changed = {member: f"{tag} {it}" if member in ("run", "key") and it else it for member, it in changed.items()}
        other = waitpoints.create(**request(ApprovalPage(name, arguments, PAGE), **asked(tag, **changed)))

        assert (other.is_cached, other.id != first.id) == (False, True)

    def test_a_request_that_timed_out_stays_so(self, served: Served, waitpoints: Waitpoints, tag: str) -> None:
        created = waitpoints.create(**request(PAGE, **asked(tag, timeout=1)))
        served.advance(seconds=1)
        result = waitpoints.ask(PAGE, poll=0.05, **asked(tag, timeout=1))
        again = waitpoints.create(**request(PAGE, **asked(tag, timeout=1, attempt=2)))

        assert (result.ok, isinstance(result, Failed) and result.timed_out) == (False, True)
        assert waitpoints.ask(PAGE, **asked(tag, timeout="1d")) == result
        assert (again.is_cached, again.id != created.id, waitpoints.get(again).status) == (False, True, "WAITING")

    def test_what_an_agent_sees_answers_nothing(self, served: Served, waitpoints: Waitpoints, tag: str) -> None:
        """It posts to all that it sees of a request that was rejected, and of one that waits."""
        waiting, rejected = [waitpoints.create(**request(PAGE, **asked(tag, call=call))) for call in ("call_1", "call_2")]
        served.deliver(rejected.links[0].url, b'{"action": "reject"}')
        with pytest.warns(UserWarning, match=rejected.id) as warned:
            result = waitpoints.ask({**PAGE, "title": "Please?"}, **asked(tag, call="call_2"))
        tokens = [waitpoints.get(token) for token in (waiting, rejected)]
        seen = " ".join(map(repr, (waitpoints, result, waiting, rejected, *tokens, *warned)))
        urls = {url for token in tokens for url in (token.url, f"{token.url}?approver=ann")}
        for token_id in (waiting.id, rejected.id):
            route = f"{served.url}/api/v1/waitpoints/tokens/{token_id}"
            urls |= {f"{route}/complete", f"{route}/callback/{'0' * 64}"}

        assert waiting.id in seen
        assert "/callback/" not in seen
        for body in (b'{"action": "approve"}', b'{"data": {"action": "approve"}}'):
            statuses = [served.deliver(url, body) for url in sorted(urls) if waiting.id in url]
            assert len(statuses) == 4
            assert {*statuses} <= {401, 403}
            assert all(served.deliver(url, body) for url in urls)
        with pytest.raises(ValueError, match="Who may answer"):
            request(PAGE, **asked(tag, approvers=None))  # it would see a URL that answers
        found = [waitpoints.get(token) for token in (waiting, rejected)]
        assert [(token.status, [answer.action for answer in token.answers]) for token in found] == [
            ("WAITING", []),
            ("COMPLETED", ["reject"]),
        ]


class TestAskWhoSignsIn:
    @pytest.mark.parametrize("people", [{"approvers": ["ann@example.com"]}, {"sign_in": {"domains": ["example.com"]}}])
    def test_another_page_finds_the_request_and_warns(
        self, served: Served, waitpoints: Waitpoints, tag: str, people: AskOptions
    ) -> None:
        options: AskOptions = {"key": tag, **people}
        if "approvers" in people:
            options["sign_in"] = True
        created = waitpoints.create(**request(PAGE, **options))
        if "approvers" in people:
            waitpoints.hand_over(created, add=["bo@example.com"])
        who = "bo@example.com" if "approvers" in people else "ann@example.com"
        assert served.answer_signed_in(created, who, "approve") == 200
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = waitpoints.ask(PAGE, **options)
        with pytest.warns(UserWarning, match=f"^{created.id} asks the same with another page or other approvers"):
            changed = waitpoints.ask({**PAGE, "title": "Refund 50 euros?"}, **options)

        assert result == changed
        assert result.unwrap()["answers"][0]["signedIn"]["email"] == who

    @pytest.mark.parametrize("sign_in", [True, None])
    def test_a_token_that_others_could_answer_does_not_stand_for_it(
        self, waitpoints: Waitpoints, tag: str, sign_in: Any
    ) -> None:
        options: AskOptions = {"key": tag, "approvers": ["ann@example.com"], "sign_in": sign_in}
        wanted = request(PAGE, **options)
        page: PageOptions = {**PAGE, "approvers": ["eve"]} if sign_in else PAGE
        held = waitpoints.create(page=page, idempotency_key=wanted["idempotency_key"], metadata=wanted["metadata"])

        waitpoints.fail(held, "by others")
        with pytest.raises(ConflictError, match=f"{held.id} holds the key of this call, and others could answer it"):
            waitpoints.ask(PAGE, **options)


def test_a_token_keeps_the_traceparent_of_its_create(waitpoints: Waitpoints) -> None:
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    sent = [traceparent, None, "of another version"]

    assert [waitpoints.get(waitpoints.create(traceparent=it)).traceparent for it in sent] == [traceparent, None, None]


def test_a_large_output_is_downloaded(waitpoints: Waitpoints) -> None:
    token, large = waitpoints.create(), '"' * 800_000
    waitpoints.complete(token, large)

    assert waitpoints.get(token).output == large


def test_an_endpoint_completes_the_token_of_each_delivery(served: Served, waitpoints: Waitpoints, tag: str) -> None:
    name = f"orders-{tag}"
    endpoint = waitpoints.endpoints.put(
        name, key="body.order", verify="none", key_ttl=timedelta(days=2), output="body.paid", tag="a"
    )
    assert (endpoint.name, endpoint.key, endpoint.verify, endpoint.output) == (name, "body.order", None, "body.paid")
    assert (endpoint.key_ttl, endpoint.tag) == (timedelta(days=2), "a")
    waiting = waitpoints.create(idempotency_key=f"a:{name}:1")

    trial = waitpoints.endpoints.test(name, {"order": 1, "paid": True})
    assert (trial.outcome, trial.key, trial.token, trial.output) == ("completed", f"a:{name}:1", waiting.id, True)
    assert [(step.step, step.result) for step in trial.steps][-1] == ("token", "completed")
    assert waitpoints.endpoints.test(name, b"{}").outcome == "noKey"
    for body in (b'{"order": 1, "paid": true}', b'{"order": 1, "paid": false}', b'{"order": 2, "paid": true}', b"{}"):
        assert served.deliver(endpoint.url, body) == 200

    assert waitpoints.wait(waiting) == Ok(True)
    early = waitpoints.create(idempotency_key=f"a:{name}:2")
    assert (early.is_cached, waitpoints.get(early).output) == (True, True)
    deliveries = waitpoints.endpoints.get(name).deliveries
    assert {kind: found.count for kind, found in deliveries.items()} == {"completed": 1, "repeated": 1, "kept": 1, "noKey": 1}
    assert deliveries["kept"].last_key == f"a:{name}:2"
    waitpoints.endpoints.delete(name)


def test_endpoints_are_listed_changed_disabled_and_deleted(served: Served, waitpoints: Waitpoints, tag: str) -> None:
    names = [f"{tag}-{number}" for number in range(3)]
    made = [waitpoints.endpoints.put(name, key="body.id", verify="none") for name in names]
    changed = waitpoints.endpoints.put(names[0], key="body.number", verify="none", complete_when=None)

    assert (changed.url, changed.key, changed.created_at) == (made[0].url, "body.number", made[0].created_at)
    assert (changed.key_ttl, changed.tag, changed.disabled) == (timedelta(hours=24), None, False)
    after = f"{tag}-"
    listed = [endpoint.name for endpoint in waitpoints.endpoints.list(page_size=2, after=after) if endpoint.name in names]
    assert listed == names
    disabled = waitpoints.endpoints.disable(names[0])
    assert (disabled.disabled, disabled.url, disabled.key) == (True, changed.url, "body.number")
    assert served.deliver(disabled.url, b'{"number": 1}') == 503
    assert waitpoints.endpoints.get(names[0]).deliveries["refused"].last_detail == "the endpoint is disabled"
    assert waitpoints.endpoints.enable(names[0]).disabled is False
    assert served.deliver(disabled.url, b'{"number": 1}') == 200
    for name in names:
        waitpoints.endpoints.delete(name)
    for ask in (waitpoints.endpoints.get, waitpoints.endpoints.disable, waitpoints.endpoints.enable):
        with pytest.raises(NotFoundError, match="Endpoint not found"):
            ask(names[0])


class TestRecordedDeliveries:
    @pytest.fixture
    def name(self, waitpoints: Waitpoints, tag: str) -> Iterator[str]:
        """An endpoint that records."""
        name = f"orders-{tag}"
        self.put(waitpoints, name, "body.order")
        yield name
        waitpoints.endpoints.delete(name)

    def put(self, waitpoints: Waitpoints, name: str, key: str) -> Endpoint:
        return waitpoints.endpoints.put(name, key=key, verify=VERIFIED, record_deliveries=timedelta(days=7))

    def deliver(self, served: Served, waitpoints: Waitpoints, name: str, body: bytes, query: str = "", **headers: str) -> None:
        url = waitpoints.endpoints.get(name).url + query
        assert served.deliver(url, body, {**DELIVERED_HEADERS, **headers}) == 200
        served.advance(seconds=0.01)  # so that their order is known

    def test_are_listed_with_what_became_of_them(self, served: Served, waitpoints: Waitpoints, name: str) -> None:
        assert waitpoints.endpoints.get(name).record_deliveries == timedelta(days=7)
        waiting = waitpoints.create(idempotency_key=f"{name}:1")
        for body in (b'{"order": 1}', b'{"order": 1}', b'{"order": 2}', b"{}"):
            self.deliver(served, waitpoints, name, body, **{"webhook-id": f"event {body!r}"})

        listed = list(waitpoints.endpoints.deliveries(name, page_size=2))
        assert [(it.kind, it.key) for it in listed] == [
            ("noKey", None),
            ("kept", f"{name}:2"),
            ("repeated", f"{name}:1"),
            ("completed", f"{name}:1"),
        ]
        no_key, kept, repeated, completed = listed
        assert (completed.endpoint, completed.token_id, completed.size) == (name, waiting.id, 12)
        assert (completed.repeat_of, repeated.repeat_of, repeated.token_id) == (None, completed.id, waiting.id)
        assert completed.delivery_id == "event b'{\"order\": 1}'"
        assert timedelta(0) <= completed.expires_at - completed.created_at - timedelta(days=7) < timedelta(seconds=2)
        filters: list[tuple[DeliveryFilters, list[RecordedDelivery]]] = [
            ({"kind": "noKey"}, [no_key]),
            ({"kind": ["kept", "completed"]}, [kept, completed]),
            ({"kind": "pending"}, []),
            ({"key": f"{name}:1"}, [repeated, completed]),
            ({"delivery_id": "event b'{}'"}, [no_key]),
            ({"created_from": kept.created_at}, [no_key, kept]),
            ({"created_to": repeated.created_at, "kind": "completed"}, [completed]),
            ({"created_within": "1h"}, listed),
            ({"after": kept.id}, [repeated, completed]),
        ]
        for chosen, found in filters:
            assert list(waitpoints.endpoints.deliveries(name, **chosen)) == found, chosen

    def test_have_what_was_sent_without_its_secrets(self, served: Served, waitpoints: Waitpoints, name: str) -> None:
        self.deliver(served, waitpoints, name, b'{"order":  1}', "?a=b&token=secret")
        self.deliver(served, waitpoints, name, b"\xff\x00")
        binary, text = waitpoints.endpoints.deliveries(name)
        found = waitpoints.endpoints.delivery(name, text)
        assert (found.id, found.body, found.body_base64, found.content) == (text.id, '{"order":  1}', None, b'{"order":  1}')
        assert (found.query, found.delivery_id) == ("a=b", "event-1")
        assert found.headers is not None
        assert {"webhook-id": "event-1", "x-note": "kept"}.items() <= found.headers.items()
        assert not {"x-hook-token", "cookie"} & found.headers.keys()
        assert waitpoints.endpoints.delivery(name, binary.id).content == b"\xff\x00"

    def test_are_sent_again_by_the_settings_of_today(self, served: Served, waitpoints: Waitpoints, name: str) -> None:
        self.deliver(served, waitpoints, name, b'{"number": 7}')
        [original] = waitpoints.endpoints.deliveries(name)
        self.put(waitpoints, name, "body.number")
        waiting = waitpoints.create(idempotency_key=f"{name}:7")

        sent = waitpoints.endpoints.resend(name, original, idempotency_key="a")
        assert (sent.kind, sent.key, sent.token_id, sent.resend_of) == ("completed", f"{name}:7", waiting.id, original.id)
        assert (sent.delivery_id, sent.repeat_of, sent.size) == ("event-1", None, original.size)
        assert waitpoints.get(waiting).output == {"number": 7}
        assert waitpoints.endpoints.resend(name, original, idempotency_key="a") == sent
        assert waitpoints.endpoints.delivery(name, sent).content == b'{"number": 7}'
        assert {kind: it.count for kind, it in waitpoints.endpoints.get(name).deliveries.items()} == {"noKey": 1}
        another = waitpoints.create()
        for token in (another, another.id):
            assert waitpoints.endpoints.resend(name, original.id, token=token).token_id == another.id
        assert waitpoints.get(another).output == {"number": 7}

    def test_are_deleted(self, served: Served, waitpoints: Waitpoints, name: str) -> None:
        for order in (1, 2, 3):
            self.deliver(served, waitpoints, name, b'{"order": %d}' % order, **{"webhook-id": f"event-{order}"})
        first = list(waitpoints.endpoints.deliveries(name))[-1]
        waitpoints.endpoints.delete_delivery(name, first)
        with pytest.raises(NotFoundError, match="Delivery not found"):
            waitpoints.endpoints.delete_delivery(name, first.id)
        assert [waitpoints.endpoints.delete_deliveries(name) for _ in range(2)] == [2, 0]
        assert waitpoints.get(waitpoints.create(idempotency_key=f"{name}:1")).status == "WAITING"


def test_a_request_is_made_when_a_list_is_iterated(waitpoints: Waitpoints, tag: str) -> None:
    tokens = waitpoints.list(tags=tag)
    token = waitpoints.create(tags=tag)

    assert [listed.id for listed in tokens] == [token.id]


def test_keys_are_made_listed_and_revoked(connect: Connect, waitpoints: Waitpoints, tag: str) -> None:
    name, lasting = f"a-{tag}", f"b.{tag}"
    before = datetime.now(UTC) - timedelta(minutes=5)  # clocks differ
    made = waitpoints.keys.create(name, ["create:team-a", "read", "notify:team-a"], expires=timedelta(days=2))
    assert (made.name, made.scopes, made.last_used_at) == (name, ("create:team-a", "read", "notify:team-a"), None)
    assert made.expires_at is not None
    assert made.expires_at - made.created_at == timedelta(days=2)
    assert made.created_at > before
    assert made.key.startswith("tr_prod_sk_")
    assert made.key not in repr(made)
    assert waitpoints.keys.create(lasting, ["endpoints"]).expires_at is None
    assert [key.name for key in waitpoints.keys.list() if tag in key.name] == [name, lasting]

    with pytest.raises(ConflictError, match="A key has this name"):
        waitpoints.keys.create(name, ["read"])
    with pytest.raises(PermissionDeniedError):
        connect(made.key).keys.list()
    for key in (name, lasting):
        waitpoints.keys.revoke(key)
    with pytest.raises(NotFoundError):
        waitpoints.keys.revoke(name)
    assert [key.name for key in waitpoints.keys.list() if tag in key.name] == []
