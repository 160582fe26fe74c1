"""A named key as the API returns it."""

from waitpoints.access.api_keys import NamedKey, Scope
from waitpoints.api.api_key_representation import listed

KEY = NamedKey("job", "d" * 64, (Scope("create", "team-a"), Scope("read")), 0, 86_400_000)


def test_a_key_is_shown_without_its_digest() -> None:
    assert listed(KEY, 1_500) == {
        "name": "job",
        "scopes": ["create:team-a", "read"],
        "createdAt": "1970-01-01T00:00:00.000Z",
        "lastUsedAt": "1970-01-01T00:00:01.500Z",
        "expiresAt": "1970-01-02T00:00:00.000Z",
    }


def test_what_it_has_not_is_left_out() -> None:
    assert listed(NamedKey("job", "d" * 64, (Scope("read"),), 0)).keys() == {"name", "scopes", "createdAt"}
