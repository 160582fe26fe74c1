"""What AWS has made of the template, asked of each service: each function yields lines, and raises Unexpected."""

import json
import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from samtranslator.yaml_helper import yaml_parse
from waitpoints_client.ops.caller import expect
from waitpoints_client.ops.deployed import Deployed
from waitpoints_client.ops.logs import Line

from tools.release.translation import transformed
from tools.stack import ROOT

TAG = "waitpoints-run"
QUIET = 1200
"""Seconds after which no alarm of a new stack is on. Two are at first: docs/operation.md#alarms."""
MOST_LINES = 300
"""Of the log, beside those about errors."""
_ABOUT_EVENT = ("Timestamp", "ResourceStatus", "ResourceType", "LogicalResourceId", "ResourceStatusReason")
_NAMESPACE = "Waitpoints"


def figure(name: str, value: object) -> str:
    return f"figure\t{name}\t{value}"


def bucket(stack: Deployed) -> Iterator[str]:
    """Make the bucket of the run, which SAM uploads to."""
    s3, name, region = stack.client("s3"), os.environ["BUCKET"], stack.session.region_name
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=name, **where)
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": TAG, "Value": os.environ["RUN"]}]})
    private = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(private, True))
    blocked = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    expect(all(blocked.get(it) for it in private), f"the bucket can be made public: {blocked}")
    yield f"{name} in {region}: private, with the run's tag"


def events(stack: Deployed) -> Iterator[str]:
    """Also of a stack that was deleted because it could not be made."""
    cloudformation = stack.client("cloudformation")
    stacks = pages(cloudformation, "list_stacks", "StackSummaries")
    ids = [it["StackId"] for it in stacks if it["StackName"] == stack.name]
    expect(bool(ids), f"CloudFormation has never had a stack {stack.name}")
    found = pages(cloudformation, "describe_stack_events", "StackEvents", StackName=ids[0])[::-1]
    failed = [it for it in found if it["ResourceStatus"].endswith("_FAILED")]
    for it in (*failed, *found):
        yield json.dumps({name: str(it[name]) for name in _ABOUT_EVENT if name in it})
    yield figure("deployment", f"{(found[-1]['Timestamp'] - found[0]['Timestamp']).total_seconds():.0f} s")
    reasons = [f"{it['LogicalResourceId']}: {it.get('ResourceStatusReason')}" for it in failed]
    expect(not failed, f"{len(failed)} events are failures, first {reasons[:1]}")


def template(stack: Deployed) -> Iterator[str]:
    """AWS's transform of what was deployed, beside that of SAM's translator here."""

    def body(stage: str) -> Any:
        found = stack.client("cloudformation").get_template(StackName=stack.name, TemplateStage=stage)["TemplateBody"]
        return _plain(yaml_parse(found) if isinstance(found, str) else found)

    theirs, ours = body("Processed")["Resources"], _plain(transformed(body("Original"), stack.parameters)["Resources"])
    expect(theirs.keys() == ours.keys(), f"AWS made {theirs.keys() - ours.keys()}, but not {ours.keys() - theirs.keys()}")
    different = sorted(name for name in ours if ours[name] != theirs[name])
    for name in different:
        yield f"{name} on AWS: {json.dumps(theirs[name], sort_keys=True)}"
        yield f"{name} here:   {json.dumps(ours[name], sort_keys=True)}"
        yield f"differs\tAWS's transform makes another {name} than SAM's translator"
    yield figure("resources", f"{len(theirs)}, of which {len(different)} differ from the local transform")


def routes(stack: Deployed) -> Iterator[str]:
    found = pages(stack.client("apigatewayv2"), "get_routes", "Items", ApiId=stack.outputs["ApiId"])
    keys, functions = {it["RouteKey"] for it in found}, stack.list_physical_ids("AWS::Lambda::Function")
    wanted = {
        f"{event['Properties']['Method']} {event['Properties']['Path']}"
        for name, resource in _template()["Resources"].items()
        for event in resource.get("Properties", {}).get("Events", {}).values()
        if name in functions and event["Type"] == "HttpApi"
    }
    yield from sorted(keys)
    yield figure("routes", len(keys))
    expect(keys == wanted, f"it lacks {sorted(wanted - keys)}, and has {sorted(keys - wanted)} besides")
    lost = [it["RouteKey"] for it in found if not it.get("Target", "").startswith("integrations/")]
    expect(not lost, f"these lead nowhere: {lost}")


def stage(stack: Deployed) -> Iterator[str]:
    found = stack.client("apigatewayv2").get_stage(ApiId=stack.outputs["ApiId"], StageName="$default")
    yield json.dumps({name: it for name, it in found.items() if name != "ResponseMetadata"}, default=str)
    ours = _template()["Resources"]["Api"]["Properties"]
    settings = {**found.get("RouteSettings", {}), "default": found.get("DefaultRouteSettings", {})}
    for route, wanted in {**ours["RouteSettings"], "default": ours["DefaultRouteSettings"]}.items():
        for limit, value in wanted.items():
            number = float(stack.parameters[value["Ref"]] if isinstance(value, dict) else value)
            has = settings.get(route, {}).get(limit)
            expect(has == number, f"{limit} of {route} is {has}, not {number:g}")
    log = {"DestinationArn": "", "Format": "{}", **found.get("AccessLogSettings", {})}
    is_ours = log["DestinationArn"].removesuffix(":*").endswith(f":/aws/vendedlogs/{stack.name}/api")
    expect(is_ours and {"route", "status"} <= json.loads(log["Format"]).keys(), f"the access log is {log}")
    yield figure("limits", f"{len(settings)} routes have the template's")


