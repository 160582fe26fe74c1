"""Deliveries that are signed now, those that providers have published, and why a delivery is refused."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support import webhook_signer as signer
from tests.support.in_process.template import ROOT
from waitpoints.api.providers.schemes import SCHEMES
from waitpoints.api.providers.signatures import Delivery, check
from waitpoints.errors import WrongSignature
from waitpoints.token import Verification
from waitpoints_local.webhook_signer import Sent

URL = "https://hooks.example.com/api/v1/waitpoints/tokens/waitpoint_1/callback/0a1b?step=1"
NOW = 1_800_000_000.25
BODY = b'{"status": "succeeded", "text": "{ts} {url} \xc3\xa9"}\n'


PUBLISHED: list[Mapping[str, Any]] = json.loads((ROOT / "tests/support/webhook_vectors.json").read_text())
"""Each with its scheme, source and secret, and the time (Unix seconds) and URL if they count."""


def published(scheme: str) -> list[Mapping[str, Any]]:
    return [vector for vector in PUBLISHED if vector["scheme"] == scheme]


def delivery_of(vector: Mapping[str, Any]) -> Delivery:
    return Delivery(vector["body"].encode(), vector["headers"], vector.get("url", URL))


def verification(scheme: str) -> Verification:
    return Verification(scheme, "NAME", "x-gitlab-token" if scheme == "token" else None)


def delivery(signed: Sent) -> Delivery:
    return Delivery(signed.body, signed.headers, signed.url)


def fresh(scheme: str, now: float = NOW, secret: str | None = None) -> Delivery:
    return delivery(signer.sign(scheme, BODY, URL, now, secret))


def refusal(scheme: str, received: Delivery, now: float = NOW, secret: str | None = None) -> str:
    """The reason for which a delivery is refused."""
    with pytest.raises(WrongSignature) as refused:
        check(verification(scheme), [secret or signer.secret_of(scheme)], received, now)
    return refused.value.reason


def with_header(received: Delivery, name: str, value: str | None) -> Delivery:
    headers = {other: kept for other, kept in received.headers.items() if other != name}
    return Delivery(received.body, headers if value is None else {**headers, name: value}, received.url, received.method)


every_scheme = pytest.mark.parametrize("scheme", sorted(SCHEMES))
