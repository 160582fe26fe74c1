"""`waitpoints deliveries …`: what endpoints recorded."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from waitpoints_client.cli import resends, show
from waitpoints_client.cli.commands import Printed, on_stack
from waitpoints_client.cli.options import (
    Event,
    Json,
    Kinds,
    Name,
    OfKey,
    Since,
    Stack,
    Until,
    Yes,
    add,
    argument,
    group,
    option,
)
from waitpoints_client.cli.problems import USAGE, CommandProblem, confirm

if TYPE_CHECKING:
    from waitpoints_client import Waitpoints
    from waitpoints_client.models import RecordedDelivery, RetrievedDelivery

deliveries = group("What an endpoint recorded: read it, send it again, delete it.")
Delivery = Annotated[str, argument("ID", "The delivery's id.")]
DeliveryOrAll = Annotated[str | None, argument("[ID]", "The delivery's id.")]
COLUMNS = ("ID", "KIND", "RECEIVED", "KEY", "TITLE")


@on_stack
def list_(
    waitpoints: "Waitpoints",
    name: Name,
    kind: Kinds = None,
    key: OfKey = None,
    event: Event = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="NUMBER", min=1, help="At most so many.")] = 25,
) -> Printed:
    """List what an endpoint recorded.

    The newest comes first. A pipe gets a line for each, separated by tabs: id, kind, received, key, why.
    """
    filters = resends.Filters.given(kind, key, event, since, until)
    found = list(islice(waitpoints.endpoints.deliveries(name, **filters.options(min(limit, 100))), limit))
    return Printed(found, table=(COLUMNS, map(row, found)))


def row(it: "RecordedDelivery") -> tuple[str, ...]:
    return it.id, it.kind, show.instant(it.created_at), it.key or "", "; ".join(filter(None, (it.detail, _origin(it))))


def _origin(it: "RecordedDelivery") -> str:
    """Say what a delivery repeats."""
    if it.resend_of:
        return f"resends {it.resend_of}" + (f" by {it.resent_by}" if it.resent_by else "")
    return f"repeats {it.repeat_of}" if it.repeat_of else ""


@on_stack
def show_(
    waitpoints: "Waitpoints",
    name: Name,
    delivery: Delivery,
    output: Annotated[
        str | None, option("--output", "-o", metavar="FILE", help="Write the body to this file, byte for byte.")
    ] = None,
    as_json: Json = False,
) -> Printed:
    """Show a recorded delivery.

    What became of it, its headers and its body. Credentials, signatures and secrets of the query were not stored.
    """
    found = waitpoints.endpoints.delivery(name, delivery)
    if output is not None:
        _write(found, output)
    if as_json or found.headers is None:
        return Printed(found, _fields(found), note="What was sent is no longer kept.")
    show.fields(_fields(found))
    show.text()
    return Printed(found, found.headers, "\n" + _legible(found) if output is None else None)


def _fields(it: "RetrievedDelivery") -> dict[str, str]:
    fields = {
        "id": it.id,
        "kind": it.kind,
        "why": it.detail,
        "key": it.key,
        "token": it.token_id,
        "event": it.delivery_id,
        "origin": _origin(it),
        "received": show.instant(it.created_at),
        "kept until": show.instant(it.expires_at),
        "from": it.ip,
        "query": it.query,
        "size": f"{it.size} bytes",
    }
    return {name: value for name, value in fields.items() if value}


def _legible(it: "RetrievedDelivery") -> str:
    return it.body if it.body is not None else f"(a body of {it.size} bytes, not text: -o FILE writes it)"


def _write(it: "RetrievedDelivery", file: str) -> None:
    """Write the body to a file. Raises CommandProblem."""
    if it.content is None:
        raise CommandProblem("What was sent is no longer kept")
    try:
        Path(file).write_bytes(it.content)
    except OSError as error:
        raise CommandProblem(f"{file} cannot be written: {error.strerror}", USAGE) from None


@on_stack
def delete(
    waitpoints: "Waitpoints",
    name: Name,
    delivery: DeliveryOrAll = None,
    every: Annotated[bool, option("--all", help="All that the endpoint recorded.")] = False,
    yes: Yes = False,
) -> Printed:
    """Delete recorded deliveries.

    With each goes the early completion that it made, unless a token has it, and with one its resends. Tokens that it
    completed stay.
    """
    one = _one_or_all(delivery, every)
    confirm(f"Delete {one or f'all recorded deliveries of {name}'}? What was sent cannot be read again.", yes=yes)
    if one is not None:
        waitpoints.endpoints.delete_delivery(name, one)
        return Printed({"success": True})
    deleted = waitpoints.endpoints.delete_deliveries(name)
    return Printed({"success": True, "deleted": deleted}, note=f"Deleted {resends.counted(deleted)}.")


@on_stack
def resend(
    waitpoints: "Waitpoints",
    name: Name,
    delivery: DeliveryOrAll = None,
    every: Annotated[bool, option("--all", help="All that the filters choose, the oldest first.")] = False,
    kind: Kinds = None,
    key: OfKey = None,
    event: Event = None,
    since: Since = None,
    until: Until = None,
    token: Annotated[str | None, option("--token", metavar="ID", help="Complete this token. Default: its key's.")] = None,
    once: Annotated[
        str | None, option("--once", metavar="KEY", help="A key: the same command with the same key sends nothing twice.")
    ] = None,
    dry_run: Annotated[bool, option("--dry-run", help="List what would be sent, and send nothing.")] = False,
    yes: Yes = False,
    stack: Stack = None,
    as_json: Json = False,
) -> Printed:
    """Send recorded deliveries again.

    By today's settings of the endpoint, each completes the token that waits for its key now. --all leaves out
    resends: their originals are sent. If it ends half-way, it says with which command it goes on.
    """
    filters = resends.Filters.given(kind, key, event, since, until)
    one = _one_or_all(delivery, every)
    if one is not None and filters:
        raise CommandProblem("--kind, --key, --event, --since and --until go with --all", USAGE)
    if one is None and token is not None:
        raise CommandProblem("--token goes with one delivery, not with --all", USAGE)
    if one is not None and dry_run:
        return _plan([waitpoints.endpoints.delivery(name, one)])
    if one is not None:
        made = waitpoints.endpoints.resend(name, one, token=token, idempotency_key=once)
        return Printed(made, _resent(made))
    many = resends.Many.chosen(waitpoints, name, filters, once, stack)
    if dry_run:
        return _plan(many.deliveries)
    confirm(f"Send {resends.counted(len(many.deliveries))} to {name} again?", yes=yes or not many.deliveries)
    if once is None and not as_json:
        show.note(f"To repeat this and send nothing twice: --once {many.once}")
    kinds = many.send(waitpoints)
    rows = [(kind, str(count)) for kind, count in sorted(kinds.items())]
    summary = {"once": many.once, "sent": sum(kinds.values()), "kinds": kinds}
    return Printed(summary, table=(("BECAME", "COUNT"), rows))


def _resent(made: "RecordedDelivery") -> dict[str, str]:
    fields = {"id": made.id, "kind": made.kind, "why": made.detail, "key": made.key, "token": made.token_id}
    return {name: value for name, value in fields.items() if value}


def _one_or_all(delivery: str | None, every: bool) -> str | None:
    """Return the delivery that is meant, None for all. Raises CommandProblem unless it is clear."""
    if every == (delivery is not None):
        raise CommandProblem("Name one delivery by its ID, or use --all", USAGE)
    return delivery


def _plan(chosen: Sequence["RecordedDelivery"]) -> Printed:
    return Printed(chosen, table=(COLUMNS, map(row, chosen)), note=f"This would send {resends.counted(len(chosen))} again.")


def add_to(program: typer.Typer) -> None:
    add(deliveries, (list_, show_, delete, resend))
    program.add_typer(deliveries, name="deliveries", rich_help_panel="Endpoints")
