"""What an endpoint with `recordDeliveries` stores, over the handlers: every delivery that was verified, and no secret."""

import json
import time
from typing import Any

import pytest

from tests.support import webhook_signer
from tests.support.fakes.in_memory import InMemory
from tests.support.github_endpoint import BODY, GITHUB, KEY, counted, create, put, signature, url_of
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.fakes.secret import FakeSecret, MissingSecret
from waitpoints.api.http import PAYLOAD_LIMIT
from waitpoints.api.providers.schemes import OWN, SCHEMES
from waitpoints.aws.delivery_store import row_partition
from waitpoints.endpoint import MAX_NAME, DeliveryKind, Endpoint
from waitpoints.recorded_delivery import MAX_DETAIL, MAX_TEXT, Contents, RecordedDelivery
from waitpoints.token import Completed, Document, DocumentKind, IdempotencyKey, NewToken, Verification
from waitpoints_local import webhook_signer as local_signer

pytestmark = pytest.mark.usefixtures("github")
RECORDING: dict[str, Any] = {"verify": GITHUB, "record_deliveries": "7d"}
JSON = {"content-type": "application/json"}
DAY = 86_400


def rows(world: InMemory) -> list[RecordedDelivery]:
    return list(world.deliveries._rows.values())


def receive(api: Api, endpoint: Endpoint, body: str | bytes = BODY, query: str = "", **headers: str) -> int:
    content = body.encode() if isinstance(body, str) else body
    signed = webhook_signer.sign("github", content, url_of(endpoint), 0, "the-secret-of-github").headers
    return api.post(url_of(endpoint) + query, content, {**JSON, **signed, **headers}).status


def contents(world: InMemory) -> Contents:
    [only] = world.deliveries._contents.values()
    return only


class TestEachKind:
    @pytest.mark.parametrize(
        ("settings", "body", "kind", "detail"),
        [
            ({}, BODY, DeliveryKind.KEPT, None),
            ({"key_ttl": "0s"}, BODY, DeliveryKind.NOT_AWAITED, None),
            ({}, '{"action": "requested"}', DeliveryKind.NOT_MATCHING, "the result of completeWhen is null, false or empty"),
            ({"output": "abs(body.action)"}, BODY, DeliveryKind.NO_OUTPUT, "output failed: abs()"),
        ],
    )
    def test_without_a_token(
        self, world: InMemory, api: Api, settings: Any, body: str, kind: DeliveryKind, detail: str | None
    ) -> None:
        endpoint = put(world, **RECORDING, **settings)
        assert receive(api, endpoint, body) == 200
        [row] = rows(world)
        assert (row.kind, row.token_id) == (kind, next(iter(world.store.tokens), None))
        assert (row.detail or "").startswith(detail or "") is True
        assert counted(world, endpoint) == {kind: 1}
        assert list(world.deliveries.pending(world.clock())) == []

    def test_without_a_key(self, world: InMemory, api: Api) -> None:
        endpoint = put(world, **RECORDING, complete_when=None)
        assert receive(api, endpoint, "{}") == 200
        [row] = rows(world)
        assert (row.kind, row.key, row.token_id) == (DeliveryKind.NO_KEY, None, None)
        assert row.detail == "key gives null; a text that is not empty, or a number, is needed"

    def test_of_one_that_completes_and_of_one_that_repeats(self, world: InMemory, api: Api) -> None:
        endpoint, token = put(world, **RECORDING), create(world)
        for _ in range(2):
            assert receive(api, endpoint, **{"user-agent": "GitHub"}) == 200
        assert [(row.kind, row.key, row.token_id) for row in rows(world)] == [
            (DeliveryKind.COMPLETED, KEY, token),
            (DeliveryKind.REPEATED, KEY, token),
        ]
        outcome = world.tokens.retrieve(token).outcome
        assert isinstance(outcome, Completed)
        assert outcome.completed_by is not None
        assert outcome.completed_by.record == rows(world)[0].id
        first = rows(world)[0]
        assert (first.at, first.size, first.ip, first.user_agent) == (world.clock(), len(BODY), "192.0.2.1", "GitHub")
        assert first.expires_at == world.clock() // 1000 + 7 * DAY + 1

    def test_after_the_timeout(self, world: InMemory, api: Api) -> None:
        endpoint, token = put(world, **RECORDING), create(world, timeout_at=world.clock() + 1000)
        world.clock.advance(1000)
        assert receive(api, endpoint) == 200
        [row] = rows(world)
        assert (row.kind, row.token_id) == (DeliveryKind.LATE, token)

    def test_that_the_tokens_schema_refuses(self, world: InMemory, api: Api) -> None:
        endpoint = put(world, **RECORDING)
        create(world, document=Document(DocumentKind.SCHEMA, '{"type": "string"}'))
        assert receive(api, endpoint) == 200
        [row] = rows(world)
        assert (row.kind, row.key, row.detail is None) == (DeliveryKind.NOT_MATCHING, KEY, False)


