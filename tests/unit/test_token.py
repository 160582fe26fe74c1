"""The parts of a token, as items and answers have them. Items of older versions have the same names."""

from dataclasses import fields

from waitpoints.endpoint import LastDelivery
from waitpoints.token import Origin, Source, TokenError, Verification

TEXTS = {field.name: field.name.upper() for field in fields(Origin) if field.name != "source"}


def test_every_part_of_an_origin_is_read_as_it_was_written() -> None:
    origin = Origin(source=Source.CALLBACK, **TEXTS)
    of_request = {"ip", "userAgent", "contentType", "query", "deliveryId"}
    assert set(origin.members()) == {"source", *of_request, "approver", "slackUser", "slackName", "key"}
    assert Origin.of(origin.members()) == origin


def test_absent_parts_are_left_out_and_read_as_absent() -> None:
    origin, delivery, verification = Origin(source=Source.COMPLETE), LastDelivery(at=1), Verification("github", "github")
    assert (origin.members(), Origin.of(origin.members())) == ({"source": "complete"}, origin)
    assert (delivery.members(), LastDelivery.of(delivery.members())) == ({"at": 1}, delivery)
    assert verification.members() == {"scheme": "github", "secret": "github"}
    assert Verification(**verification.members()) == verification


def test_a_verification_and_an_error_are_read_as_they_were_written() -> None:
    verification, error = Verification("token", "gitlab", "x-gitlab-token"), TokenError("m", "n", "c")
    assert verification.members() == {"scheme": "token", "secret": "gitlab", "header": "x-gitlab-token"}
    assert Verification(**verification.members()) == verification
    assert error.members() == {"name": "n", "code": "c", "message": "m"}
    assert TokenError(**error.members()) == error
