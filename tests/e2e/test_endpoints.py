"""Endpoints and what they record on the deployed stack, whose functions have only their roles, and processes of their own."""

import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.support import figures
from tests.support.e2e.api import Api
from tests.support.e2e.durable import Durable
from tests.support.e2e.key_runs import Runs
from tests.support.e2e.ops import Operator
from tests.support.e2e.recording import record
from tests.support.e2e.secrets import Secrets
from tests.support.e2e.waiting import until
from tests.support.webhook_signer import sign
from tools.openapi.operations import ENDPOINTS, TOKENS

SECRET = "the-secret-of-the-provider"
LARGE = "x" * 150_000  # more than a token's item can have
GITHUB = {"scheme": "github"}
DESCRIBED = {"scheme": "hmac", "header": "X-Hub-Signature-256", "prefix": "sha256=", "signed": "{body}"}


@pytest.fixture
def url(api: Api) -> Iterator[str]:
    """The URL that manages an endpoint of this test alone."""
    url = f"{ENDPOINTS}/e2e-{uuid4()}"
    yield url
    api.request("DELETE", url)


def put(api: Api, url: str, secrets: Secrets | None, scheme: Any = GITHUB, **settings: Any) -> Any:
    """Put an endpoint that records what is signed, or one that takes everything."""
    verify = {**scheme, "secret": secrets.make("e2e-endpoints", SECRET)} if secrets else "none"
    recorded = {"recordDeliveries": "1d"} if secrets else {}
    return api.ask("PUT", url, {"key": "body.id", "verify": verify, **recorded, **settings})


def deliver(api: Api, endpoint: Any, body: Any, secret: str = SECRET) -> int:
    text = json.dumps(body).encode()
    headers = {"content-type": "application/json", **sign("github", text, endpoint["url"], 0, secret).headers}
    return api.send(endpoint["url"], text, headers).status


def received(api: Api, endpoint: Any, **body: Any) -> Any:
    """Have the endpoint receive a delivery, and return what it has recorded of it."""
    assert deliver(api, endpoint, body) == 200
    path = f"{ENDPOINTS}/{endpoint['name']}/deliveries"
    return until(lambda: api.request("GET", path).json["data"], "the delivery is not listed")[0]


def send(api: Api, delivery: Any, **body: Any) -> Any:
    """Send a delivery again, and return what became of it."""
    sent = api.ask("POST", f"{ENDPOINTS}/{delivery['endpoint']}/deliveries/{delivery['id']}/resend", body)
    assert sent["resendOf"] == delivery["id"]
    return sent


def test_what_one_function_has_put_or_deleted_all_processes_of_another_know_at_once(
    api: Api, secrets: Secrets, url: str
) -> None:
    made = put(api, url, None)
    assert [deliver(api, made, {"id": 1}, "forged") for _ in range(2)] == [200, 200]
    tried = api.ask("POST", f"{url}/test", {"body": '{"id": 1}', "headers": {"content-type": "application/json"}})
    assert tried["outcome"] == "repeated"
    changed = put(api, url, secrets)
    assert (changed["url"], changed["createdAt"]) == (made["url"], made["createdAt"])
    assert [deliver(api, made, {"id": 1}, "forged") for _ in range(2)] == [401, 401]
    assert changed in api.request("GET", f"{ENDPOINTS}?page[size]=100").json["data"]
    assert api.request("DELETE", url).json == {"success": True}
    assert (api.request("GET", url).status, api.request("DELETE", url).status) == (404, 404)
    made = put(api, url, None)
    assert deliver(api, made, {"id": 1}, "forged") == 200
    api.request("DELETE", url)
    put(api, url, secrets)
    assert deliver(api, made, {"id": 1}, "forged") == 401


