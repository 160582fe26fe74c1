"""`waitpoints deliver`, whose options `waitpoints_client.cli.deliver` declares."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from waitpoints_client import NotFoundError, Waitpoints, calls, local_stacks
from waitpoints_client.cli import arguments, show, stacks
from waitpoints_client.cli.problems import USAGE, CommandProblem
from waitpoints_client.ops.deployed import Deployed

from waitpoints_local.machine import routes, signing
from waitpoints_local.webhook_signer import CannotSign, Sent, check_scheme

LOCAL_ONLY = "`waitpoints deliver` signs with the secrets of a local stack only"
_TAKEN = ("completed", "kept", "repeated")
"""What becomes of an endpoint's delivery that completes a token, or will."""


@dataclass(frozen=True)
class Delivery:
    """What the command was given."""

    to: str
    body: str
    scheme: str | None
    header: list[str] | None
    query: str
    as_json: bool

    def sent_to(self, url: str) -> Sent:
        headers = dict(arguments.parse_header(text) for text in self.header or ())
        return routes.delivery(f"{url}?{self.query}" if self.query else url, arguments.read_content(self.body), headers)

    def signed(self, sent: Sent, signature: signing.Signature | None) -> Sent:
        """Sign what is sent, if `verify` asks for it. Raises CommandProblem."""
        try:
            if signature is None and self.scheme is None:
                return sent
            check_scheme(self.scheme or "token")
            if signature is None:
                raise CannotSign(f"{self.to} has no `verify`, so there is no secret to sign with: leave --scheme out")
            return signature.sign(sent, self.scheme)
        except CannotSign as problem:
            raise CommandProblem(f"The delivery is not signed: {problem}", USAGE) from None


def deliver(asked: Delivery) -> None:
    """Post a delivery, and say what became of it. Raises CommandProblem if it completes nothing."""
    path = stacks.find_local(LOCAL_ONLY)
    _refuse_another_stack(path)
    stack = stacks.read_local_stack(path)
    with stacks.read_local_client(path) as waitpoints:
        to = _to_token if asked.to.startswith("waitpoint_") else _to_endpoint
        to(stack, waitpoints, asked)


def _refuse_another_stack(path: Path) -> None:
    """Raise CommandProblem if the environment names a stack elsewhere: the token is probably there."""
    given, here = os.environ.get("WAITPOINTS_URL", ""), local_stacks.read(path)
    named, ours = urlsplit(given), urlsplit(here["api_url"])
    is_here = named.hostname in local_stacks.LOOPBACK and named.port == ours.port
    if given and not is_here and named.netloc != urlsplit(here.get("public_url", "")).netloc:
        raise CommandProblem(f"{LOCAL_ONLY}, and WAITPOINTS_URL names another stack: unset it")


def _to_token(stack: Deployed, waitpoints: Waitpoints, asked: Delivery) -> None:
    before = waitpoints.get(asked.to)
    _send(waitpoints, asked.signed(asked.sent_to(before.url), signing.of_token(stack, before.id)))
    after = waitpoints.get(before.id)
    if after.status == "WAITING":
        raise CommandProblem(f"{after.id} still waits: its completeWhen does not match this delivery")
    if before.status == "TIMED_OUT":
        raise CommandProblem(f"{after.id} had timed out before: the delivery completes nothing")
    if before.status != "WAITING":
        show.note(f"{after.id} had already ended: nothing changed")
    show.value(after) if asked.as_json else show.fields({"id": after.id, "status": after.status})


def _to_endpoint(stack: Deployed, waitpoints: Waitpoints, asked: Delivery) -> None:
    try:
        before = waitpoints.endpoints.get(asked.to)
    except NotFoundError:
        problem = f"No endpoint is called {asked.to}, and a token's id begins with waitpoint_: see `waitpoints endpoints list`"
        raise CommandProblem(problem, USAGE) from None
    signature = signing.Signature(stack, before.verify) if before.verify else None
    _send(waitpoints, asked.signed(asked.sent_to(before.url), signature))
    after = waitpoints.endpoints.get(asked.to).deliveries
    known = {kind: it.count for kind, it in before.deliveries.items()}
    kind = next((kind for kind, it in after.items() if it.count > known.get(kind, 0)), None)
    if kind is None:
        show.note(f"It is not counted yet: `waitpoints endpoints get {asked.to}` says what became of it")
        return
    found: Mapping[str, Any] = {"outcome": kind, "key": after[kind].last_key, "why": after[kind].last_detail}
    found = {name: value for name, value in found.items() if value}
    show.value(found) if asked.as_json else show.fields(found)
    if kind not in _TAKEN:
        raise CommandProblem(f"The delivery completes nothing: it is {kind}")


def _send(waitpoints: Waitpoints, sent: Sent) -> None:
    waitpoints.send(calls.deliver(sent.url, sent.body, sent.headers))
