"""Deliveries to callback URLs, and what becomes of their tokens."""

import time
from collections.abc import Mapping
from typing import Any

from tests.support import webhook_signer
from tests.support.in_process.api_gateway import JSON, TOKENS, Api, HttpAnswer


def signed(token: Mapping[str, Any], body: bytes, scheme: str = "stripe", secret: str | None = None) -> dict[str, str]:
    """The headers of a delivery that is signed now."""
    return {**JSON, **webhook_signer.sign(scheme, body, token["url"], time.time(), secret).headers}


def complete(api: Api, token: Mapping[str, Any], body: Any) -> HttpAnswer:
    return api.post(f"{TOKENS}/{token['id']}/complete", body)


def assert_untouched(api: Api, token: Mapping[str, Any], count: int | None = None) -> None:
    """The token waits, and shows that many other deliveries."""
    shown = api.retrieve(token["id"])
    assert (shown["status"], "output" in shown, "completedBy" in shown) == ("WAITING", False, False)
    assert shown.get("otherDeliveries", {}).get("count") == count
