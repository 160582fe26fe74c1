"""Trigger.dev's own SDK, unchanged, against the deployed stack: every test of tests/sdk is a subtest here."""

import json
import subprocess

import pytest

from local.stack import Stack
from tests.sdk import node

SUITES = sorted(path.name for path in node.FOLDER.glob("*.test.mjs"))


@pytest.mark.parametrize("suite", SUITES)
def test_the_sdk_works_unchanged(suite: str, stack: Stack, subtests: pytest.Subtests) -> None:
    done = subprocess.run(
        [node.node(), "--test", "--test-reporter=./reporter.mjs", suite],
        cwd=node.FOLDER,
        env=node.environment(TRIGGER_API_URL=stack.api_url, TRIGGER_SECRET_KEY=stack.api_key),
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
