"""The providers of this project: their secrets, their endpoints and their signatures."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from waitpoints_client import Waitpoints

from waitpoints_local.stack import Stack

REPLICATE = "whsec_" + base64.b64encode(b"a key of replicate's, for tests ").decode()
Post = Callable[[Any], int]
"""Posts an event as its provider does. Returns the status."""


@pytest.fixture(scope="session")
def waitpoints(waitpoints_stack: Stack) -> Iterator[Waitpoints]:
    with Waitpoints(waitpoints_stack.api_url, waitpoints_stack.api_key) as client:
        yield client


@pytest.fixture(scope="session")
def replicate(waitpoints_stack: Stack) -> Callable[[str], dict[str, str]]:
    """Signs a body as Replicate does. Returns the headers."""
    secrets = waitpoints_stack.client("secretsmanager")
    name = f"waitpoints/{waitpoints_stack.stack_name}/webhooks/REPLICATE"
    try:
        secrets.create_secret(Name=name, SecretString=REPLICATE)
    except secrets.exceptions.ResourceExistsException:
        secrets.put_secret_value(SecretId=name, SecretString=REPLICATE)

    def sign(body: str) -> dict[str, str]:
        sent, key = f"{uuid.uuid4().hex}.{int(time.time())}", base64.b64decode(REPLICATE.removeprefix("whsec_"))
        signature = base64.b64encode(hmac.digest(key, f"{sent}.{body}".encode(), hashlib.sha256)).decode()
        delivery, instant = sent.split(".")
        return {"webhook-id": delivery, "webhook-timestamp": instant, "webhook-signature": f"v1,{signature}"}

    return sign


@pytest.fixture(scope="session")
def github(waitpoints: Waitpoints) -> Post:
    url = waitpoints.endpoints.put(
        "github",
        key="body.workflow_run.id",
        complete_when="body.action == 'completed'",
        output="body.workflow_run",
        verify="none",
    ).url
    return lambda event: httpx.post(url, content=json.dumps(event), timeout=30).status_code


@pytest.fixture(scope="session")
def stripe(waitpoints: Waitpoints) -> Post:
    url = waitpoints.endpoints.put(
        "payments",
        key="body.data.object.client_reference_id",
        complete_when="body.data.object.payment_status == 'paid' || body.type == 'checkout.session.expired'",
        output="body.data.object",
        verify="none",
    ).url
    return lambda event: httpx.post(url, content=json.dumps(event), timeout=30).status_code