class TestTheProvidersEventId:
    def test_names_the_first_delivery(self, world: InMemory, api: Api) -> None:
        endpoint = put(world, **RECORDING)
        for event_id in ("e-1", "e-2", "e-1", "e-1"):
            world.clock.advance(1)
            receive(api, endpoint, **{"x-github-delivery": event_id})
        first, other, second, third = rows(world)
        assert [row.delivery_id for row in (first, other, second, third)] == ["e-1", "e-2", "e-1", "e-1"]
        assert [row.repeat_of for row in (first, other, second, third)] == [None, None, first.id, first.id]
        assert [row.kind for row in (first, other, second, third)] == [DeliveryKind.KEPT, *[DeliveryKind.REPEATED] * 3]


class TestNothing:
    """Of what was not verified, only the count is kept."""

    def test_is_recorded_of_what_is_refused(self, world: InMemory, api: Api) -> None:
        endpoint = put(world, **RECORDING)
        wrong = {"x-hub-signature-256": f"sha256={'0' * 64}"}
        assert api.post(url_of(endpoint), BODY, JSON).status == 401
        assert receive(api, endpoint, **wrong) == 401
        assert api.post(url_of(endpoint)[:-1] + "!", BODY, {**JSON, **signature(endpoint)}).status == 401
        assert api.request("PUT", url_of(endpoint), BODY, {**JSON, **signature(endpoint)}).status == 405
        assert receive(api, endpoint, b"x" * (PAYLOAD_LIMIT + 1)) == 413
        assert (rows(world), world.deliveries._contents) == ([], {})

    def test_is_recorded_while_the_secret_cannot_be_read(self, world: InMemory, api: Api) -> None:
        endpoint = put(world, **RECORDING)
        world.webhook_secrets["github"] = MissingSecret()
        assert receive(api, endpoint) == 503
        assert (rows(world), world.deliveries._contents) == ([], {})

    def test_is_recorded_by_a_disabled_endpoint(self, world: InMemory, api: Api) -> None:
        endpoint = put(world, **RECORDING)
        world.endpoints.set_disabled(endpoint.name, True, world.clock())
        assert receive(api, endpoint) == 503
        assert (rows(world), world.deliveries._contents) == ([], {})

    def test_is_recorded_of_a_handshake(self, world: InMemory, api: Api) -> None:
        endpoint = put(world, **RECORDING)
        challenge = '{"type": "url_verification", "challenge": "abc"}'
        assert api.post(url_of(endpoint), challenge, JSON).text == "abc"
        world.webhook_secrets["zoom"] = FakeSecret(webhook_signer.secret_of("zoom"))
        zoom = put(world, record_deliveries="7d", verify=Verification("zoom", "zoom"))
        world.clock.advance(60_000)
        asked = b'{"event": "endpoint.url_validation", "payload": {"plainToken": "abc"}}'
        sent = webhook_signer.sign("zoom", asked, url_of(zoom), time.time())
        assert "encryptedToken" in api.post(sent.url, sent.body, {**JSON, **sent.headers}).text
        assert (rows(world), world.deliveries._contents) == ([], {})

    def test_is_recorded_without_the_setting(self, world: InMemory, api: Api) -> None:
        assert receive(api, put(world, verify=GITHUB)) == 200
        assert (rows(world), world.deliveries._contents) == ([], {})


