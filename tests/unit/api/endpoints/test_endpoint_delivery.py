"""A delivery to an endpoint completes the token of its key, over the handlers."""

import io
import json
import time
from typing import Any

import pytest

from tests.support.fakes.in_memory import InMemory
from tests.support.github_endpoint import (
    BODY,
    GITHUB,
    KEY,
    counted,
    create,
    deliver,
    put,
    signature,
    statistics,
    url_of,
)
from tests.support.in_process.api_gateway import Api
from tests.support.in_process.fakes.secret import FakeSecret, MissingSecret
from tests.support.webhook_signer import sign
from waitpoints.api.http import PAYLOAD_LIMIT
from waitpoints.endpoint import DeliveryKind
from waitpoints.token import (
    Completed,
    Document,
    DocumentKind,
    IdempotencyKey,
    NewToken,
    Source,
    TimedOut,
    Verification,
)
from waitpoints.waiter_result import Success
from waitpoints.wiring import services

pytestmark = pytest.mark.usefixtures("github")


class TestADisabledEndpoint:
    def test_answers_503_and_settles_keeps_and_reads_nothing_until_it_is_enabled(
        self, world: InMemory, api: Api, capsys: pytest.CaptureFixture[str]
    ) -> None:
        endpoint, token = put(world), create(world)
        world.webhook_secrets.clear()
        world.endpoints.set_disabled(endpoint.name, True, world.clock())
        for body in (BODY, BODY.replace("123456", "7"), "{"):
            answer = deliver(api, endpoint, body)
            assert (answer.status, answer.headers["retry-after"]) == (503, "60")
            assert answer.error == "This endpoint is disabled. Send the delivery again later"
        assert world.tokens.retrieve(token).outcome is None
        assert list(world.store.tokens) == [token]
        assert counted(world, endpoint) == {"refused": 3}
        assert statistics(world, endpoint).last[DeliveryKind.REFUSED].detail == "the endpoint is disabled"

        world.endpoints.set_disabled(endpoint.name, False, world.clock())
        assert deliver(api, endpoint).status == 200
        assert isinstance(world.tokens.retrieve(token).outcome, Completed)
        assert capsys.readouterr().out.count('"RefusedOnPurpose":') == 3

    def test_takes_effect_within_a_minute_where_deliveries_are_verified(self, world: InMemory, api: Api) -> None:
        endpoint, token = put(world, verify=GITHUB), create(world)
        assert deliver(api, endpoint).status == 401
        world.endpoints.set_disabled(endpoint.name, True, world.clock())
        world.clock.advance(59_999)
        assert deliver(api, endpoint).status == 401
        world.clock.advance(1)
        assert deliver(api, endpoint, headers=signature(endpoint)).status == 503
        assert world.tokens.retrieve(token).outcome is None

    def test_answers_a_providers_test_of_the_url(self, world: InMemory, api: Api) -> None:
        endpoint = put(world)
        world.endpoints.set_disabled(endpoint.name, True, world.clock())
        answer = api.post(url_of(endpoint), {"type": "url_verification", "challenge": "abc"})
        assert (answer.status, answer.text) == (200, "abc")
        assert counted(world, endpoint) == {}


