"""The budgets of a wait: calls to AWS, and DynamoDB's capacity, counted as `make costs` counts them."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, ClassVar

import pytest

from tests.support.in_process.api_gateway import COMPLETE_BY_KEY, TOKENS
from tests.support.in_process.counting.deliveries import count_deliveries, signed
from tests.support.in_process.counting.notices import count_notices
from tests.support.in_process.counting.options import EXECUTION, SIGNED, count_options
from tests.support.in_process.counting.sign_in import count_sign_in
from tests.support.in_process.counting.waits import Added, Bench, Wait, bench
from tests.support.in_process.moto_stack import MotoStack, client_of
from tools.openapi.operations import ENDPOINTS
from waitpoints import endpoint_tally
from waitpoints.access import api_key_cache
from waitpoints.access.api_key_cache import ApiKeyCache
from waitpoints.access.api_keys import NamedKey, Scope, digest, new_key
from waitpoints.aws.delivery_store import SHARDS
from waitpoints.aws.doctor_store import STATE_KEY
from waitpoints.endpoint import DeliveryKind, EndpointStatistics, LastDelivery
from waitpoints.endpoint_cache import CACHED_FOR
from waitpoints.wiring import services

pytestmark = pytest.mark.slow  # runs every function of a wait, and of each option
COUNT = "DynamoDB:UpdateItem"  # of a delivery to an endpoint
OPTIONS = {  # the calls, write units and read units that an option adds to a plain wait at most
    "`timeout` of up to 15 minutes": (2, 1, 1),  # the timer is started, and looks once
    "`timeout` of up to a year": (1, 1, 0.5),  # a round asks whether it still waits, for a hundred tokens at once
    "the same, and it times out": (3, 1, 1.5),
    "the same, moved once": (3, 4, 1.5),
    "`idempotencyKey`": (0, 6, 0),
    "`idempotencyKey`, completed by the key": (1, 6, 1),
    "`idempotencyKey`, completed by a delivery to an endpoint": (2, 7, 1),
    "`verify`": (1, 2, 0),  # one refused update
    "`completeWhen`": (1, 2, 0),
    "`payloadSchema` of 90 bytes": (2, 5, 1),
    "`page`, opened once and answered": (3, 4, 2),
    "`page`, opened and approved by two people": (5, 5, 4),  # an answer is one read and one update
    "`page`, approved by five people": (14, 8, 10),
    "each reminder (`remind`) of an answered page": (4, 3, 1.5),
    "`metadata` of 200 bytes": (0, 3, 0),  # with `context`, or an event, one call and one read unit more
    "`execution`, the waiter's ARN": (0, 1, 0),
    "each further waiter (the second)": (2, 3, 0),
    "a durable function waits, not a state": (0, 0, 0),
    "`recordDeliveries`, each delivery": (4, 11, 0),
    "a payload of 20 KB": (0, 20, 0),
    "a payload of 300 KB, in the bucket": (2, 0, 1),  # a read first,
    "an event bus (`EventBusName`)": (1, 0, 0),
}
NOTICES = {  # the same, that `notify` adds to a page that everyone answers
    "`notify`: a mail about a page": (10, 3, 4),  # two messages, two looks; a claim and its end, the mail and its record
    "the same, three mails to two approvers": (21, 7, 8),
    "the same, and both get the outcome": (30, 11, 11),
    "`notify`: a message in Slack, edited at the end": (16, 6, 6),
}

SIGN_IN = {  # the same, beside a page that two people approve by their links
    "`signIn`: both of two approvers sign in": (8, 1, 3),  # each redeems a code, reads a key again, and opens the page twice
    "the same, and both have a session": (2, 1, 1),  # an answer at the callback URL is first taken for a plain completion
}


@pytest.fixture(scope="module")
def counted(stack: MotoStack) -> Iterator[Bench]:
    with bench(stack) as counted:
        yield counted


@pytest.fixture
def warm(counted: Bench) -> Bench:
    """With functions that have read what they read once, such as the signing key."""
    counted.wait()
    counted.meter.take()
    return counted


@pytest.fixture(scope="module")
def wait(counted: Bench) -> Wait:
    """A wait with a small payload and a task token of a usual length."""
    return counted.wait()


@pytest.mark.parametrize("step", ["create", "wait"])
def test_creating_and_registering_take_one_call_each(wait: Wait, step: str) -> None:
    assert len(wait[step].calls) == 1


def test_retrieving_takes_one_call(counted: Bench) -> None:
    assert counted.retrieve().operations() == ["DynamoDB:Query"]


def test_settling_resuming_and_recording_take_three_calls(wait: Wait) -> None:
    expected = ["DynamoDB:UpdateItem", "SFN:SendTaskSuccess", "DynamoDB:UpdateItem"]
    assert wait["settle and resume"].operations() == expected


def test_the_stream_function_only_reads_when_there_is_nothing_left_to_do(wait: Wait) -> None:
    assert wait["guarantee"].operations() == ["DynamoDB:BatchGetItem"]
    assert wait["guarantee"].read_units == 0.5


@pytest.mark.slow
def test_the_stream_function_reads_once_for_a_whole_batch(counted: Bench) -> None:
    batch, stream = Wait(), counted.stream()
    for _ in range(20):
        token: Any = counted.api.create()
        counted.register(Wait(), token["id"])
        counted.api.post(token["url"], "1", {})
    counted.meter.take()
    counted.guarantee(batch, stream)
    [read] = batch["guarantee"].calls
    assert (read.operation, read.read_units) == ("DynamoDB:BatchGetItem", 10)


@pytest.mark.parametrize(
    ("options", "most"),
    [
        ({}, 6),
        ({"timeout": "24h"}, 7),
        ({"timeout": "24h", "ends": False}, 7),
        ({"timeout": "24h", "execution": EXECUTION}, 8),
        ({"timeout": "24h", "task_token": 2048}, 9),
    ],
    ids=["no timeout", "completed before its timeout", "timed out", "the README's machine", "the longest task token"],
)
def test_a_wait_with_a_small_payload_takes_at_most_nine_write_units(counted: Bench, options: dict[str, Any], most: int) -> None:
    assert counted.wait(**options).write_units <= most


@pytest.mark.parametrize("timeout", [None, "24h"])
def test_the_bytes_of_a_payload_are_written_once_and_billed_once(counted: Bench, timeout: str | None) -> None:
    wait = counted.wait(payload=20_000, timeout=timeout)
    with_payload = [call for step in wait.steps for call in step.calls if call.item_bytes >= 20_000]
    assert len(with_payload) == 1


@pytest.mark.parametrize(("function", "writes", "reads"), [("start_timers", 4, 3), ("doctor", 5, 5)])
def test_a_round_that_finds_nothing_takes_few_units(counted: Bench, function: str, writes: int, reads: float) -> None:
    """They are what a stack costs that nobody uses: the cursor or cursors, and a query for each shard of the due index."""
    found = counted.round(function)
    assert 0 < found.write_units <= writes
    assert 0 < found.read_units <= reads


@pytest.mark.slow
def test_an_option_adds_no_more_to_a_wait_than_its_budget(counted: Bench) -> None:
    assert over(count_options(counted, count_deliveries(counted)), OPTIONS) == {}


@pytest.mark.slow
def test_telling_people_adds_no_more_to_a_wait_than_its_budget(counted: Bench) -> None:
    assert over(count_notices(counted), NOTICES) == {}


@pytest.mark.slow
def test_signing_in_adds_no_more_to_a_wait_than_its_budget(counted: Bench) -> None:
    assert over(count_sign_in(counted), SIGN_IN) == {}


def over(added: Mapping[str, Added], budgets: Mapping[str, tuple[int, int, float]]) -> dict[str, tuple[int, int, float]]:
    units = {option: (one.calls, one.write_units, one.read_units) for option, one in added.items()}
    return {
        option: it for option, it in units.items() if any(more > most for more, most in zip(it, budgets[option], strict=True))
    }


def test_who_completed_a_token_takes_less_than_a_hundred_bytes_of_its_item(counted: Bench) -> None:
    """So that it crosses a kilobyte, which is one write unit, once in ten times."""
    [settled, _, _] = counted.wait(payload=200)["settle and resume"].calls
    [plain, _, _] = counted.wait(payload=100)["settle and resume"].calls
    assert settled.item_bytes - plain.item_bytes == 100
    assert settled.write_units == math.ceil(settled.item_bytes / 1024) + 1  # and one in the list index
    assert settled.item_bytes <= 917 + 100


class TestCallback:
    """What a delivery costs, by what its token asks for."""

    REFUSED = "DynamoDB:UpdateItem"  # by the token's rules, and it reads them
    SETTLED = "DynamoDB:UpdateItem"
    COUNTED = "DynamoDB:UpdateItem"
    SCHEMA = "DynamoDB:GetItem"

    @pytest.mark.parametrize(
        ("wanted", "body", "expected"),
        [
            ({}, "1", [SETTLED]),
            ({"completeWhen": "body.n == `1`"}, {"n": 1}, [REFUSED, SETTLED]),
            ({"completeWhen": "body.n == `1`"}, {"n": 2}, [REFUSED, COUNTED]),
            ({"payloadSchema": {"type": "object"}}, {}, [REFUSED, SCHEMA, SETTLED]),
            ({"payloadSchema": {"type": "object"}}, "1", [REFUSED, SCHEMA, COUNTED]),
            ({"completeWhen": "body.n == `2`", "payloadSchema": {"type": "object"}}, {"n": 1}, [REFUSED, COUNTED]),
        ],
        ids=["no rules", "matches", "is passed over", "fits", "does not fit", "is passed over before its schema is read"],
    )
    def test_takes_a_second_look_only_at_a_token_with_rules(
        self, warm: Bench, wanted: dict[str, Any], body: Any, expected: list[str]
    ) -> None:
        token = warm.api.create(**wanted)
        warm.meter.take()
        warm.api.post(token["url"], body, {"content-type": "application/json"})
        assert warm.meter.operations() == expected

    def test_that_is_late_takes_one_small_write_more(self, warm: Bench) -> None:
        token = warm.api.create()
        warm.api.post(token["url"], "1", {})
        warm.forget_tokens()
        warm.meter.take()
        warm.api.post(token["url"], "1", {})
        refused, count = warm.meter.take()
        assert (refused.operation, count.operation) == (self.REFUSED, self.COUNTED)
        assert (count.write_units, count.item_bytes < 300) == (1, True)

    def test_of_an_error_takes_one_call(self, warm: Bench) -> None:
        token = warm.api.create()
        warm.meter.take()
        warm.api.post(f"{TOKENS}/{token['id']}/complete", {"error": {"message": "no"}})
        assert warm.meter.operations() == [self.SETTLED]

    @pytest.mark.parametrize(
        ("method", "query", "body", "headers"),
        [
            ("HEAD", "", b"", {}),
            ("GET", "challenge=abc", b"", {}),
            ("OPTIONS", "", b"", {"webhook-request-origin": "example.com"}),
            ("POST", "validationToken=abc", b"", {}),
            ("POST", "", b"", {"x-hook-secret": "abc"}),
            ("POST", "", b'{"type": "url_verification", "challenge": "abc"}', {}),
            ("POST", "", b'{"verification_token": "abc"}', {}),
        ],
    )
    @pytest.mark.parametrize("wanted", [{}, {"completeWhen": "body.n"}], ids=["no rules", "rules"])
    def test_that_is_a_blind_handshake_takes_no_call(
        self, warm: Bench, wanted: dict[str, Any], method: str, query: str, body: bytes, headers: dict[str, str]
    ) -> None:
        token = warm.api.create(**wanted)
        warm.meter.take()
        assert warm.api.request(method, f"{token['url']}?{query}", body, headers).status == 200
        assert warm.meter.operations() == []

    def test_by_another_method_or_with_a_wrong_hash_takes_no_call_but_for_the_key(self, warm: Bench) -> None:
        token = warm.api.create()
        warm.meter.take()
        assert warm.api.get(token["url"], {}).status == 405
        assert warm.meter.operations() == []
        warm.api.post(token["url"][:-1] + "x", "1", {})
        assert {name.partition(":")[0] for name in warm.meter.operations()} <= {"SecretsManager"}


@pytest.mark.usefixtures("warm")
class TestAKnownUrl:
    """What anybody who has it can make the stack pay for: docs/security.md, "A leaked callback URL"."""

    def posts(self, counted: Bench, url: str, body: str, status: int) -> list[tuple[int, float]]:
        """The write and read units of three posts to a function that has not met the token."""
        counted.forget_tokens()
        taken = []
        for _ in range(3):
            assert counted.api.post(url, body, {"content-type": "application/json"}).status == status
            calls = counted.meter.take()
            taken.append((sum(call.write_units for call in calls), sum(call.read_units for call in calls)))
        return taken

    @pytest.mark.parametrize(("size", "first"), [(200, 2), (25_000, 26), (100_000, 99)])
    def test_of_an_ended_token_takes_one_write_unit_from_the_second_post_on(
        self, counted: Bench, size: int, first: int
    ) -> None:
        token = counted.api.create()
        counted.api.post(token["url"], json.dumps("x" * size), {"content-type": "application/json"})
        counted.meter.take()
        assert self.posts(counted, token["url"], "1", 200) == [(first, 0), (1, 0), (1, 0)]

    @pytest.mark.parametrize(
        ("wanted", "status"),
        [
            ({"completeWhen": "body.n"}, 200),
            ({"page": {"title": "Go?"}}, 422),
            ({"page": {"title": "Go?", "approvers": ["ann"]}}, 403),
        ],
        ids=["completeWhen", "page", "approvers"],
    )
    def test_of_a_token_with_rules_and_a_hundred_waiters_takes_one_write_unit_and_reads(
        self, counted: Bench, wanted: dict[str, Any], status: int
    ) -> None:
        token = counted.api.create(**wanted)
        for _ in range(100):
            counted.register(Wait(), token["id"])
        counted.meter.take()
        (first, _), *others = self.posts(counted, token["url"], "{}", status)
        assert first > 50
        assert all(writes == 1 and 13 <= reads <= 15 for writes, reads in others)

    def test_of_an_endpoint_takes_one_write_unit_and_its_count(self, counted: Bench) -> None:
        url = counted.api.request("PUT", f"{ENDPOINTS}/open", {"key": "body.id", "verify": "none"}).json["url"]
        counted.api.create(idempotencyKey="open:1")
        body = json.dumps({"id": 1, "text": "x" * 50_000})
        counted.api.post(url, body, {"content-type": "application/json"})
        counted.meter.take()
        (first, _), second, third = self.posts(counted, url, body, 200)
        assert first > 50
        assert second == third == (2, 2)


ADDRESSES = {"email": ["ann@example.com"]}


class TestNotify:
    """Who is told rides in the item of the page, so a create takes what it takes with a page alone."""

    @pytest.fixture(autouse=True)
    def with_channels(self, warm: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        self.have(monkeypatch, "email", "slack")

    def have(self, monkeypatch: pytest.MonkeyPatch, *channels: str) -> None:
        monkeypatch.setitem(vars(services), "channels", frozenset(channels))

    @pytest.mark.parametrize("key", [{}, {"idempotencyKey": "told"}], ids=["no key", "a key"])
    def test_takes_one_transaction_and_no_more_units_than_a_page(self, counted: Bench, key: dict[str, str]) -> None:
        counted.api.create(page={"title": "Go?"}, **{name: f"not {value}" for name, value in key.items()})
        [plain] = counted.meter.take()
        counted.api.create(page={"title": "Go?"}, notify=ADDRESSES, **key)
        [told] = counted.meter.take()
        assert (told.operation, told.write_units) == ("DynamoDB:TransactWriteItems", plain.write_units)

    def test_looks_for_a_secret_once_in_five_minutes(self, counted: Bench) -> None:
        secrets, name = client_of("secretsmanager"), services.channel_secret_name("SLACK_BOT_TOKEN")
        secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)  # which another test may have left
        secrets.create_secret(Name=name, SecretString="xoxb-1")
        counted.meter.take()
        for _ in range(3):
            counted.api.create(page={"title": "Go?"}, notify={"slack": "#deploys"})
        assert counted.meter.operations() == ["SecretsManager:DescribeSecret", *["DynamoDB:TransactWriteItems"] * 3]

    def test_takes_no_call_on_a_stack_without_the_channel(self, counted: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        self.have(monkeypatch)
        for notify in (ADDRESSES, {"slack": "#deploys"}, {"teams": "TEAMS"}):
            assert counted.api.post(TOKENS, {"page": {"title": "Go?"}, "notify": notify}).status == 422
        assert counted.meter.take() == []


@pytest.mark.usefixtures("warm")
class TestACompletionByKey:
    def test_takes_one_read_more_than_one_by_id(self, counted: Bench) -> None:
        counted.api.create(idempotencyKey="order-1")
        assert self.calls(counted, "order-1") == ["DynamoDB:GetItem", "DynamoDB:UpdateItem"]

    def test_is_kept_with_one_transaction_and_claimed_with_another(self, counted: Bench) -> None:
        assert self.calls(counted, "order-2") == ["DynamoDB:GetItem", "DynamoDB:TransactWriteItems"]
        counted.api.create(idempotencyKey="order-2")
        assert counted.meter.operations() == ["DynamoDB:TransactWriteItems", "DynamoDB:TransactWriteItems"]

    def calls(self, counted: Bench, key: str) -> list[str]:
        counted.meter.take()
        assert counted.api.post(COMPLETE_BY_KEY, {"idempotencyKey": key, "data": 1}).status == 200
        return counted.meter.operations()


class TestANamedKey:
    NOTED = "DynamoDB:UpdateItem"
    CREATED = "DynamoDB:PutItem"

    @pytest.fixture(autouse=True)
    def _cold(self, counted: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        """A function that has read its secrets and knows no named key."""
        counted.api.create()
        store = services.api_key_store
        monkeypatch.setitem(vars(services), "api_key_cache", ApiKeyCache(store.read, store.note_used, counted.clock))
        counted.meter.take()

    @pytest.fixture
    def key(self, counted: Bench) -> str:
        made = NamedKey("ci", digest(key := new_key()), (Scope("create"),), counted.clock())
        services.api_key_store.add(made, counted.clock())
        counted.meter.take()
        return key

    def calls(self, counted: Bench, key: str, status: int = 200) -> list[str]:
        assert counted.api.post(TOKENS, {}, {"authorization": f"Bearer {key}"}).status == status
        return counted.meter.operations()

    def test_is_read_once_a_minute_and_noted_once_an_hour(self, counted: Bench, key: str) -> None:
        assert self.calls(counted, key) == ["DynamoDB:GetItem", self.NOTED, self.CREATED]
        for _ in range(2):
            assert self.calls(counted, key) == [self.CREATED]
            counted.clock.advance(api_key_cache.CACHED_FOR)
            assert self.calls(counted, key) == ["DynamoDB:GetItem", self.CREATED]
        counted.clock.advance(api_key_cache.USED_EVERY)
        assert self.calls(counted, key) == ["DynamoDB:GetItem", self.NOTED, self.CREATED]

    def test_takes_one_write_unit_to_note(self, counted: Bench) -> None:
        services.api_key_store.note_used(NamedKey("n" * 64, digest("any"), (), 0), counted.clock())
        [noted] = counted.meter.take()
        assert (noted.write_units, noted.item_bytes < 200) == (1, True)

    def test_takes_no_call_of_the_root_key(self, counted: Bench, key: str) -> None:
        counted.api.create()
        assert counted.meter.operations() == [self.CREATED]

    def test_that_is_unknown_takes_one_read_in_five_seconds(self, counted: Bench, key: str) -> None:
        calls = [self.calls(counted, made_up, 401) for made_up in (new_key() for _ in range(20))]
        of_table = [call for call in chain(*calls) if not call.startswith("SecretsManager")]  # is it a rotated root key?
        assert of_table == ["DynamoDB:GetItem"]

    def test_that_cannot_be_one_takes_none(self, counted: Bench, key: str) -> None:
        for wrong in (key[:-1], key + "0", key.swapcase(), "tr_prod_sk_"):
            assert not [call for call in self.calls(counted, wrong, 401) if not call.startswith("SecretsManager")]


@pytest.mark.usefixtures("warm")
class TestEndpoint:
    def url(self, counted: Bench, **settings: Any) -> str:
        """Make an endpoint. Returns its URL."""
        counted.api.request("DELETE", f"{ENDPOINTS}/github")
        put = counted.api.request("PUT", f"{ENDPOINTS}/github", {"key": "body.id", **SIGNED, **settings})
        counted.meter.take()
        return str(put.json["url"])

    def calls(self, counted: Bench, url: str, body: Any) -> list[str]:
        assert counted.api.post(url, *signed(body)).status == 200
        return counted.meter.operations()

    @pytest.mark.parametrize(
        ("method", "path", "expected"),
        [
            ("PUT", "/github", ["DynamoDB:UpdateItem"]),
            ("GET", "/github", ["DynamoDB:GetItem", "DynamoDB:Query"]),
            ("GET", "", ["DynamoDB:Query"]),
            ("DELETE", "/github", ["DynamoDB:DeleteItem"]),
        ],
        ids=["put", "retrieve", "list", "delete"],
    )
    def test_is_managed_with_few_calls(self, counted: Bench, method: str, path: str, expected: list[str]) -> None:
        settings = {"key": "body.id", "verify": "none"}
        counted.api.request("PUT", f"{ENDPOINTS}/github", settings)
        counted.meter.take()
        answer = counted.api.request(method, ENDPOINTS + path, settings if method == "PUT" else None)
        assert answer.status == 200
        assert counted.meter.operations() == expected

    def test_takes_no_call_for_a_delivery_that_matches_nothing_but_its_count(self, counted: Bench) -> None:
        """A thousand at one moment: one read of the configuration, and as many counts as the bucket holds."""
        url = self.url(counted, completeWhen="body.action == 'completed'")
        first, *others = [self.calls(counted, url, {"action": "requested", "id": 1}) for _ in range(1000)]
        assert first == ["DynamoDB:GetItem", COUNT]
        assert others == [[COUNT]] * (endpoint_tally.BURST - 1) + [[]] * (1000 - endpoint_tally.BURST)
        counted.clock.advance(CACHED_FOR - 1)
        assert self.calls(counted, url, {"action": "requested", "id": 1}) == [COUNT]

    def test_without_a_signature_takes_a_read_more_for_each_delivery(self, counted: Bench) -> None:
        url = self.url(counted, verify="none")
        assert [self.calls(counted, url, {}) for _ in range(2)] == [["DynamoDB:GetItem", COUNT]] * 2

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ({"id": 1}, ["DynamoDB:GetItem", "DynamoDB:UpdateItem", COUNT]),
            ({"id": 2}, ["DynamoDB:GetItem", "DynamoDB:TransactWriteItems", COUNT]),
            ({}, [COUNT]),
        ],
        ids=["completes", "is kept", "no key"],
    )
    def test_takes_few_calls_for_a_delivery(self, counted: Bench, body: dict[str, Any], expected: list[str]) -> None:
        url = self.url(counted)
        self.calls(counted, url, {})  # reads the configuration
        counted.api.create(idempotencyKey="github:1")
        counted.meter.take()
        assert self.calls(counted, url, body) == expected

    RECORDED: ClassVar = ("S3:PutObject", "DynamoDB:TransactWriteItems")

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ({"id": 1}, ["DynamoDB:GetItem", "DynamoDB:UpdateItem", COUNT]),
            ({"id": 2}, ["DynamoDB:GetItem", "DynamoDB:TransactWriteItems", COUNT]),
            ({}, [COUNT]),
        ],
        ids=["completes", "is kept", "no key"],
    )
    def test_takes_three_calls_more_for_a_delivery_that_it_records(
        self, counted: Bench, body: dict[str, Any], expected: list[str]
    ) -> None:
        url = self.url(counted, recordDeliveries="7d")
        self.calls(counted, url, {})  # reads the configuration
        counted.api.create(idempotencyKey="github:1")
        counted.meter.take()
        headers = {**dict(signed(body)[1]), "x-github-delivery": f"event {body}"}
        assert counted.api.post(url, signed(body)[0], headers).status == 200
        assert counted.meter.operations() == [*self.RECORDED, *expected, "DynamoDB:TransactWriteItems"]

    def test_that_records_has_the_doctor_look_for_what_is_pending(self, counted: Bench, stack: MotoStack) -> None:
        """Without one, it makes no call more. Nothing is imported until something is pending."""

        def calls() -> Counter[str]:
            counted.meter.take()
            stack.functions()["doctor"].call({})
            return Counter(counted.meter.operations())

        services.dynamodb_client.delete_item(TableName=services.store._table.name, Key=STATE_KEY)
        self.url(counted)
        calls()
        before = calls()
        self.url(counted, recordDeliveries="7d")
        assert calls() - before == {"DynamoDB:Query": SHARDS}

    def test_takes_one_write_unit_for_a_count(self, counted: Bench) -> None:
        """The usual item has a few kinds, whose last deliveries have texts of usual lengths."""
        last = LastDelivery(
            at=services.now(),
            ip="192.0.2.1",
            user_agent="GitHub-Hookshot/044aadd",
            delivery_id="72d3162e-cc78-11e3-81ab-4c9367dc0958",
            key="github:1234567890",
            detail="completeWhen does not match",
        )
        kinds = [DeliveryKind.COMPLETED, DeliveryKind.KEPT, DeliveryKind.NOT_MATCHING]
        for kind in kinds:
            services.endpoints.count("0" * 24, EndpointStatistics({kind: 1}, {kind: last}))
        assert [call.write_units for call in counted.meter.take()[-3:]] == [1, 1, 1]
