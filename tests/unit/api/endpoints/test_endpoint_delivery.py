"""A delivery to an endpoint completes the token of its key, over the handlers. `test_endpoint_trial.py` has each kind."""

import io
import json
import time
from unittest.mock import patch

import pytest

from tests.support.github_endpoint import BODY, GITHUB, KEY, GitHub
from tests.support.in_process.fakes.secret import FakeSecret, MissingSecret
from tests.support.webhook_signer import sign
from waitpoints.api.http import PAYLOAD_LIMIT
from waitpoints.endpoint import DeliveryKind, new_secret_id
from waitpoints.token import Source, TimedOut, Verification
from waitpoints.waiter_result import Success
from waitpoints.wiring import services

RESUMED = Success(f'{{"ok":true,"output":{BODY}}}')
UNSIGNED = {"x-hub-signature-256": ""}


class TestADisabledEndpoint:
    def test_answers_503_and_settles_keeps_and_reads_nothing_until_it_is_enabled(
        self, github: GitHub, capsys: pytest.CaptureFixture[str]
    ) -> None:
        world, token = github.world, github.create()
        world.webhook_secrets.clear()
        github.disable()
        for body in (BODY, BODY.replace("123456", "7"), "{"):
            answer = github.deliver(body)
            assert (answer.status, answer.headers["retry-after"]) == (503, "60")
            assert answer.error == "This endpoint is disabled. Send the delivery again later"
        assert (github.waits(token), list(world.store.tokens)) == (True, [token])
        assert github.counted == {"refused": 3}
        assert github.statistics.last[DeliveryKind.REFUSED].detail == "the endpoint is disabled"

        github.disable(disabled=False)
        assert github.deliver().status == 200
        assert github.world.completed(token)
        assert capsys.readouterr().out.count('"RefusedOnPurpose":') == 3

    def test_takes_effect_within_a_minute_where_deliveries_are_verified(self, github: GitHub) -> None:
        github.put(verify=GITHUB)
        token = github.create()
        assert github.deliver(headers=UNSIGNED).status == 401
        github.disable()
        github.world.advance(59_999)
        assert github.deliver(headers=UNSIGNED).status == 401
        github.world.advance(1)
        assert github.deliver().status == 503
        assert github.waits(token)

    def test_answers_a_providers_test_of_the_url(self, github: GitHub) -> None:
        github.disable()
        answer = github.api.post(github.url, {"type": "url_verification", "challenge": "abc"})
        assert (answer.status, answer.text, github.counted) == (200, "abc", {})


class TestADelivery:
    def test_completes_the_token_of_its_key_and_resumes_the_run(self, github: GitHub) -> None:
        waiter = github.world.new_waiter()
        token = github.create(waiter=waiter)
        assert github.deliver(headers={"x-github-delivery": "d-1", "user-agent": "GitHub"}).status == 200
        assert github.world.step_functions.result(waiter.handle) == RESUMED
        by = github.world.completed(token).completed_by
        assert by is not None
        assert (by.source, by.delivery_id) == (Source.ENDPOINT, "d-1")
        last = github.statistics.last[DeliveryKind.COMPLETED]
        assert (last.at, last.key, last.delivery_id, last.user_agent) == (github.world.clock(), KEY, "d-1", "GitHub")

    @pytest.mark.parametrize(("later", "is_kept"), [(-1, True), (0, False)])
    def test_that_comes_first_is_kept_for_the_create_until_its_ttl(self, github: GitHub, later: int, is_kept: bool) -> None:
        github.put(key_ttl="2h")
        waiter = github.world.new_waiter()
        assert github.deliver().json == {"success": True}
        github.world.advance(2 * 3_600_000 + later)
        github.create(waiter=waiter)
        assert github.world.step_functions.result(waiter.handle) == (RESUMED if is_kept else None)

    def test_is_kept_for_at_most_the_retention_of_the_stack(self, github: GitHub) -> None:
        github.put(key_ttl="400d")
        github.deliver()
        [kept] = github.world.store.tokens.values()
        assert kept.early_until == github.world.clock() + services.retention * 1000

    def test_that_is_repeated_changes_nothing_and_is_counted_at_both(self, github: GitHub) -> None:
        token = github.create()
        github.deliver()
        assert github.deliver(BODY.replace("1.50", "2")).status == 200
        assert github.counted == {"completed": 1, "repeated": 1}
        shown = github.world.tokens.retrieve(token)
        assert github.world.completed(token).output.json == BODY
        assert shown.other_deliveries is not None
        assert shown.other_deliveries.count == 1

    @pytest.mark.parametrize("is_awaited", [True, False])
    def test_that_is_copied_completes_a_later_token_once_the_first_holds_its_key_no_more(
        self, github: GitHub, is_awaited: bool
    ) -> None:
        clock = github.world.clock
        first = github.create(ttl=60_000)
        github.deliver()
        clock.advance(59_999)
        github.deliver()
        assert github.counted == {"completed": 1, "repeated": 1}
        clock.advance(1)
        later = github.create() if is_awaited else first
        assert github.deliver().status == 200
        later = later if is_awaited else github.create()
        assert (later != first, github.waits(later)) == (True, False)
        assert github.counted["completed" if is_awaited else "kept"] == (2 if is_awaited else 1)

    def test_after_the_timeout_is_counted_as_late(self, github: GitHub) -> None:
        token = github.create(timeout=60_000)
        github.world.advance(60_000)
        for number in (1, 2):
            assert github.deliver().status == 200
            assert github.counted == {"late": number}
        assert isinstance(github.world.tokens.retrieve(token).outcome, TimedOut)

    def test_is_refused_alike_whether_the_name_the_hash_or_the_endpoint_is_wrong(self, github: GitHub) -> None:
        right = github.url
        never_put = services.urls.endpoint_url("other", new_secret_id(), "")
        wrong = [right[:-1] + ("0" if right[-1] != "0" else "1"), right.replace("/github/", "/gitlab/"), never_put, f"{right}0"]
        answers = [github.api.post(url, BODY, {}) for url in wrong]
        assert {(answer.status, answer.text) for answer in answers} == {(401, answers[0].text)}
        assert not github.world.store.tokens

    def test_without_a_key_is_counted_and_its_shape_is_logged(self, github: GitHub, log: io.StringIO) -> None:
        assert github.deliver('{"action": "completed", "run": {"number": "a secret text"}}').status == 200
        assert github.counted == {"noKey": 1}
        assert json.loads(json.loads(log.getvalue())["shape"]) == {"action": "string", "run": {"number": "string"}}
        assert "a secret text" not in log.getvalue()


