"""GitHub's example payloads, in any order and again and again, at one endpoint: each run gets its own, once."""

import random
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.providers import github_examples
from tests.providers.github_examples import Example
from tests.providers.official import Delivery, signed
from tests.support import figures
from tests.support.e2e.api import PATIENCE, Api
from tests.support.e2e.key_runs import Runs
from tests.support.e2e.secrets import Secrets
from tests.support.in_process.api_gateway import TOKENS
from tools.openapi.operations import ENDPOINTS

TIMES = 3
AT_ONCE = 8
SECRET = "It's a Secret to Everybody"
SETTINGS = {
    "key": "join('-', [headers.\"x-github-event\", body.action, body.*.node_id | [0]])",
    "completeWhen": "body.action != 'deleted'",
    "keyTTL": "1h",
}


def value_of(example: Example) -> str | None:
    """What the expression of `key` gives, said in Python."""
    body = example.body
    ids = [member["node_id"] for member in body.values() if isinstance(member, dict) and member.get("node_id")]
    return f"{example.event}-{body['action']}-{ids[0]}" if "action" in body and ids else None


def matches(example: Example) -> bool:
    return bool(example.body.get("action") != "deleted")


@dataclass
class Plan:
    """The deliveries in their random order, and which keys are awaited before they come, after, and never."""

    examples: tuple[Example, ...]
    seed: int
    order: list[Example] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    never: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        chance = random.Random(self.seed)  # noqa: S311
        self.order = list(self.examples) * TIMES
        chance.shuffle(self.order)
        values = sorted(self.deliveries())
        chance.shuffle(values)
        third = len(values) // 3
        self.before, self.after, self.never = values[:third], values[third : 2 * third], values[2 * third :]

    def deliveries(self) -> dict[str, list[Example]]:
        """The deliveries that complete each value's key, in their order."""
        found: dict[str, list[Example]] = {}
        for example in self.order:
            if (value := value_of(example)) and matches(example):
                found.setdefault(value, []).append(example)
        return found

    def in_turn(self) -> list[list[Example]]:
        """The deliveries in groups that may go at the same time. Those of one key are in one group, so in their order."""
        groups: list[list[Example]] = [[] for _ in range(AT_ONCE)]
        for index, example in enumerate(self.order):
            value = value_of(example)
            groups[sum(value.encode()) % AT_ONCE if value else index % AT_ONCE].append(example)
        return groups


class Endpoint:
    """An endpoint of this test alone, and its provider."""

    def __init__(self, api: Api, secrets: Secrets, examples: tuple[Example, ...]) -> None:
        self._api = api
        self.name = f"e2e-{uuid.uuid4()}"
        self.path = f"{ENDPOINTS}/{self.name}"
        verify = {"scheme": "github", "secret": secrets.make("e2e-any-order", SECRET)}
        answer = api.request("PUT", self.path, {**SETTINGS, "verify": verify})
        assert answer.status == 200, answer
        self._url = answer.body["url"]
        deliveries = [
            Delivery("github", example.text, {"Content-Type": "application/json", "X-GitHub-Event": example.event})
            for example in examples
        ]
        self._headers = dict(zip(examples, signed(deliveries, SECRET), strict=True))

    def key(self, value: str) -> str:
        return f"{self.name}:{value}"

    def send(self, group: Sequence[Example]) -> list[int]:
        return [self._api.deliver(self._url, example.text.encode(), self._headers[example]).status for example in group]

    def counts(self, total: int) -> dict[str, int]:
        """How many deliveries came of each kind, once there are `total` of them without those that were refused.

        Counts above a rate are written with a later delivery of the same function environment, so forged ones are sent.
        """
        until = time.monotonic() + PATIENCE
        while True:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(lambda _: self._api.deliver(self._url, b"forged").status, range(AT_ONCE)))
            shown = self._api.request("GET", self.path).body["deliveries"]
            counts = {kind: found["count"] for kind, found in shown.items() if kind != "refused"}
            if sum(counts.values()) >= total:
                return counts
            assert time.monotonic() < until, counts
            time.sleep(0.5)


