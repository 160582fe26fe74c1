"""The parts of a token, as items and answers have them. Items of older versions have the same names.

`waitpoints/endpoint`
"""

from dataclasses import fields

from waitpoints.endpoint import LastDelivery
from waitpoints.token import CompletedBy, Source, TokenError, Verification

TEXTS = {field.name: field.name.upper() for field in fields(CompletedBy) if field.name != "source"}


def test_every_part_of_an_origin_is_read_as_it_was_written() -> None:
    by = CompletedBy(source=Source.CALLBACK, **TEXTS)
    of_request = {"ip", "userAgent", "contentType", "query", "deliveryId"}
    assert set(by.members()) == {"source", *of_request, "approver", "slackUser", "slackName", "key", "record"}
    assert CompletedBy.of(by.members()) == by


def test_absent_parts_are_left_out_and_read_as_absent() -> None:
    by, delivery, verification = CompletedBy(source=Source.COMPLETE), LastDelivery(at=1), Verification("github", "github")
    assert (by.members(), CompletedBy.of(by.members())) == ({"source": "complete"}, by)
    assert (delivery.members(), LastDelivery.of(delivery.members())) == ({"at": 1}, delivery)
    assert verification.members() == {"scheme": "github", "secret": "github"}
    assert Verification(**verification.members()) == verification


def test_a_verification_and_an_error_are_read_as_they_were_written() -> None:
    verification, error = Verification("token", "gitlab", "x-gitlab-token"), TokenError("m", "n", "c")
    assert verification.members() == {"scheme": "token", "secret": "gitlab", "header": "x-gitlab-token"}
    assert Verification(**verification.members()) == verification
    assert error.members() == {"name": "n", "code": "c", "message": "m"}
    assert TokenError(**error.members()) == error


LAST_TEXTS = {field.name: field.name.upper() for field in fields(LastDelivery) if field.name != "at"}


def test_every_part_of_a_last_delivery_is_read_as_it_was_written() -> None:
    delivery = LastDelivery(at=1, **LAST_TEXTS)
    assert set(delivery.members()) == {"at", "ip", "userAgent", "deliveryId", "key", "detail"}
    assert LastDelivery.of(delivery.members()) == delivery


def test_every_text_of_a_last_delivery_is_cut() -> None:
    long = LastDelivery(at=1, **dict.fromkeys(LAST_TEXTS, "x" * 257))
    assert long.cut() == LastDelivery(at=1, **dict.fromkeys(LAST_TEXTS, "x" * 256))
