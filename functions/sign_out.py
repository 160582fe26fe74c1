"""POST /api/v1/sign-out: end the session of a browser. The form's `to` is the page to show then.

The browser says that the form is of a page of this stack; no other credential is needed.
"""

from waitpoints.api import sign_in
from waitpoints.api.http import Request, Response, http_handler
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.sessions, s.urls))


@http_handler("POST", api_key_required=False, for_person=sign_in.show_refusal)
def handler(request: Request) -> Response:
    return sign_in.sign_out(request)
