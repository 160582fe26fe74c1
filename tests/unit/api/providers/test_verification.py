"""A token with `verify` takes only what its provider signed."""

import hmac
import time
from typing import Any

import pytest

from tests.support import webhook_signer
from tests.support.callbacks import signed
from tests.support.in_process.api_gateway import DOMAIN, JSON, Api
from tests.support.in_process.fakes.secret import FakeSecret, MissingSecret
from tests.support.in_process.world import BASE_URL, World
from tests.support.refusals import is_refused
from waitpoints.api.providers.schemes import SCHEMES
from waitpoints.token import SINCE

OWN = {
    "scheme": "hmac",
    "header": "X-Signature",
    "separator": ",",
    "prefix": "v1=",
    "timestamp": {"prefix": "t="},
    "signed": "{timestamp}.{url}\n{body}",
}
FITTING = b'{"approved": true}'
SIGNING_THE_URL = [name for name, scheme in SCHEMES.items() if "{url}" in scheme.content]


class TestVerify:
    @pytest.fixture
    def token(self, api: Api, stripe: FakeSecret) -> Any:
        return api.create(verify={"scheme": "stripe", "secret": "stripe"})

    def test_takes_both_versions_of_the_secret(self, api: Api, token: Any, stripe: FakeSecret) -> None:
        old = signed(token, FITTING)
        stripe.rotate("a new secret")
        assert api.post(token["url"], FITTING, old).status == 200
        other = api.create(verify={"scheme": "stripe", "secret": "stripe"})
        assert api.post(other["url"], FITTING, signed(other, FITTING, secret="a new secret")).status == 200
        assert api.retrieve(other["id"])["status"] == "COMPLETED"

    @pytest.mark.parametrize("code", ["ResourceNotFoundException", "ThrottlingException"])
    def test_answers_503_while_the_secret_cannot_be_read(self, api: Api, world: World, token: Any, code: str) -> None:
        world.webhook_secrets["stripe"] = MissingSecret(code)
        is_refused(world, lambda: api.post(token["url"], FITTING, signed(token, FITTING)), 503)

    def test_takes_a_shared_value_in_a_header(self, api: Api, world: World) -> None:
        world.webhook_secrets["gitlab"] = FakeSecret("the shared value")
        token = api.create(verify={"scheme": "token", "header": "X-Gitlab-Token", "secret": "gitlab"})
        is_refused(world, lambda: api.post(token["url"], b"1", {"x-gitlab-token": "the shared valuE"}), 401, is_counted=True)
        assert api.post(token["url"], b"1", {"x-gitlab-token": "the shared value"}).status == 200
        assert "the shared value" not in repr(world.store.get(token["id"]))

    @pytest.mark.parametrize("body", [b"", b"\x00\xff", FITTING], ids=["empty", "binary", "JSON"])
    @pytest.mark.parametrize("kind", ["application/octet-stream", "application/json"])
    def test_takes_what_is_signed_as_described(self, api: Api, world: World, body: bytes, kind: str) -> None:
        """API Gateway sends a body that is no text in base64."""
        world.webhook_secrets["own"] = secret = FakeSecret("the first")
        token = api.create(verify={**OWN, "secret": "own"})
        stored = world.store.get(token["id"])
        assert ("the first" in repr(stored), stored.since_version) == (False, SINCE["signing"])
        secret.rotate("the second")
        for other in ("the third", "the first"):
            at = str(int(time.time()))
            signature = hmac.new(other.encode(), f"{at}.{token['url']}?a\n".encode() + body, "sha256").hexdigest()
            answer = api.post(f"{token['url']}?a", body, {"content-type": kind, "x-signature": f"t={at},v1={signature}"})
            assert answer.status == (200 if other == "the first" else 401)
        assert api.retrieve(token["id"])["status"] == "COMPLETED"

    @pytest.mark.parametrize("scheme", SIGNING_THE_URL)
    def test_takes_the_url_that_the_provider_was_given_before_the_stack_had_a_base_url(
        self, api: Api, world: World, scheme: str
    ) -> None:
        world.webhook_secrets[scheme] = FakeSecret(webhook_signer.secret_of(scheme))
        token = api.create(verify={"scheme": scheme, "secret": scheme})
        for base, status in ("https://other.example.com", 401), (f"https://{DOMAIN}", 200):
            url = f"{token['url'].replace(BASE_URL, base)}?a"
            sent = webhook_signer.sign(scheme, b"1", url, time.time())
            assert api.post(sent.url, sent.body, {**JSON, **sent.headers}).status == status
        assert api.retrieve(token["id"])["status"] == "COMPLETED"
