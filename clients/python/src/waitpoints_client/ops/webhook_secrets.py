"""The secrets of providers, channels and the issuer, which a stack finds in Secrets Manager under its name.

No error here contains a value.
"""

import base64
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import ClientError

from waitpoints_client.ops.deployed import Deployed

LONGEST = 65_536  # bytes: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_OWN = (  # names that mean something to a stack, their folder, the form of the text, and what it then is
    ("SLACK_BOT_TOKEN", "channels", r"(xoxe\.)?xoxb-[\x21-\x7e]+", 'a bot token of Slack, which begins with "xoxb-"'),
    ("SLACK_SIGNING_SECRET", "channels", r"[\x21-\x7e]+", "Slack's signing secret, one word"),
    ("OIDC_CLIENT_SECRET", "sign-in", r"[\x20-\x7e]+", "the secret that the issuer gave its client, one line"),
    (
        "TEAMS.*",
        "channels",
        r"(https://|http://(127\.0\.0\.1|localhost)[:/])[\x21-\x7e]+",
        'the URL of a workflow in Teams, which begins with "https://"',
    ),
)

Outcome = Literal["created", "changed", "unchanged"]


@dataclass(frozen=True)
class Stored:
    path: str
    """The secret's name in Secrets Manager."""
    outcome: Outcome
    was_restored: bool = False
    """Whether it was about to be deleted."""


def check_name(name: str) -> None:
    """Raises ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError("A secret's name is 1 to 64 letters, digits, hyphens or underscores, without the stack's name")


def is_webhooks(name: str) -> bool:
    """Whether deliveries are verified with the secret, and not a channel's or the issuer's."""
    return not any(re.fullmatch(names, name) for names, *_ in _OWN)


def check_value(name: str, value: str) -> None:
    """Check what a secret of this name is to hold. Raises ValueError."""
    if not value:
        raise ValueError("The secret is empty, so nothing was stored")
    try:
        length = len(value.encode())
    except UnicodeEncodeError:
        raise ValueError("The secret is not text in UTF-8") from None
    if length > LONGEST:
        raise ValueError(f"The secret has {length:,} bytes, and Secrets Manager takes {LONGEST:,}")
    if _CONTROL.search(value):
        raise ValueError("The secret has a control character, as no provider's secret has: copy it again")
    for names, _, form, what in _OWN:
        if re.fullmatch(names, name) and not re.fullmatch(form, value.strip()):
            raise ValueError(f"{name} must be {what}, so nothing was stored")


def generate() -> str:
    """Return a new value that every scheme with a shared key accepts."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def path_of(stack: Deployed, name: str) -> str:
    """Return a secret's name in Secrets Manager. The stack can be named by its ARN. Raises NotFound if it does not exist."""
    stack.outputs["ApiUrl"]
    stack_name = stack.name.split("/")[1] if stack.name.startswith("arn:") else stack.name
    folder = next((folder for names, folder, _, _ in _OWN if re.fullmatch(names, name)), "webhooks")
    return f"waitpoints/{stack_name}/{folder}/{name}"


def put(stack: Deployed, name: str, value: str, *, no_previous: bool = False) -> Stored:
    """Create a secret, or make its next version. A webhook's previous version is accepted for 24 hours after that.

    The same value makes no version, so that a repeated call does not end the version before. `no_previous` ends it: the value
    is put once more, and is both versions. If the stack has a KMS key, that encrypts the secret, also one that had another.
    """
    manager, path = stack.client("secretsmanager"), path_of(stack, name)
    key = {"KmsKeyId": stack.outputs["KmsKeyArn"]} if "KmsKeyArn" in stack.outputs else {}
    try:
        stored = Stored(path, _put(manager, path, value, key))
    except manager.exceptions.InvalidRequestException:  # it is about to be deleted
        manager.restore_secret(SecretId=path)
        stored = Stored(path, _put(manager, path, value, key), was_restored=True)
    if key and stored.outcome != "created":
        manager.update_secret(SecretId=path, **key)
    if no_previous and stored.outcome != "created":
        manager.put_secret_value(SecretId=path, SecretString=value)
    return stored


def delete(stack: Deployed, name: str) -> None:
    """Delete a secret at once, with every version. One that does not exist is no error."""
    manager = stack.client("secretsmanager")
    with suppress(manager.exceptions.ResourceNotFoundException):
        manager.delete_secret(SecretId=path_of(stack, name), ForceDeleteWithoutRecovery=True)


def _put(manager: Any, path: str, value: str, key: dict[str, str]) -> Outcome:
    if _current(manager, path) == value:
        return "unchanged"
    try:
        manager.put_secret_value(SecretId=path, SecretString=value)
    except manager.exceptions.ResourceNotFoundException:
        manager.create_secret(Name=path, SecretString=value, **key)
        return "created"
    return "changed"


def _current(manager: Any, path: str) -> str | None:
    """Return the current value, or None: there is none, or these credentials may write secrets only."""
    try:
        found = manager.get_secret_value(SecretId=path).get("SecretString")
    except manager.exceptions.InvalidRequestException:
        raise
    except ClientError:
        return None
    return None if found is None else str(found)
