"""How a delivery to the stack on this machine is signed: as `verify` says, with the secret that the stack checks with."""

import json
import secrets
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from waitpoints_client.models import Verification
from waitpoints_client.ops import webhook_secrets
from waitpoints_client.ops.deployed import Deployed

from waitpoints_local import webhook_signer
from waitpoints_local.webhook_signer import CannotSign, Sent

STAND_IN = "A stand-in that no provider has"
"""The description of a secret that was made here."""


@dataclass(frozen=True)
class Signature:
    """The signature that the deliveries to a token or an endpoint must have."""

    stack: Deployed
    verify: Verification

    def sign(self, sent: Sent, scheme: str | None = None) -> Sent:
        """Return a delivery as the provider sends it, or as that of another scheme does. Its own headers stay.

        Raises CannotSign.
        """
        scheme = webhook_signer.check_scheme(scheme or self.verify.scheme)
        kind, header = sent.headers.get("content-type", ""), self.verify.header or "authorization"
        secret = self._read_secret(scheme)
        row = self.verify.model_dump(by_alias=True, exclude_none=True)
        made = webhook_signer.sign(
            scheme, secret, sent.body, sent.url, time.time(), content_type=kind, header=header, row=row, extra=sent.headers
        )
        return replace(made, headers={**made.headers, **sent.headers})

    def _read_secret(self, scheme: str) -> str:
        manager, name = self.stack.client("secretsmanager"), self.verify.secret
        try:
            found = str(manager.get_secret_value(SecretId=webhook_secrets.path_of(self.stack, name))["SecretString"])
        except manager.exceptions.ResourceNotFoundException:
            raise CannotSign(f"the secret {name} does not exist: waitpoints secrets put {name} --generate") from None
        public = webhook_signer.public_key_of(scheme)
        if public and scheme == self.verify.scheme and found.rstrip("\r\n") != public:
            stored = f"printf %s {shlex.quote(public)} | waitpoints secrets put {name}"
            raise CannotSign(f"only the provider has the private key of {name}. Store the stand-in's public key: {stored}")
        return found


def of_token(stack: Deployed, token_id: str) -> Signature | None:
    """Return the signature that a token asks for. The API does not show it, so it is read in the table."""
    key = {"id": {"S": token_id}, "item": {"S": "token"}}
    found = stack.client("dynamodb").get_item(TableName=stack.outputs["TableName"], Key=key, ConsistentRead=True)
    rules: Mapping[str, Any] = found.get("Item", {}).get("deliveryRules", {"M": {}})["M"]
    if "verify" not in rules:
        return None
    members = {name: value["S"] for name, value in rules["verify"]["M"].items()}
    described = json.loads(members.pop("signing", "{}"))
    return Signature(stack, Verification.model_validate({**members, **described}))


def make_secret(stack: Deployed, verify: Mapping[str, Any]) -> bool:
    """Make a stand-in of the secret that `verify` names if none has its name. Returns whether it is one.

    It stays until the stack ends: other runs may use it, and functions remember it for minutes.
    """
    manager, path = stack.client("secretsmanager"), webhook_secrets.path_of(stack, verify["secret"])
    shared = secrets.token_hex(32) if "secretEncoding" in verify else webhook_secrets.generate()  # of digits that all can read
    value = webhook_signer.public_key_of(str(verify.get("scheme"))) or shared
    try:
        manager.create_secret(Name=path, SecretString=value, Description=STAND_IN)
    except manager.exceptions.ResourceExistsException:
        found = manager.describe_secret(SecretId=path)
        return found.get("Description") == STAND_IN and len(found["VersionIdsToStages"]) == 1  # no one has changed it
    return True
