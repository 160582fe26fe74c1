"""What the README of the Python client shows of endpoints, keys and public tokens runs on the handlers."""

import re

import pytest

from tests.support.client_of_handlers import Handlers
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.world import BASE_URL, World
from tests.support.readme import CLIENT_SNIPPETS


def test_its_lines_run(api: Api, world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    handlers = Handlers(api, world)
    monkeypatch.setattr("httpx._client.HTTPTransport", lambda **_: handlers)
    monkeypatch.setenv("WAITPOINTS_URL", BASE_URL)
    monkeypatch.setenv("WAITPOINTS_API_KEY", world.api_key.read_current())
    exec("\n".join(CLIENT_SNIPPETS[name] for name in ("stack", "tokens", "more")), {})  # noqa: S102

    printed = capsys.readouterr().out
    assert re.search(r"^kept\n{}\n\['orders'\]\ntr_prod_sk_\w+\n\[\('nightly', None\)\]$", printed, re.MULTILINE), printed
