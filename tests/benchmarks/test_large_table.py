"""The table of `make bench` that may have any number of tokens: its copies of waits are tokens like any other."""

import os
from collections import Counter
from collections.abc import Iterator

import pytest

from benchmarks.large_table import RARE, LargeTable, large_table
from tests.support.in_process.moto_stack import MotoStack
from tools.node import Missing
from tools.openapi.operations import TOKENS

pytestmark = pytest.mark.thorough  # needs Node.js, and starts a server
NUMBER = 2_500


@pytest.fixture(scope="module")
def large(stack: MotoStack) -> Iterator[LargeTable]:
    try:
        with large_table(stack) as large:
            large.grow(2_000)
            large.grow(NUMBER)
            yield large
    except Missing as missing:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"{missing} is missing")


def test_each_copy_is_listed_once_and_can_be_retrieved(large: LargeTable) -> None:
    with large.served():
        found, cursor = [], ""
        while cursor is not None:
            answer = large.api.get(f"{TOKENS}?page%5Bsize%5D=100&page%5Bafter%5D={cursor}").json
            found += answer["data"]
            cursor = answer["pagination"].get("next")
        assert len({token["id"] for token in found}) == len(found) == NUMBER
        statuses = [token["status"] for token in found]
        assert (statuses.count("WAITING"), statuses.count("COMPLETED")) == (NUMBER / 10, NUMBER * 9 / 10)
        assert [token["tags"] for token in found].count([RARE]) == 1
        by_key = large.api.get(f"{TOKENS}?filter%5BidempotencyKey%5D=order%201000").json["data"]
        assert [token["idempotencyKey"] for token in by_key] == ["order 1000"]
        ended = large.api.retrieve(found[0]["id"])
        assert [waiter["status"] for waiter in ended["waiters"]] == ["RESUMED"]


def test_the_doctor_reads_all_of_it_and_finds_nothing_to_do(large: LargeTable) -> None:
    large.clock.advance(120_000)
    large.calls.take()
    with large.served():
        answer = large.function("doctor", {"whole": True})
        assert (answer["items"], answer["undone"], answer["finished"]) == (NUMBER * 19 / 10, 0, 0)
        scanned = large.calls.take()
        calls = Counter(scanned.operations)
        in_two_reads = calls["UpdateItem"]  # tokens whose items lie in two reads of the table are looked at
        assert in_two_reads < calls["Scan"]
        looked_at = {"UpdateItem": in_two_reads, "Query": 1 + in_two_reads}
        assert calls == Counter({"DescribeTable": 1, "GetItem": 1, "Scan": calls["Scan"], **looked_at})
        assert scanned.total > 100
