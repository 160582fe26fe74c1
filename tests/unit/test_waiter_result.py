"""The result of a waiting state equals that of `wait.forToken()` in Trigger.dev's SDK."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waitpoints_client import TIMEOUT_CODE

from tools.stack import ROOT
from waitpoints.token import Completed, Outcome, Output, TimedOut, Token, Waiter, WaiterKind
from waitpoints.waiter_result import RESULT_LIMITS, Failure, Success, error_output, waiter_result

TIMED_OUT = TimedOut(1_800_000_000_005)
MESSAGE = "Waitpoint timed out at 2027-01-15T08:00:00.005Z"


def ended(outcome: Outcome) -> Token:
    return Token(id="waitpoint_1", created_at=0, outcome=outcome)


def result(output: Output, unwrap: bool = False, kind: WaiterKind = WaiterKind.STEP_FUNCTIONS) -> Success | Failure:
    return waiter_result(ended(Completed(0, output)), Waiter("task token", 0, unwrap, kind=kind), "bucket")


@pytest.mark.parametrize("output", ['{"a": 1.50}', "null", "false", '""', "12345678901234567890", '{"a":1,"a":2}'])
def test_a_completed_token_gives_its_output_exactly_as_sent(output: str) -> None:
    assert result(Output(output)) == Success(f'{{"ok":true,"output":{output}}}')
    assert result(Output(output), unwrap=True) == Success(output)


def test_a_timed_out_token_gives_an_error_value() -> None:
    given = waiter_result(ended(TIMED_OUT), Waiter("task token", 0), "bucket")
    assert isinstance(given, Success)
    assert json.loads(given.json) == {
        "ok": False,
        "error": {"name": "WaitpointTimeoutError", "code": "TRIGGER_WAITPOINT_TIMEOUT", "message": MESSAGE},
    }


def test_the_clients_have_the_timeouts_code() -> None:
    shown = json.loads(error_output(TIMED_OUT))["code"]
    exported = f'export const TIMEOUT_CODE = "{TIMEOUT_CODE}";'
    assert shown == TIMEOUT_CODE
    assert exported in (ROOT / "clients" / "typescript" / "src" / "errors.ts").read_text().splitlines()


def test_the_api_shows_a_timeout_as_the_sdk_reads_it() -> None:
    assert json.loads(error_output(TIMED_OUT)) == {"code": "TRIGGER_WAITPOINT_TIMEOUT", "message": MESSAGE}


@pytest.mark.parametrize("unwrap", [False, True])
@pytest.mark.parametrize("letter", ["x", "ü"])
@pytest.mark.parametrize(
    ("kind", "limit"), [(WaiterKind.STEP_FUNCTIONS, 256 * 1024), (WaiterKind.DURABLE_FUNCTION, 1024 * 1024)]
)
def test_only_a_result_that_would_be_too_long_has_a_reference_instead_of_its_output(
    unwrap: bool, letter: str, kind: WaiterKind, limit: int
) -> None:
    assert RESULT_LIMITS[kind] == limit
    envelope = 0 if unwrap else len('{"ok":true,"output":}')
    letters, odd = divmod(limit - envelope - len('""'), len(letter.encode()))
    fits = f'"{letter * letters}{"x" * odd}"'
    whole = result(Output(fits, "key"), unwrap, kind)
    assert isinstance(whole, Success)
    assert len(whole.json.encode()) == limit
    assert fits in whole.json
    one_more = result(Output(fits[:-1] + 'x"', "key"), unwrap, kind)
    assert isinstance(one_more, Success)
    reference = {"outputReference": {"bucket": "bucket", "key": "key"}}
    assert json.loads(one_more.json) == (reference if unwrap else {"ok": True, **reference})


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5), st.booleans())
def test_every_result_is_json_that_contains_the_output(output: object, unwrap: bool) -> None:
    given = result(Output(json.dumps(output)), unwrap)
    assert isinstance(given, Success)
    read = json.loads(given.json)
    assert (read if unwrap else read["output"]) == output
