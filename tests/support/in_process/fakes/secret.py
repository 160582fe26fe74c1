"""A secret of Secrets Manager with its current and its previous version, in memory."""

from collections.abc import Iterator

from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from botocore.exceptions import ClientError


class FakeSecret:
    def __init__(self, value: str) -> None:
        self._versions = [value]

    def rotate(self, value: str) -> None:
        self._versions = [value, self._versions[0]]

    def read_current(self) -> str:
        return self._versions[0]

    def read_accepted(self) -> Iterator[str]:
        return iter(self._versions)

    def read_latest(self) -> Iterator[str]:
        return iter(self._versions[:1])


class MissingSecret:
    """A secret that does not exist, or cannot be read now."""

    def __init__(self, code: str = "ResourceNotFoundException") -> None:
        self.code = code

    def read_current(self) -> str:
        try:
            raise ClientError({"Error": {"Code": self.code, "Message": "no value"}}, "GetSecretValue")
        except ClientError as error:
            raise GetParameterError(str(error))  # noqa: B904 - as Powertools raises it

    def read_accepted(self) -> Iterator[str]:
        yield self.read_current()

    read_latest = read_accepted


class ExistingSecrets:
    """Every secret exists."""

    def has(self, secret_id: str) -> bool:
        return True
