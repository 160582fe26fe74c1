"""The template's resources on moto, in this process. `make invoke` and the integration tests use it.

moto creates the DynamoDB, S3, Secrets Manager, SQS, Scheduler and Step Functions resources with the properties in
template.yaml. Lambda runs in this process: a state machine that invokes a function calls its handler.
"""

import json
import os
import sys
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any
from unittest import mock

import boto3
from botocore.loaders import JSONFileLoader
from moto import mock_aws
from moto.awslambda_simple.models import LambdaSimpleBackend
from moto.core.common_models import BaseModel
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.responses import DynamoHandler
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sqs.models import sqs_backends

from tests.support.in_process.template import ACCOUNT, REGION, ROOT, STACK_NAME, Function, Resource, Template

_MOTO: Any = {  # moto takes a part of its configuration; its type demands all of it
    "stepfunctions": {"execute_state_machine": True},
    "lambda": {"use_docker": False},
}
_NO_USER_SETTINGS = {
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",  # moto doesn't know stream endpoints with an account id
}

Attributes = Mapping[str, str]
"""The values of `!GetAtt` for a resource by attribute, and the value of `!Ref` as "Ref"."""


@cache
def client_of(service: str) -> Any:
    """One client for all tests that do not listen to it: to make one takes longer than most of them."""
    return boto3.client(service)


@contextmanager
def models_read_once() -> Iterator[None]:
    """Within this, botocore reads the model of a service once, not for each session: that is most of what one takes."""
    read = cache(JSONFileLoader().load_file)
    with mock.patch.object(JSONFileLoader, "load_file", lambda _, path: read(path)):
        yield


@dataclass(frozen=True)
class MotoStack:
    template: Template
    resources: Mapping[str, Attributes]

    @property
    def table(self) -> str:
        """The table's name."""
        return self.resources["Table"]["Ref"]

    def functions(self) -> dict[str, Function]:
        return self.template.functions()

    def call(self, function: str, event: Any) -> Any:
        return self.functions()[function].call(event)

    def secret(self, logical_id: str) -> str:
        """Read a secret in moto: most tests ask for one, and a request would take longer than much of what they do."""
        secrets = secretsmanager_backends[ACCOUNT][REGION]
        return str(secrets.get_secret_value(self.resources[logical_id]["Id"], "", "")["SecretString"])

    def resolve(self, value: Any) -> Any:
        """Return a template value with its intrinsic functions resolved."""
        return self.template.resolve(value, self.resources)

    def environment(self) -> dict[str, str]:
        """Return the environment variables of all functions, merged."""
        shared = self.template.body["Globals"]["Function"]["Environment"]["Variables"]
        own = [function.properties.get("Environment", {}).get("Variables", {}) for function in self.functions().values()]
        return {name: str(value) for variables in (shared, *own) for name, value in self.resolve(variables).items()}

    def items(self, id_: str) -> Any:
        """The items with an id, such as a token's, as the table has them."""
        wanted = {"KeyConditionExpression": "id = :id", "ExpressionAttributeValues": {":id": {"S": id_}}}
        return client_of("dynamodb").query(TableName=self.table, **wanted)["Items"]

    def every_item(self) -> list[Any]:
        """The items of the whole table, in the order in which they were made. The stream has them: a scan would take longer."""
        changes = [record.record["dynamodb"] for record in self._table().stream_shard.items]
        items = {_key(change["Keys"]): change.get("NewImage") for change in changes}
        return [item | _bytes_of(item) for item in items.values() if item]

    def put(self, item: Mapping[str, Any]) -> None:
        """Put an item into the table, as DynamoDB has it."""
        client_of("dynamodb").put_item(TableName=self.table, Item=item)

    def objects(self) -> dict[str, bytes]:
        """The objects in the bucket, by their keys."""
        return {key: found.value for key, found in self._objects().items()}

    def empty_bucket(self) -> None:
        """As its lifecycle rule does."""
        objects = self._objects()
        for key in list(objects):
            objects.pop(key)

    def _objects(self) -> Any:
        return s3_backends[ACCOUNT]["aws"].buckets[self.resources["OutputBucket"]["Ref"]].keys

    def writes(self) -> int:
        """How many changes of items the table's stream has had, counted from some number."""
        return sum(self.version())

    def version(self) -> tuple[int, int]:
        """Changes with each change of an item, and if the table is emptied."""
        shard = self._table().stream_shard
        return shard.starting_sequence_number, len(shard.items)

    def written(self, begin: int, end: int) -> list[dict[str, Any]]:
        """The records of these changes in the stream. moto answers the same, in most of the time that such a test takes."""
        return self._table().stream_shard.get(begin, end - begin)

    def _table(self) -> Any:
        return dynamodb_backends[ACCOUNT][REGION].get_table(self.table)

    def empty_table(self) -> None:
        """Remove all items and stream records. A full table is slow."""
        table = self._table()
        table.items.clear()
        if shard := table.stream_shard:
            shard.starting_sequence_number += len(shard.items)
            shard.items.clear()

    def empty_queues(self) -> None:
        sqs = sqs_backends[ACCOUNT][REGION]
        for name in self._queue_names:
            sqs.get_queue(name).last_purged_at = None  # AWS purges a queue once a minute
            sqs.purge_queue(name)

    def queued(self) -> dict[str, list[str]]:
        """The bodies of the messages that are in each queue, also of those that somebody has received."""
        sqs = sqs_backends[ACCOUNT][REGION]
        return {name: [message.body for message in sqs.get_queue(name)._messages] for name in self._queue_names}

    @cached_property
    def _queue_names(self) -> list[str]:
        having = filter(self.template.has, self.template.resources("AWS::SQS::Queue"))
        return [self.resources[logical_id]["QueueName"] for logical_id in having]

    def create_state_machine(self, logical_id: str) -> str:
        """Create a state machine of the template from its definition file. Returns its ARN."""
        properties = self.template.resources("AWS::Serverless::StateMachine")[logical_id]
        definition = (ROOT / properties["DefinitionUri"]).read_text()
        for name, value in self.resolve(properties["DefinitionSubstitutions"]).items():
            definition = definition.replace(f"${{{name}}}", value)
        return start_state_machine(logical_id, definition)


