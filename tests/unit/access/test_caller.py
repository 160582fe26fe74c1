"""What the holders of keys may do."""

import pytest

from waitpoints.access.api_keys import NamedKey, Scope, digest
from waitpoints.access.caller import ROOT, Action
from waitpoints.errors import Forbidden, NameOutsideTag


@pytest.mark.parametrize("action", ["create", "complete", "read", "notify", "endpoints"])
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

    def test_is_limited_to_the_tag_of_the_scope(self) -> None:
        assert (self.CALLER.only_tag("create"), self.CALLER.only_tag("read")) == ("team-a", None)
        assert self.CALLER.may("create", ["x", "team-a"])
        assert not self.CALLER.may("create", ["team-b", "team-a:"])
        assert not self.CALLER.may("create", [])
        assert self.CALLER.may("read", [])
        assert not self.CALLER.may("complete", ["team-a"])

    @pytest.mark.parametrize("name", ["team-a", "team-a:", "team-a:1", "team-a:b:c"])
    def test_writes_the_tag_and_what_begins_with_it_and_a_colon(self, name: str) -> None:
        self.CALLER.check_names("create", "tags", name)
        self.CALLER.check_names("read", "tags", name)

    @pytest.mark.parametrize("names", [("",), ("team",), ("team-a1",), ("x:team-a",), ("team-a", "team-b")])
    def test_writes_no_other_name_unless_the_scope_has_no_limit(self, names: tuple[str, ...]) -> None:
        with pytest.raises(NameOutsideTag, match=r'for this value of tags: .* "team-a" and what begins with "team-a:"$'):
            self.CALLER.check_names("create", "tags", *names)
        self.CALLER.check_names("read", "tags", *names)
        ROOT.check_names("create", "tags", *names)
