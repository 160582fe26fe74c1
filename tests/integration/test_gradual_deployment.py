"""What `make deploy` hands to AWS: the environments of samconfig.toml, and a template that is deployed gradually."""

import json
import re
import subprocess
import tomllib
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.support.cloudwatch import Alarm
from tests.support.in_process.template import EVERYTHING, ROOT, Template
from tests.support.processed_template import check_order, process, processed, processed_gradually, references
from tools import before_traffic, deploy
from tools.deploy import ALARMS, GRADUAL, SCHEDULED, UNSEEN, environments
from tools.stack import program
from waitpoints_local.stack import LocalError

pytestmark = pytest.mark.slow  # transforms the template again and again

CONFIGURED = tomllib.loads((ROOT / "samconfig.toml").read_text())
WHOLE = Template.load(EVERYTHING)
FUNCTIONS = [function.logical_id for function in WHOLE.functions().values()]


def gradually() -> dict[str, Any]:
    """The resources of a gradual deployment, after SAM's transform."""
    return processed_gradually().body["Resources"]


def of_kind(kind: str) -> dict[str, Any]:
    return {name: it for name, it in gradually().items() if it["Type"] == kind}


def properties_of(kind: str) -> list[Any]:
    return [it["Properties"] for it in of_kind(kind).values()]


def test_a_usual_deployment_has_none_of_it() -> None:
    kinds = {resource["Type"] for resource in processed().body["Resources"].values()}
    assert "AWS::Lambda::Function" in kinds
    assert not {kind for kind in kinds if "CodeDeploy" in kind or kind in ("AWS::Lambda::Alias", "AWS::Lambda::Version")}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_function_is_shifted_to_its_new_version(function: str) -> None:
    alias, group = gradually()[f"{function}Aliaslive"], gradually()[f"{function}DeploymentGroup"]["Properties"]
    assert alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]["DeploymentGroupName"] == {"Ref": f"{function}DeploymentGroup"}
    assert shift(function) in str(group["DeploymentConfigName"])
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    alarms = {str(alarm["Name"]) for alarm in group["AlarmConfiguration"]["Alarms"]}
    assert alarms == {str(name_of(alarm)) for alarm in ALARMS}


def shift(function: str) -> str:
    """The console's page names files of its own version only, so a tenth of the requests would find none for ten minutes."""
    return "AllAtOnce" if function == "ShowConsole" else GRADUAL["prod"]


def test_no_alarm_that_is_on_without_data_stops_a_deployment() -> None:
    """A function that the deployment brings has no data yet, nor has one whose rounds are seldom."""
    alarms = Template.load().resources("AWS::CloudWatch::Alarm")
    without_data = {name for name, it in alarms.items() if it["TreatMissingData"] == "breaching"}
    assert "TimersBehindAlarm" in without_data
    assert without_data.isdisjoint(ALARMS)


def name_of(alarm: str) -> Any:
    """How a deployment refers to an alarm: by the name that the template gives it, if it does."""
    return gradually()[alarm]["Properties"].get("AlarmName", {"Ref": alarm})


def test_one_error_of_the_new_version_that_no_caller_sees_stops_the_deployment() -> None:
    alarm = Alarm(gradually()["CanaryFailedAlarm"]["Properties"])
    assert "CanaryFailedAlarm" in ALARMS
    metrics: dict[str, dict[float, float]] = {it.lower(): {} for it in UNSEEN}
    assert set(alarm.states(metrics, 600)) == {"OK"}
    for function in UNSEEN:
        states = alarm.states({**metrics, function.lower(): {65: 1}}, 600)
        assert (states[0], states[1], states[-1]) == ("OK", "ALARM", "OK")


@pytest.mark.parametrize("late", [30, 60, 90, 180])
def test_an_error_stops_the_deployment_though_its_minute_is_known_later(late: int) -> None:
    """StartTimers is invoked each minute, and the metrics of the newest minutes are still to come."""
    alarm = Alarm(gradually()["CanaryFailedAlarm"]["Properties"])
    metrics: dict[str, dict[float, float]] = {it.lower(): {} for it in UNSEEN}
    metrics["starttimers"] = {at: float(at == 125) for at in range(5, 600, 60)}
    states = alarm.states(metrics, 600, dict.fromkeys(metrics, late))
    assert 3 * 60 <= 60 * (states.index("ALARM") + 1) <= 3 * 60 + late + 60


def test_no_alarm_of_a_gradual_deployment_fills_a_minute_whose_data_is_still_to_come() -> None:
    alarms = of_kind("AWS::CloudWatch::Alarm")
    assert {"CanaryFailedAlarm", "ApiFailedAlarm"} <= alarms.keys()
    assert [name for name, it in alarms.items() if "FILL" in str(it["Properties"])] == []


