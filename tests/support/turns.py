"""Actors whose calls to the table are put into an order by chance, which its seed repeats."""

import random
import threading
from collections.abc import Callable
from typing import Any

from waitpoints.aws.store import Store


class Turns:
    """Lets one actor run at a time, from one call to the table to its next."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311
        self._go: dict[int, threading.Semaphore] = {}
        self._stopped = threading.Semaphore(0)

    def before_call(self) -> None:
        go = self._go.get(threading.get_ident())
        if go:
            self._stopped.release()
            go.acquire()

    def play(self, actors: list[Callable[[], Any]]) -> None:
        done = [False] * len(actors)
        gos = [threading.Semaphore(0) for _ in actors]
        errors: list[BaseException] = []

        def act(number: int) -> None:
            self._go[threading.get_ident()] = gos[number]
            self.before_call()
            try:
                actors[number]()
            except BaseException as error:  # raised again where the test sees it
                errors.append(error)
            done[number] = True
            self._stopped.release()

        threads = [threading.Thread(target=act, args=(number,)) for number in range(len(actors))]
        for thread in threads:
            thread.start()
            self._stopped.acquire()
        while waiting := [number for number, ended in enumerate(done) if not ended]:
            gos[self._random.choice(waiting)].release()
            self._stopped.acquire()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]


class StoreInTurns:
    def __init__(self, store: Store, turns: Turns) -> None:
        self._store = store
        self._turns = turns
        self.retention = store.retention

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        def call(*arguments: Any) -> Any:
            self._turns.before_call()
            return method(*arguments)

        return call