def test_a_lost_delivery_completes_the_run_that_waits_for_its_key(api: Api, secrets: Secrets, runs: Runs, url: str) -> None:
    """Its body and the token's output are in the bucket."""
    lost = received(api, put(api, url, secrets, completeWhen="body.done"), id="1", text=LARGE)
    assert lost["kind"] == "notMatching"
    endpoint = put(api, url, secrets, output="body.text")
    key = f"{endpoint['name']}:1"
    execution = runs.wait(key)
    token = runs.wait_until_registered(key)
    sent = send(api, lost, idempotencyKey="once")
    assert (sent["kind"], sent["tokenId"]) == ("completed", token["id"])
    assert send(api, lost, idempotencyKey="once") == sent
    assert api.result(execution) == ("SUCCEEDED", {"ok": True, "output": LARGE})
    assert send(api, lost)["kind"] == "repeated"


def test_every_run_that_waits_for_the_token_goes_on(api: Api, secrets: Secrets, durable: Durable, url: str) -> None:
    """State machines and durable functions: the role that resends may resume both."""
    endpoint = put(api, url, secrets, DESCRIBED, key="body.other", output="body.result")
    lost = received(api, endpoint, result={"size": 1.5}, done=True)
    assert lost["kind"] == "noKey"
    token = api.create(completeWhen="body.done", payloadSchema={"required": ["size"]})
    executions = [durable.wait(token), durable.wait(token, unwrap=True)]
    machine = api.wait(token)
    api.wait_until_registered(token, 3)
    assert send(api, lost, tokenId=token["id"])["kind"] == "completed"
    assert [durable.result(it)[0] for it in executions] == ["SUCCEEDED"] * 2
    assert durable.result(executions[1])[1] == [{"size": 1.5}]
    assert api.result(machine) == ("SUCCEEDED", {"size": 1.5})


def test_deliveries_are_read_and_deleted_with_what_they_kept(api: Api, secrets: Secrets, url: str) -> None:
    """In the table, and in the bucket."""
    endpoint, path = put(api, url, secrets), f"{url}/deliveries"
    kept = received(api, endpoint, id="1", text=LARGE)
    found = api.request("GET", f"{path}/{kept['id']}").json
    assert (found["kind"], json.loads(found["body"])) == ("kept", {"id": "1", "text": LARGE})
    assert api.request("DELETE", f"{path}/{kept['id']}").json == {"success": True}
    for gone in (f"{path}/{kept['id']}", f"{TOKENS}/{kept['tokenId']}"):
        assert api.request("GET", gone).status == 404
    record(api.stack, endpoint["name"])
    assert [it["kind"] for it in api.request("GET", f"{path}?filter[kind]=pending").json["data"]] == ["pending"]
    received(api, endpoint, id="2")
    assert api.request("DELETE", path).json == {"deleted": 2, "done": True}
    assert api.request("GET", path).json == {"data": [], "pagination": {}}


@pytest.mark.thorough  # waits for what a function may still be writing
def test_the_doctor_deletes_the_bodies_of_what_has_ended(api: Api, secrets: Secrets, url: str) -> None:
    """One by its time, the other one with its endpoint, which is put again meanwhile."""
    operator, other = Operator(api.stack), f"{url}-deleted"
    ended, of_deleted = put(api, url, secrets, recordDeliveries="10s"), put(api, other, secrets)
    received(api, ended, id="1")
    received(api, of_deleted, id="1", email="ann@example.com")
    api.ask("DELETE", other)
    again = put(api, other, secrets)
    received(api, again, id="2")
    before = [bodies(api, it) for it in (ended, of_deleted, again)]
    time.sleep(75)
    assert operator.run("doctor")[0] == 0
    after = [bodies(api, it) for it in (ended, of_deleted, again)]
    figures.show(f"bodies in the bucket before the doctor: {before}, after it: {after}")
    assert (before, after) == ([1, 1, 1], [0, 0, 1])
    assert api.request("GET", f"{url}/deliveries").json["data"] == []
    api.request("DELETE", other)


def bodies(api: Api, endpoint: Any) -> int:
    """How many bodies the bucket has of an endpoint's deliveries."""
    prefix = f"deliveries/{endpoint['url'].rsplit('/', 1)[1][:24]}/"
    found = api.stack.client("s3").list_objects_v2(Bucket=api.stack.output_bucket, Prefix=prefix)
    return len(found.get("Contents", ()))
