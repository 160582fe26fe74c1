"""Make the next version of a stack's API key.

Secrets Manager moves the stage AWSPREVIOUS to the version that was current, and the functions accept both stages. So a
key works until the second rotation after it was made.
"""

import secrets
import string
from dataclasses import dataclass
from datetime import datetime

from waitpoints_client.ops.deployed import Deployed

LENGTH = 48  # characters, as the template's
NOTICED = "five minutes"
"""How long functions keep using what they have read. A new key is accepted at once."""
_CHARACTERS = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Keys:
    """When the two keys that are accepted now were made. None: there is no such key, or its date is unknown."""

    current: datetime | None
    previous: datetime | None

    def consequences(self) -> str:
        """Say what stops working with the next rotation, and when."""
        kept = f"The current key{_of(self.current)} keeps working until the rotation after this one."
        if self.previous is None:
            return f"{kept}\nNo key stops working: this one has not been rotated before."
        return (
            f"{kept}\nThe key before it{_of(self.previous)} stops working within {NOTICED}, and so do public access tokens "
            "that were signed with it."
        )


def find_keys(stack: Deployed) -> Keys:
    found = stack.client("secretsmanager").list_secret_version_ids(SecretId=stack.outputs["ApiKeySecret"])["Versions"]
    made = {stage: version.get("CreatedDate") for version in found for stage in version.get("VersionStages", [])}
    return Keys(made.get("AWSCURRENT"), made.get("AWSPREVIOUS"))


def rotate(stack: Deployed) -> str:
    """Put a new key into the secret, and return it."""
    key = "".join(secrets.choice(_CHARACTERS) for _ in range(LENGTH))
    stack.client("secretsmanager").put_secret_value(SecretId=stack.outputs["ApiKeySecret"], SecretString=key)
    return key


def _of(made: datetime | None) -> str:
    return f", of {made:%Y-%m-%d %H:%M}," if made else ""
