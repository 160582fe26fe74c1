"""Secrets that are rotated, deleted or unreadable while functions run."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from botocore.exceptions import ClientError

from tests.support.in_process.api_gateway import JSON, TOKENS, Api
from tests.support.in_process.moto_stack import MotoStack
from tests.support.in_process.template import STACK_NAME
from tests.support.webhook_signer import sign
from waitpoints.api.notices.credential import versions
from waitpoints.aws.services import secrets
from waitpoints.aws.services.secrets import RotatingSecret
from waitpoints.wiring import services

WEBHOOKS, CHANNELS = f"waitpoints/{STACK_NAME}/webhooks", f"waitpoints/{STACK_NAME}/channels"


class TestRotation:
    @pytest.fixture
    def rotate(self, stack: MotoStack) -> Iterator[Callable[[str], str]]:
        client = boto3.client("secretsmanager")

        def rotate(logical_id: str) -> str:
            value = str(client.get_random_password(PasswordLength=48, ExcludePunctuation=True)["RandomPassword"])
            client.put_secret_value(SecretId=stack.resources[logical_id]["Id"], SecretString=value)
            return value

        yield rotate
        services.reset()

    def test_of_the_api_key_is_noticed_by_running_functions_and_keeps_callback_urls_valid(
        self, stack: MotoStack, rotate: Callable[[str], str]
    ) -> None:
        before = Api(stack.template, stack.secret("ApiKey"))
        token, created = before.create(), before.post(TOKENS, {})
        after = Api(stack.template, rotate("ApiKey"))
        assert after.retrieve(token["id"])["url"] == before.retrieve(token["id"])["url"] == token["url"]
        assert after.deliver(token, b"1").status == 200
        public = {"authorization": f"Bearer {created.headers['x-trigger-jwt']}"}
        assert after.post(f"{TOKENS}/{created.json['id']}/complete", {}, public).status == 200

    def test_of_the_signing_key_keeps_older_urls_valid_once(
        self, api: Api, stack: MotoStack, rotate: Callable[[str], str]
    ) -> None:
        first, second = api.create(), api.create()
        rotate("SigningKey")
        assert api.deliver(first, b"1").status == 200
        rotate("SigningKey")
        services.reset()  # the functions' cache expires
        assert api.deliver(second, b"1").status == 401
        assert api.post(api.create()["url"], b"1", JSON).status == 200

    def test_of_a_channels_token_is_noticed_once_it_is_refused(self, stack: MotoStack, rotate: Callable[[str], str]) -> None:
        secret = RotatingSecret(boto3.client("secretsmanager"), stack.resources["ApiKey"]["Id"])
        known = next(versions(secret))
        new = rotate("ApiKey")
        assert list(versions(secret)) == [known, new]
        assert list(versions(secret)) == [new]

    def test_forged_requests_do_not_read_the_secret_each_time(self, stack: MotoStack) -> None:
        client = boto3.client("secretsmanager")
        asked: list[str] = []
        client.meta.events.register(
            "before-call.secrets-manager.GetSecretValue", lambda params, **_: asked.append(params["body"].decode())
        )
        secret = RotatingSecret(client, stack.resources["ApiKey"]["Id"])
        for _ in range(50):
            assert "forged" not in list(secret.read_accepted())
        assert len(asked) <= 4  # both versions, and both once more

    def test_is_found_when_the_cached_secret_is_refused(
        self, stack: MotoStack, rotate: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(secrets, "REFETCH_AFTER", 0)
        secret = RotatingSecret(boto3.client("secretsmanager"), stack.resources["SigningKey"]["Id"])
        old = secret.read_current()
        new = rotate("SigningKey")
        assert list(secret.read_accepted())[-2:] == [new, old]
        assert secret.read_current() == new

    def test_leaves_the_version_before_it_valid_in_a_function_that_knew_of_none(self, stack: MotoStack) -> None:
        client = boto3.client("secretsmanager")
        client.create_secret(Name="rotated", SecretString="first")
        secret = RotatingSecret(client, "rotated")
        assert (secret.read_current(), list(secret._fetch_previous())) == ("first", [])
        client.put_secret_value(SecretId="rotated", SecretString="second")
        assert "second" in secret.read_accepted()
        assert list(secret.read_accepted()) == ["second", "first"]
        client.put_secret_value(SecretId="rotated", SecretString="third")
        secret._refetch_from = 0
        assert "third" in secret.read_accepted()
        assert list(secret.read_accepted()) == ["third", "second"]

    def test_leaves_a_webhooks_previous_version_valid_for_24_hours_after_the_new_one_was_made(
        self, stack: MotoStack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client, now = boto3.client("secretsmanager"), time.time()
        client.create_secret(Name="dated", SecretString="first")
        client.put_secret_value(SecretId="dated", SecretString="second")
        made_at = client.get_secret_value(SecretId="dated")["CreatedDate"].timestamp()
        webhooks, other = RotatingSecret(client, "dated", secrets.PREVIOUS_FOR), RotatingSecret(client, "dated")
        monkeypatch.setattr(time, "time", lambda: now)
        now = made_at + 86_400 - 1
        assert list(webhooks.read_accepted())[:2] == ["second", "first"]
        now = made_at + 86_400
        webhooks._refetch_from = 0
        assert set(webhooks.read_accepted()) == {"second"}
        assert list(other.read_accepted())[:2] == ["second", "first"]

        client.put_secret_value(SecretId="dated", SecretString="third")
        now = client.get_secret_value(SecretId="dated")["CreatedDate"].timestamp()
        webhooks._refetch_from = 0
        assert list(webhooks.read_accepted()) == ["second", "third", "second"]

    def test_that_was_read_halfway_is_read_again_before_a_caller_is_refused(
        self, stack: MotoStack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A function that starts at that moment may get the new current version and the one before the previous."""
        client = boto3.client("secretsmanager")
        secret_id = client.create_secret(Name="halfway", SecretString="first")["ARN"]
        for value in ("second", "third"):
            client.put_secret_value(SecretId=secret_id, SecretString=value)
        read, secret = client.get_secret_value, RotatingSecret(client, secret_id)
        answers = [{"SecretString": value, "CreatedDate": datetime.now(UTC)} for value in ("third", "first")]
        monkeypatch.setattr(client, "get_secret_value", lambda **asked: answers.pop(0) if answers else read(**asked))
        assert "second" in secret.read_accepted()
        assert list(secret.read_accepted())[:2] == ["third", "second"]


