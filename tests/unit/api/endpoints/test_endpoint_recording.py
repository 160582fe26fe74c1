"""What an endpoint with `recordDeliveries` stores, over the handlers: every delivery that was verified, and no secret.

`test_endpoint_trial.py` has the record of each kind.
"""

import json
import time
from typing import Any

import pytest

from tests.support import webhook_signer
from tests.support.github_endpoint import BODY, GITHUB, KEY, GitHub
from tests.support.in_process.api_gateway import JSON, Api
from tests.support.in_process.fakes.secret import FakeSecret, MissingSecret
from tests.support.in_process.world import World
from waitpoints.api.http import PAYLOAD_LIMIT
from waitpoints.api.providers.schemes import OWN, SCHEMES
from waitpoints.aws.delivery_store import row_partition
from waitpoints.endpoint import MAX_NAME, DeliveryKind
from waitpoints.recorded_delivery import MAX_DETAIL, MAX_TEXT, Contents
from waitpoints.token import Document, DocumentKind, Verification
from waitpoints.wiring import services
from waitpoints_local import webhook_signer as local_signer

DAY = 86_400


class Records(GitHub):
    def contents(self) -> Contents:
        [row] = self.rows()
        found = services.deliveries.contents(self.endpoint.secret_id, row.id)
        assert found is not None
        return found


@pytest.fixture
def github(world: World, api: Api) -> Records:
    return Records(world, api, verify=GITHUB, record_deliveries="7d")


class TestEachKind:
    def test_of_one_that_completes_and_of_one_that_repeats(self, github: Records) -> None:
        token = github.create()
        first = github.receive(headers={"user-agent": "GitHub"})
        second = github.receive(headers={"user-agent": "GitHub"})
        assert [(row.kind, row.key, row.token_id) for row in (first, second)] == [
            (DeliveryKind.COMPLETED, KEY, token),
            (DeliveryKind.REPEATED, KEY, token),
        ]
        by = github.world.completed(token).completed_by
        assert by is not None
        assert by.record == first.id
        at = github.world.clock() - 1
        assert (first.at, first.size, first.ip, first.user_agent) == (at, len(BODY), "192.0.2.1", "GitHub")
        assert first.expires_at == at // 1000 + 7 * DAY + 1

    def test_names_the_first_delivery_with_the_providers_event_id(self, github: Records) -> None:
        rows = [github.receive(headers={"x-github-delivery": event_id}) for event_id in ("e-1", "e-2", "e-1", "e-1")]
        assert [row.delivery_id for row in rows] == ["e-1", "e-2", "e-1", "e-1"]
        assert [row.repeat_of for row in rows] == [None, None, rows[0].id, rows[0].id]
        assert [row.kind for row in rows] == [DeliveryKind.KEPT, *[DeliveryKind.REPEATED] * 3]


class TestNothing:
    """Of what was not verified, only the count is kept."""

    @pytest.mark.parametrize(
        ("method", "body", "headers", "suffix", "status"),
        [
            ("POST", BODY, {"x-hub-signature-256": ""}, "", 401),
            ("POST", BODY, {"x-hub-signature-256": f"sha256={'0' * 64}"}, "", 401),
            ("POST", BODY, {}, "!", 401),
            ("PUT", BODY, {}, "", 405),
            ("POST", "x" * (PAYLOAD_LIMIT + 1), {}, "", 413),
            ("POST", '{"type": "url_verification", "challenge": "abc"}', {}, "", 200),
        ],
    )
    def test_is_recorded_of_what_is_refused_or_a_handshake(
        self, github: Records, method: str, body: str, headers: dict[str, str], suffix: str, status: int
    ) -> None:
        sent = {**JSON, **github.signature(body), **headers}
        assert github.api.request(method, github.url + suffix, body, sent).status == status
        assert github.rows() == []

    def test_is_recorded_of_a_handshake_that_is_signed(self, github: Records) -> None:
        github.world.webhook_secrets["zoom"] = FakeSecret(webhook_signer.secret_of("zoom"))
        github.put(verify=Verification("zoom", "zoom"))
        asked = b'{"event": "endpoint.url_validation", "payload": {"plainToken": "abc"}}'
        sent = webhook_signer.sign("zoom", asked, github.url, time.time())
        assert "encryptedToken" in github.api.post(sent.url, sent.body, {**JSON, **sent.headers}).text
        assert github.rows() == []

    def test_is_recorded_while_the_secret_cannot_be_read_or_the_endpoint_is_disabled(self, github: Records) -> None:
        github.world.webhook_secrets["github"] = MissingSecret()
        assert (github.deliver().status, github.rows()) == (503, [])
        github.put(verify=None)
        github.disable()
        github.world.advance(60_000)
        assert (github.deliver().status, github.rows()) == (503, [])

    def test_is_recorded_without_the_setting(self, github: Records) -> None:
        github.put(record_deliveries=None)
        assert (github.deliver().status, github.rows()) == (200, [])


