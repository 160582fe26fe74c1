"""Which ID tokens are refused, whoever made them."""

import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.warnings import InsecureKeyLengthWarning

from tests.support.in_process.fakes.issuer import ANN, CLIENT, Key
from waitpoints.errors import SignInRefused
from waitpoints.oidc import id_token
from waitpoints.oidc.issuer import Issuer

URL, NONCE = "https://issuer.example.com", "the nonce"
NOW = int(time.time())
CLAIMS: dict[str, Any] = {
    **ANN,
    "iss": URL,
    "aud": CLIENT,
    "nonce": NONCE,
    "iat": NOW,
    "exp": NOW + 86_400,
}  # a run of all tests may be slow
ONE, TWO, CURVE = Key("one"), Key("two"), Key("curve", "ES256")


class Keys(Issuer):
    """An issuer that has these keys."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.url, self.client_id, self.keys = URL, CLIENT, [*keys]

    def find_keys(self, *, again: bool = False) -> list[dict[str, Any]]:
        return self.keys


def check(token: str, *keys: dict[str, Any]) -> Any:
    return id_token.check(token, Keys(*keys), NONCE)


def refused(token: str, *keys: dict[str, Any]) -> str:
    with pytest.raises(SignInRefused) as raised:
        check(token, *keys)
    return raised.value.reason


@pytest.mark.parametrize("key", [ONE, CURVE])
def test_the_claims_of_a_token_are_returned(key: Key) -> None:
    assert check(key.sign(CLAIMS), ONE.public, CURVE.public) == CLAIMS


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (jwt.encode(CLAIMS, "", "none"), "token_algorithm"),
        # what everybody knows: with HS256 the public key would be the secret
        (jwt.encode(CLAIMS, ONE.public["n"], "HS256", {"kid": "one"}), "token_algorithm"),
        (jwt.encode(CLAIMS, CLIENT.ljust(32), "HS256", {"kid": "one"}), "token_algorithm"),
        *((jwt.encode(CLAIMS, ONE.private, name, {"kid": "one"}), "token_algorithm") for name in ("RS384", "PS256")),
        (TWO.sign(CLAIMS, kid="one"), "token_InvalidSignatureError"),
        (ONE.sign(CLAIMS, crit=["exp"]), "token_"),  # RFC 7515, section 4.1.11: what it demands to be understood
    ],
    ids=["none", "public key", "client", "RS384", "PS256", "another key of the name", "crit"],
)
def test_a_token_that_is_not_signed_by_the_key_is_refused(token: str, reason: str) -> None:
    assert refused(token, ONE.public).startswith(reason)


def test_a_token_without_a_keys_name_counts_only_if_there_is_one_key() -> None:
    """OpenID Connect Core, section 10.1."""
    token = jwt.encode(CLAIMS, ONE.private, "RS256")
    assert check(token, ONE.public, CURVE.public) == CLAIMS
    assert refused(token, ONE.public, TWO.public) == "token_key"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        *(({"use": "enc"}, "token_key"), ({"alg": "RS512"}, "token_key"), ({"alg": "ES256"}, "token_key")),
        *(({"kty": "EC"}, "token_key"), ({"kty": "oct", "k": "c2VjcmV0"}, "token_key"), ({"d": "AQAB"}, "token_key")),
        *(({"kid": "other"}, "token_key"), ({"kid": None}, "token_key")),
        *(({"n": 7}, "token_"), ({"n": "%"}, "token_"), ({"n": ""}, "token_"), ({"e": None}, "token_")),
    ],
    ids=str,
)
def test_a_key_that_is_none_or_for_something_else_checks_nothing(changed: dict[str, Any], reason: str) -> None:
    key = {name: value for name, value in {**ONE.public, **changed}.items() if value is not None}
    assert refused(ONE.sign(CLAIMS), key).startswith(reason)


def test_a_key_that_can_be_broken_checks_nothing() -> None:
    weak = rsa.generate_private_key(65_537, 1024)  # noqa: S505 - so it is refused
    jwk: Any = jwt.algorithms.RSAAlgorithm.to_jwk(weak.public_key(), as_dict=True)
    with pytest.warns(InsecureKeyLengthWarning):
        token = jwt.encode(CLAIMS, weak, "RS256", {"kid": "weak"})
    assert refused(token, {**jwk, "kid": "weak"}) == "token_InvalidKeyError"


def test_a_key_on_another_curve_checks_nothing() -> None:
    other = ec.generate_private_key(ec.SECP384R1())
    jwk: Any = jwt.algorithms.ECAlgorithm.to_jwk(other.public_key(), as_dict=True)
    assert refused(CURVE.sign(CLAIMS), {**jwk, "kid": "curve"}) == "token_key"
