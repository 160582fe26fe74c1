"""Start the timers of the tokens that are due soon: send the message of each that still waits, once a minute.

Each shard of the index `due` has a cursor, up to which its timers are started. A run reads on from there to AHEAD of now,
slice by slice. It moves the cursor over a slice only when each of its tokens has a message or has ended, so a run that fails,
dies or is missing loses nothing: the next one begins where the cursor is. Two runs at once send messages twice, which is
harmless. A token is passed over only because it has ended, never because its `dueAt` differs from the index: the read may be
older than the index.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING

from waitpoints import telemetry
from waitpoints.errors import TimersNotStarted
from waitpoints.ports import Clock, Cursor, Timer

if TYPE_CHECKING:
    from waitpoints.aws.due_index import DueIndex
    from waitpoints.aws.services.queues import TimerQueue

AHEAD = 180_000  # milliseconds: EventBridge Scheduler may be a minute late, and a run may fail
SLICE = 1000  # entries of one shard. A slice is bounded by entries, as 100,000 tokens may be due at one instant
TOGETHER = 100  # tokens that one BatchGetItem asks for


@dataclass(frozen=True, slots=True)
class Started:
    """What a run did: how many messages it sent, up to which instant all timers are started, and why a shard was left."""

    messages: int
    up_to: int
    failure: Exception | None


class TimerStarter:
    """Starts timers, `parallel` batches of tokens at once."""

    def __init__(self, index: "DueIndex", queue: "TimerQueue", clock: Clock, parallel: int) -> None:
        self._index = index
        self._queue = queue
        self._clock = clock
        self._parallel = parallel

    def start(self, has_time: Callable[[], bool]) -> Started:
        """Start the timers of every shard. Reads no further slice once `has_time` returns False."""
        until = self._clock() + AHEAD
        cursors = self._index.cursors()
        with ThreadPoolExecutor(self._parallel) as batches, ThreadPoolExecutor(len(cursors)) as shards:
            start = partial(self._start_shard, until=until, has_time=has_time, batches=batches)
            found = list(shards.map(start, range(len(cursors)), cursors))
        failures = [shard.failure for shard in found if shard.failure is not None]
        return Started(sum(it.messages for it in found), min(it.up_to for it in found), next(iter(failures), None))

    def _start_shard(
        self, shard: int, cursor: Cursor, until: int, has_time: Callable[[], bool], batches: ThreadPoolExecutor
    ) -> Started:
        messages = 0
        try:
            while cursor.due_at <= until and has_time():
                timers, end = self._index.read(shard, cursor, until, SLICE)
                messages += sum(batches.map(self._start_batch, batched(timers, TOGETHER, strict=False)))
                is_alone = self._index.move_cursor(shard, cursor, end)
                cursor = end
                if not is_alone:
                    break  # another run goes on from its own cursor
        except Exception as failure:  # the other shards go on
            telemetry.logger.warning("Timers not started", shard=shard, error=type(failure).__name__)
            return Started(messages, cursor.due_at, failure)
        return Started(messages, cursor.due_at, None)

    def _start_batch(self, timers: Sequence[Timer]) -> int:
        """Send the messages of those that still wait. Returns how many. Raises TimersNotStarted."""
        waiting = self._index.find_waiting([timer.token_id for timer in timers])
        sent = [timer for timer in timers if timer.token_id in waiting]
        if failed := self._queue.send_all(sent, self._clock()):
            raise TimersNotStarted(f"{len(failed)} messages were not sent")
        return len(sent)
