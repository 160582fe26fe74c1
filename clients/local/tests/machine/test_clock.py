"""What the client says if time cannot be skipped. tests/integration/test_clock.py skips it."""

import io
import json
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError

import pytest
from waitpoints_client import local_stacks

from waitpoints_local.machine.clock import ClockProblem, skip, time_out

ARN = "arn:aws:states:us-east-1:000000000000:execution:m:1"


def stack(url: str | None = "http://127.0.0.1:8787") -> Any:
    endpoint = {} if url is None else {"endpoint_url": url}
    return SimpleNamespace(
        name="waitpoints", endpoint=endpoint, described=endpoint, outputs={"TableName": "t"}, client=lambda _: None
    )


@pytest.mark.parametrize("url", [None, "https://states.us-east-1.amazonaws.com", "http://127.0.0.1.example.com"])
def test_time_is_never_skipped_in_aws(url: str | None) -> None:
    for call in (lambda: skip(stack(url), ARN, 60), lambda: time_out(stack(url), "waitpoint_x")):
        with pytest.raises(ClockProblem, match=r"^waitpoints does not run on this machine: time can be skipped on a local"):
            call()


@pytest.mark.parametrize("seconds", [-1.0, float("inf"), float("nan")])
def test_only_a_length_of_time_can_be_skipped(seconds: float) -> None:
    with pytest.raises(ClockProblem, match="cannot be skipped"):
        skip(stack(), ARN, seconds)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (json.dumps({"message": "No execution x"}).encode(), r"^No execution x$"),
        (b"<Error/>", r"cannot skip time: start it with this version of Waitpoints$"),
        (b"[]", r"cannot skip time"),
    ],
)
def test_the_stacks_own_words_are_passed_on(body: bytes, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise HTTPError("http://127.0.0.1:8787/_waitpoints/clock", 404, "", SimpleNamespace(), io.BytesIO(body))  # type: ignore[arg-type]

    monkeypatch.setattr(local_stacks, "ask_emulator", refuse)
    with pytest.raises(ClockProblem, match=said):
        skip(stack(), ARN, 60)
