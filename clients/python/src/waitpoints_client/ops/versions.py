"""The version of a stack, and what it means if this client is of another one. Needs no AWS."""

import re

from waitpoints_client.version import __version__


def difference(stack: str, client: str = __version__) -> str:
    """Say what it means that a stack and a client are of these versions. Returns "" if they are of the same one."""
    if client == stack:
        return ""
    ours, theirs = _order(client), _order(stack)
    if ours and theirs and ours < theirs:
        return (
            f"This client ({client}) is older than the stack ({stack}): upgrade the client. Until then its calls to the API go "
            "on, but an operator's command may do only a part of its work."
        )
    if ours and theirs and ours > theirs:
        return (
            f"This client ({client}) is newer than the stack ({stack}), which is fine. What is new in the client works once "
            "the stack is updated."
        )
    return f"This client is {client}, the stack {stack}: only a client and a stack of one version are tested together."


def _order(version: str) -> tuple[int, int, int, bool] | None:
    """Return what two versions are compared by, or None for one that is not of the project's own form.

    A development version comes before its release.
    """
    found = re.match(r"(\d+)\.(\d+)\.(\d+)(\.dev\d+)?$", version)
    return (int(found[1]), int(found[2]), int(found[3]), not found[4]) if found else None
