"""The session of a person who has signed in: a cookie, which the stack signs and does not store.

It is signed with a key of its own for the stack's issuer and client id, so it ends when one of the three changes. Only the
key's current version counts: rotating it ends every session.
"""

import secrets
from collections.abc import Mapping
from dataclasses import asdict
from urllib.parse import urlencode

from waitpoints.access import signed_text
from waitpoints.ports import Clock, Secret
from waitpoints.sign_in import Session, SignedIn

BEGIN = "/api/v1/sign-in"
RETURN = "/api/v1/sign-in/return"
OWN_BEGIN, OWN_RETURN = "/sign-in", "/sign-in/return"  # of a sign-in without a token's page
CONSOLE = "/console"
OWN_PAGES = (CONSOLE,)
"""What people open without a token's URL."""
SIGN_OUT = "/api/v1/sign-out"
CONSOLE_SESSION = "/api/v1/console-session"
COOKIE = "__Host-waitpoints-session"
_FORM = 1  # of the cookie. Another one ends all sessions; without it, other fields of `Session` would be read as these
_ATTRIBUTES = "Secure; HttpOnly; SameSite=Lax"


class Sessions:
    """`base_url` is that of the stack, under which the cookie is valid and to which the issuer returns."""

    def __init__(self, key: Secret, issuer: str, client_id: str, base_url: str, now: Clock) -> None:
        self.issuer = issuer
        self.client = f"{issuer}\n{client_id}"
        self.base_url = base_url.rstrip("/")
        self._key = key
        self._purpose = f"session {_FORM}\n{issuer}\n{client_id}"
        self._purpose_with_claims = f"{self._purpose}\nclaims"  # 0.4.1 does not know such a session, and asks for a new one
        self._now = now

    def read(self, cookies: Mapping[str, str]) -> Session | None:
        """Return the session of a request with these cookies. None: nobody is signed in, or not any more.

        It says who, and until when; it is of this issuer and `client`, for every page and the console.
        """
        if COOKIE not in cookies:
            return None
        purposes = (self._purpose, self._purpose_with_claims)
        found = (signed_text.read(self._key.read_latest(), purpose, cookies[COOKIE]) for purpose in purposes)
        value = next(filter(None, found), None)
        if value is None or value["ends_at"] <= self._now():
            return None
        read = {"signed_in": SignedIn(self.issuer, **value["signed_in"]), "claims": tuple(value.get("claims", ()))}
        return Session(**{**value, **read})

    def begin(self, session: Session) -> str:
        """Return the cookie of a session, with its attributes."""
        value = asdict(session)
        del value["signed_in"]["issuer"]  # it is in what is signed
        if not session.claims:
            del value["claims"]
        *_, latest = self._key.read_latest()  # the key may have been rotated a moment ago
        text = signed_text.sign(latest, self._purpose_with_claims if session.claims else self._purpose, value)
        return set_cookie(COOKIE, text, (session.ends_at - self._now()) // 1000)

    def link(self, target: str, *, max_age: int | None = None, other_account: bool = False) -> str:
        """Return the URL that begins a sign-in and leads back to a token's page or to one of OWN_PAGES.

        The issuer asks for credentials if the person gave them longer ago than `max_age` milliseconds. The page must still
        check `Session.is_recent`. With `other_account`, the issuer asks for the account.
        """
        asked = {"max_age": None if max_age is None else max_age // 1000, "account": "other" if other_account else None}
        query = {"to": target, **{name: value for name, value in asked.items() if value is not None}}
        return f"{self.base_url}{OWN_BEGIN if target in OWN_PAGES else BEGIN}?{urlencode(query)}"

    @property
    def sign_out_url(self) -> str:
        """Where a form is posted that ends the session. Its field `to` names the page that is shown then."""
        return f"{self.base_url}{SIGN_OUT}"

    def form_token(self, session: Session, token_id: str) -> str:
        """Return what a form of a token's page must send, so that nothing else can answer in this session's name.

        After the dot it says whose form it is, also after the session.
        """
        key, purposes = next(self._key.read_latest()), (self._form(session), self._writer(session.signed_in.subject))
        return ".".join(signed_text.digest(key, purpose, token_id) for purpose in purposes)

    def is_form_token(self, presented: str, session: Session, token_id: str) -> bool:
        own, keys = presented.partition(".")[0], self._key.read_latest()
        return any(signed_text.is_digest(own, key, self._form(session), token_id) for key in keys)

    def is_writer(self, presented: str, subject: str, token_id: str) -> bool:
        """Whether a form was shown to this person, by what its token has after the dot."""
        keys = self._key.read_accepted()
        return any(signed_text.is_digest(presented, key, self._writer(subject), token_id) for key in keys)

    def _form(self, session: Session) -> str:
        return f"form\n{self._purpose}\n{session.id}"

    def _writer(self, subject: str) -> str:
        return f"writer\n{self.client}\n{subject}"


def set_cookie(name: str, value: str, max_age: int, path: str = "/") -> str:
    """Return a cookie with its attributes. `max_age` is in seconds; 0 deletes it."""
    return f"{name}={value}; Max-Age={max_age}; Path={path}; {_ATTRIBUTES}"


END = set_cookie(COOKIE, "", 0)


def new_id() -> str:
    return secrets.token_urlsafe(16)
