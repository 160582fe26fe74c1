"""Data outside the table: secrets rotated while functions run, and outputs too large for an item."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from botocore.exceptions import ClientError

from in_process.api_gateway import TOKENS, Api
from in_process.fakes.step_functions import FakeStepFunctions
from in_process.moto_stack import MotoStack
from in_process.template import STACK_NAME
from tests.support.webhook_signer import sign
from waitpoints import ids
from waitpoints.aws import secrets
from waitpoints.aws.outputs import IN_ITEM_LIMIT
from waitpoints.aws.secrets import RotatingSecret
from waitpoints.token import MAX_WAITERS, Token, Waiter
from waitpoints.waiter_result import Success
from waitpoints.wiring import services

JSON = {"content-type": "application/json"}


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
        assert after.post(token["url"], b"1", JSON).status == 200
        public = {"authorization": f"Bearer {created.headers['x-trigger-jwt']}"}
        assert after.post(f"{TOKENS}/{created.json['id']}/complete", {}, public).status == 200

    def test_of_the_signing_key_keeps_older_urls_valid_once(
        self, api: Api, stack: MotoStack, rotate: Callable[[str], str]
    ) -> None:
        first, second = api.create(), api.create()
        rotate("SigningKey")
        assert api.post(first["url"], b"1", JSON).status == 200
        rotate("SigningKey")
        services.reset()  # the functions' cache expires
        assert api.post(second["url"], b"1", JSON).status == 401
        assert api.post(api.create()["url"], b"1", JSON).status == 200

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

    def test_that_was_read_halfway_is_read_again_before_a_caller_is_refused(
        self, stack: MotoStack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A function that starts at that moment may get the new current version and the one before the previous."""
        client = boto3.client("secretsmanager")
        secret_id = client.create_secret(Name="halfway", SecretString="first")["ARN"]
        for value in ("second", "third"):
            client.put_secret_value(SecretId=secret_id, SecretString=value)
        read, secret = client.get_secret_value, RotatingSecret(client, secret_id)
        answers = [{"SecretString": "third"}, {"SecretString": "first"}]
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


