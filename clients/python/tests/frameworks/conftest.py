"""A desk where agents refund, and how the framework of this environment runs them: `drivers/NAME.py`."""

import os
import time
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from waitpoints_client import AsyncWaitpoints, Token, Waitpoints
from waitpoints_client.testing import FakeWaitpoints

FRAMEWORKS = {
    "langgraph": "langgraph",
    "openai_agents": "agents",
    "pydantic_ai": "pydantic_ai",
    "strands": "strands",
    "mcp": "mcp",
}
"""By the module that an environment has. Some of them need MCP's, too."""


@dataclass(repr=False)  # it is in what some frameworks show
class Desk:
    """A stack or the fake, and an agent's run on it: whom it asks, the tag of its requests, and what it has paid."""

    url: str
    api_key: str
    folder: Path
    fake: FakeWaitpoints | None = None
    run: str = field(default_factory=lambda: f"run-{uuid.uuid4()}")
    tag: str = ""
    edits: bool = True
    """Whether the pages have fields for the arguments."""
    reads: Mapping[str, str] = field(default_factory=dict)
    """What the model reads of a call, by what was decided about it."""
    paid: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tag = self.run

    def client(self) -> Waitpoints:
        return Waitpoints(self.url, self.api_key, transport=self.fake)

    def async_client(self) -> AsyncWaitpoints:
        return AsyncWaitpoints(self.url, self.api_key, transport=self.fake)

    def people(self, **options: Any) -> dict[str, Any]:
        return {"approvers": ["ann"], "tags": self.tag, **options}

    def pay(self, order: str, amount: int) -> str:
        """Refund an order."""
        self.paid.append((order, amount))
        return f"refunded {amount}"

    def tokens(self) -> list[Token]:
        """The requests of the run."""
        with self.client() as waitpoints:
            return [waitpoints.get(token) for token in waitpoints.list(tags=self.tag)]

    def answer(self, call: Mapping[str, Any], action: str, **fields: Any) -> None:
        """Answer the request about a call, as its one approver does by their own link."""
        waiting = [token for token in self.tokens() if token.status == "WAITING"]
        [token] = waiting if len(waiting) == 1 else [it for it in waiting if call["order"] in f"{it.metadata} {it.page}"]
        entered = {**(call if self.edits else {}), **fields}
        if self.fake:
            assert self.fake.answer(token, "ann", action, entered).is_success
        else:
            [link] = token.links
            assert self.post(link.url, {"action": action, "fields": entered}) == 200

    def post(self, url: str, body: Any) -> int:
        """Post JSON to any URL, and return the status."""
        return httpx.post(url, json=body).status_code

    def settles_nothing(self, urls: Collection[str]) -> None:
        """Post to these, if a stack answers: the fake would believe all."""
        for url in () if self.fake else urls:
            assert self.post(url, {"action": "approve", "data": {"action": "approve"}}) >= 400, url
        assert {token.status for token in self.tokens()} == {"WAITING"}

    def advance(self, seconds: float) -> None:
        if self.fake:
            self.fake.advance(f"{seconds}s")
        else:
            time.sleep(seconds)


def _load(name: str) -> ModuleType:
    spec = spec_from_file_location(f"drive_{name}", Path(__file__).parent / "drivers" / f"{name}.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FRAMEWORK = next((name for name, module in FRAMEWORKS.items() if find_spec(module)), None)
DRIVER: Any = FRAMEWORK and _load(FRAMEWORK)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let a promise hold for each way to run an agent of the environment's framework."""
    if "decision" in metafunc.fixturenames:
        rows = [(mode, decision) for mode in DRIVER.LACKS for decision in DRIVER.READS]
        metafunc.parametrize(("agent", "decision"), rows, indirect=["agent"])
    elif "agent" in metafunc.fixturenames and not any(
        "agent" in it.args for it in metafunc.definition.iter_markers("parametrize")
    ):
        metafunc.parametrize("agent", DRIVER.LACKS, indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Leave out what a way to run an agent does not promise, or not on a stack."""

    def is_promised(item: pytest.Function) -> bool:
        given: dict[str, Any] = item.callspec.params if hasattr(item, "callspec") else {}
        return "agent" not in given or {item.originalname, given["desk"]}.isdisjoint(DRIVER.LACKS[given["agent"]])

    items[:] = filter(is_promised, items)


@pytest.fixture(params=["fake", "stack"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    if request.param == "fake":
        fake = FakeWaitpoints()
        return Desk(fake.url, fake.api_key, tmp_path, fake)
    if "WAITPOINTS_URL" not in os.environ:
        pytest.skip("needs the stack of WAITPOINTS_URL")
    return Desk(os.environ["WAITPOINTS_URL"], os.environ["WAITPOINTS_API_KEY"], tmp_path)


@pytest.fixture
def agent(request: pytest.FixtureRequest, desk: Desk) -> Any:
    """How a framework runs an agent that refunds.

    `start` is a process that runs until people are asked, and ends. `go_on` is another one, which continues with what they
    have decided: it returns what the model reads of its calls, or nothing while people decide.
    """
    desk.edits, desk.reads = DRIVER.EDITS, DRIVER.READS
    return DRIVER.Agent(desk, request.param)
