"""What DynamoDB holds of a token.

`waitpoints/token`
"""

from dataclasses import replace
from typing import Any

import pytest
from waitpoints_client.ops.stream_filter import passes

from tests.support.in_process.event_sources import Stream
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import MotoStack, client_of
from tests.support.in_process.stores import RETENTION
from tests.support.in_process.template import Template
from waitpoints import ids
from waitpoints.aws.doctor_store import DoctorStore
from waitpoints.aws.items import plain, token_from
from waitpoints.aws.short_names import SHORT
from waitpoints.aws.store import Store
from waitpoints.token import (
    NEAR,
    NOTHING_CHECKED,
    Attachment,
    Completed,
    CompletedBy,
    Document,
    DocumentKind,
    Output,
    Rules,
    Source,
    Token,
    TokenError,
    Verification,
    Waiter,
    WaiterKind,
)

START = FakeClock().now
TIMEOUT = START + 60_000
OUTPUT = Output('{"approved": true}')


def waiter(registered_at: int = START, unwrap: bool = False) -> Waiter:
    return Waiter(FakeStepFunctions().start_task(2048), registered_at, unwrap)


SIGNED = Rules(verify=Verification("stripe", "stripe"))
TYPED = Rules(has_schema=True)
COMPLETED_BY = CompletedBy(
    source=Source.CALLBACK, ip="192.0.2.7", user_agent="ü" * 256, content_type="a/b", query="a=1", delivery_id="delivery-1"
)
FAILURE = TokenError("It is out of stock: Größe 🎈", "OutOfStock", "E_STOCK")


