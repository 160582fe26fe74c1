"""Which stack a client calls, and with which key."""

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from waitpoints_client.errors import ConfigurationError

if TYPE_CHECKING:
    import boto3

URL, API_KEY = "WAITPOINTS_URL", "WAITPOINTS_API_KEY"


def resolve(url: str | None, api_key: str | None, stack: str | None) -> tuple[str, str]:
    """Return the URL and the key: as given, else those of `stack`, else those of the environment. Raises ConfigurationError."""
    if stack is not None:
        if url is not None or api_key is not None:
            raise ConfigurationError("Give a stack, or a url and an api_key, not both")
        url, api_key = read_stack(stack)
    return _check_url(url or os.environ.get(URL)), _check_key(api_key or os.environ.get(API_KEY))


def read_stack(name: str, session: "boto3.Session | None" = None) -> tuple[str, str]:
    """Return the URL and the key of a stack in AWS, from its outputs and its secret. Raises ConfigurationError."""
    try:
        import boto3  # noqa: PLC0415 - only this needs the extra
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as above
    except ImportError:
        raise ConfigurationError(
            'To find a stack by its name, install the extra "aws": in a clone, pip install "./clients/python[aws]"'
        ) from None
    session = session or boto3.Session(region_name=os.environ.get("AWS_REGION"))
    try:
        [described] = session.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        outputs = {str(it.get("OutputKey")): str(it.get("OutputValue")) for it in described.get("Outputs", ())}
        if not {"ApiUrl", "ApiKeySecret"} <= outputs.keys():
            raise ConfigurationError(f"The stack {name} has no outputs ApiUrl and ApiKeySecret: it is not a Waitpoints stack")
        secret = session.client("secretsmanager").get_secret_value(SecretId=outputs["ApiKeySecret"])
    except (BotoCoreError, ClientError) as error:
        reason = getattr(error, "response", {}).get("Error", {}).get("Message") or error
        raise ConfigurationError(f"The stack {name} could not be read: {reason}") from None
    return outputs["ApiUrl"], secret["SecretString"]


def _check_url(url: str | None) -> str:
    """Return the URL without white space around it. A wrong one is not shown: it may be the key, or a callback URL."""
    if not url or not url.strip():
        raise ConfigurationError(f"No URL: give url=…, or set {URL} to the stack's output ApiUrl")
    url = url.strip()
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError("The URL has a host or a port that no URL has") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigurationError("The URL must begin with https:// or http://")
    if not url.isprintable() or " " in url:
        raise ConfigurationError("The URL has characters that no URL has")
    if "@" in parts.netloc or parts.query or parts.fragment or "/api/v1/" in f"{parts.path}/":
        raise ConfigurationError("The URL must be the stack's output ApiUrl, with no user, query or path of a request")
    return url.rstrip("/")


def _check_key(api_key: str | None) -> str:
    """Return the key without white space around it. One that no header can have would be shown in HTTP's own error."""
    if not api_key or not api_key.strip():
        raise ConfigurationError(f"No API key: give api_key=…, or set {API_KEY}")
    key = api_key.strip()
    if not (key.isascii() and key.isprintable()):
        raise ConfigurationError("The API key has characters that no key has")
    return key
