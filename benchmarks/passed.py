"""Count the modules that a warm request passes, and how often it changes between them: who reads its way follows these.

Without the modules of `aws/`. Nothing is timed: the counts are the same on every machine.
"""

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from types import FrameType
from typing import Any

from benchmarks.figures import Figures
from tests.support.in_process.api_gateway import JSON, TOKENS, HttpAnswer
from tests.support.in_process.approval_page import APPROVAL, BROWSER, submit
from tests.support.in_process.counting.waits import Bench, Wait, bench, log_to
from tests.support.in_process.moto_stack import moto_stack
from tests.support.in_process.template import ROOT

Request = Callable[[], HttpAnswer]
PACKAGE = f"{ROOT}/functions/waitpoints/"
PAGE = {**APPROVAL, "approvers": ["ann", "bo"]}
BUDGETS = {"page answered": (24, 250), "anyone's page answered": (28, 200)}
"""How many modules, and how many changes."""


@dataclass
class Way:
    """What a request passes, as a profile function sees it."""

    modules: set[str] = field(default_factory=set)
    changes: int = 0
    _last: str = ""

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(PACKAGE) and not file.startswith(f"{PACKAGE}aws/"):
            self.modules.add(file)
            self.changes += file != self._last
            self._last = file


def passed(request: Request) -> Way:
    """Return what a request passes. Raises RuntimeError if it is refused."""
    way = Way()
    sys.setprofile(way)
    try:
        answer = request()
    finally:
        sys.setprofile(None)
    if answer.status != 200:
        raise RuntimeError(answer.text)
    return way


def page_shown(counted: Bench) -> Request:
    [link, _] = counted.api.create(page=PAGE)["links"]
    return lambda: counted.api.get(link["url"], BROWSER)


def page_answered(counted: Bench) -> Request:
    [link, _] = counted.api.create(page=PAGE)["links"]
    return lambda: submit(counted.api, link)


def page_of_anyone_answered(counted: Bench) -> Request:
    token = counted.api.create(page=APPROVAL)
    return lambda: submit(counted.api, token)


def callback(counted: Bench) -> Request:
    url = counted.api.create()["url"]
    return lambda: counted.api.post(url, {"paid": True}, JSON)


def complete(counted: Bench) -> Request:
    token = counted.api.create()["id"]
    counted.register(Wait(), token)
    return lambda: counted.api.post(f"{TOKENS}/{token}/complete", {"data": {"paid": True}})


CASES: dict[str, Callable[[Bench], Request]] = {
    "create": lambda counted: lambda: counted.api.post(TOKENS, {}),
    "callback": callback,
    "complete": complete,
    "page shown": page_shown,
    "page answered": page_answered,
    "anyone's page answered": page_of_anyone_answered,
    "create with a page": lambda counted: lambda: counted.api.post(TOKENS, {"page": PAGE}),
}
"""Each prepares a request. A run waits for the token that is completed. A page has fields, and most have approvers."""


def run() -> Figures:
    with moto_stack() as stack, bench(stack) as counted, log_to(StringIO()), redirect_stdout(StringIO()):
        for prepare in CASES.values():
            prepare(counted)()  # what is imported or cached at first is not counted
        ways = {name: passed(prepare(counted)) for name, prepare in CASES.items()}
    missed = [
        f"{name} passes {len(ways[name].modules)} modules, and changes between them {ways[name].changes} times"
        for name, (modules, changes) in BUDGETS.items()
        if len(ways[name].modules) > modules or ways[name].changes > changes
    ]
    lines = [f"- {name}: {len(way.modules)}, {way.changes}" for name, way in ways.items()]
    return Figures("\n".join(lines), tuple(missed))
