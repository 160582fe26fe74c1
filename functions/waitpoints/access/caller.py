"""Who sends a request: the holder of the root key or of a named key, or a person with the console's bearer."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from waitpoints.errors import Forbidden, NameOutsideTag, OutsideTag

NAMED_KEY = "tr_prod_sk_"  # how a named key begins (`api_keys`)
SESSION = "waitpoints_session_"  # how a bearer of the console begins (`operators`)

type Action = Literal["create", "complete", "read", "notify", "delete", "endpoints", "deliveries"]
"""What a named key may be allowed to do. The root key may do everything."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The defaults are the holder of the root key.

    `digits` names a key in public access tokens. `scopes` has the actions of a named key, each with the tag that limits it, or
    None for any token. Of `deliveries`, the tag is the endpoint's. `is_person`: `name` is that of somebody who has signed in.
    """

    name: str | None = None
    digits: str | None = None
    scopes: Mapping[Action, str | None] | None = None
    is_person: bool = False

    def require(self, action: Action) -> None:
        """Raises Forbidden without the scope."""
        if self.scopes is not None and action not in self.scopes:
            raise Forbidden(f"This {'session' if self.is_person else 'key'} lacks the scope {action}")

    def only_tag(self, action: Action) -> str | None:
        """Return the tag that limits this caller in what it may do, None if no tag does."""
        return None if self.scopes is None else self.scopes.get(action)

    def may(self, action: Action, tags: Collection[str]) -> bool:
        """Whether the caller may do this to a token with these tags."""
        return self.scopes is None or (action in self.scopes and self.scopes[action] in (None, *tags))

    def may_have_url(self, tags: Collection[str], *, asks_people: bool) -> bool:
        """Whether the caller is shown a token's callback URL, and the links of its approvers. No session answers for others."""
        return self.may("complete", tags) and not (self.is_person and asks_people)

    def check(self, action: Action, tags: Collection[str]) -> None:
        """Raises Forbidden unless the caller may do this to a token with these tags."""
        self.require(action)
        tag = self.only_tag(action)
        if tag is not None and tag not in tags:
            raise OutsideTag(action, tag)

    def check_names(self, action: Action, field: str, *names: str) -> None:
        """Raises NameOutsideTag unless the caller may write these names in a field: tags, or the key of a token."""
        tag = self.only_tag(action)
        if tag is not None and not all(name == tag or name.startswith(f"{tag}:") for name in names):
            raise NameOutsideTag(action, tag, field)


ROOT = Caller()
