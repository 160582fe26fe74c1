"""Flows in worlds of one kind: run without faults, with a fault in a call, and with something else between two calls."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from tests.support.faults.choice import SEED, Place, chosen_for, covering_choice
from tests.support.faults.figures import Figures
from tests.support.faults.wire import Fault
from tests.support.faults.world import World

Run = tuple[list[str], list[str]]
"""The calls of a flow, and the lost promises."""
Moment = tuple[int, str]
""""before" or "after" the call of this number."""
Plan = Callable[[int, str], Fault | None]
"""Which fault the call of this number and name meets."""


def in_call(calls: list[str], number: int, fault: Fault) -> Plan:
    return lambda place, _: fault if place == number else None


@dataclass
class Matrix[W: World]:
    flows: Mapping[str, Callable[[W], None]]
    new_world: Callable[[], W]
    figures: Figures
    plan: Callable[[list[str], int, Fault], Plan] = in_call
    allow: Callable[[W, list[str], int, Fault], None] = lambda *_: None
    """Tells a world what a fault in a call excuses."""
    _clean: dict[str, Run] = field(default_factory=dict)
    _choices: dict[tuple[str, ...], dict[Place, list[Fault]]] = field(default_factory=dict)

    def run(self, flow: str, prepare: Callable[[W], object] = id, finish: Callable[[W], object] = id) -> Run:
        world = self.new_world()
        prepare(world)
        with world.alive():
            self.flows[flow](world)
            finish(world)
            return world.wire.calls, world.lost()

    def clean(self, flow: str) -> Run:
        """Run a flow without faults, once."""
        if flow not in self._clean:
            self._clean[flow] = self.run(flow)
        return self._clean[flow]

    def lost_without_faults(self, flow: str) -> list[str]:
        calls, lost = self.clean(flow)
        assert calls
        self.figures.flows[flow] = calls
        return lost

    def choice(self, flows: Iterable[str]) -> dict[Place, list[Fault]]:
        """The faults that `make test` puts into these flows."""
        self.figures.seed, chosen = SEED, tuple(flows)
        if chosen not in self._choices:
            self._choices[chosen] = covering_choice({flow: self.clean(flow)[0] for flow in chosen}, SEED)
        return self._choices[chosen]

    def lost_in_choice(self, flow: str, among: Iterable[str]) -> dict[str, list[str]]:
        chosen = chosen_for(flow, self.choice(among))
        assert chosen
        return self.lost_in_calls(flow, chosen)

    def lost_in_any(self, flow: str, fault: Fault, but: Mapping[Place, list[Fault]] | None = None) -> dict[str, list[str]]:
        """Put the fault into each call to which it can happen, but where it was tried already."""
        numbers = [number for number, call in enumerate(self.clean(flow)[0]) if fault.can_happen_to(call)]
        return self.lost_in_calls(flow, [(it, fault) for it in numbers if fault not in (but or {}).get((flow, it), ())])

    def lost_in_calls(self, flow: str, chosen: Iterable[tuple[int, Fault]]) -> dict[str, list[str]]:
        calls, lost = self.clean(flow)[0], dict[str, list[str]]()
        for number, fault in chosen:

            def prepare(world: W, number: int = number, fault: Fault = fault) -> None:
                world.plan = self.plan(calls, number, fault)
                self.allow(world, calls, number, fault)

            lost |= self.lost_with(flow, f"call {number}, {calls[number]}", fault, prepare)
        return lost

    def lost_with(self, flow: str, where: str, fault: Fault, prepare: Callable[[W], None]) -> dict[str, list[str]]:
        """What is lost in one run, under the name of its fault."""
        self.figures.tried[fault.name] += 1
        problems = self.run(flow, prepare)[1]
        self.figures.lost += bool(problems)
        return {f"{where}, {fault.name}": problems} if problems else {}

    def lost_between_calls(
        self,
        flow: str,
        act: Callable[[W], object],
        moments: Iterable[Moment] | None = None,
        finish: Callable[[W], object] | None = None,
    ) -> dict[Moment, list[str]]:
        """Let something else happen, by default before each call. With `finish`, it may also decide how tokens end."""
        lost = {}
        for place in moments or [(number, "before") for number in range(len(self.clean(flow)[0]))]:

            def prepare(world: W, place: Moment = place) -> None:
                def meanwhile(*now: object) -> None:
                    if now == place:
                        with world.lambdas.unwatched():
                            act(world)

                world.meanwhile, world.outcomes_are_open = meanwhile, finish is not None

            if problems := self.run(flow, prepare, finish or id)[1]:
                lost[place] = problems
            self.figures.interleaved += 1
        self.figures.lost += len(lost)
        return lost
