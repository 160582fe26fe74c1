"""A run of a durable function under test, which is asked as a run of a state machine is."""

from typing import TYPE_CHECKING

from waitpoints_local.machine import path_taken
from waitpoints_local.machine.history import Location
from waitpoints_local.machine.live_run import Run, Token

if TYPE_CHECKING:
    from waitpoints_local.durable.execution import DurableExecution


class DurableRun(Run):
    """A run of a durable function. It is stopped when the test ends."""

    _run: "DurableExecution"  # type: ignore[assignment]  # it has the same members

    def waiting(self, name: str | None = None, item: int = 0) -> Token:  # type: ignore[override]
        """Return the token of a wait, once its function waits for it: by the wait's `name`, or of the only one that waits.

        `item` counts waits of the same name from 0, in the order in which they began.
        """
        __tracebackhide__ = True
        if name is None and item:
            raise ValueError("`item` counts the waits of one name: pass the name, too")
        wanted = None if name is None else Location(name, (item,) if item else ())
        missing = f"{path_taken.named(wanted)} waits for no token" if wanted else "it waits for no token"
        return self._until(lambda: self._find(wanted), missing)

    def _find(self, wanted: Location | None) -> Token | None:
        __tracebackhide__ = True
        if wanted is None and len(self._run.waiting) > 1:
            names = ", ".join(map(path_taken.named, self._run.waiting))
            raise self.failure(f"Several wait: name one of {names}")
        location = wanted or next(iter(self._run.waiting), None)
        return self._find_waiting(location) if location else None
