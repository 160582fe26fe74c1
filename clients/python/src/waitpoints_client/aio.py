"""The async client: as the sync one, with `await` before each call and `async for` over lists."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic

import httpx
from typing_extensions import Self, Unpack

from waitpoints_client import calls, models, settings
from waitpoints_client.calls import ABSENT, Call, Read
from waitpoints_client.client import REQUEST_TIMEOUT
from waitpoints_client.clock import Pause, clock_of
from waitpoints_client.models import Item
from waitpoints_client.options import (
    ApproverOptions,
    CreateOptions,
    DeliveryFilters,
    DeliveryOrId,
    EndpointOptions,
    ListFilters,
    TokenOrId,
)
from waitpoints_client.session import Flow, Heard, Session, Step, unanswered
from waitpoints_client.version import USER_AGENT
from waitpoints_client.wire import Duration, Timeout

if TYPE_CHECKING:
    import boto3

    from waitpoints_client.asking import AnyPage, AskOptions


class AsyncPages(Generic[Item]):
    """A list that is read part by part as it is iterated with `async for`. Each iteration reads it anew."""

    def __init__(self, read: Callable[[str | None], Awaitable[models.Page[Item]]]) -> None:
        """`read` returns the first part without a cursor, and the part after a cursor with one."""
        self._read = read

    async def __aiter__(self) -> AsyncIterator[Item]:
        """Yield the items of all pages."""
        async for page in self.pages():
            for item in page.items:
                yield item

    async def pages(self) -> AsyncIterator[models.Page[Item]]:
        """Yield the pages. A page can be short, or empty, and not be the last one."""
        page = await self._read(None)
        yield page
        while page.next is not None:
            page = await self._read(page.next)
            yield page


class AsyncWaitpoints:
    """A client of one stack, for asyncio. `Waitpoints` says what each call does.

    It belongs to one event loop: make one in each `asyncio.run`. A call that is cancelled leaves it usable.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        stack: str | None = None,
        timeout: float = REQUEST_TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """As `Waitpoints`. A `stack` is looked up here, which blocks for a moment."""
        self._session = Session(*settings.resolve(url, api_key, stack), USER_AGENT, clock_of(transport))
        self._http = httpx.AsyncClient(timeout=timeout, transport=transport)
        self.endpoints: AsyncEndpoints = AsyncEndpoints(self)
        self.keys: AsyncKeys = AsyncKeys(self)

    @classmethod
    def from_stack(cls, name: str, *, session: "boto3.Session | None" = None, timeout: float = REQUEST_TIMEOUT) -> Self:
        """As `Waitpoints.from_stack`, which blocks for a moment."""
        url, api_key = settings.read_stack(name, session)
        return cls(url, api_key, timeout=timeout)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    @property
    def url(self) -> str:
        """The URL of the stack's API."""
        return self._session.url

    async def create(self, **options: Unpack[CreateOptions]) -> models.CreatedToken:
        """As `Waitpoints.create`."""
        return await self.send(calls.create(**options))

    async def get(self, token: TokenOrId) -> models.Token:
        """As `Waitpoints.get`."""
        return await self._run(self._session.get(token))

    def list(self, **filters: Unpack[ListFilters]) -> AsyncPages[models.ListedToken]:
        """As `Waitpoints.list`, iterated with `async for`."""
        listing = calls.list_tokens(filters)
        return AsyncPages(lambda cursor: self.send(listing.after(cursor)))

    async def extend(self, token: TokenOrId, timeout: Timeout | None) -> models.MovedDeadline:
        """As `Waitpoints.extend`."""
        return await self.send(calls.extend(token, timeout))

    async def hand_over(
        self, token: TokenOrId, *, add: Sequence[str | ApproverOptions] = (), remove: Sequence[str] = ()
    ) -> models.HandedOver:
        """As `Waitpoints.hand_over`."""
        return await self.send(calls.hand_over(token, add, remove))

    async def complete(self, token: TokenOrId, data: Any = ABSENT) -> models.Completion:
        """As `Waitpoints.complete`."""
        return await self.send(calls.complete(token, data))

    async def fail(
        self, token: TokenOrId, message: str, *, name: str | None = None, code: str | None = None
    ) -> models.Completion:
        """As `Waitpoints.fail`."""
        return await self.send(calls.fail(token, message, name, code))

    async def complete_key(self, key: str, data: Any = ABSENT, *, ttl: Duration | None = None) -> models.KeyCompletion:
        """As `Waitpoints.complete_key`."""
        return await self.send(calls.complete_key(key, data, ttl))

    async def fail_key(
        self,
        key: str,
        message: str,
        *,
        name: str | None = None,
        code: str | None = None,
        ttl: Duration | None = None,
    ) -> models.KeyCompletion:
        """As `Waitpoints.fail_key`."""
        return await self.send(calls.fail_key(key, message, name, code, ttl))

    async def wait(
        self, token: TokenOrId, *, poll: float | timedelta | None = None, timeout: float | timedelta | None = None
    ) -> models.Result:
        """As `Waitpoints.wait`. Other tasks run meanwhile."""
        return await self._run(self._session.wait(token, poll, timeout))

    async def ask(
        self, page: "AnyPage", *, poll: float | timedelta | None = None, **options: Unpack["AskOptions"]
    ) -> models.Result:
        """As `Waitpoints.ask`."""
        from waitpoints_client import asking  # noqa: PLC0415 - for those who ask

        return await self._run(asking.ask(self._session, page, poll, options))

    async def create_public_token(
        self,
        token: TokenOrId | None = None,
        *,
        scopes: Sequence[str] = (),
        expires: datetime | timedelta | int | str = "1h",
    ) -> str:
        """As `Waitpoints.create_public_token`."""
        by_named_key = self._session.has_named_key
        return await self.send(calls.create_public_token(token, scopes, expires, by_named_key=by_named_key))

    async def public_token_claims(self) -> models.PublicTokenClaims:
        """As `Waitpoints.public_token_claims`."""
        return await self.send(calls.public_token_claims())

    async def send(self, call: Call[Read]) -> Read:
        """As `Waitpoints.send`."""
        return await self._run(self._session.send(call))

    async def _run(self, flow: Flow[Read]) -> Read:
        heard: Heard = None
        while True:
            try:
                step = flow.send(heard)
            except StopIteration as end:
                result: Read = end.value
                return result
            heard = await self._take(step)

    async def _take(self, step: Step) -> Heard:
        if isinstance(step, Pause):
            await self._session.clock.pause_async(step)
            return None
        try:
            return await self._http.request(
                step.method, step.url, params=step.params, headers=step.headers, content=step.content
            )
        except httpx.RequestError as error:
            return unanswered(step, error)


