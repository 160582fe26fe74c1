"""Recorded deliveries in memory: every method does what `waitpoints.aws.delivery_store.DeliveryStore` does, as a whole.

`tests/integration/test_delivery_store.py` holds both to the same promises.
"""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

from waitpoints.errors import DeliveryNotFound
from waitpoints.ids import last_of
from waitpoints.listing import IdRange, ReadRange
from waitpoints.recorded_delivery import PENDING, PREFIX, Contents, DeliveryFilter, RecordedDelivery


class MemoryDeliveryStore:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[tuple[str, str], RecordedDelivery] = {}
        self._contents: dict[tuple[str, str], Contents] = {}
        self._marks: dict[str, tuple[str, str]] = {}
        self._first: dict[tuple[str, ...], RecordedDelivery] = {}
        self._links: dict[str, list[str]] = {}
        self.is_noted = False

    def note_recording(self) -> None:
        self.is_noted = True

    def begin(
        self, secret_id: str, endpoint: str, delivery: RecordedDelivery, contents: Contents, once: str | None = None
    ) -> RecordedDelivery:
        with self._lock:
            self._contents[secret_id, delivery.id] = contents
            first = self._first_of(secret_id, delivery, once)
            if first.id != delivery.id and once is not None:
                del self._contents[secret_id, delivery.id]
                return self._sent(secret_id, first.id)
            row = delivery if first.id == delivery.id else replace(delivery, repeat_of=first.id)
            self._rows[secret_id, delivery.id] = row
            self._marks[delivery.id] = secret_id, endpoint
            if row.resend_of is not None:
                self._links.setdefault(row.resend_of, []).append(row.id)
            return row

    def _first_of(self, secret_id: str, delivery: RecordedDelivery, once: str | None) -> RecordedDelivery:
        if once is not None:
            key = ("resend", str(delivery.resend_of), once)
        elif delivery.delivery_id is not None and delivery.resend_of is None:
            key = ("event", secret_id, delivery.delivery_id)
        else:
            return delivery
        first = self._first.get(key)
        if first is None or first.expires_at <= delivery.at // 1000:
            first = self._first[key] = delivery
        return first

    def find_resend(self, secret_id: str, original: str, idempotency_key: str, now: int) -> RecordedDelivery | None:
        first = self._first.get(("resend", original, idempotency_key))
        return None if first is None or first.expires_at <= now // 1000 else self._sent(secret_id, first.id)

    def _sent(self, secret_id: str, delivery_id: str) -> RecordedDelivery:
        if found := self._rows.get((secret_id, delivery_id)):
            return found
        raise DeliveryNotFound

    def resends(self, secret_id: str, delivery_id: str) -> list[RecordedDelivery]:
        found = (self._rows.get((secret_id, it)) for it in self._links.get(delivery_id, ()))
        return [it for it in found if it is not None]

    def forget_resends(self, delivery_id: str) -> None:
        self._links.pop(delivery_id, None)
        self._first = {key: first for key, first in self._first.items() if key[:2] != ("resend", delivery_id)}

    def finish(self, secret_id: str, delivery: RecordedDelivery) -> bool:
        with self._lock:
            found = self._rows.get((secret_id, delivery.id))
            if found is None or found.kind is not None:
                return False
            known = {name: getattr(delivery, name) for name in ("kind", "key", "detail", "token_id")}
            self._rows[secret_id, delivery.id] = replace(found, **known)
            del self._marks[delivery.id]
            return True

    def get(self, secret_id: str, delivery_id: str) -> RecordedDelivery | None:
        return self._rows.get((secret_id, delivery_id))

    def partitions(self, secret_id: str, wanted: DeliveryFilter, now: int) -> list[ReadRange[RecordedDelivery]]:
        def read(within: IdRange, limit: int) -> tuple[list[RecordedDelivery], str | None]:
            inside = sorted(it for (of, it) in self._rows if of == secret_id and within.first <= it <= within.last)
            examined = (inside if within.ascending else inside[::-1])[:limit]
            rows = [self._rows[secret_id, it] for it in examined]
            return [it for it in rows if _matches(it, wanted, now)], examined[-1] if len(inside) > limit else None

        return [read]

    def contents(self, secret_id: str, delivery_id: str) -> Contents | None:
        return self._contents.get((secret_id, delivery_id))

    def lose_contents(self) -> None:
        """As the bucket's lifecycle rule does."""
        self._contents.clear()

    def delete(self, secret_id: str, delivery_id: str) -> RecordedDelivery | None:
        with self._lock:
            self._contents.pop((secret_id, delivery_id), None)
            self._marks.pop(delivery_id, None)
            return self._rows.pop((secret_id, delivery_id), None)

    def first_of_shard(self, secret_id: str, shard: int, limit: int) -> list[RecordedDelivery]:
        """All are in the shard 0."""
        return [row for (of, _), row in sorted(self._rows.items()) if of == secret_id and shard == 0][:limit]

    def delete_finished(self, secret_id: str, delivery_ids: Sequence[str]) -> int:
        return sum(self.delete(secret_id, delivery_id) is not None for delivery_id in delivery_ids)

    def pending(self, until: int) -> Iterator[tuple[str, str, str]]:
        last = last_of(until, PREFIX)
        marks = sorted(self._marks.items())
        return ((secret_id, endpoint, delivery_id) for delivery_id, (secret_id, endpoint) in marks if delivery_id <= last)

    def drop(self, secret_id: str, delivery_id: str) -> None:
        self.delete(secret_id, delivery_id)


def _matches(delivery: RecordedDelivery, wanted: DeliveryFilter, now: int) -> bool:
    return (
        delivery.expires_at > now // 1000
        and (not wanted.kinds or (delivery.kind or PENDING) in wanted.kinds)
        and wanted.key in (None, delivery.key)
        and wanted.delivery_id in (None, delivery.delivery_id)
    )
