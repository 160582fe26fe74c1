"""Ask people for a decision: a token that the same call always finds again, and the wait for it."""

import hashlib
import warnings
from typing import TYPE_CHECKING, Any, Literal

from typing_extensions import TypedDict, Unpack

from waitpoints_client import calls
from waitpoints_client.models import CreatedToken, Result
from waitpoints_client.options import ApproverOptions, CreateOptions, DomainsOptions, NotifyOptions, PageOptions
from waitpoints_client.session import Flow, Session
from waitpoints_client.wire import Timeout

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from waitpoints_client.agents import ApprovalPage


class People(TypedDict, total=False):
    """Who is asked, and how. Take it from how the program was set up, never from what a model wrote."""

    approvers: "Sequence[str | ApproverOptions]"
    """Who may answer. Required, unless `sign_in` names domains or the page has its own."""
    sign_in: Literal[True] | DomainsOptions | None
    """As `signIn` of a page."""
    notify: NotifyOptions | None
    timeout: Timeout | None
    tags: "str | Sequence[str] | None"


class Call(TypedDict, total=False):
    """Which call it is: the same one finds the same request."""

    run: str | None
    """The run or thread."""
    call: str | None
    """The framework's id of the call."""
    key: str | None
    """What names the call in place of `run` and `call`."""
    attempt: int
    """2 asks again after 1 timed out. 1 by default."""


class AskOptions(People, Call, total=False):
    """The options of `ask`."""


def request(page: "PageOptions | ApprovalPage", **options: Unpack[AskOptions]) -> CreateOptions:
    """Return what `ask` creates, for a program that ends instead of waiting. Raises ValueError."""
    raise NotImplementedError
