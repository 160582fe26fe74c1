"""The console's session: who has signed in, and what the API takes instead of a key (contract V9 to V11).

The API ignores cookies. Only here a session gives something, and only to the console: to a request of a page of this stack.
"""

from waitpoints import telemetry
from waitpoints.access import operators
from waitpoints.access.caller import Caller
from waitpoints.access.sessions import CONSOLE, Sessions
from waitpoints.api.http import SMALL_LIMIT, Request, Response
from waitpoints.errors import NotAsked
from waitpoints.json_text import present
from waitpoints.sign_in import Session
from waitpoints.token import iso
from waitpoints.wiring import services

FORM = "console"  # whose form token it is, in place of a token's id


def show(request: Request) -> Response:
    """Say who is signed in and how to sign in, as who else, and out."""
    _check_origin(request)
    sessions = _sessions()
    session = sessions.read(request.cookies)
    shown = {
        "signInUrl": sessions.link(CONSOLE, other_account=session is not None),
        "signOutUrl": sessions.sign_out_url,
        "person": session and (session.signed_in.email or session.signed_in.subject),
        "formToken": sessions.form_token(session, FORM) if session and _caller(session) else None,
    }
    return Response(present(shown), headers={"cache-control": "no-store"})


def trade(request: Request) -> Response:
    """Return a bearer for the session. Raises NotAsked for another site's request, and for whoever no role includes."""
    _check_origin(request)
    sessions, body = _sessions(), request.read_json(SMALL_LIMIT)
    session = sessions.read(request.cookies)
    if session is None:
        raise NotAsked("Nobody is signed in, or not any more: sign in again")
    form_token = body.get("formToken") if isinstance(body, dict) else None
    if not isinstance(form_token, str) or not sessions.is_form_token(form_token, session, FORM):
        raise NotAsked("formToken is not that of this session: open the console again")
    caller = _caller(session)
    if caller is None:
        raise NotAsked("This account may not use the console")
    telemetry.note(person=caller.digits)
    expires_at = min(services.now() + operators.LIFETIME, session.ends_at)
    bearer = operators.bearer(services.credentials.api_key.read_current(), caller, expires_at)
    shown = {"bearer": bearer, "expiresAt": iso(expires_at), "scopes": list(caller.scopes or ())}
    return Response(shown, headers={"cache-control": "no-store"})


def _caller(session: Session) -> Caller | None:
    return operators.caller_of(session, services.roles)


def _check_origin(request: Request) -> None:
    """Raises NotAsked for what is not the console's. A browser says where a request comes from, for a POST also by `Origin`."""
    own = "/".join(_sessions().base_url.split("/")[:3])
    if not request.is_of_own_page or (request.method == "POST" and request.headers.get("origin") != own):
        raise NotAsked("Only the console of this stack asks for this")


def _sessions() -> Sessions:
    assert services.sessions is not None, "the function exists only with an issuer"
    return services.sessions
