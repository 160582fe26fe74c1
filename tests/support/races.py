"""Things that start at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier


def race[Result](racers: list[Callable[[], Result]]) -> list[Result]:
    """Start all of them at the same moment. Returns what each one returned."""
    start = Barrier(len(racers))

    def run(racer: Callable[[], Result]) -> Result:
        start.wait()
        return racer()

    with ThreadPoolExecutor(len(racers)) as pool:
        return list(pool.map(run, racers))
