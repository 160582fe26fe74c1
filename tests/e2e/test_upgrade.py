"""An upgrade from the previous version under load, and the way back: nothing is lost.

The stack is updated as `sam deploy` updates it: to this version, and back to the previous one. The tests are in that order.
"""

import json
import os
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast
from urllib.request import urlopen

import pytest
from waitpoints_client.ops.deployed import Deployed
from waitpoints_client.ops.doctor import scan
from waitpoints_client.ops.versions import difference

from tests.support import figures, node, previous, typescript_client
from tests.support.e2e.api import Api
from tests.support.e2e.built import Built
from tests.support.e2e.durable import Durable
from tests.support.e2e.folders import BUILDS
from tests.support.e2e.released import Archive
from tests.support.e2e.upgrade_kinds import PARAMETERS, SENDER, Endpoints, KnownWaits
from tests.support.e2e.upgrade_load import WAYS, Load
from tests.support.e2e.upgrade_waits import (
    Machines,
    Token,
    by_callback,
    by_completion,
    by_failing,
    by_the_doctor,
)
from tests.support.in_process.api_gateway import TOKENS, HttpAnswer
from tests.support.patience import PATIENCE
from tests.support.programs import Ended, ended
from tools.release.typescript_package import FOLDER as TYPESCRIPT
from tools.stack import LOCAL, ROOT, emulating
from waitpoints_local.stack import Emulator, describe, free_port, overrides, verify_sender

FOLDER = LOCAL / "upgrade"
TOO_LARGE_FOR_THE_TABLE = "o" * 150_000  # and small enough for a state
TOO_LARGE_FOR_AN_ANSWER = '"' * 1_550_000  # which JSON escapes twice there
PROGRAM = """
import sys
from waitpoints_client import Failed, Waitpoints

with Waitpoints(*sys.argv[1:]) as waitpoints:
    paid, declined = (waitpoints.create(timeout="1h", tags=["program"]) for _ in range(2))
    waitpoints.complete(paid, {"paid": True})
    waitpoints.fail(declined, "declined")
    assert [token.id for token in waitpoints.list(tags="program")][:2] == [declined.id, paid.id]
    assert waitpoints.get(paid).completed_at
    failed = waitpoints.wait(declined)
    assert isinstance(failed, Failed)
    print(waitpoints.wait(paid).unwrap(), failed.error.message)
"""
MANY = int(os.environ.get("UPGRADE_WAITS", "60"))
CLIENT = ROOT / "clients" / "python"
ANSWERS = {200, 429, 503}  # docs/internals/contract.md: the provider repeats a request that is answered 429 or 503


class Deployment:
    """A stack on an emulator of its own, at one version or the other."""

    def __init__(self, emulator: Emulator, current: Built, of_each_kind: int) -> None:
        folder = BUILDS / previous.folder_name()
        self._emulator, self.of_each_kind = emulator, of_each_kind
        self.previous, self.current = Built(folder, previous.checkout(folder / "source")), current
        verify_sender(emulator, SENDER)
        self._deploy(self.previous)
        self.api = Api(describe(emulator))
        self.machines, self.durable, self.endpoints = Machines(self.api), Durable(self.api.stack), Endpoints(self.api)

    def _deploy(self, version: Built) -> None:
        version.deploy(self._emulator, parameters=(*overrides(self._emulator.url), *PARAMETERS))

    def update(self, version: Built, what: str) -> Load:
        """Update the stack to a version under load. Returns what the load has seen."""
        with Load(self.api, self.machines.wait) as load:
            load.wait_until_it_runs()
            began, before = time.monotonic(), load.ways.copy()
            self._deploy(version)
            seconds, meanwhile = time.monotonic() - began, load.ways - before
        stack = describe(self._emulator)
        assert (stack.api_url, stack.api_key) == (self.api.stack.api_url, self.api.stack.api_key)
        self.api.stack = stack
        figures.show(f"{what}: {seconds:.0f} s, meanwhile {dict(meanwhile)}, answers {dict(load.statuses)}")
        assert meanwhile.keys() == WAYS.keys(), "the update was too fast for the load"
        return load


@pytest.fixture(scope="module", params=[pytest.param(5, marks=pytest.mark.few), pytest.param(MANY, marks=pytest.mark.thorough)])
def of_each_kind(request: pytest.FixtureRequest) -> int:
    """How many waits of each kind an update finds."""
    return int(request.param)


