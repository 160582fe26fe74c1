"""The construct for CDK, in Node.js as its page says, and deployed: types, resources, a machine that waits for a token."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.documents import blocks
from tests.support.e2e.api import Api
from tests.support.e2e.built import Built
from tests.support.e2e.cdk import DEFAULT, Project, deploy
from tests.support.e2e.ops import Operator
from tests.support.in_process.template import EVERYTHING, ROOT, Template, parse
from tests.support.processed_template import process
from tools.release.archive import buildable
from tools.release.cdk_package import FOLDER, MACHINE
from tools.stack import LOCAL, emulating
from waitpoints_local.stack import STACK_NAME, Emulator, described, free_port

pytestmark = pytest.mark.thorough  # it compiles the construct, and synthesises stacks

APP = blocks((FOLDER / "README.md").read_text(), "snippet")["app"]
TYPES = """
import { App, Stack } from "aws-cdk-lib";
import { Waitpoints, type WaitpointsProps } from "waitpoints-cdk";

const stack = new Stack(new App(), "types");
const props: WaitpointsProps = { architecture: "x86_64", console: "off", logRetentionDays: 90, retentionDays: 7 };
const { apiUrl, dashboardUrl } = new Waitpoints(stack, "Waitpoints", props);
const texts: [string, string | undefined] = [apiUrl, dashboardUrl];
// @ts-expect-error
new Waitpoints(stack, "Waitpoints", { architecture: "arm" });
// @ts-expect-error
new Waitpoints(stack, "Waitpoints", { logRetentionDays: 2 });
// @ts-expect-error
new Waitpoints(stack, "Waitpoints", { domain: "hooks.example.com" });
// @ts-expect-error
const text: string = dashboardUrl;
"""
PARAMETERS: dict[str, dict[str, Any]] = {
    "none": {},
    "all": {
        **EVERYTHING,
        "Architecture": "x86_64",
        "PermissionsBoundary": "arn:aws:iam::123456789012:policy/boundary",
        "DomainName": "hooks.example.com",
        "CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/one",
        "HostedZoneId": "Z123",
        "DefaultEndpoint": "off",
        "TruststoreUri": "s3://authorities/all.pem",
        "BehindCloudFront": "on",
        "ResumableStateMachines": "arn:aws:states:us-east-1:123456789012:stateMachine:orders*",
        "CallbackConcurrency": "20",
        "ResumeConcurrency": "30",
        "RetentionDays": 7,
        "KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/one",
        "SubnetIds": "subnet-0a1b,subnet-2c3d",
        "SecurityGroupIds": "sg-4e5f",
        "EventBusName": "orders",
        "AlarmEmail": "operator@example.com",
        "LongestWaitDays": 3,
        "SignInHours": 2.5,
        "Dashboard": "on",
        "LogAddresses": "off",
        "Tracing": "Active",
    },
}
REFUSED = {
    "unknown": ({"domain": "hooks.example.com"}, "domain is no property"),
    "choice": ({"console": True}, 'console is true, but must be "on" or "off"'),
    "kind": ({"brandName": None}, "brandName is null, but must be a string"),
    "number": ({"retentionDays": 0}, "retentionDays is 0, but must be: at least 1; at most 3650"),
    "pattern": (
        {"hostedZoneId": "zone"},
        'hostedZoneId is "zone", but must be: The id of a hosted zone, which begins with Z, or nothing',
    ),
    "length": ({"brandName": "x" * 101}, f'brandName is "{"x" * 59}…, but must be: at most 100 characters'),
    "rule": ({"hostedZoneId": "Z1", "signIn": "required"}, "hostedZoneId needs domainName. signIn=required needs oidcIssuer"),
    "two": (
        {"console": "of", "retentionDays": "7"},
        'console is "of", but must be "on" or "off". retentionDays is "7", but must be a whole number',
    ),
    "hours": ({"signInHours": "2.5"}, 'signInHours is "2.5", but must be a number'),
    "fraction": ({"retentionDays": 7.5}, "retentionDays is 7.5, but must be a whole number"),
    "name": (
        {"resumableStateMachines": "orders*"},
        'resumableStateMachines is "orders*", but must be: One ARN, which may have wildcards, or nothing',
    ),
}
STACKS = """
const { App, CfnParameter, Stack } = require("aws-cdk-lib");
const { CfnCertificate } = require("aws-cdk-lib/aws-certificatemanager");
const { EventBus } = require("aws-cdk-lib/aws-events");
const { Role, ServicePrincipal } = require("aws-cdk-lib/aws-iam");
const { Topic } = require("aws-cdk-lib/aws-sns");
const { Waitpoints } = require("waitpoints-cdk");

