"""What MiniStack does with refused events without each mend of event_mends.py, and with it. `mends.py` runs these."""

import json
from collections.abc import Callable
from typing import Any
from unittest import mock

from ministack.services import eventbridge, stepfunctions

from waitpoints_local import event_mends


def a_malformed_detail_is_refused() -> bool:
    details = ['{"a": 1}', '{"a": 9223372036854775808}', '{"a": -9223372036854775808}', '{"a": ' + "9" * 5000 + "}", "{"]
    entries: list[dict[str, Any]] = [{"Source": "s", "DetailType": "t", "Detail": detail} for detail in details]
    entries += [{"Source": "s", "DetailType": "t", "Detail": {"a": number}} for number in (1, 2**63)]
    answer = json.loads(eventbridge._put_events({"Entries": entries})[2])
    codes = [entry.get("ErrorCode", "") for entry in answer["Entries"]]
    refused = "MalformedDetail"
    are_named = all(("EventId" in entry) == (code == "") for entry, code in zip(answer["Entries"], codes, strict=True))
    return (codes, answer["FailedEntryCount"], are_named) == (["", refused, "", refused, refused, "", refused], 4, True)


def what_an_event_needs_is_there() -> bool:
    whole = {"Source": "s", "DetailType": "t", "Detail": "{}"}
    entries = [whole, *({name: text for name, text in whole.items() if name != missing} for missing in whole)]
    answer = json.loads(eventbridge._put_events({"Entries": entries})[2])
    return [entry.get("ErrorCode") for entry in answer["Entries"]] == [None, *["InvalidArgument"] * 3]


def a_state_with_a_failed_entry_fails() -> bool:
    resource = "arn:aws:states:::events:putEvents"
    failed = json.dumps({"FailedEntryCount": 1, "Entries": [{"ErrorCode": "MalformedDetail"}]}).encode()
    put = stepfunctions._SERVICE_DISPATCH[resource]
    with mock.patch.object(eventbridge, "_put_events", return_value=(200, {}, failed)):
        try:
            put(resource, {"Entries": [{}]})
        except stepfunctions._ExecutionError as error:
            return str(error.error) == "EventBridge.FailedEntry"
    return False


PROBES: dict[str, tuple[list[Callable[[], bool]], Callable[[], Any]]] = {
    "refuse_malformed_entries": (
        [a_malformed_detail_is_refused, what_an_event_needs_is_there],
        lambda: event_mends.refuse_malformed_entries(eventbridge),
    ),
    "fail_states_with_failed_entries": (
        [a_state_with_a_failed_entry_fails],
        lambda: event_mends.fail_states_with_failed_entries(stepfunctions),
    ),
}