class TestALargeOutput:
    @pytest.mark.parametrize("body", ['["' + '","' * 830_000 + '"]', '"' + "\\\\" * 700_000 + '"', '"' + "é" * 1_500_000 + '"'])
    def test_never_exceeds_lambdas_response_limit(self, stack: MotoStack, body: str) -> None:
        api = Api(stack.template, stack.secret("ApiKey"))
        token = api.create()
        assert api.post(token["url"], body.encode(), JSON).status == 200
        event = {
            "routeKey": f"GET {TOKENS}/{{waitpointId}}",
            "requestContext": {"domainName": "hooks.example.com", "http": {"method": "GET"}},
            "headers": {"authorization": f"Bearer {stack.secret('ApiKey')}"},
            "pathParameters": {"waitpointId": token["id"]},
        }
        answer = stack.functions()["retrieve_token"].call(event)
        assert len(json.dumps(answer, ensure_ascii=False).encode()) < 6_291_456
        shown = json.loads(answer["body"])
        if shown["outputType"] == "application/json":
            assert shown["output"] == body
        else:
            stored = boto3.client("s3").get_object(Bucket=stack.resources["OutputBucket"]["Ref"], Key=shown["output"])
            assert stored["Body"].read().decode() == body

    @pytest.mark.parametrize("size", [102_398, 102_399, 262_000, 3_000_000])
    def test_is_stored_whole(self, api: Api, stack: MotoStack, step_functions: FakeStepFunctions, size: int) -> None:
        token, task_token = api.create(), step_functions.start_task()
        stack.functions()["wait_for_token"].call({"waitpointId": token["id"], "taskToken": task_token})
        body = json.dumps("x" * size)
        assert api.post(token["url"], body, JSON).status == 200
        assert api.retrieve(token["id"])["output"] == body
        result = step_functions.result(task_token)
        assert isinstance(result, Success)
        value = json.loads(result.json)
        if size < 262_000:
            assert value == {"ok": True, "output": "x" * size}
            return
        if "output" in value:
            assert value["output"] == "x" * size
            return
        reference = value["outputReference"]
        stored = boto3.client("s3").get_object(Bucket=reference["bucket"], Key=reference["key"])
        assert stored["Body"].read().decode() == body
        assert stored["ContentType"] == "application/json"
        assert reference["bucket"] == stack.resources["OutputBucket"]["Ref"]

    def test_that_does_not_exist_is_404(self, api: Api, stack: MotoStack) -> None:
        token = api.create()
        missing = f"/api/v1/packets/{token['id']}/0123456789abcdef.json"
        assert api.get(missing).status == 404
        client = boto3.client("s3")
        client.put_object(
            Bucket=stack.resources["OutputBucket"]["Ref"], Key=missing.removeprefix("/api/v1/packets/"), Body=b"1"
        )
        assert api.get(missing).status == 200

    @pytest.mark.parametrize("region", ["eu-central-1", "ap-southeast-3", "eu-south-2", "il-central-1"])
    def test_is_linked_at_the_host_of_its_region(self, stack: MotoStack, monkeypatch: pytest.MonkeyPatch, region: str) -> None:
        """botocore signs the global host by default, which newer regions refuse with SignatureDoesNotMatch (boto3#4768)."""
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
        services.reset()
        where = {"Bucket": "outputs", "Key": "waitpoint_x/0.json"}
        link = urlsplit(services.s3_client.generate_presigned_url("get_object", Params=where))
        assert link.netloc == f"outputs.s3.{region}.amazonaws.com"
        assert parse_qs(link.query)["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
        services.reset()

    def test_fits_into_the_item_beside_one_hundred_waiters(self, api: Api, step_functions: FakeStepFunctions) -> None:
        """An item of DynamoDB holds 400 KB."""
        waiters = [Waiter(step_functions.start_task(2048), services.now()) for _ in range(MAX_WAITERS)]
        token = Token(
            id=ids.new_id(services.now()),
            created_at=services.now(),
            tags=("t" * 128,) * 10,
            idempotency_key="k" * 2048,
            waiters={waiter.key: waiter for waiter in waiters},
        )
        services.store.create(token, None, services.now())
        body = json.dumps("x" * (IN_ITEM_LIMIT - 2))
        assert api.post(services.urls.url(token.id, "https://hooks.example.com"), body, JSON).status == 200
        shown = api.retrieve(token.id)
        assert (shown["output"], {waiter["status"] for waiter in shown["waiters"]}) == (body, {"RESUMED"})


class TestWebhookSecret:
    """A secret of the team's own, in Secrets Manager under the stack's name."""

    def test_is_missed_at_create_and_used_once_it_is_there(self, api: Api, fresh: None) -> None:
        verify = {"scheme": "stripe", "secret": "made-later"}
        refused = api.post(TOKENS, {"verify": verify})
        assert (refused.status, f'"{STACK_NAME}/made-later"' in refused.error) == (422, True)
        boto3.client("secretsmanager").create_secret(Name=f"{STACK_NAME}/made-later", SecretString="the first")
        token = api.create(verify=verify)
        assert self.deliver(api, token, "another") == 401
        assert self.deliver(api, token, "the first") == 200
        assert api.retrieve(token["id"])["status"] == "COMPLETED"

    def test_is_accepted_in_both_versions_and_read_afresh_before_a_refusal(self, api: Api, fresh: None) -> None:
        client = boto3.client("secretsmanager")
        made = client.create_secret(Name=f"{STACK_NAME}/rotated", SecretString="the first")["ARN"]
        tokens = [api.create(verify={"scheme": "stripe", "secret": "rotated"}) for _ in range(3)]
        client.put_secret_value(SecretId=made, SecretString="the second")  # while the first is in the cache
        assert self.deliver(api, tokens[0], "the second") == 200
        assert self.deliver(api, tokens[1], "the first") == 200
        assert self.deliver(api, tokens[2], "the third") == 401

    def test_that_was_deleted_answers_503_until_it_is_back(self, api: Api, fresh: None) -> None:
        client = boto3.client("secretsmanager")
        made = client.create_secret(Name=f"{STACK_NAME}/deleted", SecretString="the first")["ARN"]
        token = api.create(verify={"scheme": "stripe", "secret": "deleted"})
        client.delete_secret(SecretId=made, ForceDeleteWithoutRecovery=True)
        services.reset()
        assert self.deliver(api, token, "the first") == 503
        client.create_secret(Name=f"{STACK_NAME}/deleted", SecretString="the first")
        assert self.deliver(api, token, "the first") == 200

    def test_that_is_about_to_be_deleted_or_has_no_text_is_refused_at_create(self, api: Api, fresh: None) -> None:
        client = boto3.client("secretsmanager")
        client.create_secret(Name=f"{STACK_NAME}/going", SecretString="the first")
        client.delete_secret(SecretId=f"{STACK_NAME}/going", RecoveryWindowInDays=7)
        client.create_secret(Name=f"{STACK_NAME}/bytes", SecretBinary=b"the first")
        for name in ("going", "bytes"):
            answer = api.post(TOKENS, {"verify": {"scheme": "stripe", "secret": name}})
            assert (answer.status, f'"{STACK_NAME}/{name}"' in answer.error) == (422, True)

    @pytest.fixture
    def fresh(self, stack: MotoStack) -> Iterator[None]:
        services.reset()
        yield
        services.reset()

    def deliver(self, api: Api, token: Any, secret: str) -> int:
        return api.post(token["url"], b"1", sign("stripe", b"1", token["url"], time.time(), secret).headers).status
