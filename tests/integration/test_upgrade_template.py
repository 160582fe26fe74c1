"""What an update from the previous version's template to this one keeps, from both as CloudFormation gets them."""

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from tests.support import previous
from tests.support.in_process.template import Template, parse
from tests.support.processed_template import process
from tests.support.resource_schemas import create_only

pytestmark = pytest.mark.slow  # transforms the template of the last release

# What holds data, or has an address that callers keep. CloudFormation deletes it when it replaces it.
KEPT = {
    "AWS::ApiGatewayV2::Api",
    "AWS::DynamoDB::Table",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Function",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::Scheduler::ScheduleGroup",
    "AWS::SecretsManager::Secret",
    "AWS::StepFunctions::StateMachine",
}
Body = dict[str, Any]


@cache
def before() -> Body:
    return parse(previous.read("template.yaml"))


@cache
def processed_before() -> Body:
    return process(before())


@cache
def processed_now() -> Body:
    return process(Template.load().body)


def lost(old: Body, new: Body) -> list[str]:
    """The resources of an old processed template that a new one removes or replaces, though they must be kept."""
    found = []
    for name, resource in old["Resources"].items():
        if resource["Type"] not in KEPT:
            continue
        after = new["Resources"].get(name)
        if after is None or after["Type"] != resource["Type"] or after.get("Condition") != resource.get("Condition"):
            found.append(f"{name} goes")
            continue
        properties, properties_after = resource.get("Properties", {}), after.get("Properties", {})
        changed = [it for it in sorted(create_only(resource["Type"])) if properties.get(it) != properties_after.get(it)]
        found += [f"{name} is replaced: {it}" for it in changed]
    return found


def test_nothing_that_holds_data_or_an_address_goes_or_is_replaced() -> None:
    assert {resource["Type"] for resource in processed_before()["Resources"].values()} >= KEPT
    assert lost(processed_before(), processed_now()) == []


LOSING: dict[str, Callable[[Body], object]] = {
    "TimerQueue is replaced: QueueName": lambda it: it["TimerQueue"]["Properties"].update(QueueName="timers"),
    "Table is replaced: KeySchema": lambda it: it["Table"]["Properties"]["KeySchema"].pop(),
    "ApiKey goes": lambda it: it.pop("ApiKey"),
    "ExpireTokensTimers is replaced: EventSourceArn": lambda it: it["ExpireTokensTimers"]["Properties"].update(
        EventSourceArn={"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}
    ),
}


@pytest.mark.parametrize("found", LOSING)
def test_a_change_that_loses_something_is_found(found: str) -> None:
    changed = copy.deepcopy(processed_now())
    LOSING[found](changed["Resources"])
    assert lost(processed_before(), changed) == [found]


def table(processed: Body) -> Body:
    return processed["Resources"]["Table"]["Properties"]


def test_the_table_keeps_its_indexes_and_gets_one_more_at_most() -> None:
    """UpdateTable takes one new index at a time, and an index's projection cannot be changed."""
    found = [Template(it).resolve(table(it)["GlobalSecondaryIndexes"], {}) for it in both()]
    old, new = ({index["IndexName"]: index for index in indexes} for indexes in found)
    assert {name: new.get(name) for name in old} == old
    assert len(new.keys() - old.keys()) <= 1


def test_the_table_keeps_its_stream_and_its_time_to_live() -> None:
    """Another view makes another stream: the consumers would lose the records of the old one."""
    old, new = both()
    for name in ("StreamSpecification", "TimeToLiveSpecification", "BillingMode"):
        assert table(new)[name] == table(old)[name]


def test_no_secret_gets_another_value() -> None:
    """CloudFormation generates a new one when GenerateSecretString changes."""
    old, new = both()
    for name in [name for name, it in old["Resources"].items() if it["Type"] == "AWS::SecretsManager::Secret"]:
        rules = [it["Resources"][name]["Properties"]["GenerateSecretString"] for it in (old, new)]
        assert rules[0] == rules[1], name


def test_every_route_stays_with_its_function() -> None:
    """A route that moved would be answered 500 until API Gateway may invoke its new function."""
    old, new = Template(before()).routes(), Template.load().routes()
    assert {key: new[key].logical_id if key in new else None for key in old} == {
        key: function.logical_id for key, function in old.items()
    }


def limits_that_break_a_way(old: Template, new: Template) -> dict[str, str]:
    """The limits of routes that make an update, or a rollback, fail: "Unable to find Route by key … within … RouteSettings".

    UpdateStage keeps the limits that it is not sent, and refuses those of routes that no longer exist:
    https://github.com/aws/serverless-application-model/issues/1939, https://github.com/go-to-k/cdkd/pull/1577
    """
    before, after = ({*it.body["Resources"]["Api"]["Properties"]["RouteSettings"]} for it in (old, new))
    going = dict.fromkeys(before - after, "keep the limit and its route: an update would fail")
    coming = dict.fromkeys(after - before - {*old.routes()}, "limit a new route one release later: going back would fail")
    return going | coming


def test_no_limit_of_a_route_makes_an_update_or_the_way_back_fail() -> None:
    assert limits_that_break_a_way(Template(before()), Template.load()) == {}


@pytest.mark.parametrize(
    ("missing_before", "missing_now", "found"),
    [
        ("", "ANY /console", "keep the limit and its route: an update would fail"),
        ("ANY /console", "", "limit a new route one release later: going back would fail"),
    ],
)
def test_a_limit_that_comes_or_goes_with_its_route_is_found(missing_before: str, missing_now: str, found: str) -> None:
    def without(route: str) -> Template:
        body = copy.deepcopy(Template.load().body)
        if route:
            del body["Resources"]["Api"]["Properties"]["RouteSettings"][route]
            del body["Resources"]["ShowConsole"]["Properties"]["Events"]["Page"]
        return Template(body)

    assert limits_that_break_a_way(without(missing_before), without(missing_now)) == {"ANY /console": found}


def test_parameters_and_outputs_keep_their_names() -> None:
    for part in ("Parameters", "Outputs"):
        assert before()[part].keys() <= Template.load().body[part].keys()


LOWERED = {"CallbacksPerSecond": 200, "DeliveriesPerSecond": 200, "ViewsPerSecond": 50}
"""What a flood may cost. CHANGELOG says it, for CDK apps, which keep no value."""


def test_a_parameter_keeps_its_default() -> None:
    """Otherwise an upgrade changes what nobody asked it to change."""
    defaults = {name: parameter["Default"] for name, parameter in before()["Parameters"].items()} | LOWERED
    assert {name: Template.load().body["Parameters"][name]["Default"] for name in defaults} == defaults


def both() -> tuple[Body, Body]:
    return processed_before(), processed_now()
