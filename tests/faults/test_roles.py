"""Which secrets of an account the roles of a stack may read."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

import pytest

from tests.support.faults.roles import HERE, WITH_ALL, permissions
from tests.support.in_process.template import STACK_NAME
from tests.support.processed_template import statements, texts

OURS = f"waitpoints/{STACK_NAME}"
CHECKS_SIGNATURES = {
    "accept_callback", "accept_delivery", "create_token", "create_token_in_state", "put_endpoint", "try_endpoint",
}  # fmt: skip


def arn(name: str) -> str:
    """As Secrets Manager makes it, which appends six characters to the name."""
    return f"arn:aws:secretsmanager:{HERE}:secret:{name}-a1b2c3"


def granted(name: str) -> Iterator[tuple[str, str]]:
    """What any role of a stack that has everything may do with a secret, with whose role or policy it is."""
    for whose, statement in statements(WITH_ALL):
        for action in texts(statement["Action"]):
            if action.startswith("secretsmanager:") and any(fnmatchcase(arn(name), it) for it in texts(statement["Resource"])):
                yield whose, action


@pytest.mark.parametrize(
    "name",
    [
        f"{STACK_NAME}/DATABASE",
        f"{STACK_NAME}/webhooks/STRIPE",
        "waitpoints/DATABASE",
        f"{OURS}/DATABASE",
        f"{OURS}-2/webhooks/STRIPE",
        "waitpoints/another/webhooks/STRIPE",
        "waitpoints/another/channels/SLACK_BOT_TOKEN",
    ],
)
def test_no_role_may_do_anything_with_the_secret_of_another_program_or_stack(name: str) -> None:
    assert list(granted(name)) == []


@pytest.mark.parametrize(
    ("name", "readers"),
    [
        ("webhooks/STRIPE", CHECKS_SIGNATURES),
        ("channels/SLACK_BOT_TOKEN", {"send_notices"}),
        ("channels/TEAMS_DEPLOYS", {"send_notices"}),
        ("channels/SLACK_SIGNING_SECRET", {"send_notices", "answer_slack"}),
        ("sign-in/OIDC_CLIENT_SECRET", {"finish_sign_in", "begin_session"}),
    ],
)
def test_only_these_functions_may_read(name: str, readers: set[str]) -> None:
    path = arn(f"{OURS}/{name}")
    assert {it.function for it in permissions() if it.allows("secretsmanager:GetSecretValue", path)} == readers


def test_what_creates_may_find_a_channels_credential_and_not_read_it() -> None:
    path = arn(f"{OURS}/channels/TEAMS")
    finders = {it.function for it in permissions() if it.allows("secretsmanager:DescribeSecret", path)}
    assert finders == {"create_token", "create_token_in_state"}
    assert "secretsmanager:DescribeSecret" not in [action for _, it in statements() for action in texts(it["Action"])]


def test_a_missing_signing_secret_is_not_found_rather_than_denied() -> None:
    """While a secret does not exist, AWS looks at its name alone: github.com/ministackorg/ministack/pull/1737, measured."""
    for name, reader in (("channels/SLACK_SIGNING_SECRET", "answer_slack"), ("sign-in/OIDC_CLIENT_SECRET", "finish_sign_in")):
        missing = arn(f"{OURS}/{name}").removesuffix("-a1b2c3")
        assert reader in {it.function for it in permissions() if it.allows("secretsmanager:GetSecretValue", missing)}
