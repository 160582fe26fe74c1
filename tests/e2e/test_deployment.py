"""A deployment of template.yaml: two stacks share nothing, roles allow only what is granted, and logs arrive."""

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.e2e import permissions
from tests.support.e2e.api import Api
from tests.support.e2e.built import Built
from tests.support.e2e.command_line import CommandLine
from tests.support.e2e.deployer import EVERYTHING
from tests.support.e2e.permissions import boundaries, outputs
from tests.support.e2e.waiting import until
from tools.openapi.operations import TOKENS
from waitpoints_local.stack import ARCHITECTURE, Stack

SECOND = "waitpoints-second"
OPTIONS = ("AlarmEmail=ops@example.com", "Dashboard=on", "Tracing=Active", "LongestWaitDays=7", "ResumableStateMachines=*")
DOMAIN = "hooks.example.com"
CERTIFICATE = "arn:aws:acm:us-east-1:000000000000:certificate/0b5f4a7e-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def second(stack: Stack, current_build: Built) -> Iterator[dict[str, str]]:
    """The outputs of a second stack from the same build, in the same account and region, without a public base URL."""
    deploy_second(stack, current_build)
    yield outputs(stack, SECOND)
    stack.client("cloudformation").delete_stack(StackName=SECOND)


def deploy_second(stack: Stack, build: Built, *parameters: str) -> None:
    build.deploy(stack.endpoint, name=SECOND, parameters=[f"Architecture={ARCHITECTURE}", *OPTIONS, *parameters])


def resources(stack: Stack, name: str) -> dict[str, str]:
    return {it["LogicalResourceId"]: it["PhysicalResourceId"] for it in permissions.resources(stack, name)}


def test_two_stacks_of_one_account_share_nothing(stack: Stack, second: dict[str, str]) -> None:
    mine, other = resources(stack, stack.stack_name), resources(stack, SECOND)
    [tracing] = [name for name in other if name.startswith("TracingLayer")]  # SAM appends a hash
    assert mine.keys() == other.keys() - {"AlarmTopic", "OldestWaitingAlarm", "OperatorDashboard", tracing}
    shared = set(mine.values()) & set(other.values())
    assert shared <= {"$default"}, shared  # a stage is named within its API


def test_without_a_public_base_url_a_callback_url_has_the_domain_of_the_request(
    stack: Stack, api: Api, second: dict[str, str]
) -> None:
    key = stack.client("secretsmanager").get_secret_value(SecretId=second["ApiKeySecret"])["SecretString"]
    root = f"{stack.endpoint_url}/_aws/execute-api/{second['ApiId']}/$default"
    created = api.request("POST", root + TOKENS, {}, key=key).json
    url = f"https://{second['ApiId']}.execute-api.localhost{TOKENS}/{created['id']}/callback/"
    assert created["url"].startswith(url)
    assert api.request("GET", f"{root}{TOKENS}/{created['id']}", key=key).json["url"] == created["url"]
    assert api.request("GET", root + TOKENS, key=key).json["data"][0]["url"] == created["url"]


def test_a_state_machine_gets_a_callback_url_of_its_own_stack(stack: Stack, second: dict[str, str]) -> None:
    answer = stack.client("lambda").invoke(FunctionName=second["CreateFunctionName"], Payload="{}")
    created = json.load(answer["Payload"])
    assert created["url"].startswith(f"{second['ApiUrl']}{TOKENS}/{created['id']}/callback/")


@pytest.fixture
def restored(stack: Stack) -> Iterator[str]:
    """A table as from a backup: with the keys of the stack's own, without its indexes and its stream."""
    dynamodb, name = stack.client("dynamodb"), "restored"
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "item", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": it, "AttributeType": "S"} for it in ("id", "item")],
        BillingMode="PAY_PER_REQUEST",
    )
    yield name
    dynamodb.delete_table(TableName=name)


def back_up(stack: Stack, token: dict[str, Any], table: str) -> None:
    """Write what the stack's table has about a token into another one."""
    dynamodb = stack.client("dynamodb")
    for page in dynamodb.get_paginator("scan").paginate(TableName=stack.table_name):
        for item in page["Items"]:
            if token["id"] in (item["id"]["S"], item.get("tokenId", {}).get("S")):
                dynamodb.put_item(TableName=table, Item=item)


def test_a_new_stack_takes_over_the_waits_of_a_lost_one(
    stack: Stack, api: Api, second: dict[str, str], restored: str, tmp_path: Path
) -> None:
    """With the table's items and both keys, as docs/operation.md says."""
    overdue = api.create(timeout="2s", tags=["restored"])
    token, execution = api.awaited(timeout="1h", tags=["restored"], idempotencyKey="restored")
    for one in (overdue, token):
        back_up(stack, one, restored)
    secrets = stack.client("secretsmanager")
    for name in ("ApiKey", "SigningKey"):
        old = secrets.get_secret_value(SecretId=resources(stack, stack.stack_name)[name])["SecretString"]
        secrets.put_secret_value(SecretId=resources(stack, SECOND)[name], SecretString=old)

    operator = CommandLine(stack, tmp_path)
    done = operator.run("restore", restored, "--stack", SECOND, "--yes", "--json", **operator.by_name())

    assert (done.returncode, json.loads(done.stdout)) == (0, {"read": 3, "written": 3})  # two tokens and a key
    root = f"{stack.endpoint_url}/_aws/execute-api/{second['ApiId']}/$default"
    api.ask("POST", root + urlsplit(token["url"]).path, {"paid": True}, key=None)
    assert api.result(execution) == ("SUCCEEDED", {"paid": True})
    assert api.request("POST", root + TOKENS, {"idempotencyKey": "restored"}).json["id"] == token["id"]
    time.sleep(2)  # until the other is due
    listed = api.request("GET", f"{root}{TOKENS}?filter[tags]=restored").json["data"]
    assert {it["id"]: it["status"] for it in listed} == {token["id"]: "COMPLETED", overdue["id"]: "TIMED_OUT"}
    times_out_in(stack, resources(stack, SECOND)["Table"], overdue)


