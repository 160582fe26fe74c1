"""The world on moto with a token whose people are told of it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.support.in_process.fakes.notices import FakeChannel, FakeDeadLetters
from tests.support.in_process.stores import NoticeRecords
from tests.support.in_process.world import World
from waitpoints.errors import NotSent
from waitpoints.notices import Channel, NoticeRecord
from waitpoints.token import ALL_CHECKED, Answer, Completed, Document, DocumentKind, Output

PAGE: Mapping[str, Any] = {
    "title": "Go?",
    "approvers": ["ann@example.com", {"id": "bo", "slack": "U01BO"}],
    "actions": [{"id": "yes", "label": "Yes", "needs": 2}],
}
NOTIFY: Mapping[str, Any] = {"email": True, "slack": "#deploys"}


class Notified(World):
    """`token_id` is the newest token. `has` are the channels of the stack, which all are `channel`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.record, self.channel, self.dead_letters = NoticeRecords(), FakeChannel(), FakeDeadLetters()
        self.has: set[Channel] = set(Channel)
        monkeypatch.setattr("waitpoints.api.notices.channels.channel_of", self._channel_of)
        self.token_id = self.create()

    def _channel_of(self, channel: Channel) -> FakeChannel:
        if channel not in self.has:
            raise NotSent(f"no {channel}")
        return self.channel

    def create(
        self,
        timeout: int | None = None,
        notify: Mapping[str, Any] | None = NOTIFY,
        page: Mapping[str, Any] = PAGE,
        **fields: Any,
    ) -> str:
        text = None if notify is None else json.dumps(notify)
        self.token_id = super().create(timeout, document=Document(DocumentKind.PAGE, json.dumps(page), text), **fields)
        return self.token_id

    def settle(self) -> None:
        """Store an outcome, and resume nothing."""
        self.store.complete(self.token_id, Completed(self.clock(), Output("{}")), ALL_CHECKED)

    def answer(self, person: str) -> None:
        assert self.store.answer(self.store.get(self.token_id), Answer(person, "yes", "{}", self.clock()), None)[0]

    def remind(self) -> None:
        token = self.store.get(self.token_id)
        assert self.store.remind(token, replace(token, reminded_count=token.reminded_count + 1, reminded_at=self.clock()))

    @property
    def notices(self) -> dict[str, NoticeRecord]:
        return dict(self.store.get(self.token_id).notices)