def _key(item: Mapping[str, Any]) -> tuple[str, str]:
    return item["id"]["S"], item["item"]["S"]


def _bytes_of(item: Mapping[str, Any]) -> dict[str, Any]:
    """moto leaves them a text in its stream."""
    return {name: {"B": b64decode(value["B"])} for name, value in item.items() if "B" in value}


def start_state_machine(name: str, definition: str) -> str:
    created = client_of("stepfunctions").create_state_machine(
        name=name, definition=definition, roleArn=f"arn:aws:iam::{ACCOUNT}:role/{name}"
    )
    return str(created["stateMachineArn"])


@contextmanager
def moto_stack(parameters: Mapping[str, str] | None = None) -> Iterator[MotoStack]:
    """Create the stack on moto and set the environment variables of its functions."""
    sys.path[:0] = [] if str(ROOT / "functions") in sys.path else [str(ROOT / "functions")]
    template = Template.load(parameters)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with ExitStack() as until_the_end:
        enter = until_the_end.enter_context
        enter(mock.patch.dict(os.environ, {**clean, **_NO_USER_SETTINGS}, clear=True))
        enter(mock_aws(config=_MOTO))
        enter(
            mock.patch.object(BaseModel, "__new__", lambda kind, *_, **__: object.__new__(kind))
        )  # moto's keeps what it makes
        enter(models_read_once())
        enter(mock.patch.object(DynamoHandler, "call_action", _one_at_a_time(DynamoHandler.call_action)))
        stack = MotoStack(template, _create(template, [*template.body["Resources"]]))
        enter(mock.patch.object(LambdaSimpleBackend, "invoke", _invoke(stack)))
        enter(_environment(stack))
        yield stack


@contextmanager
def updated(stack: MotoStack, parameters: Mapping[str, str]) -> Iterator[MotoStack]:
    """Within this, a stack has these parameters: what it lacks is made, and its functions have their new environment."""
    template = Template(stack.template.body, {**stack.template.parameters, **parameters})
    new = [name for name in template.body["Resources"] if template.has(name) and not stack.template.has(name)]
    changed = MotoStack(template, {**stack.resources, **_create(template, new, stack.resources)})
    try:
        with _environment(changed):
            yield changed
    finally:
        for name in set(new) & template.resources("AWS::SQS::Queue").keys():
            client_of("sqs").delete_queue(QueueUrl=changed.resources[name]["Ref"])
        for name in set(new) & template.resources("AWS::SecretsManager::Secret").keys():
            client_of("secretsmanager").delete_secret(SecretId=changed.resources[name]["Ref"], ForceDeleteWithoutRecovery=True)


@contextmanager
def _environment(stack: MotoStack) -> Iterator[None]:
    from waitpoints.wiring import services

    with mock.patch.dict(os.environ, stack.environment()):
        services.reset()
        try:
            yield
        finally:
            services.reset()


