"""What `verify` may say in a request."""

import pytest

from waitpoints.api.providers.schemes import ALIASES, OWN, SCHEMES
from waitpoints.api.providers.verify_request import parse_verify
from waitpoints.errors import InvalidVerification
from waitpoints.token import Verification

SCHEME_NAMES = sorted([*SCHEMES, OWN])


class TestVerifyOfACreateRequest:
    def test_names_a_scheme_and_a_secret(self) -> None:
        assert parse_verify({"scheme": "stripe", "secret": "STRIPE_live-1"}) == Verification("stripe", "STRIPE_live-1")

    def test_of_the_scheme_token_names_a_header_too(self) -> None:
        written = {"scheme": "token", "secret": "N", "header": "X-Gitlab-Token"}
        assert parse_verify(written) == Verification("token", "N", "x-gitlab-token")

    def test_may_say_twitter_for_x(self) -> None:
        assert parse_verify({"scheme": "twitter", "secret": "N"}).scheme == "x"
        assert ALIASES.keys().isdisjoint(SCHEMES)

    @pytest.mark.parametrize(
        ("written", "nearest"), [("strpe", "stripe"), ("GITHUB", "github"), ("standardwebhooks", "standard-webhooks")]
    )
    def test_with_an_unknown_scheme_is_answered_with_all_and_the_nearest(self, written: str, nearest: str) -> None:
        with pytest.raises(InvalidVerification) as refused:
            parse_verify({"scheme": written, "secret": "N"})
        assert refused.value.message == f'verify.scheme must be one of {", ".join(SCHEME_NAMES)}; did you mean "{nearest}"?'

    @pytest.mark.parametrize("written", ["hunter2", "", None, 7])
    def test_with_no_scheme_near_is_answered_with_all_and_without_what_was_sent(self, written: object) -> None:
        with pytest.raises(InvalidVerification) as refused:
            parse_verify({"scheme": written, "secret": "N"})
        assert refused.value.message == f"verify.scheme must be one of {', '.join(SCHEME_NAMES)}"

    @pytest.mark.parametrize(
        "value",
        [
            {"scheme": "stripe"},
            {"secret": "N"},
            {"scheme": "stripe", "secret": "N" * 65},
            {"scheme": "stripe", "secret": "a/b"},
            {"scheme": "stripe", "secret": "N\n"},
            {"scheme": "stripe", "secret": "é"},
            {"scheme": "stripe", "secret": "N", "header": "x-a"},
            {"scheme": "stripe", "secret": "N", "tolerance": 1},
            {"scheme": "token", "secret": "N"},
            {"scheme": "token", "secret": "N", "header": "x a"},
            {"scheme": "token", "secret": "N", "header": "x\n"},
        ],
        ids=str,
    )
    def test_of_another_shape_is_refused(self, value: object) -> None:
        with pytest.raises(InvalidVerification):
            parse_verify(value)

    @pytest.mark.parametrize("name", ["SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "TEAMS", "TEAMS_DEPLOYS"])
    def test_does_not_name_a_channels_credential(self, name: str) -> None:
        said = "SLACK_BOT_TOKEN, SLACK_SIGNING_SECRET and names that begin with TEAMS are of channels"
        with pytest.raises(InvalidVerification, match=said):
            parse_verify({"scheme": "slack", "secret": name})
        for near in (f"MY_{name}", name.lower()):
            assert parse_verify({"scheme": "slack", "secret": near}).secret == near


def test_an_unknown_member_of_verify_gets_the_nearest_one() -> None:
    with pytest.raises(InvalidVerification, match='unknown field "shceme": did you mean "scheme"'):
        parse_verify({"shceme": "github"})
