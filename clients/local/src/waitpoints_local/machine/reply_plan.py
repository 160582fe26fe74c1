"""Which answer each token of a run gets: by the state that waits for it, the item of a Map, and the approver."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from waitpoints_local.machine.history import Location


@dataclass(frozen=True)
class Answer:
    """What a token is answered with: any value that JSON has. A page asks for {"action": …}."""

    value: Any


@dataclass(frozen=True)
class TimeOut:
    """The token times out now."""


Reply = Answer | TimeOut


@dataclass(frozen=True)
class To:
    """Which tokens a reply is for."""

    state: str | None = None
    """The state that waits. None: each token for which nothing else is given."""
    items: tuple[int, ...] | None = None
    """The indexes of the Map items, the outermost first. None: each item."""
    approver: str | None = None
    """The approver who answers. None: each of them, one after the other, until the token ends."""

    def __str__(self) -> str:
        items = f"[{'.'.join(map(str, self.items))}]" if self.items else ""
        approver = f" as {self.approver}" if self.approver else ""
        return f"{self.state or 'any state'}{items}{approver}"


@dataclass
class Answers:
    """The replies to the tokens of one run.

    Several replies to the same are given in turn, and the last one to all that follow: to the items of a Map in their order,
    else each time that a state waits for another token.
    """

    replies: dict[To, list[Reply]] = field(default_factory=dict)
    _tokens: dict[To, list[str]] = field(default_factory=dict)
    """The ids of the tokens that each has replied to."""
    _used: set[tuple[To, int]] = field(default_factory=set)

    def add(self, to: To, *replies: Reply) -> None:
        self.replies.setdefault(to, []).extend(replies)

    def find(self, token: str, location: Location, approver: str | None = None) -> Reply | None:
        """Return the reply to a token that the state at `location` waits for, by the most specific that was added. It counts as
        given.
        """
        to = next((to for to in _from_the_most_specific(location, approver) if to in self.replies), None)
        if to is None:
            return None
        tokens = self._tokens.setdefault(to, [])
        if token not in tokens:
            tokens.append(token)
        turn = location.items[-1] if location.items and to.items is None else tokens.index(token)
        turn = min(turn, len(self.replies[to]) - 1)
        self._used.add((to, turn))
        return self.replies[to][turn]

    def find_unknown_approver(self, location: Location, people: Collection[str]) -> str | None:
        """Return an approver who is not asked for the token of the state at `location`, if its replies are for such alone.

        Another item of a Map, or another token of the state, may ask other people: what was given once, or is for each item,
        is right.
        """
        named = [
            to for to in self.replies if to.approver and to.state == location.state and to.items == (location.items or None)
        ]
        is_asked = any(to in self.replies for person in people for to in _from_the_most_specific(location, person))
        is_given = any((to, turn) in self._used for to in named for turn in range(len(self.replies[to])))
        return None if is_asked or is_given or not named else named[0].approver

    def covers(self, location: Location) -> bool:
        """Whether the token that the state at `location` waits for gets a reply from each person who is asked."""
        return any(to in self.replies for to in _from_the_most_specific(location, None))

    def find_wrong(self, waiting: Mapping[str, int]) -> str | None:
        """Return what is wrong if one is for a state that cannot wait. `waiting` are those that can, with how many Maps each
        is within.
        """
        states = _listed(waiting)
        if not waiting and self.replies:
            return states
        for to in self.replies:
            if to.state is not None and to.state not in waiting:
                near = get_close_matches(to.state, waiting, 1)
                return f"no state {to.state} waits for a token{f' (did you mean {near[0]}?)' if near else ''}: {states}"
            maps = waiting.get(to.state or "", 0)
            if to.items is not None and len(to.items) != maps:
                within = f"within {maps} Maps, one in the other: write {to.state}[0.0]" if maps else "in no Map"
                return f"{to} has another form than the items of {to.state}, which is {within if maps != 1 else 'in one Map'}"
        return None

    def find_unused(self) -> Iterator[tuple[To, int, Reply]]:
        """Yield the replies that no token got, with their numbers from 1."""
        for to, replies in self.replies.items():
            for number, reply in enumerate(replies):
                if (to, number) not in self._used:
                    yield to, number + 1, reply


def _listed(states: Iterable[str]) -> str:
    quoted = [f'"{state}"' for state in states]
    return f"the states that wait are {', '.join(quoted)}" if quoted else "no state of it waits for a token"


def _from_the_most_specific(location: Location, approver: str | None) -> Iterator[To]:
    for items in (location.items, None) if location.items else (None,):
        if approver is not None:
            yield To(location.state, items, approver)
        yield To(location.state, items)
    yield To()
