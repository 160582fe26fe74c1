"""GET /api/v1/sign-in: lead a browser to the stack's issuer. `to` is the page to return to, one behind a callback URL.

Anyone may begin a sign-in; no credential is needed.
"""

from waitpoints.api import sign_in
from waitpoints.api.http import Request, Response, http_handler
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.attempts, s.issuer, s.urls))


@http_handler("GET", api_key_required=False, for_person=sign_in.show_refusal)
def handler(request: Request) -> Response:
    return sign_in.begin(request)
