"""Commands for tokens."""

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waitpoints_client.cli import arguments, durations, show, token_views
from waitpoints_client.cli.commands import Printed, on_stack
from waitpoints_client.cli.options import (
    As,
    Data,
    Json,
    Key,
    Notify,
    Status,
    Tags,
    Text,
    Token,
    Verify,
    When,
    Yes,
    add,
    argument,
    option,
)
from waitpoints_client.cli.problems import USAGE, CommandProblem, browse, confirm
from waitpoints_client.cli.settling import settle

if TYPE_CHECKING:
    from waitpoints_client import Waitpoints
    from waitpoints_client.models import Token as FoundToken
    from waitpoints_client.options import ListFilters

NOT_IN_TIME = 2


@on_stack
def create(
    waitpoints: "Waitpoints",
    timeout: Annotated[str | None, option("--timeout", metavar="TIME", help="7d, 1h30m, or a date in ISO 8601.")] = None,
    tag: Tags = None,
    key: Annotated[str | None, option("--key", metavar="KEY", help="A key: the same key gets the same token.")] = None,
    key_ttl: Annotated[str | None, option("--key-ttl", metavar="TIME", help="How long the token holds its key.")] = None,
    verify: Verify = None,
    complete_when: When = None,
    schema: Annotated[str | None, option("--schema", metavar="JSON", help="A JSON Schema of the output, or its file.")] = None,
    page: Annotated[str | None, option("--page", metavar="JSON", help="A page for a person, or its file.")] = None,
    notify: Notify = None,
    metadata: Annotated[str | None, option("--metadata", metavar="JSON", help="An object to know it by, or its file.")] = None,
    quiet: Annotated[bool, option("--quiet", "-q", help="Print the id alone.")] = False,
) -> Printed:
    """Create a token.

    A POST to its URL completes it. With --page, a person can open the URL and answer there. If the page names its approvers,
    each has a link of their own, and only these take answers; with signIn, all use the URL. With --notify, the stack notifies
    people of the page: --notify email its approvers.
    """
    options: Any = {
        "timeout": timeout,
        "tags": arguments.check_tags(tag),
        "idempotency_key": key,
        "idempotency_key_ttl": key_ttl,
    }
    options |= {"complete_when": complete_when, "verify": arguments.parse_verify(verify) if verify else None}
    options |= {
        "payload_schema": arguments.read_json_or_file(schema, "--schema") if schema else None,
        "page": arguments.read_json_or_file(page, "--page") if page else None,
        "notify": arguments.parse_notify(notify) if notify else None,
        "metadata": arguments.read_json_or_file(metadata, "--metadata") if metadata else None,
    }
    created = waitpoints.create(**options)
    cached = {"cached": "yes"} if created.is_cached else {}
    fields = {"id": created.id, "url": created.url, **cached, **token_views.links(created.links, created.url)}
    return Printed(created, text=created.id) if quiet else Printed(created, fields)


@on_stack
def get(waitpoints: "Waitpoints", token: Token) -> Printed:
    """Show a token: its status, its output, and what waits for it.

    If its page names its approvers: who has answered what, who is still asked, and their links. If people are notified:
    who was. With --json its output is JSON text, as in the API.
    """
    found = waitpoints.get(token)
    return Printed(found, token_views.details(found))


