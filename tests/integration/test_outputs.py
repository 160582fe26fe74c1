"""Outputs that are too large for an item."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.in_process.api_gateway import JSON, TOKENS, Api
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.moto_stack import MotoStack, client_of
from waitpoints import ids
from waitpoints.aws.services.outputs import IN_ITEM_LIMIT
from waitpoints.token import MAX_WAITERS, Token, Waiter
from waitpoints.wiring import services


class TestALargeOutput:
    @pytest.mark.slow
    @pytest.mark.parametrize("body", ['["' + '","' * 830_000 + '"]', '"' + "\\\\" * 700_000 + '"', '"' + "é" * 1_500_000 + '"'])
    def test_never_exceeds_lambdas_response_limit(self, stack: MotoStack, body: str) -> None:
        api = Api(stack.template, stack.secret("ApiKey"))
        token = api.create()
        assert api.deliver(token, body.encode()).status == 200
        event = {
            "routeKey": f"GET {TOKENS}/{{waitpointId}}",
            "requestContext": {"domainName": "hooks.example.com", "http": {"method": "GET"}},
            "headers": {"authorization": f"Bearer {stack.secret('ApiKey')}"},
            "pathParameters": {"waitpointId": token["id"]},
        }
        answer = stack.call("retrieve_token", event)
        assert len(json.dumps(answer, ensure_ascii=False).encode()) < 6_291_456
        shown = json.loads(answer["body"])
        if shown["outputType"] == "application/json":
            assert shown["output"] == body
        else:
            stored = client_of("s3").get_object(Bucket=stack.resources["OutputBucket"]["Ref"], Key=shown["output"])
            assert stored["Body"].read().decode() == body

    @pytest.mark.slow
    @pytest.mark.parametrize("size", [102_398, 102_399, 262_000, 3_000_000])
    def test_is_stored_whole(self, api: Api, stack: MotoStack, step_functions: FakeStepFunctions, size: int) -> None:
        token = api.create()
        task_token = api.wait(token, step_functions)
        body = json.dumps("x" * size)
        assert api.deliver(token, body).status == 200
        assert api.retrieve(token["id"])["output"] == body
        value = step_functions.value(task_token)
        if size < 262_000:
            assert value == {"ok": True, "output": "x" * size}
            return
        if "output" in value:
            assert value["output"] == "x" * size
            return
        reference = value["outputReference"]
        stored = client_of("s3").get_object(Bucket=reference["bucket"], Key=reference["key"])
        assert stored["Body"].read().decode() == body
        assert stored["ContentType"] == "application/json"
        assert reference["bucket"] == stack.resources["OutputBucket"]["Ref"]

    def test_that_does_not_exist_is_404(self, api: Api, stack: MotoStack) -> None:
        token = api.create()
        missing = f"/api/v1/packets/{token['id']}/0123456789abcdef.json"
        assert api.get(missing).status == 404
        client = client_of("s3")
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
