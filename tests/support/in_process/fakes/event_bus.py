"""EventBridge's PutEvents: an answer with status 200 may have failed entries, each at the index of its request's entry."""

import itertools
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError, ConnectionClosedError


class FakeEventBridge:
    """The part of boto3's EventBridge client that puts events. It keeps what was put."""

    def __init__(self) -> None:
        self.requests: list[list[Any]] = []
        self.entries: list[Any] = []
        """Every entry that is on the bus."""
        self._fails: dict[str, str] = {}
        self._errors: list[Exception] = []
        self._ids = itertools.count()

    def fail_entries_with(self, text: str, code: str) -> None:
        """From now on an entry whose detail has this text fails with this code."""
        self._fails[text] = code

    def fail_no_more(self) -> None:
        self._fails.clear()
        self._errors.clear()

    def refuse_requests(self, code: str, times: int = 1000) -> None:
        """Refuse the next requests as a whole."""
        self._errors += [ClientError({"Error": {"Code": code, "Message": "no"}}, "PutEvents")] * times

    def be_unreachable(self, times: int = 1000) -> None:
        self._errors += [ConnectionClosedError(endpoint_url="https://events.us-east-1.amazonaws.com/")] * times

    def put_events(self, *, Entries: Sequence[Any]) -> dict[str, Any]:
        self.requests.append(list(Entries))
        if self._errors:
            raise self._errors.pop(0)
        results = [self._put(entry) for entry in Entries]
        return {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}

    def _put(self, entry: Any) -> dict[str, str]:
        for text, code in self._fails.items():
            if text in entry["Detail"]:
                return {"ErrorCode": code, "ErrorMessage": "a message that may repeat the detail"}
        self.entries.append(entry)
        return {"EventId": str(next(self._ids))}
