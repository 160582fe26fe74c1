"""What an environment remembers of sign-ins. test_finish_sign_in.py has what it does for a page."""

from contextlib import suppress

import pytest

from tests.support.in_process.fakes.clock import FakeClock
from waitpoints.errors import SignInPaused, SignInRefused
from waitpoints.oidc.attempts import LASTS
from waitpoints.oidc.redemptions import MOST_PAGES, MOST_REFUSED, MOST_STATES, PAUSED_FOR, REFUSED_WITHIN, USED, Redemptions


def refuse(kept: Redemptions, state: str, page: str) -> None:
    with suppress(SignInRefused), kept.once(state, page):
        raise SignInRefused("token_error")


def test_a_state_is_redeemed_once_while_its_attempt_lasts() -> None:
    kept = Redemptions(clock := FakeClock())
    with kept.once("state", "page"):
        pass
    clock.advance(LASTS - 1)
    with pytest.raises(SignInRefused) as refused, kept.once("state", "page"):
        pass
    assert refused.value.reason == USED
    clock.advance(1)
    with kept.once("state", "page"):
        pass


@pytest.mark.parametrize(("between", "is_paused"), [(REFUSED_WITHIN // 5, True), (REFUSED_WITHIN // 4, False)])
def test_a_row_of_refusals_within_a_minute_pauses_their_page_alone(between: int, is_paused: bool) -> None:
    kept, paused = Redemptions(clock := FakeClock()), list[str]()
    for number in range(MOST_REFUSED):
        refuse(kept, f"state {number}", "page")
        clock.advance(between if number < MOST_REFUSED - 1 else PAUSED_FOR - 1)
    for page in ("page", "another page"):
        try:
            with kept.once(f"next of {page}", page):
                pass
        except SignInPaused:
            paused.append(page)
    assert paused == (["page"] if is_paused else [])
    clock.advance(1)
    with kept.once("last", "page"):
        pass


def test_takes_no_more_memory_than_is_set_aside() -> None:
    kept = Redemptions(lambda: 0)
    for number in range(MOST_STATES + 9):
        refuse(kept, f"state {number}", f"page {number}")
    assert (len(kept._redeemed), len(kept._refused)) == (MOST_STATES, MOST_PAGES)
