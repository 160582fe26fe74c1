"""A cached secret with a current and a previous version, which may be rotated while functions run.

Both versions are accepted, so a URL or access token stays valid through one rotation of its key; of a webhook's secret, the
previous one is accepted for PREVIOUS_FOR. If neither version matches, the cache may predate a rotation: fetch again, but at
most every REFETCH_AFTER seconds, so that forged requests can't cause a paid call each.
"""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from aws_lambda_powertools.utilities.parameters.secrets import SecretsProvider

from waitpoints.aws.error_codes import error_code

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

CACHED_FOR = 300  # seconds
PREVIOUS_FOR = 86_400  # seconds: how long after a rotation a provider may sign with the version before
REFETCH_AFTER = 10  # seconds


class DatedProvider(SecretsProvider):
    """Powertools' provider, which also knows when the version was made that it read last."""

    made_at: datetime

    def _get(self, name: str, **sdk_options: Any) -> str | bytes:
        found = self.client.get_secret_value(SecretId=name, **sdk_options)
        self.made_at = found["CreatedDate"]
        return str(found["SecretString"]) if "SecretString" in found else b""


class RotatingSecret:
    """`previous_for`: for how many seconds after the current version was made the previous one is accepted. None: always."""

    def __init__(self, client: "SecretsManagerClient", secret_id: str, previous_for: int | None = None) -> None:
        self._id = secret_id
        self._previous_for = previous_for
        # One provider per stage: a provider caches by name and ignores the version stage.
        self._stages = {stage: DatedProvider(boto3_client=client) for stage in ("AWSCURRENT", "AWSPREVIOUS")}
        self._known: str | None = None  # the current version when it was last asked for
        self._missing_until = 0.0
        self._refetch_from = 0.0

    def read_current(self) -> str:
        """Return the version to sign with."""
        return self._fetch_current()

    def read_accepted(self) -> Iterator[str]:
        """Yield the versions to verify with, likeliest first. Fetches each only when the caller asks for it."""
        yield self.read_current()
        yield from self._fetch_previous()
        if self._may_refetch():
            yield self._fetch_current(force_fetch=True)
            self._forget_previous()  # it may have been read while the secret was rotated
            yield from self._fetch_previous()

    def read_latest(self) -> Iterator[str]:
        """Yield the current version. If the caller asks on, yield what is current now, if that is another one."""
        known = self.read_current()
        yield known
        if self._may_refetch() and (now := self._fetch_current(force_fetch=True)) != known:
            yield now

    def _may_refetch(self) -> bool:
        now = time.monotonic()
        if now < self._refetch_from:
            return False
        self._refetch_from = now + REFETCH_AFTER
        return True

    def _fetch_current(self, force_fetch: bool = False) -> str:
        """The current version. Once it is another one, what is known of the previous version no longer holds."""
        value = self._get("AWSCURRENT", force_fetch)
        if value != self._known:
            self._known = value
            self._forget_previous()
        return value

    def _forget_previous(self) -> None:
        self._missing_until = 0.0
        self._stages["AWSPREVIOUS"].clear_cache()  # type: ignore[no-untyped-call]

    def _fetch_previous(self) -> Iterator[str]:
        if time.monotonic() < self._missing_until or self._has_ended():
            return
        try:
            yield self._get("AWSPREVIOUS")
        except GetParameterError as error:
            if not is_missing(error):
                raise
            self._missing_until = time.monotonic() + CACHED_FOR  # the secret was never rotated

    def _has_ended(self) -> bool:
        """Whether the previous version is too old. Its successor, the current one, was read before."""
        made_at = self._stages["AWSCURRENT"].made_at.timestamp()
        return self._previous_for is not None and time.time() >= made_at + self._previous_for

    def _get(self, stage: str, force_fetch: bool = False) -> str:
        value = self._stages[stage].get(self._id, max_age=CACHED_FOR, force_fetch=force_fetch, VersionStage=stage)
        if not isinstance(value, str) or not value:
            raise GetParameterError("A secret must be a non-empty string")
        return value


class ExistingSecrets:
    """Whether secrets exist, for functions that may not read them. That one does is remembered for CACHED_FOR seconds."""

    def __init__(self, client: "SecretsManagerClient") -> None:
        self._client = client
        self._known_until: dict[str, float] = {}

    def has(self, secret_id: str) -> bool:
        """Return False, too, if it is about to be deleted or has no current version. Raises ClientError."""
        if time.monotonic() < self._known_until.get(secret_id, 0.0):
            return True
        try:
            found = self._client.describe_secret(SecretId=secret_id)
        except self._client.exceptions.ResourceNotFoundException:
            return False
        stages = found.get("VersionIdsToStages", {}).values()
        exists = "DeletedDate" not in found and any("AWSCURRENT" in names for names in stages)
        if exists:
            self._known_until[secret_id] = time.monotonic() + CACHED_FOR
        return exists


class Readable(Protocol):
    def read_current(self) -> str:
        """Raises GetParameterError."""


def read_usable(secret: Readable) -> str | None:
    """Return a secret's text, None if it has none (`is_unusable`). Raises GetParameterError if it cannot be read now."""
    try:
        return secret.read_current()
    except GetParameterError as error:
        if not is_unusable(error):
            raise
        return None


def is_missing(error: GetParameterError) -> bool:
    """Whether the version doesn't exist. A failed read doesn't mean that it is missing, so don't reject the caller."""
    return error_code(error) == "ResourceNotFoundException"


def is_unusable(error: GetParameterError) -> bool:
    """Whether the secret doesn't exist, is about to be deleted, or was read but has no text: retrying won't fix that."""
    was_read = error.__context__ is None
    return was_read or error_code(error) in ("ResourceNotFoundException", "InvalidRequestException")
