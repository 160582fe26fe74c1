"""Waitpoints without AWS: the whole domain on fakes, and under the handlers when it is installed."""

from functools import cache
from typing import Any

import pytest

from tests.fakes.bucket import FakeBucket
from tests.fakes.clock import FakeClock
from tests.fakes.secret import FakeSecret
from tests.fakes.step_functions import FakeStepFunctions
from tests.fakes.store import MemoryStore
from waitpoints import aws
from waitpoints.callback_url import CallbackUrls
from waitpoints.credentials import Credentials
from waitpoints.outputs import Outputs
from waitpoints.step_functions import StepFunctions
from waitpoints.timeouts import Limits
from waitpoints.token import Waiter
from waitpoints.tokens import Tokens

BASE_URL = "https://hooks.example.com"
RETENTION = 30 * 86_400  # seconds


class InMemory:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.step_functions = FakeStepFunctions()
        self.bucket = FakeBucket()
        self.store = MemoryStore(RETENTION)
        self.api_key = FakeSecret("the-api-key-of-this-stack-0123456789-0123456789-0123456789-0123456789")
        self.signing_key = FakeSecret("the-signing-key-of-this-stack-0123456789")
        self.callback_urls = CallbackUrls(BASE_URL, self.signing_key)  # type: ignore[arg-type]
        self.credentials = Credentials(self.api_key, "waitpoints")  # type: ignore[arg-type]
        outputs = Outputs(lambda: self.bucket, "outputs")  # type: ignore[arg-type,return-value]
        step_functions = StepFunctions(self.step_functions)  # type: ignore[arg-type]
        self.tokens = Tokens(self.store, outputs, step_functions, self.clock)  # type: ignore[arg-type]

    def new_token(self, timeout: int | None = None) -> str:
        """Create a token, with a timeout in milliseconds from now, and return its id."""
        timeout_at = None if timeout is None else self.clock() + timeout
        return self.tokens.create(now=self.clock(), timeout_at=timeout_at).token_id

    def new_waiter(self, unwrap: bool = False) -> Waiter:
        """A task that waits, as its function is told of it."""
        return Waiter(self.step_functions.start_task(), self.clock(), unwrap)

    def install(self, monkeypatch: pytest.MonkeyPatch, limits: Limits = Limits()) -> None:
        """Let the handlers work on this."""

        @cache
        def client(service: str) -> Any:
            return {"stepfunctions": self.step_functions}[service]

        monkeypatch.setattr(aws, "client", client)
        monkeypatch.setattr(aws, "now", self.clock)
        for name, built in {
            "tokens": self.tokens,
            "callback_urls": self.callback_urls,
            "credentials": self.credentials,
            "timeout_limits": limits,
        }.items():
            monkeypatch.setattr(aws, name, cache(lambda built=built: built))
