"""Waitpoints with its table and bucket on moto, and all else on fakes. After `install` the handlers use it.

Its words are those of `api_gateway.Caller`, without HTTP: tokens are ids, results JSON texts, times milliseconds.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.durable_functions import FakeDurableFunctions
from tests.support.in_process.fakes.secret import FakeSecret, MissingSecret
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.fakes.timer_queue import FakeTimerQueue
from tests.support.in_process.fakes.waits import FakeWaits
from tests.support.in_process.moto_shortcut import the_stack
from tests.support.in_process.moto_stack import client_of
from tests.support.in_process.settling import COMPLETED_BY
from tests.support.in_process.stores import RETENTION, Deliveries, Endpoints, Index, KeyStore, TokenStore, bucket
from waitpoints import wiring
from waitpoints.access.api_key_cache import LOOK_AGAIN_AFTER, ApiKeyCache
from waitpoints.access.credentials import Credentials
from waitpoints.access.urls import Urls
from waitpoints.aws.services.durable_functions import DurableFunctions
from waitpoints.aws.services.outputs import Outputs
from waitpoints.aws.services.step_functions import StepFunctions
from waitpoints.complete_by_key import CompletionsByKey
from waitpoints.decisions import Decisions
from waitpoints.endpoint_cache import EndpointCache
from waitpoints.endpoint_tally import EndpointTally
from waitpoints.hand_overs import HandOvers
from waitpoints.resumer import Resumer
from waitpoints.timeouts import Limits
from waitpoints.timers.due import Timers
from waitpoints.timers.starter import TimerStarter
from waitpoints.token import ALL_CHECKED, Completed, IdempotencyKey, NewToken, Rule, Waiter, WaiterKind
from waitpoints.tokens import Completion, Created, Result, Tokens
from waitpoints.waiter_result import Failure, Success
from waitpoints.wiring import services

BASE_URL = "https://hooks.example.com"
SERVICES = (
    *(
        "store",
        "tokens",
        "completions_by_key",
        "decisions",
        "hand_overs",
        "timers",
        "timer_starter",
        "outputs",
        "endpoints",
        "deliveries",
        "urls",
    ),
    *("credentials", "api_key_store", "api_key_cache", "channels"),
)
"""The attributes of `World` that are services by the same name."""


class FakeResumers:
    """The resumers of both kinds, on fake clients."""

    def __init__(self, step_functions: Any, durable_functions: Any = None) -> None:
        self.step_functions = StepFunctions(lambda: step_functions)
        self.durable_functions = DurableFunctions(lambda: durable_functions)


class ExistingSecrets:
    """Which credentials of channels exist, without reading them."""

    def __init__(self, secrets: Mapping[str, FakeSecret | MissingSecret]) -> None:
        self._secrets = secrets

    def has(self, secret_id: str) -> bool:
        secret = self._secrets.get(secret_id.removeprefix("channels/"))
        if isinstance(secret, MissingSecret) and secret.code != "ResourceNotFoundException":
            raise ClientError({"Error": {"Code": secret.code, "Message": ""}}, "DescribeSecret")
        return isinstance(secret, FakeSecret)


class World:
    """Waiters are of one kind, unless a test makes others: `waits` is what they wait on."""

    def __init__(
        self,
        store: Callable[[], TokenStore] = TokenStore,
        kind: WaiterKind = WaiterKind.STEP_FUNCTIONS,
        parallel: int = 16,
        index: Callable[[], Index] = Index,
    ) -> None:
        the_stack().empty_table()
        the_stack().empty_bucket()
        self.clock = FakeClock()
        self.advance = self.clock.advance
        self.step_functions = FakeStepFunctions()
        self.durable_functions = FakeDurableFunctions()
        self.waits: FakeWaits = self.step_functions if kind is WaiterKind.STEP_FUNCTIONS else self.durable_functions
        self.store = store()
        self.endpoints = Endpoints()
        self.deliveries = Deliveries()
        self.api_key = FakeSecret("the-api-key-of-this-stack-0123456789-0123456789-0123456789-0123456789")
        self.signing_key = FakeSecret("the-signing-key-of-this-stack-0123456789")
        self.webhook_secrets: dict[str, FakeSecret | MissingSecret] = {}
        self.channel_secrets: dict[str, FakeSecret | MissingSecret] = {}
        self.channels: set[str] = set()
        self.urls = Urls(BASE_URL, self.signing_key)
        self.api_key_store = KeyStore()
        self.api_key_cache = ApiKeyCache(self.api_key_store.read, self.api_key_store.note_used, self.clock)
        self.credentials = Credentials(self.api_key, "waitpoints", lambda: self.api_key_cache)
        self.outputs = Outputs(lambda: client_of("s3"), bucket())
        self.resumers = FakeResumers(self.step_functions, self.durable_functions)
        resumer = Resumer(self.store, self.outputs, self.resumers, self.clock, parallel)
        self.tokens = Tokens(self.store, self.outputs, resumer, self.clock)
        self.completions_by_key = CompletionsByKey(self.store, self.tokens, self.clock)
        self.decisions = Decisions(self.store, resumer, self.clock)
        self.hand_overs = HandOvers(self.tokens, self.store, self.clock)
        self.queue = FakeTimerQueue()
        self.timers = Timers(self.tokens, self.store, self.queue, self.clock)
        self.index = index()
        self.timer_starter = TimerStarter(self.index, self.queue, self.clock, parallel)

    @property
    def objects(self) -> dict[str, bytes]:
        """What is in the bucket."""
        return the_stack().objects()

    def put_object(self, name: str, body: bytes) -> None:
        client_of("s3").put_object(Bucket=self.outputs.bucket, Key=name, Body=body)

    def created(self, timeout: int | None = None, key: str | None = None, ttl: int | None = None, **fields: Any) -> Created:
        """Create a token without HTTP. Its timeout and its key's life are milliseconds from now."""
        timeout_at, expires_at = (None if it is None else self.clock() + it for it in (timeout, ttl))
        named = None if key is None else IdempotencyKey(key, expires_at)
        return self.tokens.create(NewToken(timeout_at=timeout_at, key=named, **fields), self.clock())

    def create(self, timeout: int | None = None, **fields: Any) -> str:
        """Create a token, as `created` does, and return its id."""
        return self.created(timeout, **fields).token_id

    def complete(self, token_id: str, result: Result, checked: frozenset[Rule] = ALL_CHECKED, **how: Any) -> Completion:
        """Complete a token with a JSON text, known to be accepted, or with an error."""
        return self.tokens.complete(token_id, result, COMPLETED_BY, checked, **how)

    def wait(self, token_id: str, waiter: Waiter | None = None) -> Waiter:
        """Let what waits, or something new, wait for a token."""
        waiter = waiter or self.new_waiter()
        self.tokens.wait(token_id, waiter)
        return waiter

    def result(self, waiter: Waiter) -> Success | Failure | None:
        """What was resumed with, or None while it waits."""
        return self.waits.result(waiter.handle)

    def awaited(self, waiters: int = 1, **fields: Any) -> tuple[str, list[Waiter]]:
        """Create a token, as `created` does, and let so many wait for it."""
        token_id = self.create(**fields)
        return token_id, [self.wait(token_id) for _ in range(waiters)]

    def completed(self, token_id: str) -> Completed:
        """How a token has ended."""
        outcome = self.tokens.retrieve(token_id).outcome
        assert isinstance(outcome, Completed), outcome
        return outcome

    def new_waiter(self, unwrap: bool = False, context: bool = False) -> Waiter:
        """What waits, as its function is given it."""
        return Waiter(self.waits.start(), self.clock(), unwrap, context, kind=self.waits.kind)

    def holder(self, *scopes: str, name: str = "nightly") -> dict[str, str]:
        """Make a named key. Returns the headers with which its holder sends JSON, once functions know it."""
        key = self.api_key_store.make(name, *scopes)
        self.clock.advance(LOOK_AGAIN_AFTER)
        return {"authorization": f"Bearer {key}", "content-type": "application/json"}

    def install(self, monkeypatch: pytest.MonkeyPatch, limits: Limits = Limits()) -> None:
        """Make the handlers use this."""

        monkeypatch.setattr(wiring, "now", self.clock)
        for name, built in {
            **{name: getattr(self, name) for name in SERVICES},
            "timer_queue": self.queue,
            "retention": RETENTION,
            "endpoint_cache": EndpointCache(self.endpoints.get, self.clock),
            "endpoint_tally": EndpointTally(self.endpoints.count, self.clock),
            "brand": ("Example Ltd", "#2457d6"),
            "timeout_limits": limits,
            "step_functions": self.resumers.step_functions,
            "durable_functions": self.resumers.durable_functions,
            "webhook_secret": lambda name: self.webhook_secrets.get(name) or MissingSecret(),
            "webhook_secret_name": lambda name: f"webhooks/{name}",
            "channel_secret": lambda name: self.channel_secrets.get(name) or MissingSecret(),
            "channel_secret_name": lambda name: f"channels/{name}",
            "existing_secrets": ExistingSecrets(self.channel_secrets),
        }.items():
            monkeypatch.setitem(vars(services), name, built)