class TestItems:
    """What DynamoDB holds of a token: no more than it must, and nothing that is never removed."""

    def item(self, stack: MotoStack, token_id: str, kind: str = "token") -> dict[str, Any]:
        return next((dict(it) for it in stack.items(token_id) if it["item"]["S"] == kind), {})

    def make(self, store: Store, **fields: Any) -> Token:
        token = Token(id=ids.new_id(START), created_at=START, **fields)
        document = Document(DocumentKind.SCHEMA, "{}") if token.rules and token.rules.has_schema else None
        store.create(token, None, START, document=document)
        return token

    def test_of_a_plain_token_are_those_of_before_and_completed_by(self, stack: MotoStack, store: Store) -> None:
        token = self.make(store)
        waiting = {"id", "item", "status", "createdAt", "waiters", "waiterCount", "listShard"}
        assert self.item(stack, token.id).keys() == waiting
        store.complete(token.id, Completed(START, OUTPUT, CompletedBy(source=Source.CALLBACK)), NOTHING_CHECKED)
        settled = self.item(stack, token.id)
        assert settled.keys() == waiting | {"completedAt", SHORT["output"], "expiresAt", SHORT["completedBy"]}
        assert settled[SHORT["completedBy"]] == {"M": {SHORT["source"]: {"S": "callback"}}}

    def test_of_a_traceparent_are_26_bytes_and_its_name(self, stack: MotoStack, store: Store) -> None:
        traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        token = self.make(store, traceparent=traceparent)
        assert self.item(stack, token.id)[SHORT["traceparent"]] == {"B": bytes.fromhex(traceparent.replace("-", ""))}
        assert store.get(token.id) == token

    def test_of_a_traceparent_are_read_from_the_stream_as_lambda_gets_it(self, stack: MotoStack, store: Store) -> None:
        traceparent, stream = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", Stream(stack)
        waits = waiter()
        token = self.make(store, traceparent=traceparent, waiters={waits.key: waits})
        store.complete(token.id, Completed(START, OUTPUT), NOTHING_CHECKED)
        [image] = [record["dynamodb"]["NewImage"] for record in stream.records("resume_waiters")]
        assert token_from(plain(image) | {"waiters": {}}).traceparent == traceparent

    @pytest.mark.parametrize(
        ("length", "soon"), [(None, False), (1, True), (NEAR, True), (NEAR + 1, False), (365 * NEAR, False)]
    )
    def test_of_a_timeout_have_a_mark_if_the_stream_has_to_start_its_timer(
        self, stack: MotoStack, store: Store, length: int | None, soon: bool
    ) -> None:
        timeout_at = None if length is None else START + length
        item = self.item(stack, self.make(store, timeout_at=timeout_at, due_at=timeout_at).id)
        assert item.get("soon") == ({"BOOL": True} if soon else None)
        assert item.get("dueAt") == item.get("timeoutAt")
        record = {"eventName": "INSERT", "dynamodb": {"NewImage": item}}
        assert passes(Template.load().stream_filter("schedule_timeouts"), record) is soon

    @pytest.mark.parametrize("kind", WaiterKind)
    def test_of_a_waiter_say_its_kind_if_it_is_no_states(self, stack: MotoStack, store: Store, kind: WaiterKind) -> None:
        one = Waiter("AQ==", START, kind=kind)
        token = self.make(store, waiters={one.key: one})
        [stored] = self.item(stack, token.id)["waiters"]["M"].values()
        is_durable = kind is WaiterKind.DURABLE_FUNCTION
        kind_of = {SHORT["kind"]: {"S": "DURABLE_FUNCTION"}} if is_durable else {}
        assert stored["M"] == {SHORT["handle"]: {"B": b"\x01"}, SHORT["registeredAt"]: {"N": str(START)}, **kind_of}

    def test_of_rules_hold_only_those_that_there_are(self, stack: MotoStack, store: Store) -> None:
        token = self.make(store, rules=SIGNED)
        rules = {"verify": {"M": {"scheme": {"S": "stripe"}, "secret": {"S": "stripe"}}}}
        assert self.item(stack, token.id)["deliveryRules"] == {"M": rules}

    def test_of_a_described_signature_are_a_text(self, stack: MotoStack, store: Store) -> None:
        rules = Rules(verify=Verification("hmac", "own", signing='{"header":"X"}'))
        verify = {"scheme": {"S": "hmac"}, "secret": {"S": "own"}, "signing": {"S": '{"header":"X"}'}}
        item = self.item(stack, self.make(store, rules=rules).id)
        assert item["deliveryRules"] == {"M": {"verify": {"M": verify}}}

    @pytest.mark.parametrize(("timeout_at", "expires_at"), [(None, None), (TIMEOUT, TIMEOUT // 1000 + RETENTION)])
    def test_of_metadata_and_of_a_schema_expire_after_the_timeout_and_the_retention(
        self, stack: MotoStack, store: Store, timeout_at: int | None, expires_at: int | None
    ) -> None:
        token = self.make(store, rules=TYPED, timeout_at=timeout_at, metadata='{"a":1}', has_metadata=True)
        item = self.item(stack, token.id, "metadata")
        assert self.item(stack, token.id)["hasMetadata"] == {"BOOL": True}
        assert item["metadata"] == {"S": '{"a":1}'}
        assert item.get("expiresAt") == self.item(stack, token.id, "schema").get("expiresAt")
        assert item.get("expiresAt") == (expires_at and {"N": str(expires_at)})
        attached = Attachment(token.id, "metadata", token.id, START)
        waiting = {attached, replace(attached, item="schema")}
        assert set(self.attachments(store)) == (waiting if expires_at is None else set())  # for the doctor
        assert store.release(attached)
        assert store.get(token.id).metadata is None

    def test_of_other_deliveries_expire_only_once_the_token_has_ended(self, stack: MotoStack, store: Store) -> None:
        token = self.make(store)
        store.count_delivery(token.id, None, COMPLETED_BY, START + 5)
        store.count_delivery(token.id, None, COMPLETED_BY, START + 6)
        assert "expiresAt" not in self.item(stack, token.id, "others")
        assert self.attachments(store) == [Attachment(token.id, "others", token.id, START + 5)]
        store.count_delivery(token.id, Completed(START + 7000), COMPLETED_BY, START + 9000)
        assert int(self.item(stack, token.id, "others")["expiresAt"]["N"]) == (START + 9000) // 1000 + RETENTION
        assert self.attachments(store) == []

    def test_of_an_attachment_are_released_only_by_its_own_token(self, stack: MotoStack, store: Store) -> None:
        token = self.make(store, rules=TYPED)
        store.count_delivery(token.id, None, COMPLETED_BY, START)
        found = self.attachments(store)
        assert {one.item for one in found} == {"schema", "others"}
        for one in found:
            assert not store.release(replace(one, token_id=ids.new_id(START)))
            assert store.release(one)
            assert not store.release(one)
        assert store.get(token.id) == token
        assert store.read_document(token.id, DocumentKind.SCHEMA) is None

    def attachments(self, store: Store) -> list[Attachment]:
        pages = DoctorStore(client_of("dynamodb"), store._table.name).read_segment(0, 1, None, START)
        return [one for page in pages for one in page.attachments]
