"""The lists of schemes in docs/webhooks.md are those of the code."""

import re

import pytest

from tests.support.in_process.template import ROOT
from tests.support.signed_deliveries import verification
from waitpoints.api.providers.schemes import SCHEMES, Header
from waitpoints.api.providers.signatures import Delivery, check
from waitpoints.errors import WrongSignature

PAGE = (ROOT / "docs/webhooks.md").read_text()
_SCHEMES = PAGE.partition("\n### Schemes\n")[2].partition("\n### ")[0]
SIGN_THE_TIME, _, SIGN_NO_TIME = _SCHEMES.partition("\nThese sign no time")


def oldest(part: str) -> dict[str, int]:
    """Return the schemes of a list, each with how many seconds old a delivery may be: 300, or what the list says."""
    heads = [" ".join(head.split()) for head in re.findall(r"^- (.*?): ", part, re.MULTILINE | re.DOTALL)]
    return {
        name: int(seconds[1]) if (seconds := re.search(r", (\d+) s$", head)) else 300
        for head in heads
        for name in re.findall("`([^`]+)`", head)
    }


class TestTheListForUsers:
    def test_says_how_old_a_delivery_may_be(self) -> None:
        assert oldest(SIGN_THE_TIME) == {name: row.tolerance for name, row in SCHEMES.items() if "ts" in row.parts}
        assert "300 s" in SIGN_THE_TIME

    def test_says_who_signs_no_time(self) -> None:
        assert oldest(SIGN_NO_TIME).keys() == {name for name, row in SCHEMES.items() if "ts" not in row.parts}

    @pytest.mark.parametrize("scheme", sorted(name for name, row in SCHEMES.items() if isinstance(row.signature, Header)))
    def test_leaves_the_name_of_a_missing_header_to_the_refusal(self, scheme: str) -> None:
        signature = SCHEMES[scheme].signature
        assert isinstance(signature, Header)
        name = signature.names[0] if signature.names else "x-gitlab-token"
        assert "If the signature's header is missing, the 401 names that header." in " ".join(_SCHEMES.split())
        with pytest.raises(WrongSignature, match=f"^Invalid signature: no {name} header$"):
            check(verification(scheme), [], Delivery(b"{}", {}, "https://example.com/"), 1_700_000_000)
