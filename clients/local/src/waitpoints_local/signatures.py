"""Whether a request to MiniStack 1.5.33 has a valid signature of somebody whom it knows.

MiniStack checks the signatures of users and roles only, and not for every operation. Whatever comes without a key, or with the
id `test`, or with twelve digits, it takes for the root user.
"""

import types
import uuid
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, quote

from ministack import app as app_module
from ministack.core import iam_evaluator, responses, router
from ministack.core.sigv4 import decode_header_value
from ministack.services import s3

from waitpoints_local.admission import Scope

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
    if request is not None and request.s3_scoped:  # a presigned URL of S3, which S3 checks by itself
        return s3._verify_presigned_sigv4(scope["method"], scope["path"], headers, query)  # type: ignore[no-any-return]
    iam_evaluator.pin_signed_body(body)
    checked = iam_evaluator.authenticate(request.access_key_id, _account_of(request)) if request else None
    if checked is not None and not isinstance(checked, iam_evaluator.AuthError):
        return None
    failure = replace(checked or MISSING, message=f"{(checked or MISSING).message} {HINT}")
    service = router.detect_service(scope["method"], scope["path"], headers, query)
    return app_module._credential_failure(service, "", str(uuid.uuid4()), failure, headers)  # type: ignore[no-any-return]


def _account_of(request: Any) -> Any:
    return iam_evaluator.find_iam_access_key_account(request.access_key_id) or responses.get_account_id()
