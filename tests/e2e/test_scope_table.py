"""Which key may use which route, on the deployed stack: every cell of the table over HTTP (contract Q3 and Q12)."""

import time

import pytest

from tests.support.example_requests import named
from tests.support.scope_table import CLOSED, ENDS_AFTER, Holders


def test_each_route_takes_the_keys_with_its_scope_and_no_others(holders: Holders, subtests: pytest.Subtests) -> None:
    for operation in CLOSED:
        with subtests.test(named(operation)):
            holders.try_row(operation)


def test_a_public_access_token_completes_what_its_maker_may(holders: Holders) -> None:
    time.sleep(max(0, holders.made_at + ENDS_AFTER - time.monotonic()))
    holders.try_public_access_tokens()