class TestASecretThatCannotBeRead:
    def test_as_text_is_an_error(self, stack: MotoStack) -> None:
        client = boto3.client("secretsmanager")
        secret = RotatingSecret(client, client.create_secret(Name="bytes", SecretBinary=b"bytes")["ARN"])

        with pytest.raises(GetParameterError):
            list(secret.read_accepted())

    def test_temporarily_is_an_error_and_not_a_rejection(self, stack: MotoStack) -> None:
        client = boto3.client("secretsmanager")
        secret = RotatingSecret(client, stack.resources["ApiKey"]["Id"])
        secret.read_current()
        throttled: Any = {"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}

        def throttle(**_: Any) -> None:
            raise ClientError(throttled, "GetSecretValue")

        client.meta.events.register("before-call.secrets-manager.GetSecretValue", throttle)
        with pytest.raises(GetParameterError):
            list(secret.read_accepted())
        client.meta.events.unregister("before-call.secrets-manager.GetSecretValue", throttle)
        assert list(secret.read_accepted())  # the next request reads it again


@pytest.fixture
def fresh(stack: MotoStack) -> Iterator[None]:
    services.reset()
    yield
    services.reset()


class TestWebhookSecret:
    """A secret of the team's own, in Secrets Manager under the stack's name."""

    def test_is_missed_at_create_and_used_once_it_is_there(self, api: Api, fresh: None) -> None:
        verify = {"scheme": "stripe", "secret": "made-later"}
        refused = api.post(TOKENS, {"verify": verify})
        assert (refused.status, f'"{WEBHOOKS}/made-later"' in refused.error) == (422, True)
        boto3.client("secretsmanager").create_secret(Name=f"{WEBHOOKS}/made-later", SecretString="the first")
        token = api.create(verify=verify)
        assert self.deliver(api, token, "another") == 401
        assert self.deliver(api, token, "the first") == 200
        assert api.retrieve(token["id"])["status"] == "COMPLETED"

    def test_is_accepted_in_both_versions_and_read_afresh_before_a_refusal(self, api: Api, fresh: None) -> None:
        client = boto3.client("secretsmanager")
        made = client.create_secret(Name=f"{WEBHOOKS}/rotated", SecretString="the first")["ARN"]
        tokens = [api.create(verify={"scheme": "stripe", "secret": "rotated"}) for _ in range(3)]
        client.put_secret_value(SecretId=made, SecretString="the second")  # while the first is in the cache
        assert self.deliver(api, tokens[0], "the second") == 200
        assert self.deliver(api, tokens[1], "the first") == 200
        assert self.deliver(api, tokens[2], "the third") == 401

    def test_is_accepted_in_its_current_version_only_once_the_previous_one_has_ended(
        self, api: Api, fresh: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(secrets, "PREVIOUS_FOR", 0)
        client = boto3.client("secretsmanager")
        made = client.create_secret(Name=f"{WEBHOOKS}/ended", SecretString="the first")["ARN"]
        token = api.create(verify={"scheme": "stripe", "secret": "ended"})
        client.put_secret_value(SecretId=made, SecretString="the second")
        services.reset()
        assert self.deliver(api, token, "the first") == 401
        assert self.deliver(api, token, "the second") == 200

    def test_that_was_deleted_answers_503_until_it_is_back(self, api: Api, fresh: None) -> None:
        client = boto3.client("secretsmanager")
        made = client.create_secret(Name=f"{WEBHOOKS}/deleted", SecretString="the first")["ARN"]
        token = api.create(verify={"scheme": "stripe", "secret": "deleted"})
        client.delete_secret(SecretId=made, ForceDeleteWithoutRecovery=True)
        services.reset()
        assert self.deliver(api, token, "the first") == 503
        client.create_secret(Name=f"{WEBHOOKS}/deleted", SecretString="the first")
        assert self.deliver(api, token, "the first") == 200

    def test_that_is_about_to_be_deleted_or_has_no_text_is_refused_at_create(self, api: Api, fresh: None) -> None:
        client = boto3.client("secretsmanager")
        client.create_secret(Name=f"{WEBHOOKS}/going", SecretString="the first")
        client.delete_secret(SecretId=f"{WEBHOOKS}/going", RecoveryWindowInDays=7)
        client.create_secret(Name=f"{WEBHOOKS}/bytes", SecretBinary=b"the first")
        for name in ("going", "bytes"):
            answer = api.post(TOKENS, {"verify": {"scheme": "stripe", "secret": name}})
            assert (answer.status, f'"{WEBHOOKS}/{name}"' in answer.error) == (422, True)

    def deliver(self, api: Api, token: Any, secret: str) -> int:
        return api.post(token["url"], b"1", sign("stripe", b"1", token["url"], time.time(), secret).headers).status


class TestChannelSecret:
    """A channel's credential, which a create looks for and does not read."""

    def create(self, api: Api, name: str) -> int:
        return api.post(TOKENS, {"page": {"title": "Go?"}, "notify": {"teams": name}}).status

    @pytest.fixture(autouse=True)
    def with_teams(self, fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TEAMS", "on")

    def test_is_missed_at_create_until_it_is_there_and_known_for_five_minutes(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = boto3.client("secretsmanager")
        assert self.create(api, "TEAMS_LATER") == 422
        made = client.create_secret(Name=f"{CHANNELS}/TEAMS_LATER", SecretString="https://example.com")["ARN"]
        assert self.create(api, "TEAMS_LATER") == 200
        client.delete_secret(SecretId=made, ForceDeleteWithoutRecovery=True)
        assert self.create(api, "TEAMS_LATER") == 200
        monkeypatch.setattr(secrets, "CACHED_FOR", 0)
        services.reset()
        assert self.create(api, "TEAMS_LATER") == 422

    def test_that_is_about_to_be_deleted_or_has_no_version_is_missed(self, api: Api) -> None:
        client = boto3.client("secretsmanager")
        client.create_secret(Name=f"{CHANNELS}/TEAMS_GOING", SecretString="https://example.com")
        client.delete_secret(SecretId=f"{CHANNELS}/TEAMS_GOING", RecoveryWindowInDays=7)
        client.create_secret(Name=f"{CHANNELS}/TEAMS_EMPTY")
        assert [self.create(api, name) for name in ("TEAMS_GOING", "TEAMS_EMPTY")] == [422, 422]

    def test_is_not_a_webhooks(self, api: Api) -> None:
        boto3.client("secretsmanager").create_secret(Name=f"{WEBHOOKS}/TEAMS_HERE", SecretString="https://example.com")
        assert self.create(api, "TEAMS_HERE") == 422