def test_docs_costs_has_the_price_of_its_alarm() -> None:
    new = of_kind("AWS::CloudWatch::Alarm").keys() - processed().resources("AWS::CloudWatch::Alarm").keys()
    assert new == {"CanaryFailedAlarm"}
    metrics = sum("MetricStat" in it for it in gradually()["CanaryFailedAlarm"]["Properties"]["Metrics"])
    assert metrics == 5
    page = (ROOT / "docs" / "costs.md").read_text()
    assert f"| `make deploy ENV=prod` | ${0.10 * metrics:.2f} a month: an alarm on five metrics;" in page


def test_the_errors_are_those_of_the_alias() -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html, Dimensions"""
    found = gradually()["CanaryFailedAlarm"]["Properties"]["Metrics"][1:]
    assert [it["MetricStat"]["Metric"]["Dimensions"] for it in found] == [
        [{"Name": "FunctionName", "Value": {"Ref": it}}, {"Name": "Resource", "Value": {"Fn::Sub": f"${{{it}}}:live"}}]
        for it in UNSEEN
    ]


def test_what_runs_on_a_schedule_is_tried_before_it_gets_traffic() -> None:
    """Of ten minutes' rounds the new StartTimers gets none in one of three deployments, and the new Doctor hardly ever one."""
    scheduled = {re.sub("Aliaslive$", "", it["Target"]["Arn"]["Ref"]) for it in properties_of("AWS::Scheduler::Schedule")}
    aliases = of_kind("AWS::Lambda::Alias")
    tried = {
        re.sub("Aliaslive$", "", name): it["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"].get("BeforeAllowTrafficHook")
        for name, it in aliases.items()
    }
    assert {name for name, hook in tried.items() if hook} == scheduled == SCHEDULED.keys()
    new = [aliases[f"{name}Aliaslive"]["Properties"]["FunctionVersion"]["Fn::GetAtt"][0] for name in SCHEDULED]
    hook, role = gradually()["BeforeTraffic"]["Properties"], gradually()["BeforeTrafficRole"]["Properties"]
    assert hook["Environment"]["Variables"]["VERSIONS"] == {"Fn::Join": [" ", [{"Ref": version} for version in new]]}
    [policy] = role["Policies"]
    assert policy["PolicyDocument"]["Statement"][0]["Resource"] == [{"Ref": version} for version in new]


def test_codedeploy_may_invoke_the_function_that_tries_and_its_code_is_that_of_before_traffic() -> None:
    """Its managed policy allows names that begin so, and code within a template had at most 4 KB for long:

    https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSCodeDeployRoleForLambda.html
    """
    hook = gradually()["BeforeTraffic"]["Properties"]
    assert hook["FunctionName"] == {"Fn::Sub": "CodeDeployHook_${AWS::StackName}"}
    assert hook["Code"]["ZipFile"] == Path(before_traffic.__file__).read_text()
    assert len(hook["Code"]["ZipFile"]) < 4096
    assert gradually()["StartTimers"]["Properties"]["Timeout"] + before_traffic.PATIENCE < hook["Timeout"]


class FakeAws:
    """Lambda and CodeDeploy, whose versions answer as they are told."""

    def __init__(self, **answers: dict[str, str] | Exception) -> None:
        self.answers, self.invoked, self.told = answers, list[str](), list[str]()

    def client(self, _service: str, **_: Any) -> Any:
        return self

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, str]:
        assert Payload == b'{"command": "try"}'
        self.invoked.append(FunctionName)
        answer = self.answers[FunctionName]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def put_lifecycle_event_hook_execution_status(self, **given: str) -> None:
        assert (given["deploymentId"], given["lifecycleEventHookExecutionId"]) == ("d-1", "hook")
        self.told.append(given["status"])


