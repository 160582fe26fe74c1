"""The stack with an alias for each function, as `make deploy ENV=prod` makes it, but without CodeDeploy."""

import re
from collections.abc import Iterator

import pytest

from local import deploy
from local.stack import ARCHITECTURE, LOCAL, ROOT, Stack, describe, emulating, free_port, sam
from local.stack import deploy as deploy_what_was_built
from tests.e2e.api import Api
from tests.e2e.permissions import physical_name

FOLDER = LOCAL / "e2e-gradual"


def release(url: str, name: str) -> None:
    """Deploy the template as for prod, as the release of this name."""
    text = deploy.gradual((ROOT / "template.yaml").read_text(), "AllAtOnce", name)
    deploy.COPY.write_text(re.sub(r"(DeploymentPreference: \{)", r"\1Enabled: false, ", text))
    try:
        arguments = (f"--template-file={deploy.COPY}", f"--parameter-overrides=Architecture={ARCHITECTURE}")
        sam("build", *arguments, endpoint_url=url, folder=FOLDER)
    finally:
        deploy.COPY.unlink()
    deploy_what_was_built(url, FOLDER)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with emulating(free_port(), FOLDER) as emulator:
        release(emulator.url, "first")
        yield describe(emulator)


def live(stack: Stack, function: str) -> str:
    found = stack.client("lambda").get_alias(FunctionName=physical_name(stack, function), Name="live")
    return str(found["FunctionVersion"])


def test_a_stack_of_aliases_works_and_a_new_release_goes_live(stack: Stack) -> None:
    api = Api(stack)
    before = api.create(timeout="1h")
    execution = api.start_waiting(before)
    api.wait_until_registered(before)
    short = api.create(timeout="2s")
    timed_out = api.start_waiting(short)
    assert api.result(timed_out) == ("FAILED", "WaitpointTimeoutError")  # the stream and the timers invoke the aliases
    assert live(stack, "AcceptCallback") == "1"

    release(stack.endpoint_url, "second")

    assert {live(stack, function) for function in ("AcceptCallback", "ResumeWaiters", "ExpireTokens")} == {"2"}
    assert api.callback(before, {"paid": True}).status == 200
    assert api.result(execution) == ("SUCCEEDED", {"paid": True})