class AsyncEndpoints:
    """The endpoints of a stack: `waitpoints.endpoints`. `Endpoints` says what each call does."""

    def __init__(self, waitpoints: AsyncWaitpoints) -> None:
        """Use a client's connections."""
        self._send = waitpoints.send

    async def put(self, name: str, **options: Unpack[EndpointOptions]) -> models.Endpoint:
        """As `Endpoints.put`."""
        return await self._send(calls.put_endpoint(name, **options))

    async def get(self, name: str) -> models.EndpointWithDeliveries:
        """As `Endpoints.get`."""
        return await self._send(calls.get_endpoint(name))

    def list(self, *, page_size: int | None = None, after: str | None = None) -> AsyncPages[models.Endpoint]:
        """As `Endpoints.list`, iterated with `async for`."""
        listing = calls.list_endpoints(page_size, after)
        return AsyncPages(lambda cursor: self._send(listing.after(cursor)))

    async def disable(self, name: str) -> models.Endpoint:
        """As `Endpoints.disable`."""
        return await self._send(calls.change_endpoint(name, disabled=True))

    async def enable(self, name: str) -> models.Endpoint:
        """As `Endpoints.enable`."""
        return await self._send(calls.change_endpoint(name, disabled=False))

    async def delete(self, name: str) -> None:
        """As `Endpoints.delete`."""
        await self._send(calls.delete_endpoint(name))

    async def test(
        self, name: str, body: Any = "", *, headers: Mapping[str, str] | None = None, query: str = ""
    ) -> models.EndpointTrial:
        """As `Endpoints.test`."""
        return await self._send(calls.test_endpoint(name, body, headers or {}, query))

    def deliveries(self, name: str, **filters: Unpack[DeliveryFilters]) -> AsyncPages[models.RecordedDelivery]:
        """As `Endpoints.deliveries`, iterated with `async for`."""
        listing = calls.list_deliveries(name, filters)
        return AsyncPages(lambda cursor: self._send(listing.after(cursor)))

    async def delivery(self, name: str, delivery: DeliveryOrId) -> models.RetrievedDelivery:
        """As `Endpoints.delivery`."""
        return await self._send(calls.get_delivery(name, delivery))

    async def resend(
        self, name: str, delivery: DeliveryOrId, *, token: TokenOrId | None = None, idempotency_key: str | None = None
    ) -> models.RecordedDelivery:
        """As `Endpoints.resend`."""
        return await self._send(calls.resend_delivery(name, delivery, token, idempotency_key))

    async def delete_delivery(self, name: str, delivery: DeliveryOrId) -> None:
        """As `Endpoints.delete_delivery`."""
        await self._send(calls.delete_delivery(name, delivery))

    async def delete_deliveries(self, name: str) -> int:
        """As `Endpoints.delete_deliveries`."""
        deleted = 0
        while True:
            answer = await self._send(calls.delete_deliveries(name))
            deleted += answer.deleted
            if answer.done:
                return deleted


class AsyncKeys:
    """The named keys of a stack: `waitpoints.keys`. `Keys` says what each call does."""

    def __init__(self, waitpoints: AsyncWaitpoints) -> None:
        """Use a client's connections."""
        self._send = waitpoints.send

    async def create(self, name: str, scopes: Sequence[str], *, expires: Duration | None = None) -> models.CreatedKey:
        """As `Keys.create`."""
        return await self._send(calls.create_key(name, scopes, expires))

    async def list(self) -> "tuple[models.NamedKey, ...]":
        """As `Keys.list`."""
        return await self._send(calls.list_keys())

    async def revoke(self, name: str) -> None:
        """As `Keys.revoke`."""
        await self._send(calls.revoke_key(name))
