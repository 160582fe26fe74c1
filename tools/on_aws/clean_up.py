"""What a run leaves in an account, by kind: how it is listed, known as the run's own, deleted, and what it costs a month."""

import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Self

import jmespath
from botocore.exceptions import BotoCoreError, ClientError

TAG, STACK_TAG = "waitpoints-run", "aws:cloudformation:stack-name"
SECOND = ("older", "boundary", "gradual", "queue", "durable", "cdk")
"""What the names of a run's other things may add to its own, without a hyphen."""
STACK_SECONDS, PAUSE = 2400, 15
FAILURES = (ClientError, BotoCoreError)
_ABSENT = {"Code": "400", "Message": ""}  # an error without a name is none of AWS: an emulator has not this service
_OF_RUN = f"Tags[?Key=='{TAG}'].Value"


class Refused(Exception):
    """Nothing shows that a run made what has this name."""


@dataclass(frozen=True)
class Left:
    kind: str
    name: str
    price: str
    why: str


@dataclass(frozen=True)
class Kind:
    name: str
    service: str
    lists: str
    each: str
    """JMESPath: what the deletion of each takes. By the strings of this, and of `_`, it is known as the run's own."""
    deletes: str
    price: str = "nothing"
    asks: Mapping[str, Any] = field(default_factory=dict)
    within: str = ""
    """JMESPath: what the list takes of the thing that holds these, and their deletion, too."""
    holds: tuple[Self, ...] = ()
    """What is deleted before it, under any name."""


_RULE = ("rule", "events", "list_rules", "Rules[].{Name: Name, EventBusName: EventBusName}", "delete_rule")
_TARGETS = Kind(
    "target", "events", "list_targets_by_rule", "Targets[].{Ids: [Id]}", "remove_targets",
    within="{Rule: Name, EventBusName: EventBusName}",
)  # fmt: skip
KINDS = (
    Kind("stack", "cloudformation", "describe_stacks",
         f"Stacks[].{{StackName: StackName, _: {_OF_RUN}, _status: StackStatus, _why: StackStatusReason}}", "delete_stack"),
    Kind("mapping", "lambda", "list_event_source_mappings",
         "EventSourceMappings[].{UUID: UUID, _: [FunctionArn, EventSourceArn]}", "delete_event_source_mapping", "$0.26"),
    Kind("schedule", "scheduler", "list_schedules", "Schedules[].{Name: Name, GroupName: GroupName}", "delete_schedule",
         "$0.30", asks={"GroupName": "default"}),
    Kind("schedule group", "scheduler", "list_schedule_groups", "ScheduleGroups[].{Name: Name}", "delete_schedule_group"),
    Kind(*_RULE, holds=(_TARGETS,)),
    Kind("event bus", "events", "list_event_buses", "EventBuses[].{Name: Name}", "delete_event_bus",
         asks={"NamePrefix": "{run}"}, holds=(Kind(*_RULE, within="{EventBusName: Name}", holds=(_TARGETS,)),)),
    Kind("state machine", "stepfunctions", "list_state_machines", "stateMachines[].{stateMachineArn: stateMachineArn}",
         "delete_state_machine"),
    Kind("function", "lambda", "list_functions", "Functions[].{FunctionName: FunctionName, _: FunctionArn}", "delete_function"),
    Kind("layer", "lambda", "list_layers", "Layers[].{LayerName: LayerName}", "", holds=(
        Kind("version", "lambda", "list_layer_versions", "LayerVersions[].{VersionNumber: Version}", "delete_layer_version",
             within="{LayerName: LayerName}"),)),
    Kind("API", "apigatewayv2", "get_apis", f"Items[].{{ApiId: ApiId, _: [Name, Tags.\"{TAG}\"]}}", "delete_api"),
    Kind("deployments", "codedeploy", "list_applications", "applications[].{applicationName: @}", "delete_application"),
    Kind("queue", "sqs", "list_queues", "QueueUrls[].{QueueUrl: @}", "delete_queue"),
    Kind("topic", "sns", "list_topics", "Topics[].{TopicArn: TopicArn}", "delete_topic"),
    Kind("alarm", "cloudwatch", "describe_alarms", "[MetricAlarms, CompositeAlarms][].{AlarmNames: [AlarmName]}",
         "delete_alarms", "$0.10"),
    Kind("dashboard", "cloudwatch", "list_dashboards", "DashboardEntries[].{DashboardNames: [DashboardName]}",
         "delete_dashboards", "$3.00"),
    Kind("parameter", "ssm", "describe_parameters", "Parameters[].{Name: Name}", "delete_parameter"),
    Kind("secret", "secretsmanager", "list_secrets",
         f"SecretList[].{{SecretId: ARN, ForceDeleteWithoutRecovery: `true`, _: {_OF_RUN}}}", "delete_secret", "$0.40",
         asks={"IncludePlannedDeletion": True}),
    Kind("table", "dynamodb", "list_tables", "TableNames[].{TableName: @}", "delete_table", "$0.50 a GB"),
    Kind("role", "iam", "list_roles", "Roles[].{RoleName: RoleName}", "delete_role", holds=(
        Kind("attachment", "iam", "list_attached_role_policies", "AttachedPolicies[].{PolicyArn: PolicyArn}",
             "detach_role_policy", within="{RoleName: RoleName}"),
        Kind("inline policy", "iam", "list_role_policies", "PolicyNames[].{PolicyName: @}", "delete_role_policy",
             within="{RoleName: RoleName}"))),
    Kind("policy", "iam", "list_policies", "Policies[].{PolicyArn: Arn}", "delete_policy", asks={"Scope": "Local"}, holds=(
        Kind("version", "iam", "list_policy_versions", "Versions[?!IsDefaultVersion].{VersionId: VersionId}",
             "delete_policy_version", within="{PolicyArn: PolicyArn}"),)),
    Kind("log group", "logs", "describe_log_groups", "logGroups[].{logGroupName: logGroupName}", "delete_log_group",
         "$0.03 a GB"),
    Kind("bucket", "s3", "list_buckets", "Buckets[].{Bucket: Name}", "delete_bucket", "$0.03 a GB", holds=(
        Kind("object", "s3", "list_object_versions", "[Versions, DeleteMarkers][].{Key: Key, VersionId: VersionId}",
             "delete_object", within="{Bucket: Bucket}"),)),
)  # fmt: skip
"""In the order of deletion: what uses something before that, and the buckets last, as one of them shows whose the rest is."""
STACKS, *OTHERS, BUCKETS = KINDS
TAGGED = "tagged"


