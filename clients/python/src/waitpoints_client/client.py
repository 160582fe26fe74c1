"""The sync client."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic

import httpx
from typing_extensions import Self, Unpack

from waitpoints_client import calls, models, settings
from waitpoints_client.calls import ABSENT, Call, Read
from waitpoints_client.clock import Pause, clock_of
from waitpoints_client.models import Item
from waitpoints_client.options import CreateOptions, DeliveryFilters, DeliveryOrId, EndpointOptions, ListFilters, TokenOrId
from waitpoints_client.request_types import ApproverOptions
from waitpoints_client.session import Flow, Heard, Session, Step, unanswered
from waitpoints_client.version import USER_AGENT
from waitpoints_client.wire import Duration, Timeout

if TYPE_CHECKING:
    import boto3

    from waitpoints_client.asking import AnyPage, AskOptions

REQUEST_TIMEOUT = 35.0
"""Seconds: API Gateway answers within 30."""


class Pages(Generic[Item]):
    """A list that is read part by part as it is iterated. Each iteration reads it anew."""

    def __init__(self, read: Callable[[str | None], models.Page[Item]]) -> None:
        """`read` returns the first part without a cursor, and the part after a cursor with one."""
        self._read = read

    def __iter__(self) -> Iterator[Item]:
        """Yield the items of all pages."""
        for page in self.pages():
            yield from page.items

    def pages(self) -> Iterator[models.Page[Item]]:
        """Yield the pages. A page can be short, or empty, and not be the last one."""
        page = self._read(None)
        yield page
        while page.next is not None:
            page = self._read(page.next)
            yield page


class Waitpoints:
    """A client of one stack.

    Without arguments, the URL and the key are read from WAITPOINTS_URL and WAITPOINTS_API_KEY. As a context manager, it
    closes its connections at the end. Threads can share it.

    Every call can raise APIError and APIConnectionError. What can succeed later is tried up to five times within about ten
    seconds, and a `create` whose answer was lost makes no second token.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        stack: str | None = None,
        timeout: float = REQUEST_TIMEOUT,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Use the stack at `url` with `api_key`, which can be a public access token, or the one that is called `stack`.

        `timeout` is for one request, in seconds. `transport` is httpx's: `testing.FakeWaitpoints`, for example. Raises
        ConfigurationError.
        """
        self._session = Session(*settings.resolve(url, api_key, stack), USER_AGENT, clock_of(transport))
        self._http = httpx.Client(timeout=timeout, transport=transport)
        self.endpoints: Endpoints = Endpoints(self)
        self.keys: Keys = Keys(self)

    @classmethod
    def from_stack(cls, name: str, *, session: "boto3.Session | None" = None, timeout: float = REQUEST_TIMEOUT) -> Self:
        """Use the stack of this name, found with the user's AWS credentials. Needs the extra `aws`.

        Without a `session` of boto3, the default profile and AWS_REGION are used. Raises ConfigurationError.
        """
        url, api_key = settings.read_stack(name, session)
        return cls(url, api_key, timeout=timeout)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @property
    def url(self) -> str:
        """The URL of the stack's API."""
        return self._session.url

    def create(self, **options: Unpack[CreateOptions]) -> models.CreatedToken:
        """Create a token. `CreateOptions` lists the options. All of them are optional.

        If a token already holds the `idempotency_key`, returns that one. Raises UnprocessableEntityError for a value that
        cannot be used.
        """
        return self.send(calls.create(**options))

    def get(self, token: TokenOrId) -> models.Token:
        """Retrieve a token with its output, also a large one, and its waiters. Raises NotFoundError."""
        return self._run(self._session.get(token))

    def list(self, **filters: Unpack[ListFilters]) -> Pages[models.ListedToken]:
        """List tokens, the newest first. `ListFilters` lists the filters. Requests are made as the result is iterated."""
        listing = calls.list_tokens(filters)
        return Pages(lambda cursor: self.send(listing.after(cursor)))

    def extend(self, token: TokenOrId, timeout: Timeout | None) -> models.MovedDeadline:
        """Move the timeout of a waiting token, to later or to sooner. None: it no longer times out.

        As in `create`, a duration is counted from now. A limit of the state itself, such as TimeoutSeconds, stays. Raises
        ConflictError if the token has ended, NotFoundError, UnprocessableEntityError.
        """
        return self.send(calls.extend(token, timeout))

    def hand_over(
        self, token: TokenOrId, *, add: Sequence[str | ApproverOptions] = (), remove: Sequence[str] = ()
    ) -> models.HandedOver:
        """Change who may answer a waiting token's page: `add` as in its `approvers`, `remove` by id.

        The same call again changes nothing. Raises ConflictError if the token has ended or who is removed has answered,
        NotFoundError, UnprocessableEntityError.
        """
        return self.send(calls.hand_over(token, add, remove))

    def delete(self, token: TokenOrId, *, force: bool = False) -> models.RecordedDelivery | None:
        """Delete a token that has settled, with all that is stored about it. One that is gone already is a success.

        With `force`, a token that waits is failed first: what waits for it gets "WaitpointDeletedError". Returns the recorded
        delivery that settled it if that stays, since it has settled another token, too. Raises ConflictError if the token
        waits, or not all that waited has been resumed.
        """
        return self.send(calls.delete(token, force=force))

    def complete(self, token: TokenOrId, data: Any = ABSENT) -> models.Completion:
        """Complete a token with `data`: any value that JSON has. Without `data` it has no output.

        The first completion counts; a later one succeeds, is not `settled`, and changes nothing. Raises NotFoundError, and
        UnprocessableEntityError if `data` does not fit the token's payload_schema or page.
        """
        return self.send(calls.complete(token, data))

    def fail(self, token: TokenOrId, message: str, *, name: str | None = None, code: str | None = None) -> models.Completion:
        """Fail a token: whatever waits for it gets the error. `name` is by default "WaitpointFailedError"."""
        return self.send(calls.fail(token, message, name, code))

    def complete_key(self, key: str, data: Any = ABSENT, *, ttl: Duration | None = None) -> models.KeyCompletion:
        """Complete the token that was created with this key.

        If no token has the key, the completion is kept for the `create` that comes later: for `ttl`, by default as long as
        the stack keeps tokens.
        """
        return self.send(calls.complete_key(key, data, ttl))

    def fail_key(
        self,
        key: str,
        message: str,
        *,
        name: str | None = None,
        code: str | None = None,
        ttl: Duration | None = None,
    ) -> models.KeyCompletion:
        """Fail the token that was created with this key. Else as `complete_key`."""
        return self.send(calls.fail_key(key, message, name, code, ttl))

    def wait(
        self, token: TokenOrId, *, poll: float | timedelta | None = None, timeout: float | timedelta | None = None
    ) -> models.Result:
        """Block until a token is completed, failed or timed out, and return `Ok(output)` or `Failed(error)`.

        The token is checked after half a second, then after ever longer pauses of up to ten seconds; with `poll`, always
        after so many seconds. Raises WaitTimeoutError if it still waits after `timeout` seconds, NotFoundError.
        """
        return self._run(self._session.wait(token, poll, timeout))

    def ask(self, page: "AnyPage", *, poll: float | timedelta | None = None, **options: Unpack["AskOptions"]) -> models.Result:
        """Ask people, and block until they decided: `wait` of a token that the same call finds again after a crash.

        `page` is PageOptions or an `agents.ApprovalPage`. `AskOptions` lists who is asked and what names the call: with an
        ApprovalPage, also its tool, arguments and fields. A request that timed out stays so until `attempt=2`. Warns if the
        call was asked before with another page or other approvers. Raises ValueError if anyone with the URL could answer.
        """
        from waitpoints_client import asking  # noqa: PLC0415 - for those who ask

        return self._run(asking.ask(self._session, page, poll, options))

    def create_public_token(
        self,
        token: TokenOrId | None = None,
        *,
        scopes: Sequence[str] = (),
        expires: datetime | timedelta | int | str = "1h",
    ) -> str:
        """Create a public access token: a key for a web page, that can complete only `token`, or what `scopes` say.

        A scope is `action:type` or `action:type:id`, such as "write:waitpoints". It `expires` at most 30 days from now: at a
        datetime, or after a timedelta, whole seconds or a text such as "15m". One of a named key ends with that key, too.
        """
        by_named_key = self._session.has_named_key
        return self.send(calls.create_public_token(token, scopes, expires, by_named_key=by_named_key))

    def public_token_claims(self) -> models.PublicTokenClaims:
        """Get the claims with which public access tokens are signed, for a program that signs them itself."""
        return self.send(calls.public_token_claims())

    def send(self, call: Call[Read]) -> Read:
        """Send one of the calls of `waitpoints_client.calls`, for what no method does."""
        return self._run(self._session.send(call))

    def _run(self, flow: Flow[Read]) -> Read:
        heard: Heard = None
        while True:
            try:
                step = flow.send(heard)
            except StopIteration as end:
                result: Read = end.value
                return result
            heard = self._take(step)

    def _take(self, step: Step) -> Heard:
        if isinstance(step, Pause):
            self._session.clock.pause(step)
            return None
        try:
            return self._http.request(step.method, step.url, params=step.params, headers=step.headers, content=step.content)
        except httpx.RequestError as error:
            return unanswered(step, error)


