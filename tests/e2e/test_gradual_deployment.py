"""The stack with an alias for each function, as `make deploy ENV=prod` makes it, but without CodeDeploy."""

import re
from collections.abc import Iterator
from dataclasses import asdict
from urllib.request import urlopen

import pytest
from waitpoints_client.ops.deployed import Deployed

from tests.support.e2e.api import Api
from tests.support.e2e.built import Built
from tests.support.e2e.permissions import physical_name
from tests.support.patience import PATIENCE
from tools import deploy, version
from tools.stack import LOCAL, emulating
from waitpoints_local.stack import Endpoint, Stack, describe, free_port, overrides

FOLDER = LOCAL / "e2e-gradual"


def release(endpoint: Endpoint, built: Built, name: str) -> None:
    """Deploy the build as for prod, as the release of this name."""
    text = re.sub(r"(DeploymentPreference: \{)", r"\1Enabled: false, ", deploy.gradual(built.template(), "AllAtOnce", name))
    built.deploy(endpoint, template=text, parameters=overrides(endpoint.url))


@pytest.fixture(scope="module")
def stack(current_build: Built) -> Iterator[Stack]:
    """A stack of its own: its functions have aliases, which no update adds to those of a running one."""
    with emulating(free_port(), FOLDER) as emulator:
        release(emulator, current_build, "first")
        yield describe(emulator)


def live(stack: Stack, function: str) -> str:
    found = stack.client("lambda").get_alias(FunctionName=physical_name(stack, function), Name="live")
    return str(found["FunctionVersion"])


def tried(stack: Stack) -> dict[str, str]:
    """The versions that get no traffic if they fail here. Invoke them as CodeDeploy would have done."""
    functions = stack.client("lambda")
    hook = functions.get_function_configuration(FunctionName=physical_name(stack, "BeforeTraffic"))
    found = {}
    for invoked, name in zip(hook["Environment"]["Variables"]["VERSIONS"].split(), deploy.SCHEDULED, strict=True):
        assert f":{physical_name(stack, name)}:" in invoked
        answer = functions.invoke(FunctionName=invoked, Payload=b"{}")
        assert "FunctionError" not in answer, answer["Payload"].read()
        found[name] = str(answer["ExecutedVersion"])
    return found


def test_a_stack_of_aliases_works_and_a_new_release_goes_live(stack: Stack, current_build: Built) -> None:
    api = Api(stack)
    before = api.create(timeout="1h")
    execution = api.wait(before)
    api.wait_until_registered(before)
    short = api.create(timeout="2s")
    timed_out = api.wait(short)
    assert api.result(timed_out) == ("FAILED", "WaitpointTimeoutError")  # the stream and the timers invoke the aliases
    assert live(stack, "AcceptCallback") == "1"

    release(stack.endpoint, current_build, "second")

    assert {live(stack, function) for function in ("AcceptCallback", "ResumeWaiters", "ExpireTokens")} == {"2"}
    assert tried(stack) == {"StartTimers": "2", "Doctor": "2"}
    with urlopen(f"{stack.api_url}/console", timeout=PATIENCE) as console:
        assert f'content="Waitpoints {version.read()}"' in console.read().decode()
    assert Deployed.local(asdict(stack)).outputs["Version"] == version.read()
    assert api.deliver(before, {"paid": True}).status == 200
    assert api.result(execution) == ("SUCCEEDED", {"paid": True})
