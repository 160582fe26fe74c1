"""The sign-ins that a function environment has redeemed at the issuer, so that no stranger drives the issuer.

Whoever has a page's URL can come back with codes of their own. Each costs a call, which has the client's secret.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from waitpoints.errors import SignInPaused, SignInRefused
from waitpoints.oidc.attempts import LASTS
from waitpoints.ports import Clock

MOST_REFUSED = 5  # for one page within REFUSED_WITHIN milliseconds
REFUSED_WITHIN = 60_000
PAUSED_FOR = 10_000  # milliseconds, for one page
USED = "used"  # the reason of a refusal
MOST_STATES, MOST_PAGES = 4_096, 1_024


class Redemptions:
    """Keeps which states were redeemed, and when the issuer last refused each page. The clock is the wall clock."""

    def __init__(self, now: Clock) -> None:
        self._now = now
        self._redeemed: dict[str, int] = {}
        self._refused: dict[str, tuple[int, ...]] = {}

    @contextmanager
    def once(self, state: str, page: str | None) -> Iterator[None]:
        """Redeem a state in the block, or raise SignInPaused or SignInRefused before it.

        A SignInRefused in the block counts for the page, if it began there. After any other error, the state can come again.
        """
        now, refused = self._now(), self._refused.get(page or "", ())
        is_row = len(refused) == MOST_REFUSED and refused[-1] - refused[0] < REFUSED_WITHIN
        if is_row and 0 <= now - refused[-1] < PAUSED_FOR:
            raise SignInPaused("paused")
        if 0 <= now - self._redeemed.get(state, now - LASTS) < LASTS:
            raise SignInRefused(USED)
        _keep(self._redeemed, state, now, MOST_STATES)
        try:
            yield
        except SignInRefused:
            if page:
                refused = (*self._refused.get(page, ()), self._now())[-MOST_REFUSED:]
                _keep(self._refused, page, refused, MOST_PAGES)
            raise
        except Exception:
            del self._redeemed[state]
            raise


def _keep[Kept](kept: dict[str, Kept], name: str, value: Kept, most: int) -> None:
    """Keep a value as the newest, and of all the `most` newest."""
    kept.pop(name, None)
    kept[name] = value
    if len(kept) > most:
        del kept[next(iter(kept))]