class TestItsProvider:
    def test_is_verified(self, github: GitHub, log: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
        """What is refused is logged and counted, and a trial of it is not."""
        github.put(verify=GITHUB)
        token = github.create()
        for headers, said in (
            (UNSIGNED, "Invalid signature: no x-hub-signature-256 header"),
            ({"x-hub-signature-256": f"sha256={'0' * 64}"}, "Invalid signature: it does not match the delivery"),
        ):
            refused = github.deliver(headers=headers)
            assert (refused.status, refused.error, github.waits(token)) == (401, said, True)
            assert github.statistics.last[DeliveryKind.REFUSED].detail == said
        assert github.try_delivery(body=BODY, headers=headers)["outcome"] == "refused"
        *_, delivery, tried = map(json.loads, log.getvalue().splitlines())
        assert (delivery["signature"], delivery["scheme"]) == ("wrong", "github")
        assert not {"signature", "scheme"} & tried.keys()
        assert capsys.readouterr().out.count('"SignaturesRefused":') == 2
        assert github.deliver().status == 200
        assert github.counted == {"refused": 2, "completed": 1}

    @pytest.mark.parametrize(
        ("secret", "detail"),
        [
            (MissingSecret(), "the secret webhooks/github cannot be read"),
            (MissingSecret("ThrottlingException"), "the secret webhooks/github cannot be read"),
            (FakeSecret("not base64"), "the secret webhooks/github does not have the form that standard-webhooks needs"),
        ],
    )
    def test_gets_503_if_its_secret_fails_and_is_counted(
        self, github: GitHub, log: io.StringIO, secret: FakeSecret | MissingSecret, detail: str
    ) -> None:
        github.put(verify=Verification("standard-webhooks", "github"))
        headers = sign("standard-webhooks", BODY.encode(), github.url, int(time.time()), f"whsec_{'A' * 32}").headers
        github.world.webhook_secrets["github"] = secret
        assert github.deliver(headers=headers).status == 503
        assert (github.world.store.tokens, github.counted) == ({}, {"refused": 1})
        assert github.statistics.last[DeliveryKind.REFUSED].detail == detail
        line = json.loads(log.getvalue())
        assert (line["endpoint"], line["delivery"], line["secret"]) == ("github", "refused", "webhooks/github")
        trial = github.try_delivery(body=BODY, headers=headers)
        steps = {step["step"]: step for step in trial["steps"]}
        assert (trial["outcome"], steps["token"]["result"]) == ("refused", "kept")
        assert steps["signature"] == {"step": "signature", "result": "refused", "detail": detail}

    def test_may_send_three_mebibytes(self, github: GitHub) -> None:
        assert github.deliver(BODY.encode().ljust(PAYLOAD_LIMIT)).status == 200
        assert github.deliver(BODY.encode().ljust(PAYLOAD_LIMIT + 1)).status == 413
        assert github.counted == {"kept": 1}

    def test_gets_no_error_if_it_cannot_be_counted(self, github: GitHub) -> None:
        with patch.object(github.world.endpoints, "count", side_effect=ConnectionError):
            assert github.deliver().status == 200
        assert len(github.world.store.tokens) == 1
