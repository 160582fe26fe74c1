"""What the holders of keys may do."""

import pytest

from waitpoints.access.api_keys import NamedKey, Scope, digest
from waitpoints.access.caller import ROOT, Action
from waitpoints.errors import Forbidden


@pytest.mark.parametrize("action", ["create", "complete", "read", "notify", "endpoints", "deliveries"])
def test_the_root_key_has_no_limit(action: Action) -> None:
    ROOT.check(action, [])
    assert (ROOT.name, ROOT.only_tag(action), ROOT.may(action, [])) == (None, None, True)


class TestTheHolderOfANamedKey:
    CALLER = NamedKey("ci", digest("key"), (Scope("create", "team-a"), Scope("read")), 0).caller

    def test_learns_which_scope_is_missing(self) -> None:
        missing: list[Action] = ["complete", "endpoints"]
        for action in missing:
            with pytest.raises(Forbidden, match=f"^This key lacks the scope {action}$"):
                self.CALLER.require(action)