const app = new App();
const refused = {};
function attempt(name, make) {
  const stack = new Stack(app, name);
  try { make(stack); } catch (error) { refused[name] = error.message; }
}
for (const [name, props] of Object.entries(JSON.parse(process.argv[2]))) {
  attempt(name, (stack) => new Waitpoints(stack, "Waitpoints", props));
}
attempt("second", (stack) => { new Waitpoints(stack, "One"); new Waitpoints(stack, "Other"); });
attempt("late", (stack) => new Waitpoints(stack, "Waitpoints", { tracing: new CfnParameter(stack, "Tracing").valueAsString }));
attempt("attributes", (stack) => {
  const name = new CfnParameter(stack, "Domain").valueAsString;
  const waitpoints = new Waitpoints(stack, "Waitpoints", {
    domainName: name,
    certificateArn: new CfnCertificate(stack, "Certificate", { domainName: name }).ref,
    eventBusName: new EventBus(stack, "Bus").eventBusName,
    alarmTopicArn: new Topic(stack, "Topic").topicArn,
  });
  for (const method of ["grantCreate", "grantWait", "grantComplete"]) {
    waitpoints[method](new Role(stack, method, { assumedBy: new ServicePrincipal("states.amazonaws.com") }));
  }
  waitpoints.apiKey.grantRead(new Role(stack, "grantRead", { assumedBy: new ServicePrincipal("lambda.amazonaws.com") }));
});
app.synth();
console.log(JSON.stringify(refused));
"""

BUNDLED = 'try { require("./bundle/lib/index.js"); } catch (error) { console.log(error.message); }'


@pytest.fixture(scope="module")
def project(current_build: Built, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("cdk"), current_build)


@pytest.fixture(scope="module")
def app(project: Project) -> Path:
    """The folder with what the page's app synthesises, once its types are checked."""
    (project.folder / "app.ts").write_text(APP)
    (project.folder / "types.ts").write_text(TYPES)
    assert project.compile("app.ts", "types.ts") == ""
    project.synthesise("app.js")
    return project.folder / "cdk.out"


@pytest.fixture(scope="module")
def refused(project: Project) -> dict[str, str]:
    """Why a stack was refused, by its name. The templates of the others are in the project."""
    (project.folder / "stacks.js").write_text(STACKS)
    cases = {name: as_properties(it) for name, it in PARAMETERS.items()} | {name: props for name, (props, _) in REFUSED.items()}
    return json.loads(project.synthesise("stacks.js", json.dumps(cases)))


def as_properties(parameters: dict[str, Any]) -> dict[str, Any]:
    return {name[0].lower() + name[1:]: value for name, value in parameters.items()}


@pytest.mark.parametrize("name", REFUSED)
def test_a_mistake_is_told_at_synthesis(refused: dict[str, str], name: str) -> None:
    assert refused[name] == f"{name}/Waitpoints: {REFUSED[name][1]}"


def test_no_other_stack_is_refused_but_a_second_in_it_and_a_choice_that_comes_late(refused: dict[str, str]) -> None:
    assert refused.keys() == {*REFUSED, "second", "late"}
    assert refused["second"] == "second/Other: a stack can have only one, so make it in a stack of its own"
    assert refused["late"] == "late/Waitpoints: tracing must be known at synthesis, and not be an attribute of a resource"