class TestSecrets:
    @pytest.mark.parametrize("scheme", sorted(SCHEMES))
    def test_of_a_scheme_are_not_stored(self, world: InMemory, api: Api, scheme: str) -> None:
        """What a provider puts into the body stays there, as the body is kept byte for byte."""
        world.webhook_secrets["own"] = FakeSecret(webhook_signer.secret_of(scheme))
        header = webhook_signer.SHARED_HEADER if scheme == "token" else None
        verify = Verification(scheme, "own", header)
        endpoint = put(world, record_deliveries="7d", complete_when=None, verify=verify)
        sent = webhook_signer.sign(scheme, b'{"id": 1}', f"{url_of(endpoint)}?a=1", time.time())
        if sent.headers.get("content-type") is None:
            sent.headers["content-type"] = "application/json"
        assert api.post(sent.url, sent.body, sent.headers).status == 200
        [row] = rows(world)
        kept, stored = contents(world), repr((row, contents(world)))
        assert (kept.body, kept.raw_query.startswith("a=1")) == (sent.body, True)
        ids = {row.delivery_id}
        for name, value in sent.headers.items():
            if name != "content-type" and value not in ids:
                assert (name.lower() in kept.headers, value in stored) == (False, False), name
        assert webhook_signer.secret_of(scheme) not in stored

    def test_of_a_described_signature_are_not_stored(self, world: InMemory, api: Api) -> None:
        row: dict[str, Any] = {
            "header": "x-signature",
            "prefix": "v1=",
            "separator": ",",
            "signed": "{timestamp}.{header:x-part}.{body}",
            "timestamp": {"header": "x-time"},
        }
        world.webhook_secrets["own"] = FakeSecret("the secret of a provider")
        verify = {"scheme": OWN, "secret": "own", **row}
        settings = {"key": "body.id", "verify": verify, "recordDeliveries": "7d"}
        url = api.request("PUT", "/api/v1/endpoints/own", settings).json["url"]
        body, at = b'{"id": 1}', time.time()
        extra = {"x-part": "a secret part", "x-other": "kept"}
        sent = local_signer.sign(OWN, "the secret of a provider", body, url, at, row=verify, extra=extra)
        assert api.post(sent.url, sent.body, {**JSON, **extra, **sent.headers}).status == 200
        kept = contents(world)
        assert {"x-signature", "x-time", "x-part"}.isdisjoint(kept.headers)
        assert kept.headers["x-other"] == "kept"

    def test_of_the_request_are_not_stored(self, world: InMemory, api: Api) -> None:
        endpoint = put(world, **RECORDING)
        names = ("authorization", "proxy-authorization", "cookie", "x-api-key")
        query = "?a=1&token=s3cret&api_key=s3cret&Signature=s3cret&sig=s3cret&client%5Fsecret=s3cret&b=%C3%BC&flag"
        headers = dict.fromkeys(names, "s3cret")
        assert receive(api, endpoint, query=query, **headers, **{"x-github-event": "push"}) == 200
        kept = contents(world)
        assert "s3cret" not in repr((kept, rows(world)))
        assert (kept.raw_query, kept.headers["x-github-event"], kept.body) == ("a=1&b=%C3%BC&flag", "push", BODY.encode())


def test_a_row_has_at_most_a_kilobyte(world: InMemory, api: Api) -> None:
    """With the longest texts that a delivery can bring: its key, its ids, its user agent, and a reason."""
    long = "\N{GRINNING FACE}" * 300
    endpoint = put(world, **RECORDING, key="body.key", complete_when=None, name="n" * MAX_NAME, tag="t" * 128)
    create_with(world, endpoint, long)
    for _ in range(2):
        headers = {"user-agent": "u" * 2000, "x-github-delivery": "d" * 2000}
        assert receive(api, endpoint, json.dumps({"key": long}), **headers) == 200
    for row in rows(world):
        members = {name: str(value) for name, value in row.members().items() if name != "id"}
        assert all(len(text.encode()) <= MAX_DETAIL for text in members.values())
        assert row.key is not None
        assert len(row.key.encode()) <= MAX_TEXT
        size = sum(len(name) + len(value.encode()) for name, value in members.items())
        key = len(f"id{row_partition(endpoint.secret_id, 15)}item") + 26
        assert size + key <= 1024
    assert rows(world)[1].repeat_of == rows(world)[0].id


def create_with(world: InMemory, endpoint: Endpoint, text: str) -> None:
    """A token of this key whose schema refuses every delivery, with a long reason."""
    schema = Document(DocumentKind.SCHEMA, json.dumps({"required": ["n" * 500]}))
    world.tokens.create(NewToken(key=IdempotencyKey(endpoint.key_of(text)), document=schema), world.clock())


@pytest.mark.parametrize(
    "name",
    [
        "X-Hub-Signature",
        "Stripe-Signature",
        "X-Gitlab-Token",
        "X-Goog-Api-Key",
        "Cookie2",
        "X-Forwarded-Authorization",
        "Referer",
    ],
)
def test_no_other_header_that_may_have_a_secret_is_stored(world: InMemory, api: Api, name: str) -> None:
    """GitHub signs twice: with SHA-1, too."""
    endpoint = put(world, **RECORDING)
    assert receive(api, endpoint, **{name: "s3cr3t", "x-github-event": "push", "x-github-delivery": "d-1"}) == 200
    found = contents(world).headers
    assert ("s3cr3t" not in found.values(), found["x-github-event"], found["x-github-delivery"]) == (True, "push", "d-1")


@pytest.mark.parametrize("name", ["pass", "pwd", "jwt", "sid", "X-Amz-Credential", "AccessKey", "otp", "author_token", "key"])
def test_no_parameter_whose_name_says_that_it_is_secret_is_stored(world: InMemory, api: Api, name: str) -> None:
    endpoint = put(world, **RECORDING)
    assert receive(api, endpoint, query=f"?author=ann&{name}=s3cr3t&passenger=7") == 200
    assert contents(world).raw_query == "author=ann&passenger=7"


def test_the_header_of_a_shared_secret_is_not_stored_if_it_is_that_of_an_id(world: InMemory, api: Api) -> None:
    world.webhook_secrets["shared"] = FakeSecret("s3cr3t")
    endpoint = put(world, verify=Verification("token", "shared", "x-github-delivery"), record_deliveries="7d")
    assert receive(api, endpoint, **{"x-github-delivery": "s3cr3t"}) == 200
    assert "s3cr3t" not in contents(world).headers.values()
