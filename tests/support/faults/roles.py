"""The roles of the functions, enforced on every call of a handler as IAM does it, with one permission taken away if asked.

A permission is one action on one resource in the role of one function, as the processed template grants it. What a call needs
is in the Service Authorization Reference (docs.aws.amazon.com/service-authorization). It may hold for some items only, by the
condition key dynamodb:LeadingKeys (docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html), and
that of a KMS key through some services only, by kms:ViaService: KEY_NEEDED says what these call for whom.
AWS's own managed policies are not looked at: they let Lambda write logs and read the stream and the queue, which no handler
does.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from itertools import chain, product
from typing import Any
from unittest import mock

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from tests.support.faults.world import World
from tests.support.in_process.template import ACCOUNT, EVERYTHING, REGION, STACK_NAME, Template
from tests.support.processed_template import attributes, processed, texts

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0b5f4a7e"
WITH_ALL = {"EventBusName": "orders", "KmsKeyArn": KEY, **EVERYTHING}
HERE = f"{REGION}:{ACCOUNT}"
_IAM_NAMES = {"stepfunctions": "states"}
_EXECUTIONS = {  # what waits is faked, so its ARN is any that the template may mean
    "stepfunctions": f"arn:aws:states:{HERE}:stateMachine:orders",
    "lambda": f"arn:aws:lambda:{HERE}:function:orders:7/durable-execution/4711/0d0c5b1e",
}

KEY_NEEDED: dict[str, dict[str, tuple[str, ...]]] = {
    "dynamodb": {"*": ("Decrypt",)},  # of the table's key, in the caller's name
    "s3": {"GetObject": ("Decrypt",), "PutObject": ("GenerateDataKey",)},
    "secretsmanager": {"GetSecretValue": ("Decrypt",)},
    "sqs": {"SendMessage": ("Decrypt", "GenerateDataKey"), "ReceiveMessage": ("Decrypt",)},
}
"""What a caller needs of the key that encrypts a table, an object, a secret or a queue, for an action of the service.

