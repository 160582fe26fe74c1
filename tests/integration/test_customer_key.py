"""The parameter KmsKeyArn: what has the key, and who may use it. `tests/faults/test_permissions.py` takes each right away."""

import json
import re
from collections import defaultdict
from fnmatch import fnmatchcase
from itertools import chain, product

import pytest

from tests.support import figures
from tests.support.faults.roles import KEY, KEY_NEEDED, of_key
from tests.support.in_process.template import CHANNELS, EVERYTHING, REGION, ROOT, SIGN_IN, Template
from tests.support.processed_template import attributes, check_order, made, process, processed, texts
from tests.support.resource_schemas import create_only, schema

WITH_KEY = {"KmsKeyArn": KEY}
OTHERS = [
    {"EventBusName": "orders"},
    {"ResumableStateMachines": "arn:aws:states:us-east-1:123456789012:stateMachine:mine-*"},
    {"AlarmEmail": "ops@example.com"},
    CHANNELS,
    SIGN_IN,
    {"DomainName": "hooks.example.com", "CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/1"},
]
"""The parameters that make or attach what the key is on, or what uses it. Each is given or not."""
COMBINATIONS = [
    dict(chain.from_iterable(it.items() for it, has in zip(OTHERS, chosen, strict=True) if has))
    for chosen in product((False, True), repeat=len(OTHERS))
]
OF_AWS = {  # what Lambda does with a function's role
    "AWSLambdaDynamoDBExecutionRole": of_key("dynamodb:GetRecords"),
    "AWSLambdaSQSQueueExecutionRole": of_key("sqs:ReceiveMessage"),
}
HOURS, CALL = 730, 0.03 / 10_000  # dollars
MOST_POLICIES = 10
"""A role's managed policies: docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
STATEMENTS = {it["Sid"]: it for it in json.loads((ROOT / "docs" / "stack-key-statements.json").read_text())}


@pytest.mark.parametrize("others", COMBINATIONS, ids=str)
def test_a_stack_without_a_key_names_none_and_one_with_it_replaces_nothing(others: dict[str, str]) -> None:
    without, having = made(**others), made(**others, **WITH_KEY)
    assert not re.search(r"kms", json.dumps(without), re.IGNORECASE)
    changed = {name: it for name, it in having.items() if without.get(name) != it}
    assert {name for name in changed if name not in without} == POLICIES
    for name in changed.keys() - POLICIES:
        old, new = without[name]["Properties"], having[name]["Properties"]
        assert {it for it in old | new if old.get(it) != new.get(it)} & create_only(having[name]["Type"]) == set(), name
    kinds = {"DynamoDB::Table", "Logs::LogGroup", "S3::Bucket", "SNS::Topic", "SQS::Queue", "SecretsManager::Secret"}
    stored = {name for name, it in having.items() if it["Type"].removeprefix("AWS::") in kinds}
    assert changed.keys() - POLICIES == stored
    for name in stored:
        assert KEY in json.dumps(changed[name]), name


POLICIES = {f"{it}KeyPolicy" for it in ("Table", "Secrets", "GetObjects", "PutObjects", "Queues")}


def rights(parameters: dict[str, str]) -> tuple[dict[str, set[str]], dict[str, list[str]]]:
    """The actions of each role, those of AWS's own policies among them by their names, and its managed policies."""
    resources = made(**parameters)
    roles = {attributes()[name]["Ref"]: name for name, it in resources.items() if it["Type"] == "AWS::IAM::Role"}
    policies = {
        attributes()[name]["Ref"]: it["Properties"] for name, it in resources.items() if it["Type"] == "AWS::IAM::ManagedPolicy"
    }
    attached = {name: list(resources[name]["Properties"].get("ManagedPolicyArns", [])) for name in roles.values()}
    for policy, properties in policies.items():
        for role in properties.get("Roles", []):
            attached[roles[role]].append(policy)
    found = defaultdict[str, set[str]](set)
    for name, arns in attached.items():
        inline = resources[name]["Properties"].get("Policies", [])
        for policy in [*inline, *(policies[arn] for arn in arns if arn in policies)]:
            for statement in policy["PolicyDocument"]["Statement"]:
                via = texts(statement.get("Condition", {}).get("StringEquals", {}).get("kms:ViaService", ""))
                found[name] |= {f"{action} {it}".strip() for action in texts(statement["Action"]) for it in via}
        found[name] |= {arn.rpartition("/")[2] for arn in arns if arn not in policies}
    return found, attached