def test_modules_without_the_release_beside_them_say_what_to_do(project: Project) -> None:
    """A bundler leaves them so."""
    shutil.copytree(project.folder / "node_modules" / "waitpoints-cdk" / "lib", project.folder / "bundle" / "lib")
    (project.folder / "bundled.js").write_text(BUNDLED)
    missing = project.folder / "bundle" / "release" / "template.json"
    told = f"{missing} is missing: install the package waitpoints-cdk that a release has, and do not bundle it"
    assert project.synthesise("bundled.js") == f"{told}\n"


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_resources_are_those_of_the_archive(project: Project, refused: dict[str, str], name: str) -> None:
    given = {name: str(value) for name, value in PARAMETERS[name].items()}
    archive = process(parse(buildable((ROOT / "template.yaml").read_text(), given.get("Architecture", "arm64"))), given)
    template = project.template(name)
    assert "Transform" not in template
    ours, theirs = made(template, {}), made(archive, given)
    assert ours.keys() == theirs.keys()
    assert name != "all" or len(ours) == len(archive["Resources"])
    assert {name: it for name, it in ours.items() if theirs[name] != it} == {}
    assert shown(template, {}) == shown(archive, given)


@pytest.mark.parametrize("name", PARAMETERS)
def test_each_resource_has_its_own_file_of_its_architecture(project: Project, refused: dict[str, str], name: str) -> None:
    uploaded, template = project.uploaded(name), project.template(name)
    architecture = PARAMETERS[name].get("Architecture", DEFAULT)
    found = 0
    for logical_id, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Lambda::Function":
            file, key = "console.zip" if logical_id == "ShowConsole" else "functions.zip", properties["Code"]["S3Key"]
        elif resource["Type"] == "AWS::Lambda::LayerVersion":
            file, key = f"{architecture}/{plain(logical_id)}.zip", properties["Content"]["S3Key"]
        elif resource["Type"] == "AWS::StepFunctions::StateMachine":
            file, key = MACHINE, properties["DefinitionS3Location"]["Key"]
        else:
            continue
        assert uploaded[key] == project.released(file), logical_id
        found += 1
    assert found > 30


def made(body: dict[str, Any], parameters: dict[str, str]) -> dict[str, Any]:
    """The resources of a stack as CloudFormation makes them, by ids without the hash of a layer's content."""
    template = Template({"Conditions": {}, **json.loads(plain(json.dumps(body)))}, parameters)
    resources = template.body["Resources"]
    return {
        name: canonical(template.resolve({key: value for key, value in it.items() if key not in LEFT_OUT}, known(resources)))
        for name, it in resources.items()
        if template.has(name)
    }


def shown(body: dict[str, Any], parameters: dict[str, str]) -> dict[str, Any]:
    """The outputs of a stack."""
    template = Template({"Conditions": {}, **body}, parameters)
    having = {name: it for name, it in body["Outputs"].items() if holds(template, it)}
    return {name: template.resolve(it["Value"], known(body["Resources"])) for name, it in having.items()}


def holds(template: Template, output: dict[str, Any]) -> bool:
    return "Condition" not in output or template.resolve({"Condition": output["Condition"]}, {})


LEFT_OUT = ("Metadata", "Condition")
ATTRIBUTES = ("Arn", "Id", "ApiEndpoint", "QueueName", "RegionalDomainName", "RegionalHostedZoneId", "StreamArn")


