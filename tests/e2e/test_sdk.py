"""Trigger.dev's own SDK, unchanged, against the deployed stack: every test of tests/sdk is a subtest here."""

import json

import pytest

from tests.support import node
from tests.support.scope_table import Holders
from waitpoints_local.stack import Stack

SUITES = sorted(path.name for path in node.SDK.glob("*.test.mjs"))
OF_EACH_SCOPE = "named_keys.test.mjs"  # chooses its keys itself
ABOUT_KEYS = {"access.test.mjs"}
WITH_A_NAMED_KEY = [
    pytest.param(suite, marks=() if suite in ABOUT_KEYS else pytest.mark.thorough) for suite in SUITES if suite != OF_EACH_SCOPE
]


@pytest.mark.parametrize("suite", SUITES)
def test_the_sdk_works_unchanged(suite: str, stack: Stack, holders: Holders, subtests: pytest.Subtests) -> None:
    run(suite, stack, holders, "root", subtests)


@pytest.mark.parametrize("suite", WITH_A_NAMED_KEY)
def test_the_sdk_works_unchanged_with_a_named_key(
    suite: str, stack: Stack, holders: Holders, subtests: pytest.Subtests
) -> None:
    run(suite, stack, holders, "sdk", subtests)


def run(suite: str, stack: Stack, holders: Holders, holder: str, subtests: pytest.Subtests) -> None:
    keys = {"TRIGGER_SECRET_KEY": holders.keys[holder], "NAMED_KEYS": json.dumps(holders.keys)}
    node.run_suite(subtests, node.SDK / suite, TRIGGER_API_URL=stack.api_url, **keys)
