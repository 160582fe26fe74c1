"""The last delivery to an endpoint, as items and answers have it. Items of older versions have the same names."""

from dataclasses import fields

from waitpoints.endpoint import LastDelivery

LAST_TEXTS = {field.name: field.name.upper() for field in fields(LastDelivery) if field.name != "at"}


def test_every_part_of_a_last_delivery_is_read_as_it_was_written() -> None:
    delivery = LastDelivery(at=1, **LAST_TEXTS)
    assert set(delivery.members()) == {"at", "ip", "userAgent", "deliveryId", "key", "detail"}
    assert LastDelivery.of(delivery.members()) == delivery


def test_every_text_of_a_last_delivery_is_cut() -> None:
    long = LastDelivery(at=1, **dict.fromkeys(LAST_TEXTS, "x" * 257))
    assert long.cut() == LastDelivery(at=1, **dict.fromkeys(LAST_TEXTS, "x" * 256))
