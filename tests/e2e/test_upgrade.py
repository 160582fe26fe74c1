"""An upgrade from the previous version under load, and the way back: nothing is lost.

The stack is updated as `sam deploy` updates it: to this version, back to the previous one, and to this one again.
The tests are in that order.
"""

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.request import urlopen

import pytest

from in_process.api_gateway import TOKENS
from local.stack import LOCAL, Emulator, describe, emulating, free_port
from tests.e2e.api import Api, DeployedAnswer
from tests.e2e.built import Built
from tests.e2e.durable import Durable
from tests.e2e.operator import Operator
from tests.e2e.permissions import physical_name
from tests.e2e.place import BUILDS
from tests.e2e.upgrade_load import Load
from tests.e2e.upgrade_waits import Machines, Waits, by_callback, by_completion, by_failing
from tests.support import figures, previous

FOLDER = LOCAL / "upgrade"
TOO_LARGE_FOR_THE_TABLE = "o" * 150_000  # and small enough for a state
TOO_LARGE_FOR_AN_ANSWER = '"' * 1_550_000  # which JSON escapes twice there
ANSWERS = {200, 429, 503}  # docs/internals/contract.md: the sender repeats a request that is answered 429 or 503


class Deployment:
    """A stack on an emulator of its own, at one version or the other."""

    def __init__(self, emulator: Emulator, current: Built) -> None:
        folder = BUILDS / previous.PREVIOUS[:12]
        self._emulator = emulator
        self.previous, self.current = Built(folder, previous.checkout(folder / "source")), current
        self.previous.deploy(emulator.url)
        self.api = Api(describe(emulator))
        self.machines = Machines(self.api)

    def update(self, version: Built, what: str) -> Load:
        """Update the stack to a version under load. Returns what the load has seen."""
        with Load(self.api, self.machines.wait) as load:
            load.wait_until_it_runs()
            began = time.monotonic()
            version.deploy(self._emulator.url)
            seconds = time.monotonic() - began
        stack = describe(self._emulator)
        assert (stack.api_url, stack.api_key) == (self.api.stack.api_url, self.api.stack.api_key)
        self.api.stack = stack
        figures.show(f"{what}: {seconds:.0f} s, {len(load.started)} waits meanwhile, answers {dict(load.statuses)}")
        return load


@pytest.fixture(scope="module", params=[5, pytest.param(50, marks=pytest.mark.thorough)])
def of_each_kind(request: pytest.FixtureRequest) -> int:
    """How many waits of each kind an update finds."""
    return int(request.param)


@pytest.fixture(scope="module")
def deployment(of_each_kind: int, current_build: Built) -> Iterator[Deployment]:
    previous.need_history()
    with emulating(free_port(), FOLDER) as emulator:
        yield Deployment(emulator, current_build)


@dataclass
class Before:
    """What was made before an update."""

    waits: Waits
    late: list[dict[str, Any]]
    large: dict[str, Any]
    key: dict[str, Any]
    public_token: DeployedAnswer
    page: Any


def made_before(deployment: Deployment, of_each_kind: int) -> Before:
    api = deployment.api
    late = [api.create(tags=["late"]) for _ in range(5)]
    for token in late:
        assert api.callback(token, [token["id"], TOO_LARGE_FOR_THE_TABLE]).status == 200
    large, key = api.create(), api.create(idempotencyKey=uuid.uuid4().hex)
    assert api.callback(large, TOO_LARGE_FOR_AN_ANSWER).status == 200
    public_token = api.request("POST", TOKENS, {})
    waits = Waits(api, deployment.machines, of_each_kind)
    return Before(waits, late, large, api.retrieve(key), public_token, api.request("GET", f"{TOKENS}?page[size]=10").body)


@dataclass
class Updated:
    api: Api
    machines: Machines
    load: Load
    before: Before