class TestADelivery:
    def test_completes_the_token_of_its_key_and_resumes_the_run(self, world: InMemory, api: Api) -> None:
        endpoint, waiter = put(world), world.new_waiter()
        token = create(world, waiter=waiter)
        assert deliver(api, endpoint, headers={"x-github-delivery": "d-1", "user-agent": "GitHub"}).status == 200
        assert world.step_functions.result(waiter.handle) == Success(f'{{"ok":true,"output":{BODY}}}')
        outcome = world.tokens.retrieve(token).outcome
        assert isinstance(outcome, Completed)
        assert outcome.completed_by is not None
        assert (outcome.completed_by.source, outcome.completed_by.delivery_id) == (Source.ENDPOINT, "d-1")
        last = statistics(world, endpoint).last[DeliveryKind.COMPLETED]
        assert (last.at, last.key, last.delivery_id, last.user_agent) == (world.clock(), KEY, "d-1", "GitHub")

    def test_that_comes_first_is_kept_for_the_create(self, world: InMemory, api: Api) -> None:
        endpoint, waiter = put(world, key_ttl="2h"), world.new_waiter()
        assert deliver(api, endpoint).json == {"success": True}
        world.clock.advance(2 * 3_600_000 - 1)
        create(world, waiter=waiter)
        assert world.step_functions.result(waiter.handle) == Success(f'{{"ok":true,"output":{BODY}}}')
        assert counted(world, endpoint) == {"kept": 1}

    def test_is_kept_until_its_ttl(self, world: InMemory, api: Api) -> None:
        endpoint = put(world, key_ttl="2h")
        deliver(api, endpoint)
        world.clock.advance(2 * 3_600_000)
        assert world.tokens.retrieve(create(world)).outcome is None

    def test_is_kept_for_at_most_the_retention_of_the_stack(self, world: InMemory, api: Api) -> None:
        deliver(api, put(world, key_ttl="400d"))
        [kept] = world.store.tokens.values()
        assert kept.early_until == world.clock() + services.retention * 1000

    def test_that_is_repeated_changes_nothing_and_is_counted_at_both(self, world: InMemory, api: Api) -> None:
        endpoint, token = put(world), create(world)
        deliver(api, endpoint)
        assert deliver(api, endpoint, BODY.replace("1.50", "2")).status == 200
        assert counted(world, endpoint) == {"completed": 1, "repeated": 1}
        shown = world.tokens.retrieve(token)
        assert isinstance(shown.outcome, Completed)
        assert shown.outcome.output.json == BODY
        assert shown.other_deliveries is not None
        assert shown.other_deliveries.count == 1

    @pytest.mark.parametrize("is_awaited", [True, False])
    def test_that_is_copied_completes_a_later_token_once_the_first_holds_its_key_no_more(
        self, world: InMemory, api: Api, is_awaited: bool
    ) -> None:
        endpoint, held_until = put(world, verify=GITHUB), world.clock() + 60_000
        first = world.tokens.create(NewToken(key=IdempotencyKey(KEY, held_until)), world.clock()).token_id
        assert deliver(api, endpoint, headers=signature(endpoint)).status == 200
        world.clock.advance(59_999)
        assert deliver(api, endpoint, headers=signature(endpoint)).status == 200
        assert counted(world, endpoint) == {"completed": 1, "repeated": 1}
        world.clock.advance(1)
        later = create(world) if is_awaited else first
        assert deliver(api, endpoint, headers=signature(endpoint)).status == 200
        later = later if is_awaited else create(world)
        assert later != first
        assert isinstance(world.tokens.retrieve(later).outcome, Completed)
        assert counted(world, endpoint)["completed" if is_awaited else "kept"] == (2 if is_awaited else 1)

    def test_after_the_timeout_is_counted_as_late(self, world: InMemory, api: Api) -> None:
        endpoint, token = put(world), create(world, timeout_at=world.clock() + 60_000)
        world.clock.advance(60_000)
        assert deliver(api, endpoint).status == 200
        assert isinstance(world.tokens.retrieve(token).outcome, TimedOut)
        assert counted(world, endpoint) == {"late": 1}
        deliver(api, endpoint)
        assert counted(world, endpoint) == {"late": 2}

    def test_that_the_tokens_schema_refuses_does_not_settle_it(self, world: InMemory, api: Api) -> None:
        endpoint, token = put(world), create(world, document=Document(DocumentKind.SCHEMA, '{"required": ["conclusion"]}'))
        assert deliver(api, endpoint).status == 200
        assert world.tokens.retrieve(token).outcome is None
        last = statistics(world, endpoint).last[DeliveryKind.NOT_MATCHING]
        assert last.key == KEY
        assert "payloadSchema" in str(last.detail)

    def test_without_a_key_is_counted_and_its_shape_is_logged(self, world: InMemory, api: Api, log: io.StringIO) -> None:
        endpoint = put(world)
        assert deliver(api, endpoint, '{"action": "completed", "run": {"number": "a secret text"}}').status == 200
        assert counted(world, endpoint) == {"noKey": 1}
        assert json.loads(json.loads(log.getvalue())["shape"]) == {"action": "string", "run": {"number": "string"}}
        assert "a secret text" not in log.getvalue()

    def test_without_an_output_is_counted(self, world: InMemory, api: Api) -> None:
        endpoint, token = put(world, output="join('', body.action)"), create(world)
        assert deliver(api, endpoint).status == 200
        assert world.tokens.retrieve(token).outcome is None
        assert statistics(world, endpoint).last[DeliveryKind.NO_OUTPUT].key == KEY