@pytest.fixture(scope="module")
def next_version(of_each_kind: int, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """What the stack is upgraded to: among many waits a release, else what `sam build` makes of the same tree."""
    if of_each_kind == MANY:
        return Archive(tmp_path_factory.mktemp("archive"))
    return cast("Built", request.getfixturevalue("current_build"))


@pytest.fixture(scope="module")
def deployment(next_version: Built, of_each_kind: int) -> Iterator[Deployment]:
    previous.need_history()
    with emulating(free_port(), FOLDER) as emulator:
        yield Deployment(emulator, next_version, of_each_kind)


@dataclass
class Before:
    """What was made before an update."""

    waits: KnownWaits
    late: list[Token]
    failed: Token
    large: Token
    key: Token
    kept_key: str
    public_token: HttpAnswer
    page: Any


def made_before(deployment: Deployment) -> Before:
    api = deployment.api
    late = [api.create(tags=["late"]) for _ in range(5)]
    for token in late:
        assert api.deliver(token, [token["id"], TOO_LARGE_FOR_THE_TABLE]).status == 200
    failed, large, key, kept_key = api.create(), api.create(), api.create(idempotencyKey=uuid.uuid4().hex), uuid.uuid4().hex
    by_failing(api, failed)
    assert api.deliver(large, TOO_LARGE_FOR_AN_ANSWER).status == 200
    kept = {"idempotencyKey": kept_key, "data": "came first"}
    api.ask("POST", "/api/v1/waitpoints/complete", kept)
    public_token = api.request("POST", TOKENS, {})
    waits = KnownWaits(api, deployment.machines, deployment.durable, deployment.endpoints, deployment.of_each_kind)
    page = api.request("GET", f"{TOKENS}?page[size]=10").json
    return Before(waits, late, failed, large, api.retrieve(key), kept_key, public_token, page)


@dataclass
class Updated:
    deployment: Deployment
    load: Load
    before: Before


@pytest.fixture(scope="module")
def upgraded(deployment: Deployment) -> Updated:
    before = made_before(deployment)
    return Updated(deployment, deployment.update(deployment.current, "Upgrade"), before)


def called_by(client: Path, api: Api) -> Ended:
    """Let a version of the Python client, in this folder, make the calls of a program."""
    command = [sys.executable, "-c", PROGRAM, api.stack.api_url, api.stack.api_key]
    environment = {**os.environ, "PYTHONPATH": str(client / "src")}
    return ended(command, environment=environment)


def test_the_client_of_the_new_version_works_with_a_stack_of_the_previous_one(deployment: Deployment) -> None:
    """Its calls, and an operator's: the doctor of a stack without work left."""
    done = called_by(CLIENT, deployment.api)
    assert (done.returncode, done.stdout, done.stderr) == (0, "{'paid': True} declined\n", "")
    stack = Deployed.local(asdict(deployment.api.stack))
    said = difference(stack.outputs["Version"])
    assert not said or "which is fine" in said
    assert (found := scan(stack))["unrepaired"] == 0
    assert found["items"] > 0


def test_the_typescript_client_works_with_a_stack_of_the_previous_one(deployment: Deployment) -> None:
    stack, program = deployment.api.stack, typescript_client.client() / "tests" / "on_the_previous_stack.mjs"
    given = node.environment(WAITPOINTS_URL=stack.api_url, WAITPOINTS_API_KEY=stack.api_key)
    command = [node.node(TYPESCRIPT), str(program)]
    done = ended(command, environment=given)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def check_load(load: Load) -> None:
    assert load.statuses.keys() <= ANSWERS, load.refused
    assert load.results() == load.expected


def check_kept(updated: Updated) -> None:
    """Keys, outputs, failures, credentials and cursors of before are still good."""
    api, machines, before = updated.deployment.api, updated.deployment.machines, updated.before
    for token in before.late:
        assert api.result(machines.wait(token)) == ("SUCCEEDED", [token["id"], TOO_LARGE_FOR_THE_TABLE])
    assert api.result(machines.wait(before.failed)) == ("FAILED", "Declined")
    assert downloaded(api, before.large) == TOO_LARGE_FOR_AN_ANSWER
    again = api.create(idempotencyKey=before.key["idempotencyKey"])
    assert (again["id"], again["url"], again["isCached"]) == (before.key["id"], before.key["url"], True)
    kept = api.create(idempotencyKey=before.kept_key)
    assert (kept["isCached"], api.retrieve(kept)["output"]) == (True, '"came first"')
    token, jwt = before.public_token.json, before.public_token.headers["x-trigger-jwt"]
    api.ask("POST", f"{TOKENS}/{token['id']}/complete", {"data": 1}, key=jwt)
    assert api.retrieve(token)["output"] == "1"
    older = api.request("GET", f"{TOKENS}?page[size]=10&page[after]={before.page['pagination']['next']}").json["data"]
    assert len(older) == 10
    assert max(it["id"] for it in older) < min(it["id"] for it in before.page["data"])


def downloaded(api: Api, token: Token) -> Any:
    found = api.retrieve(token)
    assert found["outputType"] == "application/store"
    link = api.request("GET", f"/api/v1/packets/{found['output']}").json["presignedUrl"]
    with urlopen(link, timeout=PATIENCE) as answer:
        return json.load(answer)


def test_during_an_upgrade_every_request_is_answered_and_every_execution_resumed(upgraded: Updated) -> None:
    check_load(upgraded.load)


def test_the_upgraded_stack_says_its_version_and_the_previous_client_calls_it(upgraded: Updated) -> None:
    api, previous_version = upgraded.deployment.api, upgraded.deployment.previous
    assert difference(Deployed.local(asdict(api.stack)).outputs["Version"]) == ""
    done = called_by(previous_version.project / "clients" / "python", api)
    assert (done.returncode, done.stdout, done.stderr) == (0, "{'paid': True} declined\n", "")


def test_every_wait_of_before_is_resumed_by_the_new_version(upgraded: Updated) -> None:
    ways = (by_callback, by_completion, by_failing)
    results, expected = upgraded.before.waits.end(*ways, long=by_the_doctor, during="Upgrade")
    assert results == expected


def test_the_new_version_keeps_keys_outputs_credentials_and_cursors(upgraded: Updated) -> None:
    check_kept(upgraded)


@pytest.fixture(scope="module")
def gone_back(deployment: Deployment, upgraded: Updated) -> Updated:
    before = made_before(deployment)
    return Updated(deployment, deployment.update(deployment.previous, "Way back"), before)


def test_on_the_way_back_every_request_is_answered_and_every_execution_resumed(gone_back: Updated) -> None:
    check_load(gone_back.load)


def test_every_wait_of_the_new_version_is_resumed_by_the_previous_one(gone_back: Updated) -> None:
    ways = (by_callback, by_completion, by_failing)
    results, expected = gone_back.before.waits.end(*ways, long=by_the_doctor, during="Way back")
    assert results == expected


def test_the_previous_version_keeps_keys_outputs_credentials_and_cursors(gone_back: Updated) -> None:
    check_kept(gone_back)
