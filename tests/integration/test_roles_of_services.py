"""Each permission of the roles that AWS's own services take is needed: Scheduler's for timers and rounds, Step Functions'.

`tests/faults/test_permissions.py` has the roles of the functions. What each service does with its role is read from what it is
told to do: the target of a schedule, the tasks of a state machine.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

import pytest

from tests.support.in_process.template import ROOT
from tests.support.processed_template import attributes, processed, statements, texts


@dataclass(frozen=True)
class Permission:
    role: str
    action: str
    resource: str

    def allows(self, need: "Permission") -> bool:
        return (self.role, self.action) == (need.role, need.action) and fnmatchcase(need.resource, self.resource)


def granted() -> list[Permission]:
    of_functions = {f"{name}Role" for name in processed().resources("AWS::Lambda::Function")}
    roles = processed().resources("AWS::IAM::Role").keys() - of_functions
    found = [(role, statement) for role, statement in statements() if role in roles]
    return [
        Permission(role, action, resource)
        for role, statement in found
        for action in texts(statement["Action"])
        for resource in texts(statement["Resource"])
    ]


def needed() -> list[Permission]:
    return [need_of(target) for target in schedules()] + list(tasks())


def role_of(arn: str) -> str:
    [name] = [name for name, known in attributes().items() if known["Arn"] == arn]
    return name


def need_of(target: dict[str, str]) -> Permission:
    """What Scheduler does with a target (docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html)."""
    action = {"lambda": "lambda:InvokeFunction", "sqs": "sqs:SendMessage"}[target["Arn"].split(":")[2]]
    return Permission(role_of(target["RoleArn"]), action, target["Arn"])


def schedules() -> Iterator[dict[str, str]]:
    """The targets of the two rounds, and the aliases that they have in a gradual deployment."""
    for schedule in processed().resources("AWS::Scheduler::Schedule").values():
        target = processed().resolve(schedule["Target"], attributes())
        yield target
        yield {**target, "Arn": f"{target['Arn']}:live"}


def tasks() -> Iterator[Permission]:
    """What the example's state machine invokes."""
    [machine] = processed().resources("AWS::StepFunctions::StateMachine").values()
    text = (ROOT / "examples" / "statemachines" / "wait_for_webhook.asl.json").read_text()
    machine = processed().resolve({name: machine[name] for name in ("RoleArn", "DefinitionSubstitutions")}, attributes())
    for name, value in machine["DefinitionSubstitutions"].items():
        text = text.replace(f"${{{name}}}", value)
    for state in json.loads(text)["States"].values():
        if state["Type"] == "Task":
            assert ":lambda:invoke" in state["Resource"], "which permission does this task need?"
            yield Permission(role_of(machine["RoleArn"]), "lambda:InvokeFunction", state["Parameters"]["FunctionName"])


def missing(permissions: list[Permission]) -> list[Permission]:
    return [need for need in needed() if not any(it.allows(need) for it in permissions)]


def test_the_roles_permit_what_the_services_do() -> None:
    assert {need.role for need in needed()} == {"SchedulerRole", "WaitForWebhookRole"}
    assert missing(granted()) == []


def test_the_scheduler_takes_a_role_for_this_account_only() -> None:
    """Else another account could have it act:

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
    """
    trusted = [
        statement
        for role in processed().resources("AWS::IAM::Role").values()
        for statement in role["AssumeRolePolicyDocument"]["Statement"]
        if "scheduler.amazonaws.com" in str(statement["Principal"])
    ]
    assert [it.get("Condition") for it in trusted] == [{"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}]


@pytest.mark.parametrize("number", range(len(granted())), ids=lambda number: f"{granted()[number].role}")
def test_every_permission_is_needed(number: int) -> None:
    assert missing([it for at, it in enumerate(granted()) if at != number])
