"""Ask people for a decision: the same call finds the same token again, also after a crash."""

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from typing_extensions import TypedDict, Unpack

from waitpoints_client import calls
from waitpoints_client.errors import ConflictError
from waitpoints_client.options import ApproverOptions, CreateOptions, DomainsOptions, NotifyOptions, PageOptions
from waitpoints_client.wire import Timeout

if TYPE_CHECKING:
    from waitpoints_client.agents.approval_page import ApprovalPage
    from waitpoints_client.models import Result
    from waitpoints_client.session import Flow, Session

AnyPage: TypeAlias = "PageOptions | ApprovalPage"
_PAGE = "page"  # in a token's metadata: the digest of what people see


class People(TypedDict, total=False):
    """Who is asked, and how. Take it from how the program was set up, never from what a model wrote."""

    approvers: Sequence[str | ApproverOptions] | None
    """Who may answer, as in a page. Required, unless the page or `sign_in` says it."""
    sign_in: Literal[True] | DomainsOptions | None
    """`signIn` of a page."""
    notify: NotifyOptions | None
    timeout: Timeout | None
    tags: str | Sequence[str] | None


class AskOptions(People, total=False):
    """The options of `ask`: who is asked, and which call it is, by `run` and `call` or by `key`."""

    run: str | None
    """The id of the run or thread."""
    call: str | None
    """The framework's id of the call."""
    key: str | None
    """What names the call if the framework does not."""
    attempt: int
    """2 asks again after a first request timed out. 1 by default."""


def request(page: AnyPage, **options: Unpack[AskOptions]) -> CreateOptions:
    """Return what to create, for a program that ends while people decide. Raises ValueError.

    The token's metadata has `run`, `call`, and for an ApprovalPage the `tool`.
    """
    call = {"tool": None if isinstance(page, Mapping) else page.name, **_name_of_call(options)}
    shown = _with_people(page if isinstance(page, Mapping) else page.page, options)
    named = {**call, "arguments": None if isinstance(page, Mapping) else page.arguments}
    known = {name: value for name, value in call.items() if value is not None}
    return {
        "idempotency_key": f"ask/{_digest(named)}/{options.get('attempt', 1)}",
        "page": shown,
        "notify": options.get("notify"),
        "timeout": options.get("timeout"),
        "tags": options.get("tags"),
        "metadata": {**known, _PAGE: _digest(shown)},
    }


def ask(session: "Session", page: AnyPage, poll: float | timedelta | None, options: AskOptions) -> "Flow[Result]":
    """Create the token of a call, or find it, and wait for it."""
    token = yield from find_or_create(session, page, options)
    return (yield from session.wait(token, poll, None))


def find_or_create(session: "Session", page: AnyPage, options: AskOptions) -> "Flow[str]":
    """Return the id of the token of a call. Warns if it has another page."""
    wanted = request(page, **options)
    try:
        created = yield from session.send(calls.create(**wanted))
    except ConflictError as error:
        if error.code != "KeyTaken":  # as for a page with a sign-in, where another one holds the key
            raise
        listed = yield from session.send(calls.list_tokens({"idempotency_key": wanted["idempotency_key"]}).after(None))
        if not listed.items:
            raise
        token = listed.items[0].id
    else:
        token = created.id
        if not created.is_cached:
            return token
    found = yield from session.get(token)
    if (found.metadata or {}).get(_PAGE) != (wanted["metadata"] or {})[_PAGE]:
        warnings.warn(f"{token} asks the same with another page or other approvers: it stays as it is", stacklevel=2)
    return token


def _name_of_call(options: AskOptions) -> dict[str, str | None]:
    run, call, key = options.get("run"), options.get("call"), options.get("key")
    if not ((run and call and key is None) or (key and run is None and call is None)):
        raise ValueError("Which call is it? Give run and call, which the framework names, or a key of your own")
    attempt = options.get("attempt", 1)
    if isinstance(attempt, bool) or not isinstance(attempt, int) or attempt < 1:
        raise ValueError(f"attempt must be a whole number from 1: {attempt!r}")
    return {"run": run, "call": call, "key": key}


def _with_people(page: PageOptions, options: AskOptions) -> PageOptions:
    """Return the page with those who may answer. Raises ValueError if anybody could."""
    people: dict[str, Any] = {"approvers": options.get("approvers"), "signIn": options.get("sign_in")}
    given = {name: value for name, value in people.items() if value}
    if twice := [name for name in given if name in page]:
        raise ValueError(f"Both the page and the options have {', '.join(twice)}")
    shown: PageOptions = {**page, **given}  # type: ignore[typeddict-item]
    if not shown.get("approvers") and not isinstance(shown.get("signIn"), Mapping):
        raise ValueError(
            "Who may answer? Give approvers, or domains in sign_in: else the URL alone answers, and an agent sees it"
        )
    return shown


def _digest(value: Any) -> str:
    """Return the SHA-256 of the canonical JSON of a value (RFC 8785). Raises ValueError for what is no JSON."""
    import rfc8785  # noqa: PLC0415 - for those who ask

    try:
        return hashlib.sha256(rfc8785.dumps(value)).hexdigest()
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError) as error:
        raise ValueError(f"The arguments have no canonical JSON (RFC 8785): {error}") from None