@pytest.fixture
def examples() -> tuple[Example, ...]:
    return github_examples.one_of_each_action()


@pytest.fixture
def endpoint(api: Api, secrets: Secrets, examples: tuple[Example, ...]) -> Iterator[Endpoint]:
    made = Endpoint(api, secrets, examples)
    yield made
    api.request("DELETE", made.path)


def created_since(api: Api, start: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    query = {"filter[createdAt][from]": start, "page[size]": "100"}
    while True:
        answer = api.request("GET", f"{TOKENS}?{urlencode(query)}")
        assert answer.status == 200, answer
        found += answer.body["data"]
        if "next" not in answer.body["pagination"]:
            return found
        query["page[after]"] = answer.body["pagination"]["next"]


def wait_until_created(api: Api, start: str, tokens: int) -> None:
    until = time.monotonic() + PATIENCE
    while len(created_since(api, start)) < tokens:
        assert time.monotonic() < until, "the runs do not wait"
        time.sleep(0.2)


def resumed_once(
    api: Api, execution: str, token: Mapping[str, Any], deliveries: Sequence[Example], *, was_waiting: bool
) -> None:
    """Assert that a run went on with the first of its key's deliveries, and that the others changed nothing."""
    first = deliveries[0]
    assert api.result(execution) == ("SUCCEEDED", {"ok": True, "output": first.body})
    assert api.history(execution).count("TaskSucceeded") == 1
    shown = api.retrieve(dict(token))
    assert (shown["status"], shown["output"], shown["completedBy"]["source"]) == ("COMPLETED", first.text, "endpoint")
    assert [waiter["status"] for waiter in shown["waiters"]] == (
        ["RESUMED"] if was_waiting else []
    )  # others are resumed at once
    assert shown["otherDeliveries"]["count"] == len(deliveries) - 1


def test_each_awaited_payload_resumes_its_run_once_and_nothing_else_is_completed(
    api: Api, endpoint: Endpoint, runs: Runs, examples: tuple[Example, ...]
) -> None:
    plan = Plan(examples, seed=random.SystemRandom().randrange(2**32))
    figures.show(f"GitHub's payloads at one endpoint: order of seed {plan.seed}")
    start, deliveries = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"), plan.deliveries()
    excluded = sorted({value for example in examples if (value := value_of(example)) and not matches(example)})
    bystanders = {
        api.create(**options)["id"]
        for options in (
            {},
            {"idempotencyKey": plan.never[0]},
            {"idempotencyKey": f"{endpoint.name}"},
            {"idempotencyKey": f"{endpoint.name}-other:{plan.never[0]}"},
            *({"idempotencyKey": endpoint.key(value)} for value in excluded),
        )
    }
    with ThreadPoolExecutor(AT_ONCE) as pool:
        executions = dict(zip(plan.before, pool.map(runs.start, map(endpoint.key, plan.before)), strict=True))
        wait_until_created(api, start, len(bystanders) + len(plan.before))
        statuses = [status for group in pool.map(endpoint.send, plan.in_turn()) for status in group]
        assert Counter(statuses) == {200: TIMES * len(examples)}
        executions |= zip(plan.after, pool.map(runs.start, map(endpoint.key, plan.after)), strict=True)
        wait_until_created(api, start, len(bystanders) + len(executions))
        listed = created_since(api, start)
        tokens = {token["idempotencyKey"]: token for token in listed if token["id"] not in bystanders}
        assert tokens.keys() == {endpoint.key(value) for value in executions}

        def check(value: str) -> None:
            token = tokens[endpoint.key(value)]
            resumed_once(api, executions[value], token, deliveries[value], was_waiting=value in plan.before)

        list(pool.map(check, executions))
    assert {token["id"] for token in created_since(api, start) if token["status"] == "WAITING"} == bystanders
    came = Counter("notMatching" if not matches(one) else "key" if value_of(one) else "noKey" for one in plan.order)
    assert endpoint.counts(len(plan.order)) == {
        "completed": len(plan.before),
        "kept": len(plan.after) + len(plan.never),
        "repeated": came["key"] - len(deliveries),
        "notMatching": came["notMatching"],
        "noKey": came["noKey"],
    }