@pytest.mark.parametrize("others", COMBINATIONS, ids=str)
def test_a_role_may_use_the_key_for_what_it_does_and_no_more(others: dict[str, str]) -> None:
    found, attached = rights({**others, **WITH_KEY})
    for role, actions in found.items():
        needed = [one for it in actions for one in (OF_AWS[it] if it in OF_AWS else of_key(it) if ":" in it else [])]
        assert {it for it in actions if it.startswith("kms:")} == {f"{action} {via}" for action, _, via in needed}, role
    most = max(len(arns) for arns in attached.values())
    assert most <= MOST_POLICIES - 1, "one is left for X-Ray's"
    if len(others) == len(COMBINATIONS[-1]):
        figures.show(f"{len(found)} roles, {most} managed policies at most")


def test_the_calls_of_table_and_queues_cost_what_the_page_says() -> None:
    """A role decrypts the table's key once in five minutes, and for an hour reuses a queue's in each direction.

    amazondynamodb/latest/developerguide/encryption.usagenotes.html, sqs-key-management.html, aws.amazon.com/kms/pricing
    """
    found, _ = rights({**EVERYTHING, **WITH_KEY})
    by_service = [
        sum(f"kms:Decrypt {it}.{REGION}.amazonaws.com" in actions for actions in found.values()) for it in ("dynamodb", "sqs")
    ]
    queues = processed().resources("AWS::SQS::Queue")
    assert {
        Template(processed().body, WITH_KEY).resolve(it, attributes())["KmsDataKeyReusePeriodSeconds"] for it in queues.values()
    } == {3600}
    calls = HOURS * (12 * by_service[0] + 2 * len(queues) * by_service[1])
    figures.show(f"at most {calls:,} calls to KMS a month: ${calls * CALL:.2f}")
    assert 0.75 < calls * CALL < 1.25
    assert "about $1 for the calls of table and queues" in " ".join((ROOT / "docs" / "security.md").read_text().split())


def test_an_upload_in_parts_would_need_more() -> None:
    """S3 decrypts the data key for each part but the first: docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html."""
    assert KEY_NEEDED["s3"]["PutObject"] == ("GenerateDataKey",)
    code = "".join(path.read_text() for path in (ROOT / "functions").rglob("*.py"))
    assert "put_object(" in code
    assert not re.search(r"upload_fileobj|upload_file|multipart_upload", code)


@pytest.mark.parametrize("tracing", ["Active", "Disabled"])
def test_a_template_with_every_parameter_has_no_circle_and_room_for_more(tracing: str) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"""
    body = process(Template.load(EVERYTHING).body, {"Tracing": tracing})
    check_order(body["Resources"])
    size, resources = len(json.dumps(body)), len(body["Resources"])
    figures.show(f"{resources} resources, {size:,} bytes, {len(body['Parameters'])} parameters with Tracing={tracing}")
    assert size < 700_000
    assert resources < 400
    assert len(body["Parameters"]) < 100


def test_the_keys_policy_lets_the_services_use_it_that_have_no_role() -> None:
    groups = STATEMENTS["WaitpointsWritesLogs"]["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
    names = {name: it.get("LogGroupName") for name, it in processed().resources("AWS::Logs::LogGroup").items()}
    own = [processed().resolve(it, {}) if it else f"waitpoints-{name}-1A2B3C" for name, it in names.items()]
    arns = [f"arn:aws:logs:{REGION}:123456789012:log-group:{name}" for name in own]
    assert [fnmatchcase(arn, group) for arn, group in zip(arns, groups, strict=True)] == [True, True]
    assert STATEMENTS["WaitpointsAlarms"]["Principal"] == {"Service": "cloudwatch.amazonaws.com"}


def test_what_the_keys_policy_allows_during_a_change_is_what_the_roles_may_do() -> None:
    found, _ = rights({**COMBINATIONS[-1], **WITH_KEY})
    used = {tuple(it.split()) for actions in found.values() for it in actions if it.startswith("kms:")}
    allowed = STATEMENTS["WaitpointsWhileTheKeyChanges"]
    assert set(allowed["Action"]) == {action for action, _ in used}
    assert set(allowed["Condition"]["StringEquals"]["kms:ViaService"]) == {via for _, via in used}


def test_cloudformations_role_needs_of_the_key_what_the_page_says() -> None:
    """Those of the table, by its schema, and those of secrets: secretsmanager/latest/userguide/security-encryption.html."""
    [listed] = re.findall(r"for\s+`KmsKeyArn` `kms` \((.+?)\)", (ROOT / "docs" / "operation.md").read_text(), re.DOTALL)
    handlers = schema("AWS::DynamoDB::Table")["handlers"].values()
    of_table = {it.removeprefix("kms:") for handler in handlers for it in handler["permissions"] if it.startswith("kms:")}
    assert set(re.findall(r"\w+", listed)) == of_table | {"GenerateDataKey"}
