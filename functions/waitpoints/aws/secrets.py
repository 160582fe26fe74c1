"""A cached secret with a current and a previous version, which may be rotated while functions run.

Both versions are accepted, so a URL or access token stays valid through one rotation of its key. If neither version
matches, the cache may predate a rotation: fetch again, but at most every REFETCH_AFTER seconds, so that forged requests
can't cause a paid call each.
"""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from aws_lambda_powertools.utilities.parameters.secrets import SecretsProvider
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

CACHED_FOR = 300  # seconds
REFETCH_AFTER = 10  # seconds


class RotatingSecret:
    def __init__(self, client: "SecretsManagerClient", secret_id: str) -> None:
        self._id = secret_id
        # One provider per stage: a provider caches by name and ignores the version stage.
        self._stages = {stage: SecretsProvider(boto3_client=client) for stage in ("AWSCURRENT", "AWSPREVIOUS")}
        self._missing_until = 0.0
        self._refetch_from = 0.0

    def current(self) -> str:
        """Return the version to sign with."""
        return self._get("AWSCURRENT")

    def accepted(self) -> Iterator[str]:
        """Yield the versions to verify with, likeliest first. Fetches each only when the caller asks for it."""
        current = self.current()
        yield current
        yield from self._previous()
        now = time.monotonic()
        if now >= self._refetch_from:
            self._refetch_from = now + REFETCH_AFTER
            fresh = self._get("AWSCURRENT", force_fetch=True)
            if fresh != current:
                yield fresh
                yield from self._previous(force_fetch=True)

    def _previous(self, force_fetch: bool = False) -> Iterator[str]:
        if time.monotonic() < self._missing_until and not force_fetch:
            return
        try:
            yield self._get("AWSPREVIOUS", force_fetch)
        except GetParameterError as error:
            if not is_missing(error):
                raise
            self._missing_until = time.monotonic() + CACHED_FOR  # the secret was never rotated

    def _get(self, stage: str, force_fetch: bool = False) -> str:
        value = self._stages[stage].get(self._id, max_age=CACHED_FOR, force_fetch=force_fetch, VersionStage=stage)
        if not isinstance(value, str) or not value:
            raise GetParameterError("A secret must be a non-empty string")
        return value


def is_missing(error: GetParameterError) -> bool:
    """Whether the secret has no such version. What merely could not be read now is no reason to refuse anybody."""
    cause = error.__context__
    return isinstance(cause, ClientError) and cause.response["Error"]["Code"] == "ResourceNotFoundException"
