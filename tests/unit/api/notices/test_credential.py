"""The token or URL of a channel, which its owner may replace while functions run."""

import pytest

from tests.support.in_process.fakes.secret import FakeSecret, MissingSecret
from tests.support.slack import CachedSecret
from waitpoints.api.notices.credential import versions
from waitpoints.errors import NotSent, NotSentNow


def test_yields_what_is_known_without_its_line_break_and_reads_nothing_else() -> None:
    secret = CachedSecret("xoxb-1\n")
    assert next(versions(secret)) == "xoxb-1"
    assert secret.reads == 0


def test_yields_the_new_version_after_the_known_one_and_never_the_previous_one() -> None:
    secret = CachedSecret("xoxb-1")
    secret.rotate("xoxb-2")
    assert list(versions(secret)) == ["xoxb-1", "xoxb-2"]
    assert list(versions(secret)) == ["xoxb-2"]


@pytest.mark.parametrize("text", ["", " \n", "xoxb-é", "a\r\nb: c"])
def test_refuses_what_no_header_or_url_can_have(text: str) -> None:
    with pytest.raises(NotSent, match="secret_unusable"):
        next(versions(FakeSecret(text)))


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "InvalidRequestException"])
def test_a_secret_that_is_gone_is_for_its_owner(code: str) -> None:
    with pytest.raises(NotSent, match="secret_missing"):
        next(versions(MissingSecret(code)))


def test_a_secret_that_cannot_be_read_now_is_read_later() -> None:
    with pytest.raises(NotSentNow, match="ThrottlingException"):
        next(versions(MissingSecret("ThrottlingException")))
