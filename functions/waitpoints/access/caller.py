"""Who sends a request: the holder of the root key, unless `api_keys` says otherwise."""

from collections.abc import Collection
from typing import Literal

from waitpoints.errors import NameOutsideTag, OutsideTag

NAMED_KEY = "tr_prod_sk_"  # how a named key begins (`api_keys`)

type Action = Literal["create", "complete", "read", "notify", "endpoints"]
"""What a named key may be allowed to do. The root key may do everything."""


class Caller:
    """Who sends a request. This one holds the root key; `api_keys.NamedCaller` is another.

    `digits` names the key in public access tokens.
    """

    name: str | None = None
    digits: str | None = None

    def require(self, action: Action) -> str | None:  # noqa: ARG002 - of a caller without limits
        """Return the tag that limits this caller in what it may do, None if no tag does. Raises Forbidden without the scope."""
        return None

    def may(self, action: Action, tags: Collection[str]) -> bool:  # noqa: ARG002 - likewise
        """Whether the caller may do this to a token with these tags."""
        return True

    def check(self, action: Action, tags: Collection[str]) -> None:
        """Raises Forbidden unless the caller may do this to a token with these tags."""
        tag = self.require(action)
        if tag is not None and tag not in tags:
            raise OutsideTag(action, tag)

    def check_names(self, action: Action, field: str, *names: str) -> None:
        """Raises NameOutsideTag unless the caller may write these names in a field: tags, or the key of a token."""
        tag = self.require(action)
        if tag is not None and not all(name == tag or name.startswith(f"{tag}:") for name in names):
            raise NameOutsideTag(action, tag, field)


ROOT = Caller()
