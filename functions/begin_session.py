"""GET /sign-in and GET /sign-in/return: sign a person in without a token's page, for the console.

`to` is the page to return to. The signed cookie of the sign-in and the issuer's ID token are the credentials.
"""

from waitpoints.access.sessions import OWN_RETURN
from waitpoints.api import sign_in
from waitpoints.api.http import Request, Response, http_handler
from waitpoints.oidc import certificates, id_token  # noqa: F401 - load `cryptography` at the start, X.509 put off first
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.attempts, s.issuer, s.redemptions, s.sessions, s.sign_in_rate))


@http_handler("GET", api_key_required=False, for_person=sign_in.show_refusal)
def handler(request: Request) -> Response:
    if request.route.endswith(OWN_RETURN):
        return sign_in.finish(request, is_own=True)
    return sign_in.begin(request, is_own=True)
