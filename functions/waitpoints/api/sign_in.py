"""Sign a person in: lead the browser to the issuer, and begin a session when it comes back.

The page to return to must be one behind a callback URL of this stack, so no link here leads elsewhere. A sign-in that begins
without one returns to one of OWN_PAGES. It has routes of its own, so whoever floods them takes nothing from a token's page.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

from waitpoints import ids, telemetry
from waitpoints.access.sessions import CONSOLE, END, OWN_PAGES, Sessions, new_id
from waitpoints.api.http import SMALL_LIMIT, Request, Response
from waitpoints.errors import IssuerFails, NotAsked, SignInPaused, SignInRefused, WrongCallbackHash
from waitpoints.oidc.attempts import Attempt
from waitpoints.oidc.redemptions import USED
from waitpoints.sign_in import Session, SignedIn
from waitpoints.wiring import services

_PAGE = re.compile(r"/api/v1/waitpoints/tokens/(?P<token>[0-9a-z_]{26,36})/callback/(?P<hash>[0-9a-f]{64})", re.ASCII)
NO_ATTEMPT = "no_attempt"
_WORDS = {
    NO_ATTEMPT: "sign_in_gone_text",
    USED: "sign_in_gone_text",
    "response_access_denied": "sign_in_denied_text",
}
_SECONDS = re.compile(r"[0-9]{1,8}", re.ASCII)


def begin(request: Request, *, is_own: bool = False) -> Response:
    """Raises WrongCallbackHash if the link is not one of this stack's pages, or if `is_own` not one of OWN_PAGES."""
    query = _read(request.raw_query)
    max_age = query.get("max_age", "")
    target = _own_target(query) if is_own else _target(query)
    attempt, cookies = services.attempts.begin(request.cookies, target, int(max_age) if _SECONDS.fullmatch(max_age) else None)
    try:
        url = services.issuer.sign_in_url(attempt, other_account=query.get("account") == "other")
    except IssuerFails as error:
        telemetry.note(signIn=error.reason)
        return _show_failure(request, error, attempt)
    return _lead(url, cookies)


def finish(request: Request, *, is_own: bool = False) -> Response:
    """Nothing is called before `state` has proved that this browser began the sign-in, and by this route's sibling."""
    query = _read(request.raw_query)
    attempt = services.attempts.find(request.cookies, query.get("state", ""))
    if attempt is None or attempt.is_own is not is_own:
        telemetry.note(signIn=NO_ATTEMPT)
        return _show_failure(request, None, None)
    try:
        session, address = _check(query, attempt)
    except SignInPaused as error:
        telemetry.note(signIn=error.reason)
        return _show_failure(request, error, attempt)
    except SignInRefused as error:
        telemetry.note(signIn=error.reason)
        response = _show_failure(request, error, attempt)
    else:
        telemetry.note(signIn=address or "done")
        response = _lead(f"{_sessions().base_url}{attempt.target}", [_sessions().begin(session)])
    return replace(response, cookies=[*response.cookies, attempt.deletion])


def sign_out(request: Request) -> Response:
    """Raises NotAsked for another site's form, and WrongCallbackHash if `to` is not one of this stack's pages."""
    if not request.is_of_own_page:
        raise NotAsked("Only a page of this stack can sign out")
    form = _read(request.read_body(SMALL_LIMIT).decode("ascii", "replace"))
    target = _own_target(form) if form.get("to") in OWN_PAGES else _target(form)
    return _lead(f"{_sessions().base_url}{target}", [END])


def show_refusal(request: Request, refusal: Response) -> Response:
    from waitpoints.api.page import render

    return render.show_refusal(request, refusal)


def _check(query: Mapping[str, str], attempt: Attempt) -> tuple[Session, str | None]:
    """Return the session of the person whom the issuer names, and why it has no address. Raises SignInRefused."""
    from waitpoints.oidc import id_token, identity

    issuer, now = services.issuer, services.now()
    code = issuer.read_code(query)
    if attempt.is_own:
        services.sign_in_rate.count()
    with services.redemptions.once(attempt.state, None if attempt.is_own else ids.parse(attempt.target.split("/")[5])):
        token = issuer.redeem(code, attempt)
    claims = id_token.check(token, issuer, attempt.nonce)
    at = claims.get("auth_time")
    auth_time = at * 1000 if isinstance(at, int) and not isinstance(at, bool) else None
    email = identity.read_email(claims, services.email_claim, issuer.url)
    session = Session(
        new_id(),
        SignedIn(issuer.url, claims["sub"], email, now),
        identity.read_domain(claims, issuer.url, email),
        auth_time,
        now + services.session_length,
        _claims(claims),
    )
    if attempt.max_age is not None and not session.is_recent(attempt.max_age * 1000, now):
        raise SignInRefused("auth_time")
    return session, None if email else identity.cause(claims, services.email_claim)


def _claims(claims: Mapping[str, Any]) -> tuple[str, ...]:
    if not services.roles:
        return ()
    from waitpoints.access import operators

    return operators.read_claims(services.roles, claims)


def _show_failure(request: Request, error: SignInRefused | None, attempt: Attempt | None) -> Response:
    """The page of a sign-in that failed: why, if a person can mend it, the log's word for it, and a link to begin again."""
    from waitpoints.api.page import render

    telemetry.count("RefusedOnPurpose", by=int(error is not None and error.on_purpose))
    theme = render.theme_of(request)
    reason = error.reason if error else NO_ATTEMPT
    word = "try_again_text" if error and error.status == 503 else _WORDS.get(reason)
    again = _sessions().link(attempt.target, max_age=attempt.max_age and attempt.max_age * 1000) if attempt else None
    answer = render.answer(theme, render.sign_in_failed(theme, word, reason, again), error.status if error else 403)
    return replace(answer, headers={**answer.headers, **(error.headers if error else {})})


def _lead(url: str, cookies: Sequence[str]) -> Response:
    headers = {"location": url, "cache-control": "no-store", "referrer-policy": "no-referrer"}
    return Response("", 303, headers, cookies)


def _target(query: Mapping[str, str]) -> str:
    """Return the page to return to. Raises WrongCallbackHash before anything is signed: whoever has no URL gets nothing."""
    page = _PAGE.fullmatch(query.get("to", ""))
    if page is None:
        raise WrongCallbackHash
    services.urls.check_token(page["token"], page["hash"])
    return page[0]


def _own_target(query: Mapping[str, str]) -> str:
    """Return the page to return to, by default the console. Raises WrongCallbackHash."""
    target = query.get("to", CONSOLE)
    if target not in OWN_PAGES:
        raise WrongCallbackHash
    return target


def _read(query: str) -> dict[str, str]:
    """Return the parameters of a query or a form that come once."""
    found = parse_qs(query, keep_blank_values=True, errors="replace")
    return {name: values[0] for name, values in found.items() if len(values) == 1}


def _sessions() -> Sessions:
    assert services.sessions is not None, "the function exists only with an issuer"
    return services.sessions