def metrics(stack: Deployed) -> Iterator[str]:
    """Those that exist, and those that alarms name and which do not: most are not there until something goes wrong."""
    cloudwatch, own = stack.client("cloudwatch"), {"Name": "service", "Value": stack.name}
    found = pages(cloudwatch, "list_metrics", "Metrics", Namespace=_NAMESPACE, Dimensions=[own])
    found += pages(cloudwatch, "list_metrics", "Metrics", Namespace=f"{_NAMESPACE}/{stack.name}")
    names = sorted({it["MetricName"] for it in found})
    watched = {it["MetricName"] for it in _parts(_template()) if it.get("Namespace") == _NAMESPACE and "MetricName" in it}
    yield f"exist: {' '.join(names)}"
    yield f"of the alarms', do not exist: {' '.join(sorted(watched - {*names}))}"
    yield figure("metrics", f"{len(names)} exist; of {len(watched)} that alarms watch {len(watched & {*names})}")
    expect("TokensCreated" in names, "the metric TokensCreated does not exist")


def alarms(stack: Deployed) -> Iterator[str]:
    """Wait until QUIET seconds have gone since the stack was made."""
    [described] = stack.client("cloudformation").describe_stacks(StackName=stack.name)["Stacks"]
    age = max(0, (datetime.now(UTC) - described["CreationTime"]).total_seconds())
    time.sleep(max(0, float(os.environ.get("QUIET", QUIET)) - age))
    names = [*stack.list_physical_ids("AWS::CloudWatch::Alarm").values()]
    found = pages(stack.client("cloudwatch"), "describe_alarms", "MetricAlarms", AlarmNames=names)
    for it in found:
        yield f"{it['StateValue']:<18} {it['AlarmName']}  {it.get('StateReason', '')}"
    yield figure("alarms", ", ".join(f"{times} {it}" for it, times in Counter(it["StateValue"] for it in found).items()))
    expect(len(names) == len(found) > 0, f"{len(names)} alarms were made, {len(found)} exist")
    unseen = [
        it["AlarmName"] for it in found if it["StateValue"] == "INSUFFICIENT_DATA" and it.get("TreatMissingData") != "ignore"
    ]
    if unseen:  # to these, nothing counts as something
        yield f"differs\t{len(unseen)} alarms have no state, so nothing shows that they work: {', '.join(unseen)}"
    on = [it["AlarmName"] for it in found if it["StateValue"] == "ALARM"]
    expect(not on, f"in ALARM: {', '.join(on)}")


def logs(stack: Deployed) -> Iterator[str]:
    """What the stack has logged, without the routine, and how often each kind of error. None may be a bug."""
    kinds, left, client = Counter[str](), MOST_LINES, stack.client("logs")
    for name, group in sorted(stack.list_physical_ids("AWS::Logs::LogGroup").items()):
        for event in pages(client, "filter_log_events", "events", logGroupName=group):
            line = Line(event["eventId"], event["timestamp"], event["message"].rstrip("\n"))
            kind = kind_of(line)
            kinds.update([kind] if kind else [])
            if kind or (not line.is_routine and (left := left - 1) >= 0):
                yield f"{name} {line.at:%H:%M:%S} {line.text}"
    yield f"{max(0, -left)} lines are left out"
    for kind, times in kinds.most_common():
        yield figure(f"log: {kind}", times)
    bugs = [kind for kind in kinds if kind.startswith("bug")]
    expect(not bugs, f"the log has {bugs}")


def kind_of(line: Line) -> str:
    """Which error a line is about. Empty for none."""
    record = line.record
    if line.failure:
        return f"bug: an invocation ended with {line.failure}"
    if record is None:
        return "bug: a line that is no JSON"
    if record.get("level") in ("ERROR", "CRITICAL", "FATAL"):
        return f"bug: {record.get('errorType', record.get('message'))}"
    if re.match(r"5\d\d$", status := str(record.get("status", ""))):
        return f"{status} {record.get('error') or record.get('refused') or record.get('integrationError') or ''}".strip()
    return str(record.get("error") or record.get("refused") or "").strip("-")


def _template() -> Any:
    return _plain(yaml_parse((ROOT / "template.yaml").read_text()))


def _plain(part: Any) -> Any:
    return json.loads(json.dumps(part))


def _parts(part: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in a template."""
    if isinstance(part, dict):
        yield part
    for it in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _parts(it)


def pages(client: Any, operation: str, member: str, **given: Any) -> list[Any]:
    return [it for page in client.get_paginator(operation).paginate(**given) for it in page.get(member, [])]
