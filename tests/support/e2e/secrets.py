"""The secrets of webhook providers, which a team makes in Secrets Manager."""

from contextlib import suppress

from waitpoints_local.stack import Stack


class Secrets:
    def __init__(self, stack: Stack) -> None:
        self._prefix = f"waitpoints/{stack.stack_name}/webhooks"
        self._client = stack.client("secretsmanager")

    def make(self, name: str, value: str) -> str:
        """Make the secret `waitpoints/<stack name>/webhooks/NAME`, or give the one of an earlier run this value; its NAME."""
        with suppress(self._client.exceptions.ResourceExistsException):
            self._client.create_secret(Name=f"{self._prefix}/{name}", SecretString=value)
            return name
        self.rotate(name, value)
        return name

    def rotate(self, name: str, value: str) -> None:
        self._client.put_secret_value(SecretId=f"{self._prefix}/{name}", SecretString=value)

    def delete(self, name: str) -> None:
        self._client.delete_secret(SecretId=f"{self._prefix}/{name}", ForceDeleteWithoutRecovery=True)
