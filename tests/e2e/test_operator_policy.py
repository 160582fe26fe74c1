"""docs/operator-policy.json allows all that an operator's commands call, and a right that is missing is named."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from waitpoints_client.ops import aws_errors, logs, redrive, restore, rotate_key, smoke, smoke_waits, webhook_secrets
from waitpoints_client.ops.caller import Caller, Pace
from waitpoints_client.ops.deployed import Deployed
from waitpoints_client.ops.smoke import Line, run_check
from waitpoints_client.ops.smoke_checks import QUICK

from tests.support.deployer_policy import OF_A_KEY, OPERATOR, deployer_policy
from tests.support.e2e.api import Api
from tests.support.e2e.deployer import limited_to
from tests.support.e2e.permissions import physical_name
from tests.support.processed_template import texts
from waitpoints_local.stack import REGION, Stack

ACTIONS = sorted({action for it in json.loads(OPERATOR)["Statement"] for action in texts(it["Action"])} - OF_A_KEY)
IAM_NAMES = {"Invoke": "InvokeFunction"}
PACE = Pace(patience=20, stream=20, total=120)
SECRET = "OPERATED"


def action_of(model: Any) -> str:
    return f"{model.service_model.signing_name}:{IAM_NAMES.get(model.name, model.name)}"


def find(stack: Deployed, _: Stack) -> str:
    stack.read_api_key()
    return smoke.introduction(stack)


def redrive_a_batch(stack: Deployed, admin: Stack) -> str:
    """A dead letter about a batch of stream records, as Lambda writes it."""
    Api(admin).create()  # for a record, if this is the first test
    streams, arn = admin.client("dynamodbstreams"), table_of(admin)["LatestStreamArn"]
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    start = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    number = streams.get_records(ShardIterator=start, Limit=1)["Records"][0]["dynamodb"]["SequenceNumber"]
    batch = {"streamArn": arn, "shardId": shard, "startSequenceNumber": number, "endSequenceNumber": number}
    function = admin.client("lambda").get_function(FunctionName=physical_name(admin, "ScheduleTimeouts"))["Configuration"]
    letter = {"requestContext": {"functionArn": function["FunctionArn"]}, "DDBStreamBatchInfo": batch}
    queue = physical_name(admin, "DeadLetterQueue")
    admin.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(letter))
    said: list[str] = []
    try:
        assert redrive.redrive(stack, said.append).left == len(said), said
    finally:
        admin.client("sqs").purge_queue(QueueUrl=queue)
    return "".join(said)


def table_of(admin: Stack) -> dict[str, Any]:
    return admin.client("dynamodb").describe_table(TableName=admin.table_name)["Table"]


def read_the_log(stack: Deployed, _: Stack) -> None:
    list(logs.read(stack.client("logs"), logs.find_log_group(stack), 0, "doctor"))


def restore_the_own_table(stack: Deployed, admin: Stack) -> None:
    restore.check(stack, admin.table_name)
    restore.copy(stack, admin.table_name, say=str)


def rotate(stack: Deployed, admin: Stack) -> None:
    """The tests go on with the key of before, which is the current one again."""
    rotate_key.find_keys(stack)
    try:
        rotate_key.rotate(stack)
    finally:
        secret = {"SecretId": stack.outputs["ApiKeySecret"], "SecretString": admin.api_key}
        admin.client("secretsmanager").put_secret_value(**secret)


def keep_a_secret(stack: Deployed, admin: Stack) -> None:
    """One that somebody was about to delete."""
    path, manager = webhook_secrets.path_of(stack, SECRET), admin.client("secretsmanager")
    manager.create_secret(Name=path, SecretString="old")
    manager.delete_secret(SecretId=path)
    try:
        assert webhook_secrets.put(stack, SECRET, "new", no_previous=True).was_restored
        webhook_secrets.delete(stack, SECRET)
    finally:
        manager.delete_secret(SecretId=path, ForceDeleteWithoutRecovery=True)


COMMANDS: dict[str, Callable[[Deployed, Stack], str | None]] = {
    it.__name__: it for it in (find, redrive_a_batch, read_the_log, restore_the_own_table, rotate, keep_a_secret)
}


class Operator:
    """Somebody with the rights of the policy. `used` has what each command and check calls."""

    def __init__(self, stack: Stack) -> None:
        account = stack.client("sts").get_caller_identity()["Account"]
        policy = deployer_policy(account, stack.stack_name, OPERATOR)
        for statement in policy["Statement"]:
            if "/stream/" in str(statement["Resource"]):
                statement["Resource"] = "*"  # MiniStack 1.5.33 asks IAM for no stream's ARN
        credentials = limited_to("operator", policy, stack.endpoint)
        self._keys: dict[str, Any] = {name.lower(): value for name, value in credentials.items()}
        self._stack = stack
        self.used: dict[str, set[str]] = {}

    def run(self, name: str, refused: str = "") -> str:
        """Run a command, or a check of the smoke test, without one right. Returns what it says about what it could not do."""
        called = self.used.setdefault(name, set())

        def before_call(model: Any, **_: Any) -> None:
            called.add(action_of(model))
            if action_of(model) == refused:
                said = f"User: arn:aws:iam::1:user/ann is not authorized to perform: {refused} on resource: *"
                raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": said}}, model.name)

        session = boto3.Session(**self._keys, region_name=REGION)
        session.events.register("before-call", before_call)
        deployed = Deployed(self._stack.stack_name, session, {"endpoint_url": self._stack.endpoint_url})
        try:
            if name in COMMANDS:
                return COMMANDS[name](deployed, self._stack) or ""
            return self._check(name, Caller(deployed, self._stack.api_key, PACE))
        except ClientError as error:
            return aws_errors.sentence(error)

    def _check(self, name: str, caller: Caller) -> str:
        lines = dict[str, Line]()
        try:
            for check in QUICK:
                if check.name in (name, "creates a token", *(it.needs for it in QUICK if it.name == name)):
                    lines[check.name] = run_check(check, caller, lines)
        finally:
            cleaned = caller.clean_up()
        line = lines[name]
        assert line.outcome != "failed", line
        return f"{line.figure if line.lacks else ''} {cleaned}"


@pytest.fixture(scope="module")
def operator(stack: Stack) -> Iterator[Operator]:
    """Everything has run once, with nothing refused."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"TIMEOUTS": (1,), "MOVED_TO": 1, "SAMPLES": 2}.items():
            patch.setattr(smoke_waits, name, value)
        patch.setattr(Deployed, "parameters", {"MailFrom": "ops@example.com", "Console": "on"})
        made = Operator(stack)
        for name in (*COMMANDS, *(check.name for check in QUICK if check.name not in ("sends a mail", "logs no error"))):
            said = made.run(name)
            assert not any(word in said for word in ("lack", "not authorized", "NOT removed", "could not")), (name, said)
        yield made


def test_the_policy_allows_what_is_called_and_nothing_else(operator: Operator) -> None:
    called = set[str]().union(*operator.used.values())
    assert called | {"states:StopExecution"} == set(ACTIONS)  # called for what a check leaves running


@pytest.mark.parametrize("action", [it for it in ACTIONS if it != "states:StopExecution"])
def test_a_right_that_is_missing_is_named(operator: Operator, action: str) -> None:
    users = [name for name, called in operator.used.items() if action in called]
    assert any(action in operator.run(name, refused=action) for name in users), users