class TestSecrets:
    @pytest.mark.parametrize("scheme", sorted(SCHEMES))
    def test_of_a_scheme_are_not_stored(self, github: Records, scheme: str) -> None:
        """What a provider puts into the body stays there, as the body is kept byte for byte."""
        github.world.webhook_secrets["own"] = FakeSecret(webhook_signer.secret_of(scheme))
        header = webhook_signer.SHARED_HEADER if scheme == "token" else None
        github.put(complete_when=None, verify=Verification(scheme, "own", header))
        sent = webhook_signer.sign(scheme, b'{"id": 1}', f"{github.url}?a=1", time.time())
        sent.headers.setdefault("content-type", "application/json")
        assert github.api.post(sent.url, sent.body, sent.headers).status == 200
        [row], kept = github.rows(), github.contents()
        stored = repr((row, kept))
        assert (kept.body, kept.raw_query.startswith("a=1")) == (sent.body, True)
        for name, value in sent.headers.items():
            if name != "content-type" and value != row.delivery_id:
                assert (name.lower() in kept.headers, value in stored) == (False, False), name
        assert webhook_signer.secret_of(scheme) not in stored

    def test_of_a_described_signature_are_not_stored(self, github: Records) -> None:
        verify: dict[str, Any] = {
            "scheme": OWN,
            "secret": "github",
            "header": "x-signature",
            "prefix": "v1=",
            "separator": ",",
            "signed": "{timestamp}.{header:x-part}.{body}",
            "timestamp": {"header": "x-time"},
        }
        url = github.api.put_endpoint("github", verify=verify, recordDeliveries="7d")["url"]
        secret, extra = github.world.webhook_secrets["github"].read_current(), {"x-part": "a secret part", "x-other": "kept"}
        sent = local_signer.sign(OWN, secret, b'{"id": 1}', url, time.time(), row=verify, extra=extra)
        assert github.api.post(sent.url, sent.body, {**JSON, **extra, **sent.headers}).status == 200
        kept = github.contents()
        assert {"x-signature", "x-time", "x-part"}.isdisjoint(kept.headers)
        assert kept.headers["x-other"] == "kept"

    def test_of_the_header_of_a_shared_secret_are_not_stored_if_it_is_that_of_an_id(self, github: Records) -> None:
        github.world.webhook_secrets["shared"] = FakeSecret("s3cr3t")
        github.put(verify=Verification("token", "shared", "x-github-delivery"))
        assert github.deliver(headers={"x-github-delivery": "s3cr3t"}).status == 200
        assert "s3cr3t" not in github.contents().headers.values()


def test_a_row_has_at_most_a_kilobyte(github: Records) -> None:
    """With the longest texts that a delivery can bring: its key, its ids, its user agent, and a reason."""
    long = "\N{GRINNING FACE}" * 300
    github.put(key="body.key", complete_when=None, name="n" * MAX_NAME, tag="t" * 128)
    refusing = Document(DocumentKind.SCHEMA, json.dumps({"required": ["n" * 500]}))  # with a long reason
    github.create(key=github.endpoint.key_of(long), document=refusing)
    headers = {"user-agent": "u" * 2000, "x-github-delivery": "d" * 2000}
    rows = [github.receive(json.dumps({"key": long}), headers) for _ in range(2)]
    for row in rows:
        members = {name: str(value) for name, value in row.members().items() if name != "id"}
        assert all(len(text.encode()) <= MAX_DETAIL for text in members.values())
        assert row.key is not None
        assert MAX_TEXT - 4 < len(row.key.encode()) <= MAX_TEXT, "cut within a character of the limit"
        size = sum(len(name) + len(value.encode()) for name, value in members.items())
        key = len(f"id{row_partition(github.endpoint.secret_id, 15)}item") + 26
        assert size + key <= 1024
    assert rows[1].repeat_of == rows[0].id