@on_stack
def list_(
    waitpoints: "Waitpoints",
    status: Annotated[
        list[Status] | None,
        option(
            "--status", metavar="STATUS", help="WAITING, COMPLETED or TIMED_OUT. Repeat it for several.", case_sensitive=False
        ),
    ] = None,
    tag: Tags = None,
    key: Annotated[str | None, option("--key", metavar="KEY", help="The key that it was created with.")] = None,
    since: Annotated[str | None, option("--since", metavar="TIME", help="Created within: 30m, 2h, 7d.")] = None,
    failed: Annotated[bool, option("--failed", help="Only tokens that timed out or were failed.")] = False,
    undelivered: Annotated[bool, option("--undelivered", help="Only tokens with a waiter that could not be resumed.")] = False,
    oldest_first: Annotated[bool, option("--oldest-first", help="In the order of creation.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="NUMBER", min=1, help="At most so many.")] = 25,
    watch: Annotated[bool, option("--watch", "-w", help="Show them again every two seconds, until Ctrl-C.")] = False,
    as_json: Json = False,
) -> Printed:
    """List tokens, the newest first.

    A terminal gets a table. A pipe gets a line for each, separated by tabs: id, status, created, times out, tags, key,
    title. With --watch it gets each token again that has changed.
    """
    filters: ListFilters = {
        "status": [one.value for one in status or ()] or None,
        "tags": tag or None,
        "idempotency_key": key,
        "created_within": None if since is None else durations.seconds(since),
        "failed": failed or None,
        "undelivered": undelivered or None,
        "oldest_first": oldest_first or None,
        "page_size": min(limit, 100),
    }

    def read() -> list[Any]:
        return list(islice(waitpoints.list(**filters), limit))

    if watch:
        token_views.watch(read, as_json=as_json)
    found = read()
    return Printed(found, table=(token_views.COLUMNS, map(token_views.row, found)))


@on_stack
def extend(
    waitpoints: "Waitpoints",
    token: Token,
    timeout: Annotated[str, argument("TIME", "7d, 1h30m, or a date in ISO 8601; none: it never times out.")],
) -> Printed:
    """Move a token's timeout.

    TIME counts from now, and can be sooner than before. A limit of the state itself, such as TimeoutSeconds, stays.
    """
    moved = waitpoints.extend(token, None if timeout == "none" else timeout)
    return Printed(moved, {"id": moved.id, "times out": show.instant(moved.timeout_at) if moved.timeout_at else "never"})


@on_stack
def hand_over(
    waitpoints: "Waitpoints",
    token: Token,
    add_: Annotated[
        list[str] | None, option("--add", metavar="PERSON", help="An id or address, or JSON as in the page. Repeat it.")
    ] = None,
    remove: Annotated[list[str] | None, option("--remove", metavar="ID", help="An approver's id. Repeat it.")] = None,
) -> Printed:
    """Change who may answer a token's page.

    Prints the link of each person who was added. Who was removed can no longer answer.
    """
    people = list(map(arguments.parse_approver, add_ or ()))
    done = waitpoints.hand_over(token, add=people, remove=remove or ())
    return Printed(done, {"id": done.id, **token_views.links(done.links)})


@on_stack
def complete(waitpoints: "Waitpoints", token: Token, data: Data = None, text: Text = False, as_json: Json = False) -> Printed:
    """Complete a token. What waits for it gets DATA.

    The first completion counts; a later one changes nothing, and says so. A page's approvers are overridden, and the command
    says so, too.
    """
    output = read_data(data, text=text)
    from waitpoints_client import calls

    done = settle(waitpoints, calls.complete(token, output), lambda _: token, as_json=as_json)
    return Printed({"success": True, **show.as_value(done)})


@on_stack
def fail(
    waitpoints: "Waitpoints",
    token: Token,
    message: Annotated[str, argument("MESSAGE", "What waits for it gets this message.")],
    name: Annotated[str | None, option("--name", metavar="NAME", help="The error's name, which Catch can match.")] = None,
    code: Annotated[str | None, option("--code", metavar="CODE", help="The error's code.")] = None,
    as_json: Json = False,
) -> Printed:
    """Fail a token. What waits for it gets the error.

    A token that has ended stays as it is, and the command says so.
    """
    from waitpoints_client import calls

    done = settle(waitpoints, calls.fail(token, message, name, code), lambda _: token, as_json=as_json)
    return Printed({"success": True, **show.as_value(done)})


@on_stack
def complete_key(
    waitpoints: "Waitpoints",
    key: Key,
    data: Data = None,
    text: Text = False,
    ttl: Annotated[str | None, option("--ttl", metavar="TIME", help="How long to keep it if no token has the key.")] = None,
    as_json: Json = False,
) -> Printed:
    """Complete a key's token, or keep DATA until it is created.

    If no token has the key yet, the completion is kept for the token that is created with it.
    """
    output = read_data(data, text=text)
    from waitpoints_client import calls

    call = calls.complete_key(key, output, ttl)
    completion = settle(waitpoints, call, lambda answer: None if answer.created else answer.id, as_json=as_json)
    kept = {"kept": "for the token that is created with this key"} if completion.created else {}
    return Printed(completion, {"id": completion.id, **kept})


@on_stack
def delete(
    waitpoints: "Waitpoints",
    token: Token,
    force: Annotated[bool, option("--force", help="First fail what waits for it, with WaitpointDeletedError.")] = False,
    yes: Yes = False,
) -> Printed:
    """Delete a token that has settled.

    Its output, page, answers, metadata, notices and key go with it, and the recorded delivery that settled it. A token that is
    gone already is a success.
    """
    confirm(f"Delete {token}, with all that is stored about it?", yes=yes)
    kept = waitpoints.delete(token, force=force)
    note = f"{kept.id}, which {kept.endpoint} recorded, stays: it has settled another token, too." if kept else ""
    return Printed({"success": True, **({"keptDelivery": kept} if kept else {})}, note=note)


@on_stack
def wait(
    waitpoints: "Waitpoints",
    token: Token,
    limit: Annotated[str | None, option("--for", metavar="TIME", help="Wait at most so long: 30s, 10m, 2h.")] = None,
    poll: Annotated[float | None, option("--poll", metavar="SECONDS", min=0.1, help="How often to check.")] = None,
    as_json: Json = False,
) -> Printed:
    """Wait until a token settles, and print its output.

    Exit status: 0 if it was completed; 1 if it was failed, and after any error; 2 if it timed out, or still waits after the
    time of --for. Wrong options have the exit status 2, too, but only before the wait.
    """
    seconds = None if limit is None else durations.seconds(limit)
    from waitpoints_client.errors import WaitTimeoutError

    try:
        result = waitpoints.wait(token, poll=poll, timeout=seconds)
    except WaitTimeoutError:
        if as_json:
            show.value({"ok": False, "waiting": True})
        raise CommandProblem(f"{token} still waits after {limit}", NOT_IN_TIME) from None
    if result.ok:
        return Printed({"ok": True, "output": result.output}, text=show.written(result.output))
    status = NOT_IN_TIME if result.timed_out else 1
    if not as_json:
        raise CommandProblem(f"{result.error.name}: {result.error.message}", status)
    return Printed({"ok": False, "timedOut": result.timed_out, "error": result.error}, status=status)


@on_stack
def url(waitpoints: "Waitpoints", token: Token, approver: As = None) -> Printed:
    """Print a token's callback URL, or an approver's link.

    Anyone who has it can complete the token, or answer as this approver, unless its page asks them to sign in.
    """
    found = url_of(waitpoints.get(token), approver)
    return Printed({"url": found}, text=found)


@on_stack
def open_(waitpoints: "Waitpoints", token: Token, approver: As = None) -> Printed:
    """Open a token's page in the browser."""
    found = url_of(waitpoints.get(token), approver)
    browse(found)
    return Printed({"url": found})


def url_of(token: "FoundToken", approver: str | None) -> str:
    """Return a token's callback URL, or the link of an approver. Raises CommandProblem unless it is clear whose."""
    if not token.url:
        raise CommandProblem(f"Your API key lacks the scope complete for {token.id}, so it gets no URL")
    if not token.approvers:
        if approver is not None:
            raise CommandProblem(f"{token.id} names no approvers, so --as {approver} is nobody's link", USAGE)
        return token.url
    links = {link.approver: link.url for link in token.links}
    if approver is None and (len(token.approvers) == 1 or {*links.values()} == {token.url}):
        approver = token.approvers[0].id
    if approver is None:
        raise CommandProblem(f"Each approver has a link of their own, so say whose: --as {_one_of(links)}", USAGE)
    if approver not in links:
        raise CommandProblem(f"{approver} is no approver of {token.id}: say --as {_one_of(links)}", USAGE)
    return links[approver]


def _one_of(links: dict[str, str]) -> str:
    *others, last = links
    return f"{', '.join(others)} or {last}" if others else last


def read_data(data: str | None, *, text: bool) -> Any:
    """Return the output: ABSENT if there is no DATA."""
    if data is None:
        from waitpoints_client.calls import ABSENT

        return ABSENT
    return arguments.read_content(data) if text else arguments.read_json(data, "DATA")


def add_to(program: typer.Typer) -> None:
    add(program, (create, get, list_, extend, hand_over, complete, complete_key, fail, delete, wait, url, open_), "Tokens")
