"""Many recorded deliveries, chosen by filters and sent again."""

import shlex
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from waitpoints_client.cli import durations, show
from waitpoints_client.cli.options import Kind
from waitpoints_client.cli.problems import CommandProblem, sentence

if TYPE_CHECKING:
    from waitpoints_client import Waitpoints
    from waitpoints_client.models import RecordedDelivery
    from waitpoints_client.options import DeliveryFilters

OTHERWISE = {"DeliveryNotFound": "gone", "ResendRefused": "refused"}
"""What one became beside the kinds, by the error's code: it was deleted meanwhile, or only a person completes its token."""
INTERRUPTED = 130


@dataclass(frozen=True)
class Filters:
    """Which deliveries a command is for. `since` and `until` are instants in ISO 8601, `within` a duration in seconds."""

    kinds: tuple[str, ...] = ()
    key: str | None = None
    event: str | None = None
    within: int | None = None
    since: str | None = None
    until: str | None = None

    @classmethod
    def given(
        cls, kinds: Sequence[Kind] | None, key: str | None, event: str | None, since: str | None, until: str | None
    ) -> "Filters":
        """Read what was typed. Raises CommandProblem."""
        is_date = since is not None and durations.is_date(since)
        within = None if since is None or is_date else durations.seconds(since)
        until = None if until is None else durations.instant(until)
        return cls(tuple(kind.value for kind in kinds or ()), key, event, within, since if is_date else None, until)

    def __bool__(self) -> bool:
        return self != Filters()

    def options(self, page_size: int) -> "DeliveryFilters":
        """Return the client's."""
        named: Any = {"kind": list(self.kinds), "key": self.key, "delivery_id": self.event, "page_size": page_size}
        named |= {"created_within": self.within, "created_from": self.since, "created_to": self.until}
        return cast("DeliveryFilters", {name: value for name, value in named.items() if value})

    def between(self, oldest: "RecordedDelivery", newest: "RecordedDelivery") -> Iterator[str]:
        """Yield what to type for the same deliveries later, when others have come."""
        for kind in self.kinds:
            yield from ("--kind", kind)
        for name, value in (("--key", self.key), ("--event", self.event)):
            if value is not None:
                yield from (name, value)
        for name, it in (("--since", oldest), ("--until", newest)):
            yield from (name, it.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"))


@dataclass(frozen=True)
class Many:
    """What a command sends again, the oldest first. `once` is the key of the run, `stack` the command's option."""

    name: str
    filters: Filters
    deliveries: Sequence["RecordedDelivery"]
    once: str
    stack: str | None = None

    @classmethod
    def chosen(
        cls, waitpoints: "Waitpoints", name: str, filters: Filters, once: str | None, stack: str | None = None
    ) -> "Many":
        """Read what the filters choose, except what is a resend itself."""
        listed = waitpoints.endpoints.deliveries(name, **filters.options(100))
        found = [it for it in listed if it.resend_of is None]
        return cls(name, filters, found[::-1], once or f"resend-{uuid.uuid4()}", stack)

    @property
    def go_on(self) -> str:
        """The command that sends the rest."""
        chosen = self.filters.between(self.deliveries[0], self.deliveries[-1])
        stack = () if self.stack is None else ("--stack", self.stack)
        return shlex.join(("waitpoints", "deliveries", "resend", self.name, "--all", *chosen, "--once", self.once, *stack))

    def send(self, waitpoints: "Waitpoints") -> dict[str, int]:
        """Send all. Returns how many became what. Raises CommandProblem that says how to go on."""
        kinds: Counter[str] = Counter()
        try:
            with _progress(len(self.deliveries)) as advance:
                for delivery in self.deliveries:
                    kinds[self._send(waitpoints, delivery.id)] += 1
                    advance()
        except (Exception, KeyboardInterrupt) as error:
            why = "Interrupted" if isinstance(error, KeyboardInterrupt) else sentence(error)
            status = INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
            sent = f"{kinds.total()} of {counted(len(self.deliveries))} were sent"
            raise CommandProblem(f"{why}. {sent}. To go on: {self.go_on}", status) from error
        return dict(kinds)

    def _send(self, waitpoints: "Waitpoints", delivery: str) -> str:
        from waitpoints_client.errors import APIError

        try:
            return waitpoints.endpoints.resend(self.name, delivery, idempotency_key=f"{self.once} {delivery}").kind
        except APIError as error:
            if error.code not in OTHERWISE:
                raise
            return OTHERWISE[error.code]


def counted(number: int) -> str:
    return f"{number:,} {'delivery' if number == 1 else 'deliveries'}"


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """Show how much is done, on a terminal. Yields what says that one more is."""
    if not show.is_terminal(sys.stderr):
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("Sending"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda: progress.advance(task)
