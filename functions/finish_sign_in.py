"""GET /api/v1/sign-in/return: the issuer sends the browser back with a code, and a session begins.

The signed cookie of the sign-in and the issuer's ID token are the credentials.
"""

from waitpoints.api import sign_in
from waitpoints.api.http import Request, Response, http_handler
from waitpoints.oidc import certificates, id_token  # noqa: F401 - load `cryptography` at the start, X.509 put off first
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.attempts, s.issuer, s.redemptions, s.sessions))


@http_handler("GET", api_key_required=False, for_person=sign_in.show_refusal)
def handler(request: Request) -> Response:
    return sign_in.finish(request)
