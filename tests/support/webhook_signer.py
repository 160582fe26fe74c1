"""What the shipped signer signs, with secrets of the tests' own."""

import base64
from urllib.parse import urlencode

from waitpoints.api.providers.schemes import SCHEMES
from waitpoints_local import webhook_signer
from waitpoints_local.webhook_signer import FORM, Sent

PLAIN = "a secret as it is shown"
WHSEC = "whsec_" + base64.b64encode(b"24 bytes or more, in base64").decode()
SHARED_HEADER = "x-gitlab-token"
_CALL = {"To": "+18005551212", "Body": "", "CallSid": "CA1234567890ABCDE", "Digits": "1234"}


def secret_of(scheme: str) -> str:
    """The secret that this scheme's deliveries are signed with, in the form in which the provider shows it."""
    has_prefix = scheme in SCHEMES and SCHEMES[scheme].key_form.startswith("whsec")
    return webhook_signer.public_key_of(scheme) or (WHSEC if has_prefix else PLAIN)


def sign(scheme: str, body: bytes, url: str, now: float, secret: str | None = None) -> Sent:
    return webhook_signer.sign(scheme, secret or secret_of(scheme), body, url, now, header=SHARED_HEADER)


def sign_form(url: str, now: float) -> Sent:
    """A call that Twilio reports as a form."""
    signed = webhook_signer.sign("twilio", PLAIN, urlencode(_CALL).encode(), url, now, content_type=FORM)
    return Sent(signed.body, {**signed.headers, "content-type": FORM}, signed.url)
