"""Which requests put events, and what becomes of each entry. `waitpoints/event`"""

from datetime import UTC, datetime

import pytest

from tests.support.in_process.fakes.event_bus import FakeEventBridge
from waitpoints.aws.services.event_bus import REQUEST_LIMIT, EventBus, batches
from waitpoints.errors import CannotPut, CannotPutNow, DetailRefused
from waitpoints.event import Event

NOW = 1_795_529_551_007


def events(count: int, padding: int = 0) -> list[Event]:
    return [Event("waitpoint.completed", NOW, f'{{"id":"w{number}.","x":"{"x" * padding}"}}') for number in range(count)]


@pytest.fixture
def eventbridge() -> FakeEventBridge:
    return FakeEventBridge()


@pytest.fixture
def bus(eventbridge: FakeEventBridge) -> EventBus:
    return EventBus(lambda: eventbridge, "orders")


def test_an_entry_names_the_bus_and_when_the_token_settled(bus: EventBus, eventbridge: FakeEventBridge) -> None:
    assert bus.put(events(1)) == [None]
    assert eventbridge.entries == [
        {
            "EventBusName": "orders",
            "Source": "waitpoints",
            "DetailType": "waitpoint.completed",
            "Time": datetime(2026, 11, 24, 14, 12, 31, 7000, UTC),
            "Detail": '{"id":"w0.","x":""}',
        }
    ]


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (10, [10]), (11, [10, 1]), (100, [10] * 10)])
def test_a_request_has_at_most_ten_entries(bus: EventBus, eventbridge: FakeEventBridge, count: int, sizes: list[int]) -> None:
    assert bus.put(events(count)) == [None] * count
    assert [len(request) for request in eventbridge.requests] == sizes


def test_a_request_is_filled_to_the_last_byte() -> None:
    first = events(1)[0]
    room = REQUEST_LIMIT - first.size
    fitting, over = (Event("t", NOW, "x" * (room - len("t") - len("waitpoints") - 14 + more)) for more in (0, 1))
    assert [len(batch) for batch in batches([first, fitting])] == [2]
    assert [len(batch) for batch in batches([first, over])] == [1, 1]


def test_the_size_is_that_of_the_time_the_source_the_type_and_the_detail_in_bytes() -> None:
    """EventBridge User Guide, "Calculating PutEvents event entry size": 14 bytes for the time, then the UTF-8 of each text."""
    assert Event("waitpoint.completed", 1, '{"a":"ü"}').size == 14 + len("waitpoints") + len("waitpoint.completed") + 10


def test_no_client_is_made_without_an_event() -> None:
    def refuse() -> FakeEventBridge:
        raise AssertionError("no event, no client")

    assert EventBus(refuse, "orders").put([]) == []


def test_a_failed_entry_of_an_answer_is_matched_by_its_index(bus: EventBus, eventbridge: FakeEventBridge) -> None:
    eventbridge.fail_entries_with("w3.", "ThrottlingException")
    eventbridge.fail_entries_with("w12.", "AccessDeniedException")
    eventbridge.fail_entries_with("w14.", "MalformedDetail")

    outcomes = bus.put(events(15))

    assert {number: (type(one), str(one)) for number, one in enumerate(outcomes) if one} == {
        3: (CannotPutNow, "ThrottlingException"),
        12: (CannotPut, "AccessDeniedException"),
        14: (DetailRefused, "MalformedDetail"),
    }
    assert len(eventbridge.entries) == 12


@pytest.mark.parametrize(
    ("meaning", "codes"),
    [
        (CannotPutNow, ["InternalFailure", "ThrottlingException", "SomethingNew"]),
        (DetailRefused, ["InvalidArgument", "MalformedDetail"]),
        (
            CannotPut,
            [
                "AccessDeniedException",
                "InvalidAccountIdException",
                "NotAuthorizedForDetailTypeException",
                "NotAuthorizedForSourceException",
                "RedactionFailure",
            ],
        ),
    ],
)
def test_what_an_entrys_error_means(
    bus: EventBus, eventbridge: FakeEventBridge, meaning: type[Exception], codes: list[str]
) -> None:
    """The list of the EventBridge API reference, PutEventsResultEntry. What it does not call final may pass."""
    for code in codes:
        eventbridge.fail_entries_with("w0.", code)
        [outcome] = bus.put(events(1))
        assert (type(outcome), str(outcome)) == (meaning, code)


def test_a_request_without_a_response_stops_the_rest_for_now(bus: EventBus, eventbridge: FakeEventBridge) -> None:
    """The waiters of the same records need the time."""
    eventbridge.be_unreachable()
    outcomes = bus.put(events(100))
    assert {str(outcome) for outcome in outcomes} == {"ConnectionClosedError"}
    assert len(outcomes) == 100
    assert len(eventbridge.requests) == 1


def test_an_event_that_gets_its_request_refused_does_not_take_the_others_along(
    bus: EventBus, eventbridge: FakeEventBridge
) -> None:
    eventbridge.refuse_requests("ValidationException", times=1)
    eventbridge.fail_entries_with("w3.", "MalformedDetail")
    outcomes = bus.put(events(10))
    assert [number for number, outcome in enumerate(outcomes) if outcome] == [3]
    assert [len(request) for request in eventbridge.requests] == [10, *[1] * 10]


def test_a_denied_request_denies_each_event(bus: EventBus, eventbridge: FakeEventBridge) -> None:
    eventbridge.refuse_requests("AccessDeniedException")
    outcomes = bus.put(events(12))
    assert {(type(outcome), str(outcome)) for outcome in outcomes} == {(CannotPut, "AccessDeniedException")}
