"""Trigger.dev's own SDK, unchanged, in Node.js and by API Gateway's routes: every test of tests/sdk is a subtest here."""

import json

import pytest

from tests.support import node
from tests.support.scope_table import Holders
from waitpoints_local.stack import Stack

SUITES = sorted(path.name for path in node.SDK.glob("*.test.mjs"))
UNCONFIGURED = "environment.test.mjs"  # runs in a process of its own
OF_EACH_SCOPE = "named_keys.test.mjs"  # chooses its keys itself
ABOUT_KEYS = "access.test.mjs"


def test_the_sdk_works_unchanged(stack: Stack, holders: Holders, subtests: pytest.Subtests) -> None:
    run({*SUITES} - {UNCONFIGURED}, stack, holders, "root", subtests)


def test_the_environment_is_all_that_it_needs(stack: Stack, holders: Holders, subtests: pytest.Subtests) -> None:
    run({UNCONFIGURED}, stack, holders, "root", subtests)


def test_it_says_the_same_about_a_named_key(stack: Stack, holders: Holders, subtests: pytest.Subtests) -> None:
    run({ABOUT_KEYS}, stack, holders, "sdk", subtests)


@pytest.mark.thorough
def test_it_works_unchanged_with_a_named_key(stack: Stack, holders: Holders, subtests: pytest.Subtests) -> None:
    run({*SUITES} - {UNCONFIGURED, OF_EACH_SCOPE, ABOUT_KEYS}, stack, holders, "sdk", subtests)


@pytest.mark.thorough
def test_the_environment_may_have_a_named_key(stack: Stack, holders: Holders, subtests: pytest.Subtests) -> None:
    run({UNCONFIGURED}, stack, holders, "sdk", subtests)


def run(suites: set[str], stack: Stack, holders: Holders, holder: str, subtests: pytest.Subtests) -> None:
    keys = {"TRIGGER_SECRET_KEY": holders.keys[holder], "NAMED_KEYS": json.dumps(holders.keys)}
    chosen = json.dumps(sorted(suites))
    node.run_suite(subtests, node.SDK / "together.mjs", TRIGGER_API_URL=stack.api_url, SUITES=chosen, **keys)