def times_out_in(stack: Stack, table: str, token: dict[str, Any]) -> None:
    """A table's token is settled without anybody doing anything."""
    key, dynamodb = {"id": {"S": token["id"]}, "item": {"S": "token"}}, stack.client("dynamodb")

    def status() -> Any:
        return dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]["status"]["S"]

    until(lambda: status() == "TIMED_OUT", "no timer has looked at the token")


class TestAPermissionsBoundary:
    @pytest.mark.thorough  # three updates of a stack; test_permissions_boundary.py has every role
    def test_limits_every_role_of_a_stack_until_it_is_taken_away(
        self, stack: Stack, api: Api, second: dict[str, str], current_build: Built
    ) -> None:
        boundary = self.policy(stack)
        deploy_second(stack, current_build, f"PermissionsBoundary={boundary}")
        assert self.limits(stack) == {boundary}
        assert self.create(stack, api, second) == 200
        narrow = self.policy(stack, {"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"})
        deploy_second(stack, current_build, f"PermissionsBoundary={narrow}")
        assert (self.limits(stack), self.create(stack, api, second)) == ({narrow}, 503)
        deploy_second(stack, current_build)
        assert (self.limits(stack), self.create(stack, api, second)) == ({None}, 200)

    def policy(self, stack: Stack, *but: dict[str, Any]) -> str:
        """Make a policy that allows everything but that."""
        document, name = {**EVERYTHING, "Statement": [*EVERYTHING["Statement"], *but]}, f"boundary-{uuid.uuid4().hex}"
        made = stack.client("iam").create_policy(PolicyName=name, PolicyDocument=json.dumps(document))
        return str(made["Policy"]["Arn"])

    def limits(self, stack: Stack) -> set[str | None]:
        """What limits the second stack's roles, each of them."""
        found = boundaries(stack, SECOND)
        assert len(found) > 30
        return set(found.values())

    def create(self, stack: Stack, api: Api, second: dict[str, str]) -> int:
        key = stack.client("secretsmanager").get_secret_value(SecretId=second["ApiKeySecret"])["SecretString"]
        root = f"{stack.endpoint_url}/_aws/execute-api/{second['ApiId']}/$default"
        return api.request("POST", root + TOKENS, {}, key=key).status


def test_a_domain_of_your_own_and_one_door(stack: Stack, api: Api, second: dict[str, str], current_build: Built) -> None:
    """The URLs of before go on until the API's own address is off. MiniStack knows the domain by the header Host."""
    key = stack.client("secretsmanager").get_secret_value(SecretId=second["ApiKeySecret"])["SecretString"]
    own = f"{stack.endpoint_url}/_aws/execute-api/{second['ApiId']}/$default"

    def create(at: str, **headers: str) -> dict[str, Any]:
        return api.request("POST", at + TOKENS, {}, key=key, headers=headers).json

    def call_back(at: str, token: dict[str, Any], **headers: str) -> int:
        return api.request("POST", at + urlsplit(token["url"]).path, {"paid": True}, key=None, headers=headers).status

    before = create(own)
    route53 = stack.client("route53")
    made = route53.create_hosted_zone(Name="example.com", CallerReference=before["id"])["HostedZone"]
    zone = made["Id"].rpartition("/")[2]
    parameters = [f"DomainName={DOMAIN}", f"CertificateArn={CERTIFICATE}", f"HostedZoneId={zone}"]
    deploy_second(stack, current_build, *parameters)
    assert (outputs(stack, SECOND)["ApiUrl"], outputs(stack, SECOND)["ApiId"]) == (f"https://{DOMAIN}", second["ApiId"])
    records = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    targets = {it["Type"]: it["AliasTarget"]["DNSName"] for it in records if it["Name"] == f"{DOMAIN}."}
    assert targets == dict.fromkeys(("A", "AAAA"), outputs(stack, SECOND)["DomainTarget"] + ".")
    first, later = create(stack.endpoint_url, host=DOMAIN), create(own)
    assert first["url"].startswith(f"https://{DOMAIN}{TOKENS}/{first['id']}/callback/")
    assert later["url"].startswith(f"https://{DOMAIN}{TOKENS}/{later['id']}/callback/")
    assert (call_back(own, before), call_back(stack.endpoint_url, first, host=DOMAIN)) == (200, 200)

    deploy_second(stack, current_build, *parameters, "DefaultEndpoint=off")
    assert (call_back(own, later), call_back(stack.endpoint_url, later, host=DOMAIN)) == (404, 200)
