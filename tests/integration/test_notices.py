"""Who is told of a token, and what each target has got, as the table keeps them and the API shows them."""

import json
import os

import pytest

from tests.support.in_process.api_gateway import Api
from tests.support.in_process.fakes.clock import FakeClock
from tests.support.in_process.moto_stack import MotoStack
from waitpoints.aws.items import NOTICES, primary_key, wire
from waitpoints.notices import NoticeRecord
from waitpoints.token import iso
from waitpoints.wiring import services

PAGE = {"title": "Go?", "approvers": [{"id": "ann", "email": "ann@example.com", "language": "de"}, "bo@example.com"]}


@pytest.fixture(autouse=True)
def with_mail(stack: MotoStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(services), "channels", frozenset({"email"}))


def test_a_token_is_read_with_who_is_told_and_what_they_have_got(stack: MotoStack, api: Api, clock: FakeClock) -> None:
    created = api.create(page=PAGE, notify={"email": True}, timeout="1d")
    token = services.store.get(created["id"])
    assert (token.has_notify, json.loads(token.notify or ""), token.notices) == (True, {"email": True}, {})
    sent = {
        "email.1": NoticeRecord(clock(), ref="0100", reminded=1),
        "email.0": NoticeRecord(clock(), refused="MessageRejected"),
    }
    record = {"tokenId": token.id, "createdAt": clock(), **{target: notice.members() for target, notice in sent.items()}}
    item = primary_key(token.id, NOTICES) | {name: wire(value) for name, value in record.items()}
    services.dynamodb_client.put_item(TableName=os.environ["TABLE_NAME"], Item=item)
    shown = api.retrieve(created["id"])
    assert (shown["notify"], shown["approvers"][0]) == ({"email": True}, PAGE["approvers"][0])
    ann = {"channel": "email", "to": "ann@example.com", "approver": "ann", "status": "refused", "at": iso(clock())}
    bo = {"channel": "email", "to": "bo@example.com", "approver": "bo@example.com", "status": "sent", "at": iso(clock())}
    assert shown["notices"] == [{**ann, "reason": "MessageRejected"}, {**bo, "reminders": 1}]


def test_a_kept_completion_that_a_create_claims_tells_nobody(api: Api) -> None:
    api.complete_by_key("told", data={"action": "submit"})
    found = api.create(idempotencyKey="told", page={"title": "Go?"}, notify={"email": ["ann@example.com"]})
    token = services.store.get(found["id"])
    assert (found["isCached"], token.has_notify, token.notify) == (True, False, None)
    assert {"notify", "notices"}.isdisjoint(api.retrieve(found["id"]))
