"""How tokens are printed."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime, timezone
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal

from waitpoints_client.cli import show

if TYPE_CHECKING:
    from waitpoints_client.models import (
        ApproverAnswer,
        ApproverLink,
        CompletedBy,
        HandOver,
        ListedToken,
        Notice,
        Reminders,
        SignInDomains,
        Token,
    )

COLUMNS = ("ID", "STATUS", "CREATED", "TIMES OUT", "TAGS", "KEY", "TITLE")
WATCH_SECONDS = 2.0


def status(token: "ListedToken") -> str:
    """Return its status, or FAILED, which the API says beside the status COMPLETED."""
    return "FAILED" if token.status == "COMPLETED" and token.output_is_error else token.status


def row(token: "ListedToken") -> Sequence[str]:
    ends = token.timeout_at if token.status == "WAITING" or not show.is_terminal(sys.stdout) else None
    return (
        token.id,
        status(token),
        show.instant(token.created_at),
        show.instant(ends),
        ",".join(token.tags),
        token.idempotency_key or "",
        token.page.title if token.page else "",
    )


def details(token: "Token") -> dict[str, Any]:
    created = show.instant(token.created_at) + (f" with the key {token.created_by}" if token.created_by else "")
    found: dict[str, Any] = {"id": token.id, **({"title": token.page.title} if token.page else {})}
    found |= {"status": show.status(status(token)), "created": created}
    if token.timeout_at and token.status == "WAITING":
        found["times out"] = show.instant(token.timeout_at)
    if token.completed_at:
        by = f" by {_who(token.completed_by)}" if token.completed_by else ""
        found["ended"] = f"{show.instant(token.completed_at)}{by}"
    found |= {"tags": ",".join(token.tags)} if token.tags else {}
    found |= {"key": token.idempotency_key} if token.idempotency_key else {}
    found |= {"metadata": show.json_text(token.metadata)} if token.metadata else {}
    if token.ok and token.output_text is not None:
        found["output"] = token.output_text
    if token.error:
        found["error"] = f"{token.error.name}: {token.error.message}"
    found |= _decision(token) if token.needs else {}
    found |= {"reminders": _reminders(token.reminders)} if token.reminders else {}
    if token.notify and not token.notices:
        found["told"] = f"nobody yet: `waitpoints logs {token.id}` shows what failed"
    for number, notice in enumerate(token.notices, 1):
        found[f"told {number}"] = _told(notice)
    for number, waiter in enumerate(token.waiters, 1):
        found[f"waiter {number}"] = f"{waiter.status} {waiter.execution or waiter.id}"
    if token.other_deliveries:
        found["other deliveries"] = f"{token.other_deliveries.count}, the last {show.instant(token.other_deliveries.last_at)}"
    found |= {"url": token.url} if token.url else {}
    return {**found, **links(token.links if token.status == "WAITING" else (), token.url)}


def links(found: "Sequence[ApproverLink]", url: str = "") -> dict[str, str]:
    """Return the link of each approver, unless it is the token's `url`."""
    return {f"link {link.approver}": link.url for link in found if link.url != url}


def _who(by: "CompletedBy") -> str:
    if by.slack_user:
        return f"{by.slack_name or by.slack_user} in Slack"
    source = f"{by.source} with the key {by.key}" if by.key else by.source
    return _approver(by) or (f"{source}, in place of its approvers" if by.override else source)


def _reminders(sent: "Reminders") -> str:
    last = f", the last {show.instant(sent.last_at)}" if sent.last_at else ""
    return f"{sent.count}{last}" + (f", the next {show.instant(sent.next_at)}" if sent.next_at else "")


def _told(notice: "Notice") -> str:
    of_person = f" for {notice.approver}" if notice.approver and notice.approver != notice.to else ""
    refused = f" refused: {notice.reason}" if notice.status == "refused" else ""
    outcome = ", the outcome" if notice.outcome else ""
    return f"{notice.channel} {notice.to}{of_person} {show.instant(notice.at)}{outcome}{refused}"


def _decision(token: "Token") -> dict[str, str]:
    """Return who has answered what, who is still asked, and how many each action needs."""
    chosen = Counter(answer.action for answer in token.answers)
    found = {"answers": _sign_in(token.page.sign_in)} if token.page and token.page.sign_in else {}
    found["chosen"] = ", ".join(f"{action} {chosen[action]} of {need}" for action, need in token.needs.items())
    for number, answer in enumerate(token.answers, 1):
        filled_in = f" {show.json_text(answer.fields)}" if answer.fields else ""
        found[f"answer {number}"] = f"{answer.action} by {_approver(answer)} {show.instant(answer.at)}{filled_in}"
    for number, change in enumerate(token.hand_overs, 1):
        found[f"handed over {number}"] = _handed_over(change)
    if token.still_asked:
        found["still asked"] = ", ".join(person.id for person in token.still_asked)
    if token.escalation and token.status == "WAITING" and not token.escalation.asked_at:
        found["asked later"] = f"{', '.join(it.id for it in token.escalation.to)} {show.instant(token.escalation.at)}"
    return {**found, **({"requested by": token.requested_by} if token.requested_by else {})}


def _sign_in(rule: "SignInDomains | Literal[True]") -> str:
    return "only signed in" if rule is True else f"only signed in, with an account of {', '.join(rule.domains)}"


def _approver(of: "ApproverAnswer | CompletedBy") -> str | None:
    """Return the id of who answered, or the address of a person whom the page does not name."""
    who = of.signed_in
    return who.email if who and who.email and of.approver == who.subject else of.approver


def _handed_over(change: "HandOver") -> str:
    changed = [*(f"+{one}" for one in change.added), *(f"-{one}" for one in change.removed)]
    return f"{' '.join(changed)} {show.instant(change.at)}" + (f" with the key {change.key}" if change.key else "")


def watch(read: Callable[[], list[Any]], *, as_json: bool) -> None:
    """Show the tokens again and again: a table that changes on a terminal, else a line for each that has changed."""
    known: dict[str, Any] = {}
    with _table() if show.is_terminal(sys.stdout) and not as_json else nullcontext() as show_all:
        while True:
            tokens = read()
            if show_all:
                show_all(tokens)
            for token in () if show_all else tokens:
                if known.get(token.id) != token:
                    known[token.id] = token
                    show.record(token) if as_json else show.rows(COLUMNS, [row(token)])
            show.pause(WATCH_SECONDS)


@contextmanager
def _table() -> Iterator[Callable[[list[Any]], None]]:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    console = Console()
    with Live(console=console, auto_refresh=False, screen=True) as live:

        def update(tokens: list[Any]) -> None:
            shown = _that_fit(tokens, console.height - 3)
            left_out = f", {len(tokens) - len(shown)} more than fit" if len(shown) < len(tokens) else ""
            heading = f"{len(tokens)} tokens at {datetime.now(timezone.utc):%H:%M:%S} UTC{left_out}. Ctrl-C ends."
            live.update(Group(Text(heading, style="dim"), show.table(COLUMNS, map(row, shown), console.width)), refresh=True)

        yield update


def _that_fit(tokens: list[Any], lines: int) -> list[Any]:
    ends = accumulate(2 if token.page else 1 for token in tokens)
    return [token for token, end in zip(tokens, ends, strict=True) if end <= lines] or tokens[:1]