docs.aws.amazon.com: amazondynamodb/latest/developerguide/encryption.usagenotes.html,
AmazonS3/latest/userguide/UsingKMSEncryption.html, secretsmanager/latest/userguide/security-encryption.html,
AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
"""


@dataclass(frozen=True)
class Permission:
    function: str
    action: str
    resource: str
    ids: tuple[str, ...] = ()
    """Of the items that it holds for, with wildcards, or the services of a key. None: it holds for all."""

    def __str__(self) -> str:
        return " ".join((self.function, self.action, self.resource.split(":", 5)[-1], *self.ids))

    def allows(self, action: str, arn: str, id_: str | None = None) -> bool:
        return (
            action == self.action
            and fnmatchcase(arn, self.resource)
            and (not self.ids or any(fnmatchcase(str(id_), it) for it in self.ids))
        )


@cache
def permissions() -> tuple[Permission, ...]:
    """Every permission of a stack that has everything, in the order of the template."""
    return granted(attributes())


def granted(known: Mapping[str, Mapping[str, str]]) -> tuple[Permission, ...]:
    """The permissions where Ref and GetAtt return what is known, as `attributes` has it.

    One for some items is left out where the function has the same for all.
    """
    template = Template(processed().body, WITH_ALL)
    roles, policies = template.resources("AWS::IAM::Role"), template.resources("AWS::IAM::ManagedPolicy")
    found: dict[Permission, None] = {}
    for function in Template.load(WITH_ALL).functions().values():
        role = roles[f"{function.logical_id}Role"]
        managed = [policies[arn["Ref"]] for arn in role["ManagedPolicyArns"] if "Ref" in arn]
        name = known[f"{function.logical_id}Role"]["Ref"]
        attached = (it for policy, it in policies.items() if template.has(policy))
        managed += [it for it in attached if name in template.resolve(it.get("Roles", []), known)]
        for policy in [*role.get("Policies", []), *managed]:
            for statement in template.resolve(policy["PolicyDocument"], known)["Statement"]:
                ids = _ids(statement)
                for action in texts(statement["Action"]):
                    found |= {Permission(function.name, action, arn, ids): None for arn in texts(statement["Resource"])}
    return tuple(it for it in found if not it.ids or replace(it, ids=()) not in found)


def _ids(statement: Mapping[str, Any]) -> tuple[str, ...]:
    conditions = statement.get("Condition", {}).values()
    keys = product(conditions, ("dynamodb:LeadingKeys", "kms:ViaService"))
    return tuple(chain.from_iterable(texts(condition.get(key, [])) for condition, key in keys))


def of_key(action: str) -> list[tuple[str, str, str]]:
    """What an action needs of the key besides, as `_needed` says it."""
    service, name = action.split(":")
    calls = KEY_NEEDED.get(service, {})
    return [(f"kms:{it}", KEY, f"{service}.{REGION}.amazonaws.com") for it in calls.get(name, calls.get("*", ()))]


def label(number: int) -> str:
    return str(permissions()[number])


@contextmanager
def enforced(world: World, without: int | None = None) -> Iterator[None]:
    """Within this, a call that its function's role does not allow is refused. `without` is the number of a permission.

    Every invocation is a cold start, so that no secret is known from before.
    """
    allowed = [permission for number, permission in enumerate(granted(_resources(world))) if number != without]
    running: list[str] = []
    invoke, make_api_call = world.lambdas.invoke, BaseClient._make_api_call  # type: ignore[attr-defined]

    def invoke_cold(name: str, event: Any) -> Any:
        world.forget()
        running.append(name)
        try:
            return invoke(name, event)
        finally:
            running.pop()

    def call(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        if running:
            needed = _needed(client.meta.service_model.service_name, operation, parameters)
            for action, arn, id_ in needed + [one for it in needed for one in of_key(it[0])]:
                if not any(it.function == running[-1] and it.allows(action, arn, id_) for it in allowed):
                    raise _refusal(running[-1], action, arn, operation)
        return make_api_call(client, operation, parameters)

    with (
        mock.patch.object(world.lambdas, "invoke", invoke_cold),
        mock.patch.object(BaseClient, "_make_api_call", call),
    ):
        yield


def _resources(world: World) -> dict[str, Mapping[str, str]]:
    """What Ref and GetAtt return in this world."""

    def queue(url: str) -> dict[str, str]:
        return {"Ref": url, "Arn": f"arn:aws:sqs:{HERE}:{url.rsplit('/', 1)[-1]}"}

    return {
        **attributes(),
        **{name: world.stack.resources[name] for name in ("ApiKey", "SigningKey", "OutputBucket")},
        "Table": {"Ref": world.table, "Arn": f"arn:aws:dynamodb:{HERE}:table/{world.table}"},
        "TimerQueue": queue(world.timer_queue),
        "DeadLetterQueue": queue(world.dead_letter_queue),
        "NoticeQueue": queue(world.queue_urls["NoticeQueue"]),
    }


def _id_of_items(operation: str, parameters: Mapping[str, Any]) -> str | None:
    """The `id` of the items of a call to DynamoDB, if they share one."""
    if operation == "Query" and "IndexName" not in parameters:
        name = parameters["KeyConditionExpression"].split(" AND ")[0].removeprefix("id = ")
        return str(parameters["ExpressionAttributeValues"][name]["S"])
    return parameters["Key"]["id"]["S"] if "Key" in parameters else None


def _needed(service: str, operation: str, parameters: Mapping[str, Any]) -> list[tuple[str, str, str | None]]:
    """The actions that a call needs, each with the ARN of what it is done to, and the `id` of the items."""
    if service == "dynamodb" and operation == "TransactWriteItems":
        [*writes] = [(name, it) for item in parameters["TransactItems"] for name, it in item.items()]
        return [needed for name, it in writes for needed in _needed(service, f"{name}Item", it)]
    if service == "dynamodb" and operation == "BatchWriteItem":
        [(name, requests)] = parameters["RequestItems"].items()
        keys = [request["DeleteRequest"]["Key"] for request in requests]
        return [(f"dynamodb:{operation}", f"arn:aws:dynamodb:{HERE}:table/{name}", key["id"]["S"]) for key in keys]
    if service == "s3" and operation == "DeleteObjects":
        keys = [it["Key"] for it in parameters["Delete"]["Objects"]]
        return [("s3:DeleteObject", f"arn:aws:s3:::{parameters['Bucket']}/{key}", None) for key in keys]
    id_ = _id_of_items(operation, parameters) if service == "dynamodb" else None
    return [(action, arn, id_) for action, arn in _actions(service, operation, parameters)]


def _actions(service: str, operation: str, parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    match service:
        case "dynamodb" if operation == "BatchGetItem":
            return [(f"dynamodb:{operation}", f"arn:aws:dynamodb:{HERE}:table/{name}") for name in parameters["RequestItems"]]
        case "dynamodb":
            index = f"/index/{parameters['IndexName']}" if "IndexName" in parameters else ""
            return [(f"dynamodb:{operation}", f"arn:aws:dynamodb:{HERE}:table/{parameters['TableName']}{index}")]
        case "s3" if operation == "ListObjectsV2":
            return [("s3:ListBucket", f"arn:aws:s3:::{parameters['Bucket']}")]
        case "s3":
            action = "s3:GetObject" if operation == "HeadObject" else f"s3:{operation}"
            return [(action, f"arn:aws:s3:::{parameters['Bucket']}/{parameters['Key']}")]
        case "secretsmanager":
            name = parameters["SecretId"]
            return [(f"{service}:{operation}", name if name.startswith("arn:") else f"arn:aws:{service}:{HERE}:secret:{name}")]
        case "sqs":
            action = operation.removesuffix("Batch")  # which has no action of its own
            return [(f"sqs:{action}", f"arn:aws:sqs:{HERE}:{parameters['QueueUrl'].rsplit('/', 1)[-1]}")]
        case "events":
            buses = {entry["EventBusName"] for entry in parameters["Entries"]}
            return [(f"events:{operation}", f"arn:aws:events:{HERE}:event-bus/{bus}") for bus in buses]
        case "sesv2":  # of a MIME message: docs.aws.amazon.com/ses/latest/dg/control-user-access.html
            provider = f"arn:aws:ses:{HERE}:identity/{parameters['FromEmailAddress']}"
            return [("ses:SendEmail", provider), ("ses:SendRawEmail", provider)]
        case "stepfunctions" | "lambda":
            return [(f"{_IAM_NAMES.get(service, service)}:{operation}", _EXECUTIONS[service])]
    raise NotImplementedError(f"which permission does {service}.{operation} need?")


def _refusal(function: str, action: str, arn: str, operation: str) -> ClientError:
    message = (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{STACK_NAME}-{function} is not authorized to perform: {action} on {arn}"
    )
    response: Any = {
        "Error": {"Code": "AccessDeniedException", "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }
    return ClientError(response, operation)
