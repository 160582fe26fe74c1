"""What MiniStack 1.5.33 does differently with events: it takes every entry of PutEvents.

What EventBridge takes: docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html. What becomes of the others:
API_PutEventsResultEntry.html, and docs.aws.amazon.com/step-functions/latest/dg/connect-eventbridge.html.
"""

import json
from typing import Any

_MOST = 10  # entries of one request


def refuse_malformed_entries(eventbridge: Any) -> None:
    """Refuse an entry without Source, DetailType or Detail, or whose Detail is no JSON or has a whole number beyond 64 bits.

    MiniStack 1.5.33 takes it, and hands on a Detail that it cannot parse as a text.
    """
    put = eventbridge._put_events

    def put_the_others(data: Any, **named: Any) -> Any:
        entries = data.get("Entries", [])
        refused = [_problem(entry) for entry in entries]
        if not any(refused) or len(entries) > _MOST:
            return put(data, **named)
        good = [entry for entry, problem in zip(entries, refused, strict=True) if not problem]
        of_the_good = iter(json.loads(put({**data, "Entries": good}, **named)[2])["Entries"])
        results = [problem or next(of_the_good) for problem in refused]
        failed = sum("ErrorCode" in result for result in results)
        return eventbridge.json_response({"FailedEntryCount": failed, "Entries": results})

    eventbridge._put_events = put_the_others


def _problem(entry: dict[str, Any]) -> dict[str, str] | None:
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            about = f"Parameter {name} is not valid. Reason: {name} is a required argument."
            return {"ErrorCode": "InvalidArgument", "ErrorMessage": about}
    return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."} if _is_malformed(entry["Detail"]) else None


def _is_malformed(detail: Any) -> bool:
    """A state machine may give an object in place of its text."""
    try:
        return not isinstance(json.loads(detail if isinstance(detail, str) else json.dumps(detail), parse_int=_whole), dict)
    except (ValueError, RecursionError):
        return True


def _whole(digits: str) -> int:
    number = int(digits)
    if not -(2**63) <= number < 2**63:
        raise ValueError(digits)
    return number
