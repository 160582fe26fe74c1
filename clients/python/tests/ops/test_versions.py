"""What an operator is told if the stack and the client are of different versions."""

import pytest

from waitpoints_client.ops.versions import difference
from waitpoints_client.version import __version__

OLDER, NEWER = "upgrade the client", "is newer than the stack"


def test_nothing_is_said_of_one_version() -> None:
    assert difference(__version__) == ""


@pytest.mark.parametrize(
    ("client", "stack", "said"),
    [
        ("0.3.0", "0.3.1", OLDER),
        ("0.3.9", "0.10.0", OLDER),
        ("0.3.0.dev0", "0.3.0", OLDER),
        ("1.0.0", "0.10.0", NEWER),
        ("0.4.0.dev0", "0.3.0", NEWER),
        ("0.3.0", "0.3.0+ours", "only a client and a stack of one version are tested together"),
        ("main", "0.3.0", "only a client and a stack of one version are tested together"),
    ],
)
def test_the_older_one_is_distinguished(client: str, stack: str, said: str) -> None:
    sentence = difference(stack, client)
    assert said in sentence
    assert client in sentence
    assert stack in sentence
