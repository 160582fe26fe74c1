"""/api/v1/console-session: GET says who has signed in, POST returns a bearer for the API. Only the console asks.

The session's cookie is the credential, with the form token that GET returns.
"""

from waitpoints.api.console import session
from waitpoints.api.http import Request, Response, http_handler
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.sessions, s.roles, s.credentials))


@http_handler("GET", "POST", api_key_required=False)
def handler(request: Request) -> Response:
    return session.show(request) if request.method == "GET" else session.trade(request)
