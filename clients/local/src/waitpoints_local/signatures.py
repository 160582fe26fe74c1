"""Whether a request to MiniStack 1.5.33 has a valid signature of somebody whom it knows.

MiniStack checks the signatures of users and roles only, and not for every operation. Whatever comes without a key, or with the
id `test`, or with twelve digits, it takes for the root user. Nor does it compare a request with what was signed: a link to one
object, or a header, was good for any call of any service.
"""

import hashlib
import re
import types
import uuid
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, quote

from ministack import app as app_module
from ministack.core import iam_evaluator, responses, router
from ministack.core.sigv4 import decode_header_value
from ministack.services import s3

from waitpoints_local.admission import Scope, values

HINT = "`waitpoints env` prints the credentials of the local stack."
MISSING = iam_evaluator.AuthError("MissingAuthenticationToken", "Request is missing Authentication Token.")

_pin: Any = types.FunctionType(
    iam_evaluator.pin_signed_request.__code__,
    {**vars(iam_evaluator), "_is_root_key": lambda _: False},
    argdefs=iam_evaluator.pin_signed_request.__defaults__,
)
"""MiniStack's own, which also looks at what the root user has signed."""


def find_failure(scope: Scope, body: bytes) -> tuple[int, dict[str, str], bytes] | None:
    """Return how AWS answers a request whose signature is missing or wrong, in the form of its service."""
    headers = {name.decode("latin-1").lower(): decode_header_value(value) for name, value in scope["headers"]}
    query = parse_qs(scope["query_string"].decode(), keep_blank_values=True)
    raw_path = scope.get("raw_path") or quote(scope["path"]).encode()
    _pin(scope["method"], raw_path.decode("latin-1"), query, scope["headers"])
    request = iam_evaluator._signed_request.get()
    service = router.detect_service(scope["method"], scope["path"], headers, query)
    if len(values(scope, b"authorization")) + (b"signature=" in scope["query_string"].lower()) > 1:
        return _refuse(iam_evaluator.AuthError("SignatureDoesNotMatch", "The request is signed twice."), service, headers)
    if request is not None and (reason := _why_not_what_was_signed(request, headers, query, body, service)):
        return _refuse(iam_evaluator.AuthError("SignatureDoesNotMatch", reason), service, headers)
    if request is not None and request.s3_scoped:  # a presigned URL of S3, which S3 checks by itself
        return s3._verify_presigned_sigv4(scope["method"], scope["path"], headers, query)  # type: ignore[no-any-return]  # no types
    iam_evaluator.pin_signed_body(body)
    checked = None
    if request:
        account = iam_evaluator.find_iam_access_key_account(request.access_key_id) or responses.get_account_id()
        checked = iam_evaluator.authenticate(request.access_key_id, account)
    if checked is not None and not isinstance(checked, iam_evaluator.AuthError):
        return None
    return _refuse(checked or MISSING, service, headers)


def _refuse(found: Any, service: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    failure = replace(found, message=f"{found.message} {HINT}")
    return app_module._credential_failure(service, "", str(uuid.uuid4()), failure, headers)  # type: ignore[no-any-return]  # no types


def _why_not_what_was_signed(
    request: Any, headers: dict[str, str], query: dict[str, list[str]], body: bytes, service: str
) -> str | None:
    """Return how a request can differ from the one that was signed, or None.

    Each x-amz-* header is signed, the hash is the body's, and the scope names the service:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    authorization = headers.get("authorization", "")
    credential, signed = _credential(authorization, query), _signed_headers(authorization, query)
    unsigned = sorted(name for name in headers if name.startswith("x-amz-") and name not in signed)
    if unsigned and not request.sigv2:  # version 2 signs all of them
        return f"There were headers present in the request which were not signed: {', '.join(unsigned)}."
    is_for_s3 = request.sigv2 or request.s3_scoped or credential.split("/")[3:4] == ["s3"]
    if is_for_s3 and not service.startswith("s3"):
        return "Credential should be scoped to correct service."
    payload = headers.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD" if is_for_s3 else None)
    if payload is None or (is_for_s3 and not _SHA256.fullmatch(payload)):  # S3 takes bodies that are signed in parts, or not
        return None
    return None if payload == hashlib.sha256(body).hexdigest() else "x-amz-content-sha256 is not that of the body."


_SHA256 = re.compile(r"[0-9a-f]{64}")


def _credential(authorization: str, query: dict[str, list[str]]) -> str:
    found = re.search(r"Credential=([^,\s]*)", authorization)
    return found[1] if found else query.get("X-Amz-Credential", [""])[0]


def _signed_headers(authorization: str, query: dict[str, list[str]]) -> list[str]:
    found = re.search(r"SignedHeaders=([^,\s]*)", authorization)
    return (found[1] if found else query.get("X-Amz-SignedHeaders", [""])[0]).lower().split(";")
