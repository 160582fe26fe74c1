"""Named keys as the API returns them: absent fields are omitted, times are ISO 8601."""

from typing import Any

from waitpoints.access.api_keys import NamedKey
from waitpoints.json_text import present
from waitpoints.token import iso


def listed(key: NamedKey, used_at: int | None = None) -> dict[str, Any]:
    """Return one key without the key itself, which is not stored."""
    return present(
        {
            "name": key.name,
            "scopes": list(map(str, key.scopes)),
            "createdAt": iso(key.created_at),
            "lastUsedAt": None if used_at is None else iso(used_at),
            "expiresAt": None if key.expires_at is None else iso(key.expires_at),
        }
    )
