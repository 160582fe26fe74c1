"""What MiniStack does with refused events without each mend of event_mends.py, and with it. `mends.py` runs these."""

import json
from collections.abc import Callable
from typing import Any

from ministack.services import eventbridge


def a_malformed_detail_is_refused() -> bool:
    details = ['{"a": 1}', '{"a": 9223372036854775808}', '{"a": -9223372036854775808}', '{"a": ' + "9" * 5000 + "}", "{", '"t"']
    entries: list[dict[str, Any]] = [{"Source": "s", "DetailType": "t", "Detail": detail} for detail in details]
    entries += [{"Source": "s", "DetailType": "t", "Detail": {"a": number}} for number in (1, 2**63)]
    answer = json.loads(eventbridge._put_events({"Entries": entries})[2])
    codes = [entry.get("ErrorCode", "") for entry in answer["Entries"]]
    refused = "MalformedDetail"
    are_named = all(("EventId" in entry) == (code == "") for entry, code in zip(answer["Entries"], codes, strict=True))
    expected = ["", refused, "", refused, refused, refused, "", refused]
    return (codes, answer["FailedEntryCount"], are_named) == (expected, 5, True)


def what_an_event_needs_is_there() -> bool:
    whole = {"Source": "s", "DetailType": "t", "Detail": "{}"}
    entries = [whole, *({name: text for name, text in whole.items() if name != missing} for missing in whole)]
    answer = json.loads(eventbridge._put_events({"Entries": entries})[2])
    return [entry.get("ErrorCode") for entry in answer["Entries"]] == [None, *["InvalidArgument"] * 3]


PROBES: dict[str, list[Callable[[], bool]]] = {
    "refuse_malformed_entries": [a_malformed_detail_is_refused, what_an_event_needs_is_there],
}
