"""The form of named keys, and what their holders may do: `access/caller`."""

import re
import string
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitpoints.access.api_keys import SHOWN_DIGITS, NamedKey, Scope, digest, has_form, new_key
from waitpoints.access.caller import ROOT, Action
from waitpoints.errors import Forbidden

OF_SDK = re.compile(r"^tr_(dev|stg|prod|preview)_sk_[0-9a-zA-Z]{24}$")  # apiKeys.js of @trigger.dev/core 4.8.3
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
ZEROS = "tr_prod_sk_0000000000000000001pDeAV"
MIXED = "tr_prod_sk_Aa1Bb2Cc3Dd4Ee5Ff60zhhbp"


class TestTheForm:
    def test_is_what_the_sdk_takes_for_a_named_key(self) -> None:
        keys = {new_key() for _ in range(300)}
        assert len(keys) == 300
        assert all(OF_SDK.match(key) and has_form(key) for key in keys)
        assert {character for key in keys for character in key[11:29]} == set(BASE62)

    @pytest.mark.parametrize("key", [ZEROS, MIXED, pytest.param(new_key(), id="new")])
    def test_ends_with_the_crc_32_of_the_random_part_in_base62(self, key: str) -> None:
        number = 0
        for character in key[29:]:
            number = number * 62 + BASE62.index(character)
        assert number == zlib.crc32(key[11:29].encode())
        assert has_form(key)

    @given(st.integers(11, 34), st.sampled_from(BASE62))
    def test_shows_a_mistyped_character(self, place: int, other: str) -> None:
        typed = MIXED[:place] + other + MIXED[place + 1 :]
        assert has_form(typed) is (typed == MIXED)

    @pytest.mark.parametrize(
        "text",
        ["", ZEROS[:-1], ZEROS + "0", ZEROS + "\n", f" {ZEROS}", ZEROS.replace("prod", "dev"), ZEROS.upper(), digest(ZEROS)],
    )
    def test_is_of_this_length_and_beginning(self, text: str) -> None:
        assert not has_form(text)

    @given(st.text(st.characters(exclude_categories=()), max_size=30))
    def test_takes_nothing_beside_ascii(self, text: str) -> None:
        assert not has_form(f"tr_prod_sk_{text}ü")
        assert not has_form("tr_prod_sk_" + "٣" * 18 + text)


def test_a_digest_is_sha_256_and_longer_than_what_public_access_tokens_carry() -> None:
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1
    assert SHOWN_DIGITS == 16


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
