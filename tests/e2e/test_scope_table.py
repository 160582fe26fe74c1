"""Which key may use which route, on the deployed stack: every cell of the table over HTTP (contract Q3)."""

import pytest

from tests.support.example_requests import named
from tests.support.scope_table import CLOSED, Holders


def test_each_route_takes_the_keys_with_its_scope_and_no_others(holders: Holders, subtests: pytest.Subtests) -> None:
    for operation in CLOSED:
        with subtests.test(named(operation)):
            holders.try_row(operation)
