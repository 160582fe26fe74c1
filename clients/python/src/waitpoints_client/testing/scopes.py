"""The scopes of a public access token in the fake: which texts are one, and which token they complete."""

import re
from collections.abc import Sequence

from waitpoints_client.testing.answers import Refusal

_ACTIONS = ("read", "write", "trigger", "batchTrigger", "admin", "*")
_SCOPE = re.compile(rf"admin|({'|'.join(map(re.escape, _ACTIONS))}):[A-Za-z]+(:.+)?", re.DOTALL)
_ANY_TOKEN = {"admin", "write:waitpoints", "write:all", "*:waitpoints", "*:all"}
_ONE_TOKEN = re.compile(r"(?:write|\*):(?:waitpoints|all):(?:waitpoint_)?(.+)", re.DOTALL)
_EXPECTED = f"expected admin, action:type or action:type:id, such as write:waitpoints:<id>; actions: {', '.join(_ACTIONS)}"


def refuse_wrong(scopes: Sequence[str], path: str) -> None:
    """Raises Refusal for a text that is no scope by Trigger.dev's grammar."""
    if wrong := [number for number, scope in enumerate(scopes) if not _SCOPE.fullmatch(scope)]:
        said = ", or ".join(f'{_EXPECTED} at "{path}[{number}]"' for number in wrong[:3])
        raise Refusal(400, f"Validation error: {said}")


def why_not(scopes: Sequence[str], token_id: str) -> str | None:
    """Return why these scopes do not complete a token. None if they do."""
    single = [found[1] for scope in scopes if (found := _ONE_TOKEN.fullmatch(scope))]
    if not _ANY_TOKEN.isdisjoint(scopes) or token_id.removeprefix("waitpoint_") in single:
        return None
    if single:
        return "This Public Access Token is for another waitpoint"
    return "This Public Access Token has no scope that completes a waitpoint, such as write:waitpoints:<id>"