@pytest.mark.parametrize(
    ("timers", "doctor", "told"),
    [
        ({}, {}, "Succeeded"),
        ({"FunctionError": "Unhandled"}, {}, "Failed"),
        ({}, {"FunctionError": "Unhandled"}, "Failed"),
        ({}, TimeoutError(), "Failed"),
    ],
)
def test_a_version_that_fails_when_it_is_tried_gets_no_traffic(
    timers: Any, doctor: Any, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CodeDeploy is told in any case: it would wait for an hour."""
    aws = FakeAws(timers=timers, doctor=doctor)
    monkeypatch.setattr(before_traffic, "boto3", aws)
    monkeypatch.setenv("VERSIONS", "timers doctor")
    with pytest.raises(TimeoutError) if isinstance(doctor, Exception) else nullcontext():
        before_traffic.handler({"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "hook"}, None)
    assert aws.told == [told]
    assert aws.invoked == ["timers", "doctor"][: 1 if timers else 2]


def test_the_resources_have_no_circular_dependency() -> None:
    check_order(gradually())


def test_whatever_invokes_a_function_by_itself_invokes_the_alias() -> None:
    invoked = [it["Properties"]["FunctionName"] for it in of_kind("AWS::Lambda::EventSourceMapping").values()]
    permissions = {name: it for name, it in of_kind("AWS::Lambda::Permission").items() if "PermissionOfFunction" not in name}
    invoked += [it["Properties"]["FunctionName"] for it in permissions.values()]
    invoked += [it["Properties"]["Target"]["Arn"] for it in of_kind("AWS::Scheduler::Schedule").values()]
    assert len(invoked) > len(FUNCTIONS) - 5
    assert [it for it in invoked if not it.get("Ref", "").endswith("Aliaslive")] == []
    [api] = of_kind("AWS::ApiGatewayV2::Api").values()
    routes = re.findall(r"functions/\$\{(\w+)(\.\w+)?\}", str(api["Properties"]["Body"]))
    assert {f"{function.logical_id}Aliaslive" for function in WHOLE.routes().values()} == {name for name, _ in routes}


def needed_by(name: str) -> set[str]:
    """The resources that CloudFormation makes or changes before this one."""
    found: set[str] = set()
    new = {name}
    while new:
        new = {it for one in new for it in references(gradually()[one])} & gradually().keys() - found
        found |= new
    return found


def test_no_request_is_without_a_permission_while_the_api_goes_over_to_aliases_or_back() -> None:
    """CloudFormation deploys the API's routes before the permissions that name the API, and deletes the old ones last."""
    [api] = of_kind("AWS::ApiGatewayV2::Api")
    invoked = {name: it["Properties"]["FunctionName"]["Ref"] for name, it in of_kind("AWS::Lambda::Permission").items()}
    any_api = {function: name for name, function in invoked.items() if api not in needed_by(name)}
    every = {function.logical_id for function in WHOLE.routes().values()}
    assert any_api.keys() == every | {f"{function}Aliaslive" for function in every}
    routes = {function.logical_id for function in Template.load().routes().values()}
    assert {any_api[f"{function}Aliaslive"] for function in routes} <= needed_by(api)


def test_the_api_of_every_stack_is_made_and_what_is_of_an_optional_function_only_with_it() -> None:
    """CloudFormation makes nothing that depends on a resource whose condition is false:

    docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-condition.html
    """
    [api] = of_kind("AWS::ApiGatewayV2::Api").values()
    assert [name for name in api["DependsOn"] if "Condition" in gradually()[name]] == []
    of_slack = {name: it for name, it in of_kind("AWS::Lambda::Permission").items() if name.startswith("AnswerSlack")}
    assert len(of_slack) == 3
    assert {it["Condition"] for it in of_slack.values()} == {"HasSlack"}


def test_only_apis_of_the_account_may_invoke_the_functions_of_the_api() -> None:
    """Lambda compares with StringLike, says its service model of AddPermission's SourceArn."""
    for permission in of_kind("AWS::Lambda::Permission").values():
        assert permission["Properties"]["Principal"] == "apigateway.amazonaws.com"
        source = str(permission["Properties"]["SourceArn"])
        assert ":execute-api:${AWS::Region}:${AWS::AccountId}:" in source


def test_each_deployment_publishes_versions_also_if_only_a_parameter_changed() -> None:
    def versions(release: str) -> set[str]:
        return {*processed_gradually(release).resources("AWS::Lambda::Version")}

    first, second = versions("'2030-01-31T12:00:00Z'"), versions("'2030-01-31T13:00:00Z'")
    assert len(first) == len(FUNCTIONS)
    assert not first & second


def test_nothing_else_is_changed() -> None:
    added = {"AWS::Lambda::Alias", "AWS::Lambda::Version", "AWS::CodeDeploy::Application", "AWS::CodeDeploy::DeploymentGroup"}
    kept = {name for name, it in gradually().items() if it["Type"] not in added} - {
        "CodeDeployServiceRole",
        "CanaryFailedAlarm",
        "BeforeTraffic",
        "BeforeTrafficRole",
    }
    permissions = {re.sub("Permission.*", "", name) for name in kept}  # SAM names some after the alias
    assert permissions == {re.sub("Permission.*", "", name) for name in processed().body["Resources"]}


@pytest.mark.parametrize("environment", ["default", "dev", "staging", "prod"])
def test_each_environment_is_a_stack_of_its_own_with_parameters_of_the_template(environment: str) -> None:
    assert [*environments()] == ["default", "dev", "staging", "prod"]
    configured = CONFIGURED[environment]
    assert len({*environments().values()}) == 4
    assert configured["deploy"]["parameters"]["capabilities"] == "CAPABILITY_IAM"
    declared = Template.load().body["Parameters"]
    for override in configured["global"]["parameters"].get("parameter_overrides", []):
        name, _, value = override.partition("=")
        allowed = declared[name].get("AllowedValues", [value])
        assert value in map(str, allowed)


def ask_sam(code: str) -> Any:
    """Return what SAM CLI's own code finds, run in the project's folder."""
    command = [program("sam", "python"), "-c", code]
    return json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)


