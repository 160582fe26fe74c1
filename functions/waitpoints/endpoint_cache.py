"""The endpoints that a function environment has looked up, so that most deliveries need no read of the table."""

from collections.abc import Callable

from waitpoints.endpoint import Endpoint

CACHED_FOR = 60_000  # milliseconds: a change of an endpoint with `verify`, or its end, takes effect within this time


class EndpointCache:
    """Keeps what each lookup found, also nothing, for CACHED_FOR.

    An endpoint without `verify` is read for each delivery: from a PUT that adds it, nothing unsigned is accepted any more.

    A secret id never returns, so an endpoint that is deleted and put again is found at once under its new URL. A read of the
    new one also ends what was found under the old URL. Look up only what a valid URL names: the cache has one entry for each
    pair of name and secret id.
    """

    def __init__(self, get: Callable[[str], Endpoint | None], clock: Callable[[], int]) -> None:
        self._get = get
        self._clock = clock
        self._found: dict[tuple[str, str], tuple[int, Endpoint | None]] = {}

    def find(self, name: str, secret_id: str) -> Endpoint | None:
        """Return the endpoint of this name if it has this secret id."""
        now = self._clock()
        read_at, found = self._found.get((name, secret_id), (now - CACHED_FOR, None))
        is_open = found is not None and found.verify is None
        if is_open or now - read_at >= CACHED_FOR:
            endpoint = self._get(name)
            self._end_replaced(name, endpoint)
            found = endpoint if endpoint and endpoint.secret_id == secret_id else None
            self._found[name, secret_id] = now, found
        return found

    def _end_replaced(self, name: str, current: Endpoint | None) -> None:
        """Keep of what was found under a name only the endpoint that has it now."""
        for key, (read_at, found) in self._found.items():
            if found and found.name == name and (current is None or found.secret_id != current.secret_id):
                self._found[key] = read_at, None  # that secret id never returns
