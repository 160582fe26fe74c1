"""What the requests to create a public access token may ask for."""

from waitpoints import timeouts
from waitpoints.access.caller import Caller
from waitpoints.access.credentials import what_it_completes
from waitpoints.errors import Forbidden, InvalidTimeout

MAX_LIFETIME = 30 * 86_400  # seconds


def check_within(caller: Caller, scopes: list[str]) -> None:
    """Check that a caller's key allows what its public access token shall. Raises Forbidden.

    The tag that limits a key is checked when a token is completed. A scope that completes nothing needs nothing: it opens no
    route, and the SDK's users ask for it.
    """
    if caller.is_person:
        raise Forbidden("A session of the console makes no Public Access Token")
    tag = caller.only_tag("complete")
    for scope in scopes:
        completes, only = what_it_completes(scope)
        if completes and only is None and tag is not None:
            raise Forbidden(f"This key lacks the scope complete: with complete:{tag} it can allow write:waitpoints:<id> only")


def lifetime(expiration_time: int | str, now: int) -> int:
    """Return for how many seconds from `now` (epoch milliseconds) the token is valid. Raises InvalidTimeout."""
    if isinstance(expiration_time, str):
        seconds = timeouts.maybe_duration(expiration_time) // 1000
    else:
        seconds = expiration_time - now // 1000
    if not 0 < seconds <= MAX_LIFETIME:
        raise InvalidTimeout(
            'Invalid expirationTime: expected a time in epoch seconds or a duration such as "15m", in the next 30 days'
        )
    return seconds
