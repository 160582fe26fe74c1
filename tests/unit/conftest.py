"""Waitpoints on moto, for tests that need no time."""

from collections.abc import Iterator

import pytest

from tests.support import webhook_signer
from tests.support.github_endpoint import GitHub
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.issuer import FakeIssuer, issuer
from tests.support.in_process.fakes.secret import FakeSecret
from tests.support.in_process.template import Template
from tests.support.in_process.world import World


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def api(world: World, monkeypatch: pytest.MonkeyPatch) -> Api:
    """The HTTP API on `world`."""
    world.install(monkeypatch)
    return Api(Template.load(), world.api_key.read_current())


@pytest.fixture
def idp() -> Iterator[FakeIssuer]:
    with issuer() as made:
        yield made


@pytest.fixture
def stripe(world: World) -> FakeSecret:
    world.webhook_secrets["stripe"] = secret = FakeSecret(webhook_signer.secret_of("stripe"))
    return secret


@pytest.fixture
def github(world: World, api: Api) -> GitHub:
    return GitHub(world, api)
