"""An endpoint of the stack on this machine, to which a test delivers as its provider does."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from waitpoints_client import NotFoundError, Waitpoints, calls, models
from waitpoints_client.ops.deployed import Deployed

from waitpoints_local.machine import routes, signing

if TYPE_CHECKING:
    import httpx

_SETTINGS = {"url", "key", "verify", "complete_when", "output", "key_ttl", "tag"}


class Endpoint:
    """An endpoint. It stays until the stack ends, since other tests may use it."""

    def __init__(self, stack: Deployed, made: models.Endpoint) -> None:
        self._stack, self._made = stack, made

    @property
    def url(self) -> str:
        return self._made.url

    def deliver(self, body: Any, headers: Mapping[str, str] | None = None, *, signed: bool = True) -> "httpx.Response":
        """Post as the provider does, with its signature unless `verify` is none: bytes and texts as they are, else JSON."""
        sent = routes.delivery(self.url, body, headers)
        verify = self._made.verify if signed else None
        return routes.post(signing.Signature(self._stack, verify).sign(sent) if verify else sent)


def put(stack: Deployed, waitpoints: Waitpoints, name: str, settings: Mapping[str, Any]) -> Endpoint:
    """Make an endpoint, with a stand-in for the secret of its provider if there is none, or find it as it is.

    One with other settings gets another URL: functions remember those of the old one for a minute.
    """
    if isinstance(verify := settings.get("verify"), Mapping) and isinstance(verify.get("secret"), str):
        signing.make_secret(stack, verify)
    call = replace(calls.put_endpoint(name, key="", verify="none"), body=dict(settings))
    try:
        before = waitpoints.endpoints.get(name).model_dump(include=_SETTINGS)
    except NotFoundError:
        before = None
    made = waitpoints.send(call)
    if before not in (None, made.model_dump(include=_SETTINGS)):
        waitpoints.endpoints.delete(name)
        made = waitpoints.send(call)
    return Endpoint(stack, made)
