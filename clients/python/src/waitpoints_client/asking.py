"""Ask people for a decision: the same call finds the same token again, also after a crash."""

import sys
import warnings
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

from typing_extensions import TypedDict, Unpack

from waitpoints_client import calls
from waitpoints_client.canonical_json import digest
from waitpoints_client.clock import Pause
from waitpoints_client.errors import ConflictError
from waitpoints_client.options import CreateOptions
from waitpoints_client.request_types import ApproverOptions, DomainsOptions, NotifyOptions, PageOptions
from waitpoints_client.wire import Timeout, refuse_unknown

if TYPE_CHECKING:
    from waitpoints_client.agents.approval_page import ApprovalPage
    from waitpoints_client.agents.batch_page import BatchPage
    from waitpoints_client.models import CreatedToken, ListedToken, Result, Token
    from waitpoints_client.session import Flow, Session

AnyPage: TypeAlias = "PageOptions | ApprovalPage | BatchPage"
_PAGE: Final = "page"  # in a token's metadata: the digest of what people see
_OF_ARGUMENTS: Final = ("text", "fields", "sameFields")  # members of a page that show a call's arguments
_LONGEST: Final = 200  # characters of a name in the metadata, which have 4 KiB for three of them
_PAUSES: Final = (0.0, 0.2, 0.8, 2.0)  # seconds, since a list may not yet have what was created just now


class People(TypedDict, total=False):
    """Who is asked, and how. Take it from how the program was set up, never from what a model wrote."""

    approvers: Sequence[str | ApproverOptions] | None
    """Who may answer, as in a page. Required, unless the page or `sign_in` says it."""
    sign_in: Literal[True] | DomainsOptions | None
    """`signIn` of a page."""
    notify: NotifyOptions | None
    timeout: Timeout | None
    tags: str | Sequence[str] | None
    tag: str | None
    """The tag that the API key is limited to, if it is: the token's key then begins with it."""


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

    The token's metadata has `run` and `call`, or `key`, and for a tool's page the `tool`: up to 200 characters of each.
    """
    refuse_unknown(options, AskOptions.__annotations__)
    tool, arguments, plain = (None, None, page) if isinstance(page, Mapping) else (page.name, page.arguments, page.page)
    call, form = {"tool": tool, **_name_of_call(options)}, [*getattr(page, "fields", ())]
    named = digest({**call, "arguments": arguments, **({"form": form} if form else {})})
    key = f"ask/{named}/{_attempt(options)}"
    tag, shown = options.get("tag"), _with_people(plain, options)
    seen = {name: value for name, value in shown.items() if tool is None or name not in _OF_ARGUMENTS}
    known = {name: text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…" for name, text in call.items() if text}
    wanted: CreateOptions = {
        "idempotency_key": f"{tag}:{key}" if tag else key,
        "page": shown,
        "timeout": options.get("timeout"),
        "tags": options.get("tags"),
        "metadata": {**known, _PAGE: digest(seen)},
    }
    if (notify := options.get("notify")) is not None:
        wanted["notify"] = notify
    return wanted


def ask(session: "Session", page: AnyPage, poll: float | timedelta | None, options: AskOptions) -> "Flow[Result]":
    """Create the token of a call, or find it, and wait for it."""
    token = yield from find_or_create(session, page, options)
    return (yield from session.wait(token, poll, None))


def find_or_create(session: "Session", page: AnyPage, options: AskOptions) -> "Flow[str]":
    """Return the id of the token of a call. Warns if it has another page. As `token_of`."""
    found, is_same = yield from token_of(session, request(page, **options))
    if not is_same:
        _warn(f"{found.id} asks the same with another page or other approvers: it stays as it is")
    return found.id


def token_of(session: "Session", wanted: CreateOptions) -> "Flow[tuple[CreatedToken | ListedToken, bool]]":
    """Create the token of a request, or find it. Returns it, and whether it has the page that the request would give it.

    Raises ConflictError if it cannot stand for this request: anyone with its URL could answer, or without the sign-in.
    """
    found: CreatedToken | ListedToken
    try:
        found = created = yield from session.send(calls.create(**wanted))
    except ConflictError as error:  # with a sign-in, if a token with another page holds the key
        if error.code not in ("KeyTaken", None):  # None: of a stack of version 0.3
            raise
        found = yield from _find(session, wanted, error)
    else:
        if not created.is_cached:
            return created, True
    return found, _has_page((yield from session.get(found)), wanted)


def _find(session: "Session", wanted: CreateOptions, error: ConflictError) -> "Flow[ListedToken]":
    """Return the token that holds a key, which a list may know only a moment later. Raises the error."""
    listing = calls.list_tokens({"idempotency_key": wanted["idempotency_key"]})
    for pause in _PAUSES:
        yield Pause(pause)
        listed = yield from session.send(listing.after(None))
        if listed.items:
            return listed.items[0]
    raise error


def _has_page(found: "Token", wanted: CreateOptions) -> bool:
    has_sign_in = found.page is not None and found.page.sign_in is not None
    if not has_sign_in and (not found.approvers or "signIn" in (wanted["page"] or ())):
        raise ConflictError(409, f"{found.id} holds the key of this call, and others could answer it")
    return bool((found.metadata or {}).get(_PAGE) == (wanted["metadata"] or {})[_PAGE])


def _warn(message: str) -> None:
    """Warn of the line outside of this package that asks."""
    frame, level = sys._getframe(), 1
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == __package__:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def _name_of_call(options: AskOptions) -> dict[str, str]:
    names = {"run": options.get("run"), "call": options.get("call"), "key": options.get("key")}
    given = {name: text for name, text in names.items() if text is not None}
    if [*given] not in (["run", "call"], ["key"]):
        raise ValueError("Which call is it? Give run and call, which the framework names, or a key of your own")
    for name, text in given.items():
        if not isinstance(text, str) or not text:
            raise ValueError(f"{name} must be a text that is not empty: it names the call")
    return given


def _attempt(options: AskOptions) -> int:
    attempt = options.get("attempt", 1)
    if isinstance(attempt, bool) or not isinstance(attempt, int) or attempt < 1:
        raise ValueError(f"attempt must be a whole number from 1: {attempt!r}")
    return attempt


def _with_people(page: PageOptions, options: AskOptions) -> PageOptions:
    """Return the page with those who may answer. Raises ValueError if anyone could."""
    people: dict[str, Any] = {"approvers": options.get("approvers"), "signIn": options.get("sign_in")}
    given = {name: value for name, value in people.items() if value}
    if twice := [name for name in given if name in page]:
        raise ValueError(f"Both the page and the options have {', '.join(twice)}")
    shown = cast("PageOptions", {**page, **given})
    if not shown.get("approvers") and not isinstance(shown.get("signIn"), Mapping):
        raise ValueError(
            "Who may answer? Give approvers, or domains in sign_in: else the URL alone answers, and an agent sees it"
        )
    return shown