class Endpoints:
    """The endpoints of a stack: `waitpoints.endpoints`. An endpoint is one URL for a provider's whole account."""

    def __init__(self, waitpoints: Waitpoints) -> None:
        """Use a client's connections."""
        self._send = waitpoints.send

    def put(self, name: str, **options: Unpack[EndpointOptions]) -> models.Endpoint:
        """Make an endpoint, or replace all settings of an existing one. `EndpointOptions` lists them.

        `name` has 1 to 64 characters of a-z, 0-9 and -. Raises UnprocessableEntityError for a value that cannot be used.
        """
        return self._send(calls.put_endpoint(name, **options))

    def get(self, name: str) -> models.EndpointWithDeliveries:
        """Retrieve an endpoint, and what became of its deliveries. Raises NotFoundError."""
        return self._send(calls.get_endpoint(name))

    def list(self, *, page_size: int | None = None, after: str | None = None) -> Pages[models.Endpoint]:
        """List endpoints by name. Requests are made as the result is iterated."""
        listing = calls.list_endpoints(page_size, after)
        return Pages(lambda cursor: self._send(listing.after(cursor)))

    def disable(self, name: str) -> models.Endpoint:
        """Answer deliveries with 503, within a minute, so that the provider sends them again later. Raises NotFoundError."""
        return self._send(calls.change_endpoint(name, disabled=True))

    def enable(self, name: str) -> models.Endpoint:
        """Process the deliveries to a disabled endpoint again, within a minute. Raises NotFoundError."""
        return self._send(calls.change_endpoint(name, disabled=False))

    def delete(self, name: str) -> None:
        """Delete an endpoint. Its URL never becomes valid again. Raises NotFoundError."""
        self._send(calls.delete_endpoint(name))

    def test(
        self, name: str, body: Any = "", *, headers: Mapping[str, str] | None = None, query: str = ""
    ) -> models.EndpointTrial:
        """Say what would become of a delivery, step by step, and change nothing. Raises NotFoundError.

        `body` is a text or bytes, exactly as the provider sends them, or any other JSON, which is written anew: only a text
        can have the signature that the provider made.
        """
        return self._send(calls.test_endpoint(name, body, headers or {}, query))

    def deliveries(self, name: str, **filters: Unpack[DeliveryFilters]) -> Pages[models.RecordedDelivery]:
        """List the deliveries that an endpoint recorded, the newest first. `DeliveryFilters` lists the filters.

        Needs the scope deliveries, as all calls for them. Requests are made as the result is iterated.
        """
        listing = calls.list_deliveries(name, filters)
        return Pages(lambda cursor: self._send(listing.after(cursor)))

    def delivery(self, name: str, delivery: DeliveryOrId) -> models.RetrievedDelivery:
        """Retrieve a recorded delivery with its headers, query and body. Raises NotFoundError."""
        return self._send(calls.get_delivery(name, delivery))

    def resend(
        self, name: str, delivery: DeliveryOrId, *, token: TokenOrId | None = None, idempotency_key: str | None = None
    ) -> models.RecordedDelivery:
        """Send a recorded delivery again: to the token that waits for its key now, by today's settings, or to a `token`.

        Returns the record of it. The same `idempotency_key` sends it once. Needs the scope complete, too. Raises
        NotFoundError, UnprocessableEntityError for a token that only a signature or a person completes.
        """
        return self._send(calls.resend_delivery(name, delivery, token, idempotency_key))

    def delete_delivery(self, name: str, delivery: DeliveryOrId) -> None:
        """Delete a recorded delivery, and the early completion that it made. Raises NotFoundError."""
        self._send(calls.delete_delivery(name, delivery))

    def delete_deliveries(self, name: str) -> int:
        """Delete all recorded deliveries of an endpoint, one after another. Returns how many. Raises NotFoundError."""
        deleted = 0
        while True:
            answer = self._send(calls.delete_deliveries(name))
            deleted += answer.deleted
            if answer.done:
                return deleted


class Keys:
    """The named keys of a stack: `waitpoints.keys`. Only a client with the stack's root key may use them."""

    def __init__(self, waitpoints: Waitpoints) -> None:
        """Use a client's connections."""
        self._send = waitpoints.send

    def create(self, name: str, scopes: Sequence[str], *, expires: Duration | None = None) -> models.CreatedKey:
        """Make a key for one program. Its `key` is in this answer alone.

        A scope is create, complete, read, notify, delete, deliveries or endpoints; all but the last may be for one tag, as
        in create:team-a. `expires` is how long the key is good: a timedelta, whole seconds or a text such as "90d"; without it
        for ever. Raises ConflictError if the name is taken, UnprocessableEntityError for a value that cannot be used.
        """
        return self._send(calls.create_key(name, scopes, expires))

    def list(self) -> "tuple[models.NamedKey, ...]":
        """List all keys by name, and when each was last used."""
        return self._send(calls.list_keys())

    def revoke(self, name: str) -> None:
        """Take a key away: within a minute it opens nothing. Raises NotFoundError."""
        self._send(calls.revoke_key(name))
