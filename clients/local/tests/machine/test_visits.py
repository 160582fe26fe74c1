"""What each state of a run got and gave."""

from datetime import UTC, datetime
from typing import Any

from waitpoints_local.machine.history import Event, Location
from waitpoints_local.machine.visits import State, visits

NOW = datetime.now(UTC)


def event(kind: str, location: Location, **said: Any) -> Event:
    return Event(kind, NOW, location, **said)


def test_each_visit_has_its_input_and_its_output() -> None:
    first, second, charge = Location("Ask", (0,)), Location("Ask", (1,)), Location("Charge")
    events = [
        event("started", Location(), input="{}"),
        event("entered", first, input='{"n": 1}'),
        event("entered", second, input="null"),
        event("waits", first),
        event("left", second, output='"b"'),
        event("left", first, output='"a"'),
        event("entered", charge, input="[1]"),
        event("failed", charge, error="Busy", cause="no"),
        event("failed", charge, error="Declined", cause="no money"),
    ]
    found = visits(events)
    assert found == [
        State("Ask", (0,), {"n": 1}, "a"),
        State("Ask", (1,), None, "b"),
        State("Charge", (), [1], None, "Declined", "no money", 2),
    ]
    assert [it.has_left for it in found] == [True, True, False]


def test_a_state_that_is_entered_again_is_another_visit() -> None:
    ask = Location("Ask")
    events = [event("entered", ask, input="1"), event("left", ask, output="2"), event("entered", ask, input="3")]
    assert [(visit.name, visit.input, visit.output, visit.has_left) for visit in visits(events)] == [
        ("Ask", 1, 2, True),
        ("Ask", 3, None, False),
    ]