def _one_at_a_time(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Serialize requests. DynamoDB executes each one atomically; moto would interleave those of several threads."""
    turn = threading.RLock()

    def call_alone(handler: Any) -> Any:
        with turn:
            return call(handler)

    return call_alone


def _invoke(stack: MotoStack) -> Callable[..., bytes]:
    """Implement Lambda's Invoke in this process. Reports an exception as Lambda does."""

    def invoke(_: LambdaSimpleBackend, function_name: str, *arguments: Any) -> bytes:
        _qualifier, body, _headers, response_headers = arguments
        by_logical_id = {function.logical_id: function for function in stack.functions().values()}
        function = by_logical_id[function_name.rsplit(":", 1)[-1]]
        try:
            return json.dumps(function.call(json.loads(body or "{}"))).encode()
        except Exception as error:
            response_headers["x-amz-function-error"] = "Unhandled"
            return json.dumps({"errorType": type(error).__name__, "errorMessage": str(error)}).encode()

    return invoke


def _create(template: Template, names: Sequence[str], known: Mapping[str, Attributes] = {}) -> dict[str, Attributes]:
    """Create those of these resources that the stack has and moto supports. Give all others a plausible name and ARN."""
    resources = {name: _imagined(name, template.body["Resources"][name]["Type"]) for name in names}
    for kind, create in _CREATORS.items():
        for logical_id, properties in template.resources(kind).items():
            if logical_id in resources and template.has(logical_id):
                resources[logical_id] = create(logical_id, template.resolve(properties, {**known, **resources}))
    return resources


def _imagined(logical_id: str, kind: str) -> Attributes:
    prefixes = {
        "AWS::Serverless::Function": f"lambda:{REGION}:{ACCOUNT}:function:",
        "AWS::Serverless::StateMachine": f"states:{REGION}:{ACCOUNT}:stateMachine:",
        "AWS::IAM::Role": f"iam::{ACCOUNT}:role/",
    }
    arn = "arn:aws:" + prefixes.get(kind, f"{kind.split('::')[1].lower()}:{REGION}:{ACCOUNT}:") + logical_id
    return {"Ref": logical_id, "Arn": arn, "ApiEndpoint": f"https://{logical_id.lower()}.example.com"}


def _table(logical_id: str, properties: Resource) -> Attributes:
    name = f"{STACK_NAME}-{logical_id}"
    time_to_live = properties.pop("TimeToLiveSpecification")
    properties.pop("PointInTimeRecoverySpecification")
    properties.pop("SSESpecification")
    properties["StreamSpecification"]["StreamEnabled"] = True
    client = client_of("dynamodb")
    described = client.create_table(TableName=name, **properties)["TableDescription"]
    client.update_time_to_live(TableName=name, TimeToLiveSpecification=time_to_live)
    return {"Ref": name, "Arn": described["TableArn"], "StreamArn": described["LatestStreamArn"]}


def _bucket(logical_id: str, _: Resource) -> Attributes:
    name = f"{STACK_NAME}-{logical_id.lower()}"
    client_of("s3").create_bucket(Bucket=name)
    return {"Ref": name, "Arn": f"arn:aws:s3:::{name}"}


def _secret(logical_id: str, properties: Resource) -> Attributes:
    client = client_of("secretsmanager")
    password = client.get_random_password(**properties["GenerateSecretString"])["RandomPassword"]
    arn = client.create_secret(Name=f"{STACK_NAME}-{logical_id}", SecretString=password)["ARN"]
    return {"Ref": arn, "Id": arn}


def _queue(logical_id: str, properties: Resource) -> Attributes:
    client = client_of("sqs")
    attributes = {
        name: json.dumps(value) if isinstance(value, dict) else str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in properties.items()
        if name not in ("QueueName", "Tags", "RedrivePolicy", "RedriveAllowPolicy")  # queues may not exist yet
    }
    name = f"{STACK_NAME}-{logical_id}"
    url = client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return {"Ref": url, "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}", "QueueName": name, "QueueUrl": url}


def _schedule_group(logical_id: str, _: Resource) -> Attributes:
    name = f"{STACK_NAME}-{logical_id}"
    arn = client_of("scheduler").create_schedule_group(Name=name)["ScheduleGroupArn"]
    return {"Ref": name, "Arn": arn}


_CREATORS: dict[str, Callable[[str, Resource], Attributes]] = {
    "AWS::DynamoDB::Table": _table,
    "AWS::S3::Bucket": _bucket,
    "AWS::SecretsManager::Secret": _secret,
    "AWS::SQS::Queue": _queue,
    "AWS::Scheduler::ScheduleGroup": _schedule_group,
}