def known(resources: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {name: {it: f"{name}.{it}" for it in ("Ref", *ATTRIBUTES)} for name in resources}


def plain(text: str) -> str:
    return re.sub(r"(\w+Layer)[0-9a-f]{10}\b", r"\1", text)


def canonical(part: Any) -> Any:
    """A part with its files as one text, and its numbers and switches as CloudFormation reads them."""
    if isinstance(part, list):
        return [canonical(it) for it in part]
    if isinstance(part, dict):
        is_file = part.keys() in ({"S3Bucket", "S3Key"}, {"Bucket", "Key"})
        return "a file" if is_file else {name: canonical(it) for name, it in part.items()}
    return json.dumps(part) if isinstance(part, bool | int | float) else part


def test_another_resources_attribute_is_a_value(project: Project, refused: dict[str, str]) -> None:
    """CloudFormation's conditions could not refer to it."""
    template = project.template("attributes")
    resources = template["Resources"]
    assert not template.keys() & {"Conditions", "Mappings"}
    [domain] = resources["ApiDomain"]["Properties"]["DomainNameConfigurations"]
    assert domain["CertificateArn"] == {"Ref": "Certificate"}
    assert resources["EventBusExists"]["Properties"]["EventBusName"]["Ref"].startswith("Bus")
    assert resources["CreateToken"]["Properties"]["Environment"]["Variables"]["BASE_URL"] == {
        "Fn::Sub": ["https://${DomainName}", {"DomainName": {"Ref": "Domain"}}]
    }


@pytest.mark.parametrize(
    ("method", "action", "resource"),
    [
        ("grantCreate", "lambda:InvokeFunction", ["CreateTokenInState", "Arn"]),
        ("grantWait", "lambda:InvokeFunction", ["WaitForToken", "Arn"]),
        ("grantComplete", "lambda:InvokeFunction", ["CompleteTokenInState", "Arn"]),
        ("grantRead", "secretsmanager:GetSecretValue", ["ApiKey", "Id"]),
    ],
)
def test_a_grant_allows_one_thing(
    project: Project, refused: dict[str, str], method: str, action: str, resource: list[str]
) -> None:
    resources = project.template("attributes")["Resources"]
    [policy] = [it for name, it in resources.items() if name.startswith(f"{method}DefaultPolicy")]
    [statement] = policy["Properties"]["PolicyDocument"]["Statement"]
    actions, where = ([it] if isinstance(it, str | dict) else it for it in (statement["Action"], statement["Resource"]))
    assert statement["Effect"] == "Allow"
    assert actions[0] == action
    assert set(re.findall(r'"Fn::GetAtt": (\["\w+", "\w+"\])', json.dumps(where))) == {json.dumps(resource)}


def test_a_machine_of_the_pages_app_waits_for_a_token_to_its_end(app: Path) -> None:
    folder = LOCAL / "e2e-cdk"
    with emulating(free_port(), folder) as emulator:
        deploy(app, emulator, STACK_NAME)
        with described(emulator, folder) as stack:
            runs_to_its_end(Api(stack), emulator)
            status, output = Operator(stack).run("doctor")  # knows the ids of the template's outputs
            assert status == 0, output


def runs_to_its_end(api: Api, emulator: Emulator) -> None:
    machine = approval(emulator)
    execution = api.stack.client("stepfunctions").start_execution
    completed, failed = api.create(), api.create(timeout="1s")
    runs = [execution(stateMachineArn=machine, input=json.dumps({"token": it}))["executionArn"] for it in (completed, failed)]
    api.wait_until_registered(completed)
    path = completed["url"].partition("/api/v1/")[2]
    assert api.request("POST", f"/api/v1/{path}", {"approved": True}, key=None).json == {"success": True}
    status, output = api.result(runs[0])
    assert (status, output["ok"], output["output"]) == ("SUCCEEDED", True, {"approved": True})
    assert api.result(runs[1]) == ("FAILED", "WaitpointTimeoutError")


def approval(emulator: Emulator) -> str:
    """The ARN of the app's own state machine."""
    pages = emulator.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK_NAME)
    found = [it for page in pages for it in page["StackResourceSummaries"] if it["ResourceType"].endswith("::StateMachine")]
    [arn] = [str(it["PhysicalResourceId"]) for it in found if it["LogicalResourceId"].startswith("Approval")]
    return arn


def test_a_stack_that_sam_made_goes_on_as_the_apps(app: Path, current_build: Built, tmp_path: Path) -> None:
    with emulating(free_port(), tmp_path) as emulator:
        current_build.deploy(emulator)
        with described(emulator, tmp_path) as before:
            waiting = Api(before).create()
        deploy(app, emulator, STACK_NAME)
        with described(emulator, tmp_path) as after:
            assert (after.table_name, after.api_key, after.api_url) == (before.table_name, before.api_key, before.api_url)
            assert Api(after).retrieve(waiting)["status"] == "WAITING"
            runs_to_its_end(Api(after), emulator)
