"""The requests on which functions are measured, and the bare handlers that they are measured against.

They run from a plain `sam build`, each in a process of its own with the environment of a Lambda function.
"""

import compileall
import hashlib
import hmac
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import aws_stub, cold_start
from tests.support.in_process.template import ROOT, Template

BARE = cold_start.FOLDER / "bare"
_ID = aws_stub.WAITPOINT_ID


@dataclass(frozen=True)
class Case:
    """A function with a request, and the module of `benchmarks/bare` that is asked the same, or something else."""

    title: str
    function: str
    bare: str
    event: str
    bare_event: str = ""


def callback() -> Case:
    """A callback with a small JSON body, for a token with one waiter."""
    event = _event("accept_callback", WAITPOINT_ID=_ID, CALLBACK_HASH=_hash(_ID.removeprefix("waitpoint_")))
    event["headers"]["content-type"] = "application/json"
    return Case("callback with a waiter", "accept_callback", "callback", json.dumps({**event, **_body('{"approved": true}')}))


def page_shown() -> Case:
    """A page with two fields, as a browser opens one of its two links. The bare handler gets a callback."""
    return _page("page shown", "show_callback", _event("show_callback"))


def page_answered() -> Case:
    """The answer to that page which settles its token, and resumes its waiter."""
    posted = _event("accept_callback") | _body("action=approve&field.amount=7&field.note=Fine")
    posted["headers"] |= {"accept": "text/html", "content-type": "application/x-www-form-urlencoded"}
    return _page("page answered", "accept_callback", posted)


def _page(title: str, function: str, event: dict[str, Any]) -> Case:
    bare_id, approver = _ID.removeprefix("waitpoint_"), aws_stub.APPROVER
    path = {"waitpointId": _ID, "hash": _hash(f"approver/{bare_id}/{approver}")}
    event |= {"pathParameters": path, "rawQueryString": f"approver={approver}"}
    return Case(title, function, "callback", json.dumps(event), callback().event)


def _hash(signed: str) -> str:
    return hmac.new(aws_stub.KEY.encode(), signed.encode(), hashlib.sha256).hexdigest()


def create() -> Case:
    """A create without a key, as a program without the SDK sends it."""
    event = _event("create_token", API_KEY=aws_stub.KEY)
    del event["headers"]["x-trigger-request-idempotency-key"]
    body = _body('{"timeout": "7d", "tags": ["order", "approval"]}')
    return Case("create", "create_token", "create", json.dumps({**event, **body}))


def _event(name: str, **places: str) -> dict[str, Any]:
    text = (ROOT / "events" / f"{name}.json").read_text()
    for place, value in places.items():
        text = text.replace(place, value)
    event: dict[str, Any] = json.loads(text)
    return event


def _body(text: str) -> dict[str, Any]:
    return {"body": text, "isBase64Encoded": False}


def build() -> None:
    """Run `sam build`, and compile the bare handlers as it compiles ours."""
    cold_start.build()
    shutil.copytree(Path(__file__).parent / "bare", BARE, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    compileall.compile_dir(BARE, quiet=2)


def environment(case: Case, endpoint_url: str, *more_paths: Path) -> dict[str, str]:
    """Return the environment of a case's function, with AWS at this URL."""
    template = Template.load()
    found = cold_start.environment(template, template.functions()[case.function])
    path = [found["PYTHONPATH"], BARE, *more_paths]
    more = {"PYTHONPATH": os.pathsep.join(map(str, path)), "AWS_ENDPOINT_URL": endpoint_url}
    return {**found, **more}


def in_process_of_its_own(case: Case, module: str, *arguments: str, event: str) -> dict[str, Any]:
    """Run a module of `benchmarks` as the case's function, with the event as its input. Returns the figures that it prints."""
    process = subprocess.run(
        [sys.executable, "-S", "-m", f"benchmarks.{module}", *arguments],
        env=environment(case, "http://aws.invalid", ROOT),
        input=event,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if process.returncode:
        raise SystemExit(f"{' '.join((module, *arguments))} failed: {process.stderr}")
    figures: dict[str, Any] = json.loads(process.stderr)
    return figures
