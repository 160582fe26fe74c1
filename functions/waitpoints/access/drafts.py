"""What somebody wrote on a page whose session had ended: a sealed cookie of that page, which only the same person gets back.

The form says whose it is (see `Sessions.form_token`), so no one else reads it who signs in with the same browser.
"""

import re
from collections.abc import Mapping, Sequence

from waitpoints.access import signed_text
from waitpoints.access.sessions import Sessions, set_cookie
from waitpoints.ports import Clock, Secret

COOKIE = "__Secure-waitpoints-draft"
LASTS = 1_800_000  # milliseconds
MOST = 3_000  # characters: with all other cookies, a request stays below the 10,240 bytes of headers that API Gateway accepts
_MOST_TEXT = 20_000  # characters before they are compressed
_FORM = 1  # of the cookie, as that of a session
_WRITER = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
Values = Mapping[str, Sequence[str]]


class Drafts:
    def __init__(self, key: Secret, sessions: Sessions, now: Clock) -> None:
        self._key = key
        self._sessions = sessions
        self._now = now

    def keep(self, values: Values, form_token: str, token_id: str, path: str) -> str | None:
        """Return the cookie that keeps the texts of a token's page, at `path`. None: they are too large, or nobody's."""
        writer = form_token.partition(".")[2]
        if not _WRITER.fullmatch(writer) or sum(len(text) for texts in values.values() for text in texts) > _MOST_TEXT:
            return None
        value = {"writer": writer, "ends_at": self._now() + LASTS, "values": values}
        text = signed_text.seal(self._key.read_current(), self._purpose(token_id), value)
        return None if len(text) > MOST else set_cookie(COOKIE, text, LASTS // 1000, path)

    def read(self, cookies: Mapping[str, str], subject: str, token_id: str) -> Values | None:
        """Return what this person wrote on a token's page. None: nothing, or somebody else did."""
        if COOKIE not in cookies:
            return None
        value = signed_text.unseal(self._key.read_accepted(), self._purpose(token_id), cookies[COOKIE])
        if value is None or value["ends_at"] <= self._now() or not self._sessions.is_writer(value["writer"], subject, token_id):
            return None
        values: Values = value["values"]
        return values

    def _purpose(self, token_id: str) -> str:
        return f"draft {_FORM}\n{self._sessions.client}\n{token_id}"


def end(path: str) -> str:
    """Return the cookie that deletes what was kept of a page."""
    return set_cookie(COOKIE, "", 0, path)