@pytest.fixture(scope="module")
def upgraded(deployment: Deployment, of_each_kind: int) -> Updated:
    before = made_before(deployment, of_each_kind)
    load = deployment.update(deployment.current, "Upgrade")
    return Updated(deployment.api, deployment.machines, load, before)


def check_load(load: Load) -> None:
    assert load.statuses.keys() <= ANSWERS, load.refused
    assert load.results() == {payload: ("SUCCEEDED", payload) for payload in load.started}


def check_kept(updated: Updated) -> None:
    """Keys, outputs, credentials and cursors of before are still good."""
    api, before = updated.api, updated.before
    for token in before.late:
        assert api.result(updated.machines.wait(token)) == ("SUCCEEDED", [token["id"], TOO_LARGE_FOR_THE_TABLE])
    assert downloaded(api, before.large) == TOO_LARGE_FOR_AN_ANSWER
    again = api.create(idempotencyKey=before.key["idempotencyKey"])
    assert (again["id"], again["url"], again["isCached"]) == (before.key["id"], before.key["url"], True)
    token, jwt = before.public_token.body, before.public_token.headers["x-trigger-jwt"]
    assert api.request("POST", f"{TOKENS}/{token['id']}/complete", {"data": 1}, key=jwt).status == 200
    assert api.retrieve(token)["output"] == "1"
    older = api.request("GET", f"{TOKENS}?page[size]=10&page[after]={before.page['pagination']['next']}").body["data"]
    assert len(older) == 10
    assert max(it["id"] for it in older) < min(it["id"] for it in before.page["data"])


def downloaded(api: Api, token: dict[str, Any]) -> Any:
    found = api.retrieve(token)
    assert found["outputType"] == "application/store"
    link = api.request("GET", f"/api/v1/packets/{found['output']}").body["presignedUrl"]
    with urlopen(link, timeout=60) as answer:
        return json.load(answer)


def test_during_an_upgrade_every_request_is_answered_and_every_execution_resumed(upgraded: Updated) -> None:
    check_load(upgraded.load)


def test_every_wait_of_before_is_resumed_by_the_new_version(upgraded: Updated) -> None:
    results, expected = upgraded.before.waits.end(by_callback, by_completion, by_failing)
    assert results == expected


def test_the_new_version_keeps_keys_outputs_credentials_and_cursors(upgraded: Updated) -> None:
    check_kept(upgraded)


@dataclass
class Since:
    """What only the new version can make."""

    with_rules: dict[str, Any]
    kept_key: str
    endpoint: str
    durable_token: dict[str, Any]
    durable_execution: str
    failed: dict[str, Any]


def made_since(api: Api, durable: Durable) -> Since:
    with_rules, durable_token, failed, kept_key = (
        api.create(completeWhen="body.paid"),
        api.create(),
        api.create(),
        uuid.uuid4().hex,
    )
    execution = durable.wait(durable_token)
    api.wait_until_registered(durable_token)
    by_failing(api, failed)
    kept = {"idempotencyKey": kept_key, "data": "came first"}
    assert api.request("POST", "/api/v1/waitpoints/complete", kept).status == 200
    endpoint = api.request("PUT", "/api/v1/endpoints/upgrade", {"key": "body.order", "verify": "none"}).body["url"]
    return Since(with_rules, kept_key, endpoint, durable_token, execution, failed)


def store_failures_as_completions(api: Api) -> None:
    """Let a version that knows no failed tokens read them. This version still knows that they failed, by their error."""
    table, name = api.stack.client("dynamodb"), api.stack.table_name
    status, failed = {"#status": "status"}, {":failed": {"S": "FAILED"}}
    found = table.get_paginator("scan").paginate(
        TableName=name, FilterExpression="#status = :failed", ExpressionAttributeNames=status, ExpressionAttributeValues=failed
    )
    for item in [item for page in found for item in page["Items"]]:
        table.update_item(
            TableName=name,
            Key={"id": item["id"], "item": item["item"]},
            UpdateExpression="SET #status = :completed",
            ExpressionAttributeNames=status,
            ExpressionAttributeValues={":completed": {"S": "COMPLETED"}},
        )


