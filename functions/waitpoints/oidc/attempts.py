"""A sign-in that has begun: a signed cookie of the browser, which is deleted when the person comes back.

Without the cookie the response to a sign-in counts for nothing: a link with another person's code signs nobody in.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hmac import compare_digest

from waitpoints.access import signed_text
from waitpoints.access.sessions import OWN_PAGES, OWN_RETURN, RETURN, set_cookie
from waitpoints.ports import Clock, Secret

LASTS = 600_000  # milliseconds
MOST = 5  # at once, in one browser
_FORM = 1  # of the cookie, as that of a session
_PREFIX = "__Host-waitpoints-sign-in-"
_NAME = re.compile(_PREFIX + r"[A-Za-z0-9_-]{16}", re.ASCII)
_STATE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Attempt:
    """`target` is the path of the page to return to. `max_age`, in seconds, is how old the person's credentials may be."""

    state: str
    nonce: str
    verifier: str
    target: str
    max_age: int | None
    ends_at: int

    @property
    def is_own(self) -> bool:
        """Whether it began without a token's page."""
        return self.target in OWN_PAGES

    @property
    def returns_to(self) -> str:
        """The path of the redirect URI."""
        return OWN_RETURN if self.is_own else RETURN

    @property
    def challenge(self) -> str:
        """RFC 7636, section 4.2."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()

    @property
    def deletion(self) -> str:
        """The cookie that ends this attempt."""
        return set_cookie(_name(self.state), "", 0)


class Attempts:
    def __init__(self, key: Secret, issuer: str, client_id: str, now: Clock) -> None:
        self._key = key
        self._purpose = f"attempt {_FORM}\n{issuer}\n{client_id}"
        self._now = now

    def begin(self, cookies: Mapping[str, str], target: str, max_age: int | None) -> tuple[Attempt, list[str]]:
        """Return a new attempt and the cookies to set, which end the oldest of a browser that has too many."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        attempt = Attempt(state, nonce, verifier, target, max_age, self._now() + LASTS)
        text = signed_text.sign(self._key.read_current(), self._purpose, asdict(attempt))
        found = {name: self._read(text) for name, text in cookies.items() if _NAME.fullmatch(name)}
        ends = {name: begun.ends_at if begun else 0 for name, begun in found.items()}
        oldest = sorted(ends, key=lambda name: ends[name])[: max(len(ends) + 1 - MOST, 0)]
        return attempt, [*(set_cookie(name, "", 0) for name in oldest), set_cookie(_name(state), text, LASTS // 1000)]

    def find(self, cookies: Mapping[str, str], state: str) -> Attempt | None:
        """Return the attempt of this browser to which the issuer responds with `state`. None: there is none any more."""
        if not _STATE.fullmatch(state):
            return None
        attempt = self._read(cookies.get(_name(state)))
        return attempt if attempt is not None and compare_digest(attempt.state, state) else None

    def _read(self, text: str | None) -> Attempt | None:
        if not text:
            return None  # without reading the key: anyone may send it
        value = signed_text.read(self._key.read_accepted(), self._purpose, text)
        return None if value is None or value["ends_at"] <= self._now() else Attempt(**value)


def _name(state: str) -> str:
    return _PREFIX + state[:16]
