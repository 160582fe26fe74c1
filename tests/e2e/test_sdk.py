"""Trigger.dev's own SDK, unchanged, against the deployed stack: every test of tests/sdk is a subtest here."""

import json
import subprocess

import pytest

from local.stack import Stack
from tests.e2e.api import Api
from tests.sdk import node

SUITES = sorted(path.name for path in node.FOLDER.glob("*.test.mjs"))
MAKES_KEYS = {"named_keys.test.mjs"}  # which needs the root key
ABOUT_KEYS = {"access.test.mjs", "for_token.test.mjs"}
WITH_A_NAMED_KEY = [
    pytest.param(suite, marks=() if suite in ABOUT_KEYS else pytest.mark.thorough) for suite in SUITES if suite not in MAKES_KEYS
]


@pytest.mark.parametrize("suite", SUITES)
def test_the_sdk_works_unchanged(suite: str, stack: Stack, subtests: pytest.Subtests) -> None:
    run(suite, stack, stack.api_key, subtests)


@pytest.mark.parametrize("suite", WITH_A_NAMED_KEY)
def test_the_sdk_works_unchanged_with_a_named_key(suite: str, stack: Stack, api: Api, subtests: pytest.Subtests) -> None:
    name = suite.partition(".")[0]
    made = api.request("POST", "/api/v1/keys", {"name": name, "scopes": ["create", "complete", "read"]})
    assert made.status == 200, made
    try:
        run(suite, stack, made.body["key"], subtests)
    finally:
        assert api.request("DELETE", f"/api/v1/keys/{name}").status == 200


def run(suite: str, stack: Stack, key: str, subtests: pytest.Subtests) -> None:
    done = subprocess.run(
        [node.node(), "--test", "--test-reporter=./reporter.mjs", suite],
        cwd=node.FOLDER,
        env=node.environment(TRIGGER_API_URL=stack.api_url, TRIGGER_SECRET_KEY=key),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    for result in results:
        with subtests.test(result["name"]):
            assert result["passed"], result.get("error")
    assert results, done.stdout + done.stderr
    assert done.returncode == 0 or not all(result["passed"] for result in results), done.stdout + done.stderr
