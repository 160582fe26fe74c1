"""The forms of the secrets that schemes need."""

import base64
import json

import pytest

from tests.support import webhook_signer as signer
from tests.support.signed_deliveries import BODY, NOW, URL, delivery, every_scheme, fresh, verification
from waitpoints.api.providers.secret_forms import P256_SPKI
from waitpoints.api.providers.signatures import check, check_secret
from waitpoints.errors import InvalidVerification, UnusableSecret


class TestSecrets:
    @every_scheme
    def test_may_end_in_a_line_break(self, scheme: str) -> None:
        check(verification(scheme), [signer.secret_of(scheme) + "\n"], fresh(scheme), NOW)

    @pytest.mark.parametrize(
        ("scheme", "secret"),
        [
            ("github", ""),
            ("github", "\n"),
            ("standard-webhooks", "whsec_"),
            ("standard-webhooks", "whsec_no base64!"),
            ("standard-webhooks", "whsec_é"),
            ("openai", "whsec_?"),
            ("discord", "00"),
            ("discord", "z" * 64),
            ("standard-webhooks-v1a", signer.WHSEC),
            ("fal", "no JSON"),
            ("fal", "[]"),
            ("fal", json.dumps({"keys": [{"crv": "X25519", "x": "A" * 43}, 1]})),
            ("fal", '{"keys": [{"crv": "Ed25519", "x": "AAAA"}]}'),
            ("sendgrid", base64.b64encode(P256_SPKI + bytes(63)).decode()),
            ("sendgrid", base64.b64encode(bytes(len(P256_SPKI) + 64)).decode()),
        ],
    )
    def test_of_another_form_are_told_apart_from_a_wrong_signature(self, scheme: str, secret: str) -> None:
        with pytest.raises(InvalidVerification, match="NAME") as refused:
            check_secret(verification(scheme), secret)
        with pytest.raises(UnusableSecret) as unusable:
            check(verification(scheme), [secret, secret], fresh(scheme), NOW)
        for error in (refused, unusable):
            assert len(secret) < 8 or secret not in error.value.message
        check(verification(scheme), [secret, signer.secret_of(scheme)], fresh(scheme), NOW)

    @every_scheme
    def test_of_the_right_form_are_accepted_at_create(self, scheme: str) -> None:
        check_secret(verification(scheme), signer.secret_of(scheme))

    def test_of_openai_without_the_prefix_are_text(self) -> None:
        received = signer.sign("openai", BODY, URL, NOW, "whsec_" + "dGV4dA==")
        check(verification("openai"), ["text"], delivery(received), NOW)

    def test_of_standard_webhooks_may_lack_prefix_and_padding(self) -> None:
        secret = signer.WHSEC.removeprefix("whsec_").rstrip("=")
        check(verification("standard-webhooks"), [secret], fresh("standard-webhooks"), NOW)

    def test_of_stripe_include_their_prefix(self) -> None:
        check(verification("stripe"), [signer.WHSEC], fresh("stripe", secret=signer.WHSEC), NOW)

    def test_of_fal_may_be_several_keys(self) -> None:
        keys = json.loads(signer.secret_of("fal"))["keys"]
        other = {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}
        check(verification("fal"), [json.dumps({"keys": [other, *keys]})], fresh("fal"), NOW)

    def test_that_are_not_a_point_of_the_curve_are_unusable(self) -> None:
        with pytest.raises(UnusableSecret):
            check(verification("sendgrid"), [base64.b64encode(P256_SPKI + b"\1" * 64).decode()], fresh("sendgrid"), NOW)