def clean(session: Any, run: str, say: Callable[[str], None], settle: float = 600) -> list[Left]:
    """Delete what a run made, and look again for so many seconds. Return what is left. Raises Refused."""
    things = _Things(session, run, say)
    things.prove()
    end = time.monotonic() + settle
    while True:
        things.look_for_tags()
        things.delete_stacks()
        for kind in OTHERS:
            things.delete_all(kind)
        if (rest := end - time.monotonic()) <= 0:
            break
        time.sleep(min(PAUSE, rest))
    things.delete_all(BUCKETS)
    return things.left()


def left(session: Any, run: str) -> list[Left]:
    """Return what there is of a run, and each kind that cannot be listed."""
    return _Things(session, run, lambda _: None).left()


def listed(client: Any, kind: Kind, run: str, holder: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return what a service lists of a kind, whoever made it: of each what its deletion takes, and `_…`, which it does not."""
    given = jmespath.search(kind.within, holder) if kind.within else {}
    asks = given | {name: it.format(run=run) if isinstance(it, str) else it for name, it in kind.asks.items()}
    call = getattr(client, kind.lists)
    pages = client.get_paginator(kind.lists).paginate(**asks) if client.can_paginate(kind.lists) else [call(**asks)]
    return [given | it for page in pages for it in jmespath.search(kind.each, page) or []]


def is_own(item: Mapping[str, Any], run: str, tagged: Collection[str] = ()) -> bool:
    """Tell whether something is the run's: by a word of its name, its tag, or an ARN that is among the tagged."""
    word = re.compile(rf"(?<![A-Za-z0-9]){re.escape(run)}({'|'.join(SECOND)})?(?![A-Za-z0-9])")
    return any(word.search(text) or text in tagged for text in _strings([_taken(item), item.get("_")]))


class _Things:
    """A run's own things, and why those that are left were not deleted."""

    def __init__(self, session: Any, run: str, say: Callable[[str], None]) -> None:
        self._run, self._say, self._client = run, say, cache(session.client)
        self._tagged: set[str] = set()
        self._failed: dict[tuple[str, str], Left] = {}
        self._said: set[str] = set()

    def prove(self) -> None:
        """Raise Refused unless a stack has the run's tag, or the run's bucket is there."""
        tagged = any(self._run in (it["_"] or []) for it in self._own(STACKS))
        bucket = any(re.fullmatch(f"waitpoints-{self._run}-[0-9a-f]{{8}}", it["Bucket"]) for it in self._own(BUCKETS))
        if not (re.fullmatch("[a-z][a-z0-9]*", self._run) and (tagged or bucket)):
            text = f"No stack has the tag {TAG}={self._run}, and there is no bucket waitpoints-{self._run}-…"
            raise Refused("\n".join([text, *(f"{it.kind}: {it.why}" for it in self._failed.values())]))

    def look_for_tags(self) -> None:
        """Remember the ARNs of all that has the tag of the run, or of one of its stacks."""
        filters = {TAG: [self._run], STACK_TAG: [self._run, *(self._run + it for it in SECOND)]}
        self._failed.pop((TAGGED, "?"), None)
        try:
            pages = self._client("resourcegroupstaggingapi").get_paginator("get_resources").paginate
            found = [page for key, values in filters.items() for page in pages(TagFilters=[{"Key": key, "Values": values}])]
            self._tagged = {it["ResourceARN"] for page in found for it in page["ResourceTagMappingList"]}
        except FAILURES as error:
            self._note(TAGGED, "?", "unknown", f"cannot be listed: {error}")

    def delete_stacks(self) -> None:
        """Delete the stacks, and wait until they are gone. What keeps one from it stays behind, for the other kinds."""
        end, forced, given_up, pause = time.monotonic() + STACK_SECONDS, set[str](), set[str](), 1
        while waited := [it for it in self._own(STACKS) if it["StackName"] not in given_up]:
            for item in waited:
                name, status = item["StackName"], item["_status"]
                if status == "DELETE_FAILED" and name in forced:
                    self._note(STACKS.name, name, STACKS.price, item["_why"] or status)
                    given_up.add(name)
                elif status == "DELETE_FAILED":
                    forced.add(name)
                    self._delete(STACKS, {**item, "DeletionMode": "FORCE_DELETE_STACK"})
                elif status != "DELETE_IN_PROGRESS" and not self._delete(STACKS, item) and not status.endswith("IN_PROGRESS"):
                    given_up.add(name)  # while it is updated, its deletion is refused
            if time.monotonic() > end:
                break
            time.sleep(pause := min(PAUSE, 2 * pause))

    def delete_all(self, kind: Kind) -> None:
        """Delete what the run has of a kind. A role outlives the stacks, as one may have been deployed with it."""
        needed = kind.service == "iam" and (self._own(STACKS) or (STACKS.name, "?") in self._failed)
        for item in self._own(kind):
            if needed:
                self._note(kind.name, _name(item), kind.price, "a stack that is left may need it")
            else:
                self._delete(kind, item)

    def left(self) -> list[Left]:
        self.look_for_tags()
        found = [
            self._failed.get((kind.name, _name(item)), Left(kind.name, _name(item), kind.price, "it is still listed"))
            for kind in KINDS
            for item in self._own(kind)
        ]
        known = {kind.service for kind in KINDS} | {"apigateway", "states"}
        unknown = sorted(arn for arn in self._tagged if arn.split(":")[2] not in known)
        unseen = [it for it in self._failed.values() if it.name == "?"]
        return [*found, *unseen, *(Left(TAGGED, arn, "unknown", "nothing here deletes it") for arn in unknown)]

    def _own(self, kind: Kind) -> list[dict[str, Any]]:
        """Return the run's own of a kind. If they cannot be listed, take a note and return none."""
        self._failed.pop((kind.name, "?"), None)
        try:
            return [it for it in listed(self._client(kind.service), kind, self._run) if is_own(it, self._run, self._tagged)]
        except FAILURES as error:
            if getattr(error, "response", {}).get("Error") != _ABSENT:
                self._note(kind.name, "?", kind.price, f"cannot be listed: {error}")
            return []

    def _delete(self, kind: Kind, item: Mapping[str, Any]) -> bool:
        """Delete something with what it holds. Whatever fails, the rest goes on."""
        if errors := list(self._errors(kind, item)):
            self._note(kind.name, _name(item), kind.price, errors[0])
        else:
            self._say_once(f"deletes  {kind.name} {_name(item)}")
        return not errors

    def _errors(self, kind: Kind, item: Mapping[str, Any]) -> Iterator[str]:
        client = self._client(kind.service)
        for held in kind.holds:
            try:
                for it in listed(client, held, self._run, item):
                    yield from self._errors(held, it)
            except FAILURES as error:
                yield str(error)
        try:
            if kind.deletes:
                getattr(client, kind.deletes)(**_taken(item))
        except FAILURES as error:
            yield str(error)

    def _note(self, kind: str, name: str, price: str, why: str) -> None:
        self._failed[kind, name] = Left(kind, name, price, why)
        self._say_once(f"not deleted  {kind} {name} (a month: {price}): {why}")

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(text)


def _taken(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if not name.startswith("_") and value is not None}


def _name(item: Mapping[str, Any]) -> str:
    return " ".join(_strings(_taken(item)))


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for it in inner for text in _strings(it)]
