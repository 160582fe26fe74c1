"""Verify a delivery with the secret of its provider, and answer the handshakes that need that secret."""

import time

from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from waitpoints import telemetry
from waitpoints.api.http import Request, Response
from waitpoints.api.providers import maybe_handshake, signatures
from waitpoints.errors import UnusableSecret, WrongSignature
from waitpoints.ports import Secret
from waitpoints.token import Verification
from waitpoints.wiring import services

SECRET_FAILURES = (GetParameterError, UnusableSecret)
"""What `check` raises if the provider's secret cannot be read, or does not have the form that the scheme needs."""


def check(
    verify: Verification, request: Request, url: str, body: bytes, *, secret: Secret | None = None, quiet: bool = False
) -> Response | None:
    """Check the signature of a delivery to `url`. Returns the answer if it is a handshake that needs the key.

    The provider may also have signed the URL with the domain of the request: it was given that one before the stack had a base
    URL. `secret` is the webhook's unless given. Raises WrittenLater for a scheme that only a later version knows, and
    WrongSignature, which is logged and counted unless the check is `quiet`.
    """
    query = f"?{request.raw_query}" if request.raw_query else ""
    other = f"{request.api_url}/{url.split('/', 3)[3]}"  # after the scheme and the domain
    delivery = signatures.Delivery(body, request.headers, url + query, other_url=other + query if other != url else None)
    try:
        accepted = (secret or services.webhook_secret(verify.secret)).read_accepted()
        key = signatures.check(verify, accepted, delivery, time.time())
    except WrongSignature as refusal:
        if not quiet:
            telemetry.count("SignaturesRefused")
            telemetry.note(signature=refusal.reason, scheme=verify.scheme)
        raise
    if verify.scheme not in maybe_handshake.KEYED:
        return None
    from waitpoints.api.providers import handshakes

    asked = handshakes.Asked.of(request.method, request.headers, request.raw_query, body)
    return handshakes.keyed_answer(verify.scheme, asked, key.encode())


def secret_failure(verify: Verification, failure: Exception) -> str:
    """Say which secret failed. `failure` is one of SECRET_FAILURES."""
    name = services.webhook_secret_name(verify.secret)
    if isinstance(failure, UnusableSecret):
        return f"the secret {name} does not have the form that {verify.scheme} needs"
    return f"the secret {name} cannot be read"
