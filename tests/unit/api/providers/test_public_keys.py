"""Signatures that are verified with a public key."""

import base64
from dataclasses import replace

import pytest

from tests.support.signed_deliveries import NOW, delivery_of, fresh, published, refusal, verification
from waitpoints.api.providers.secret_forms import P256_SPKI
from waitpoints.api.providers.signatures import check
from waitpoints.errors import UnusableSecret


class TestPublishedVectors:
    def test_of_sendgrid_are_signed_with_their_last_line_break(self) -> None:
        [vector] = published("sendgrid")
        received = delivery_of(vector)
        assert refusal("sendgrid", replace(received, body=received.body.rstrip()), vector["at"], vector["secret"]) == "wrong"


class TestSecrets:
    def test_that_are_not_a_point_of_the_curve_are_unusable(self) -> None:
        with pytest.raises(UnusableSecret):
            check(verification("sendgrid"), [base64.b64encode(P256_SPKI + b"\1" * 64).decode()], fresh("sendgrid"), NOW)
