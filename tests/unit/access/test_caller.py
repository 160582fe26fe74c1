"""Who holds the root key may do everything, and has no name."""

import pytest

from waitpoints.access.caller import ROOT, Action


@pytest.mark.parametrize("action", ["create", "complete", "read", "notify", "endpoints"])
def test_the_root_key_has_no_limit(action: Action) -> None:
    assert ROOT.name is None
    assert ROOT.require(action) is None
    assert ROOT.may(action, [])