def test_sam_asks_of_no_route_whether_it_may_have_no_authentication(tmp_path: Path) -> None:
    """`sam deploy --guided` would ask it 25 times, and the default answer ends the deployment."""
    copy = tmp_path / "template.yaml"
    copy.write_text((ROOT / "template.yaml").read_text())
    found = ask_sam(
        "import json; from samcli.commands.deploy.auth_utils import auth_per_resource;"
        "from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider;"
        f"print(json.dumps(auth_per_resource(SamLocalStackProvider.get_stacks('{copy}')[0])))"
    )
    assert {name for name, _ in found} == {function.logical_id for function in WHOLE.routes().values()}
    assert {has_authentication for _, has_authentication in found} == {True}


def test_what_sam_does_not_ask_about_is_as_open_as_before() -> None:
    """No route gets an authorizer: the functions check keys, and callback URLs are secrets themselves."""
    body = Template.load().body
    with_answer = json.dumps(process(body))
    del body["Resources"]["Api"]["Properties"]["Auth"]
    assert json.dumps(process(body)) == with_answer


def test_the_build_gets_the_parameters_of_the_deployment() -> None:
    """The build installs libraries for the parameter Architecture. SAM itself reads its configuration here."""
    found = ask_sam(
        "import json; from samcli.lib.config.samconfig import SamConfig;"
        "print(json.dumps([[SamConfig('.').get_all([command], 'parameters', environment).get('parameter_overrides', [])"
        " for command in ('build', 'deploy')] for environment in ('default', 'dev', 'staging', 'prod')]))"
    )
    assert [build == deployment for build, deployment in found] == [True] * 4
    assert found[1][0][0] == "RetentionDays=7"


def test_prod_alone_is_gradual_and_its_copy_of_the_template_is_removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CI", raising=False)
    ran: list[tuple[str, ...]] = []
    copies: list[bool] = []

    def sam(*arguments: str) -> None:
        ran.append(arguments)
        copies.append(deploy.COPY.exists())

    monkeypatch.setattr(deploy, "COPY", tmp_path / "gradual.yaml")
    monkeypatch.setattr(deploy, "sam", sam)
    for environment in ("dev", "prod"):
        deploy.deploy(environment)
    assert ran == [
        ("build", "--config-env", "dev", "--template-file", str(ROOT / "template.yaml")),
        ("deploy", "--config-env", "dev"),
        ("build", "--config-env", "prod", "--template-file", str(tmp_path / "gradual.yaml")),
        ("deploy", "--config-env", "prod"),
    ]
    assert copies == [False, False, True, True]
    assert not deploy.COPY.exists()


def test_a_pipeline_is_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(deploy, "COPY", tmp_path / "gradual.yaml")
    monkeypatch.setattr(deploy, "sam", lambda *arguments: ran.append(arguments))
    monkeypatch.setenv("CI", "true")
    deploy.deploy("prod")
    assert ran[1] == ("deploy", "--config-env", "prod", "--no-confirm-changeset")


@pytest.mark.parametrize(("length", "is_taken"), [(49, True), (50, False)])
def test_a_name_that_leaves_no_room_for_codedeploys_is_refused_before_anything_is_built(
    length: int, is_taken: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A function's name has at most 64 characters: docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html."""
    ran: list[str] = []
    monkeypatch.setattr(deploy, "COPY", tmp_path / "gradual.yaml")
    monkeypatch.setattr(deploy, "sam", lambda command, *_: ran.append(command))
    monkeypatch.setattr(deploy, "environments", lambda: dict.fromkeys(("dev", "prod"), "x" * length))
    deploy.deploy("dev")
    with nullcontext() if is_taken else pytest.raises(LocalError, match="stack_name of at most 49 characters"):
        deploy.deploy("prod")
    assert len(ran) == (4 if is_taken else 2)
    name = gradually()["BeforeTraffic"]["Properties"]["FunctionName"]["Fn::Sub"]
    assert len(name.replace("${AWS::StackName}", "x" * 49)) == 64


def test_an_environment_that_is_not_configured_is_refused() -> None:
    with pytest.raises(LocalError, match="ENV is one of default, dev, staging, prod"):
        deploy.deploy("production")