@dataclass
class GoneBack(Updated):
    since: Since
    durable: Durable


@pytest.fixture(scope="module")
def gone_back(deployment: Deployment, upgraded: Updated, of_each_kind: int) -> GoneBack:
    durable = Durable(deployment.api.stack)
    since, before = made_since(deployment.api, durable), made_before(deployment, of_each_kind)
    store_failures_as_completions(deployment.api)
    load = deployment.update(deployment.previous, "Way back")
    return GoneBack(deployment.api, deployment.machines, load, before, since, durable)


def test_on_the_way_back_every_request_is_answered_and_every_execution_resumed(gone_back: GoneBack) -> None:
    check_load(gone_back.load)


def test_every_wait_of_the_new_version_is_resumed_by_the_previous_one(gone_back: GoneBack) -> None:
    results, expected = gone_back.before.waits.end(by_callback, by_completion)
    assert results == expected


def test_the_previous_version_keeps_keys_outputs_credentials_and_cursors(gone_back: GoneBack) -> None:
    check_kept(gone_back)


def test_the_previous_version_gives_a_kept_completion_to_its_create(gone_back: GoneBack) -> None:
    token = gone_back.api.create(idempotencyKey=gone_back.since.kept_key)
    assert token["isCached"] is True
    assert gone_back.api.retrieve(token)["output"] == '"came first"'
    assert gone_back.api.result(gone_back.machines.wait(token)) == ("SUCCEEDED", "came first")


def test_the_previous_version_obeys_no_rules_that_it_does_not_know(gone_back: GoneBack) -> None:
    """docs/operation.md warns of it."""
    assert gone_back.api.callback(gone_back.since.with_rules, {"paid": False}).status == 200
    assert gone_back.api.retrieve(gone_back.since.with_rules)["output"] == '{"paid": false}'


def test_the_previous_versions_doctor_finishes_its_rounds(gone_back: GoneBack) -> None:
    answer = gone_back.api.stack.client("lambda").invoke(FunctionName=physical_name(gone_back.api.stack, "Doctor"))
    assert "FunctionError" not in answer, answer["Payload"].read()


@pytest.fixture(scope="module")
def upgraded_again(deployment: Deployment, gone_back: GoneBack) -> GoneBack:
    """The token for which a durable function waits is completed before, by the previous version."""
    by_callback(gone_back.api, gone_back.since.durable_token)
    load = deployment.update(deployment.current, "Upgrade again")
    return replace(gone_back, load=load)


def test_an_upgrade_again_answers_every_request(upgraded_again: GoneBack) -> None:
    check_load(upgraded_again.load)


def test_a_durable_function_that_the_previous_version_could_not_resume_is_resumed(upgraded_again: GoneBack) -> None:
    token, execution = upgraded_again.since.durable_token, upgraded_again.since.durable_execution
    operator = Operator(upgraded_again.api.stack)
    assert [waiter["status"] for waiter in upgraded_again.api.retrieve(token)["waiters"]] == ["UNDELIVERED"]
    operator.run("redrive")
    assert upgraded_again.durable.result(execution) == ("SUCCEEDED", [{"ok": True, "output": {"of": token["id"]}}])


def test_endpoints_and_failures_are_as_they_were(upgraded_again: GoneBack) -> None:
    api, since = upgraded_again.api, upgraded_again.since
    order = uuid.uuid4().hex
    token = api.create(idempotencyKey=f"upgrade:{order}")
    assert api.request("POST", since.endpoint, {"order": order}, key=None).status == 200
    assert api.retrieve(token)["status"] == "COMPLETED"
    failed = api.retrieve(since.failed)
    assert (failed["outputIsError"], json.loads(failed["output"])["name"]) == (True, "Declined")