class TestItsProvider:
    def test_is_verified(self, world: InMemory, api: Api) -> None:
        endpoint, token = put(world, verify=GITHUB), create(world)
        refused = deliver(api, endpoint)
        assert refused.status == 401
        assert world.tokens.retrieve(token).outcome is None
        detail = statistics(world, endpoint).last[DeliveryKind.REFUSED].detail
        assert detail == refused.json["error"] == "Invalid signature: no x-hub-signature-256 header"
        deliver(api, endpoint, headers={"x-hub-signature-256": f"sha256={'0' * 64}"})
        detail = statistics(world, endpoint).last[DeliveryKind.REFUSED].detail
        assert detail == "Invalid signature: it does not match the delivery"
        assert deliver(api, endpoint, headers=signature(endpoint)).status == 200
        assert world.tokens.retrieve(token).outcome is not None
        assert counted(world, endpoint) == {"refused": 2, "completed": 1}

    @pytest.mark.parametrize(
        ("secret", "detail"),
        [
            (MissingSecret(), "the secret webhooks/github cannot be read"),
            (MissingSecret("ThrottlingException"), "the secret webhooks/github cannot be read"),
            (FakeSecret("not base64"), "the secret webhooks/github does not have the form that standard-webhooks needs"),
        ],
    )
    def test_gets_503_if_its_secret_fails_and_is_counted(
        self, world: InMemory, api: Api, log: io.StringIO, secret: FakeSecret | MissingSecret, detail: str
    ) -> None:
        endpoint = put(world, verify=Verification("standard-webhooks", "github"))
        headers = sign("standard-webhooks", BODY.encode(), url_of(endpoint), int(time.time()), f"whsec_{'A' * 32}").headers
        world.webhook_secrets["github"] = secret
        assert deliver(api, endpoint, headers=headers).status == 503
        assert not world.store.tokens
        assert counted(world, endpoint) == {"refused": 1}
        assert statistics(world, endpoint).last[DeliveryKind.REFUSED].detail == detail
        line = json.loads(log.getvalue())
        assert (line["endpoint"], line["delivery"], line["secret"]) == ("github", "refused", "webhooks/github")
        trial = api.post("/api/v1/endpoints/github/test", {"body": BODY, "headers": headers})
        assert (trial.status, trial.json["outcome"]) == (200, "refused")
        steps = {step["step"]: step for step in trial.json["steps"]}
        assert steps["signature"] == {"step": "signature", "result": "refused", "detail": detail}
        assert steps["token"]["result"] == "kept"

    def test_with_a_wrong_signature_is_logged_and_counted_and_a_trial_of_it_is_not(
        self, world: InMemory, api: Api, log: io.StringIO, capsys: pytest.CaptureFixture[str]
    ) -> None:
        endpoint, headers = put(world, verify=GITHUB), {"x-hub-signature-256": "sha256=" + "0" * 64}
        assert deliver(api, endpoint, headers=headers).status == 401
        trial = api.post("/api/v1/endpoints/github/test", {"body": BODY, "headers": headers})
        assert (trial.status, trial.json["outcome"]) == (200, "refused")
        delivery, tried = map(json.loads, log.getvalue().splitlines())
        assert (delivery["signature"], delivery["scheme"]) == ("wrong", "github")
        assert not {"signature", "scheme"} & tried.keys()
        assert capsys.readouterr().out.count('"SignaturesRefused":') == 1

    def test_may_send_three_mebibytes(self, world: InMemory, api: Api) -> None:
        endpoint = put(world)
        assert deliver(api, endpoint, BODY.encode().ljust(PAYLOAD_LIMIT)).status == 200
        assert deliver(api, endpoint, BODY.encode().ljust(PAYLOAD_LIMIT + 1)).status == 413
        assert counted(world, endpoint) == {"kept": 1}

    def test_gets_an_error_while_the_table_fails(self, world: InMemory, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        endpoint = put(world)

        def fails(*_: Any) -> None:
            raise ConnectionError

        monkeypatch.setattr(world.endpoints, "count", fails)
        assert deliver(api, endpoint).status == 200  # what counts is that it is kept
        assert len(world.store.tokens) == 1
