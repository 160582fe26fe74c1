"""Which faults `make test` puts where."""

import os
import random
from collections import defaultdict

from tests.support.faults.wire import FAULTS, Fault

SEED = int(os.environ.get("FAULTS_SEED", "1"))
"""Of the choice. Another one is as good: it puts other faults into other flows."""

Place = tuple[str, int]
"""A flow and the number of one of its calls."""


def covering_choice(flows: dict[str, list[str]], seed: int) -> dict[Place, list[Fault]]:
    """Choose faults for every call of every flow such that each kind of call meets each fault that can happen to it.

    The faults of a kind of call are dealt to the places where it is made, in random order: so each place gets one at least.
    """
    chance = random.Random(seed)  # noqa: S311
    places: dict[str, list[Place]] = defaultdict(list)
    for flow, calls in flows.items():
        for number, call in enumerate(calls):
            places[call].append((flow, number))
    chosen: dict[Place, list[Fault]] = defaultdict(list)
    for call, made_at in places.items():
        faults = [fault for fault in FAULTS if fault.can_happen_to(call)]
        chance.shuffle(made_at)
        chance.shuffle(faults)
        for turn in range(max(len(made_at), len(faults))):
            chosen[made_at[turn % len(made_at)]].append(faults[turn % len(faults)])
    return chosen


def chosen_for(flow: str, choice: dict[Place, list[Fault]]) -> list[tuple[int, Fault]]:
    """Return the faults of a flow, each with the number of its call, in the order of the calls."""
    found = [(number, fault) for (of, number), faults in choice.items() if of == flow for fault in faults]
    return sorted(found, key=lambda one: one[0])
