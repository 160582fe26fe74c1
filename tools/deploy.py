"""`make deploy ENV=…`: build the stack, and deploy it to an environment of samconfig.toml; to some of them gradually.

Gradually means that each function has an alias `live`, which the API, the stream, the timers and the schedule invoke.
CodeDeploy sends a tenth of the invocations to the new version for ten minutes, then all. If one of ALARMS goes off meanwhile,
all go back to the old version, and the deployment fails. Before, `before_traffic.py` tries the versions of what is SCHEDULED.
Only the console goes over at once: its page and its files must be of one version.

This is written into a copy of the template. As a parameter it could not be switched off: SAM takes no condition for
`AutoPublishAlias`. And with an alias, a change of a parameter or a layer alone publishes no version, so it would not go live. A
mark in the functions' environment makes each deployment publish one.
"""

import os
import re
import subprocess
import sys
import textwrap
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path

from tools.stack import LOCAL, ROOT, program
from waitpoints_local.stack import LocalError

GRADUAL = {"prod": "Canary10Percent10Minutes"}
ALARMS = ("ApiFailedAlarm", "WaitFailedAlarm", "ResumeLateAlarm", "TimerLateAlarm", "CanaryFailedAlarm")
UNSEEN = ("ResumeWaiters", "ScheduleTimeouts", "StartTimers", "ExpireTokens", "Doctor")
"""Functions whose errors no caller sees. Most of their retries go to the old version, so one error is one too many.

Not SendNotices: it names the API, so an alarm on it that the API's functions need would be a circle.
"""
SCHEDULED = {"StartTimers": "start_timers", "Doctor": "doctor"}
"""Functions that run on a schedule, and so may not be invoked while versions shift, with their handlers' modules."""
COPY = ROOT / "gradual.yaml"  # beside template.yaml, whose paths are relative

_FUNCTION, _VARIABLES = "Globals:\n  Function:\n", "    Environment:\n      Variables:\n"
_API, _CONSOLE, _OUTPUTS = "    Type: AWS::Serverless::HttpApi\n", "      Handler: show_console.handler\n", "\nOutputs:\n"
_TRIED = "      DeploymentPreference: {Hooks: {PreTraffic: !Ref BeforeTraffic}}\n"
_BOUNDARY = "!If [HasPermissionsBoundary, !Ref PermissionsBoundary, !Ref AWS::NoValue]"
_HOOK_NAME, _LONGEST_NAME = "CodeDeployHook_", 64  # CodeDeploy's role may invoke functions of such names only
_HOOK = """
  BeforeTraffic:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: !Sub {name}${{AWS::StackName}}
      Description: Tries new versions of what runs on a schedule before they get traffic
      Runtime: python3.13
      Architectures: [!Ref Architecture]
      Handler: index.handler
      Timeout: 900
      Role: !GetAtt BeforeTrafficRole.Arn
      LoggingConfig: {{LogFormat: JSON, SystemLogLevel: WARN, LogGroup: !Ref LogGroup}}
      Environment: {{Variables: {{VERSIONS: !Join [" ", [{versions}]]}}}}
      Code:
        ZipFile: |
{code}
  BeforeTrafficRole:
    Type: AWS::IAM::Role
    Properties:
      PermissionsBoundary: {boundary}
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{{Effect: Allow, Principal: {{Service: lambda.amazonaws.com}}, Action: sts:AssumeRole}}]
      ManagedPolicyArns: [!Sub "arn:${{AWS::Partition}}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"]
      Policies:
        - PolicyName: tries
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - {{Effect: Allow, Action: lambda:InvokeFunction, Resource: [{versions}]}}
              - Effect: Allow
                Action: codedeploy:PutLifecycleEventHookExecutionStatus
                Resource: !Sub
                  - arn:${{AWS::Partition}}:codedeploy:${{AWS::Region}}:${{AWS::AccountId}}:deploymentgroup:${{Application}}/*
                  - {{Application: !Ref ServerlessDeploymentApplication}}
"""
_CODEDEPLOY_ROLE = """
  CodeDeployServiceRole:
    Type: AWS::IAM::Role
    Properties:
      PermissionsBoundary: {boundary}
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{{Effect: Allow, Principal: {{Service: [codedeploy.amazonaws.com]}}, Action: [sts:AssumeRole]}}]
      ManagedPolicyArns: [!Sub "arn:${{AWS::Partition}}:iam::aws:policy/service-role/AWSCodeDeployRoleForLambda"]
"""
_PERMISSION = """
  {name}:
    Type: AWS::Lambda::Permission
{condition}    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref {invoked}
      Principal: apigateway.amazonaws.com
      SourceArn: !Sub "arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:*"
"""


def gradual(template: str, kind: str, release: str) -> str:
    """Return the text of the template with an alias for each function, to which CodeDeploy shifts as `kind` says."""
    api_first, permissions = permit(functions_of_the_api(template))
    for found, added in {
        _FUNCTION: aliases(kind),
        _VARIABLES: f"        RELEASE: {release}\n",
        _CONSOLE: "      DeploymentPreference: {Type: AllAtOnce}\n",
        _API: api_first,
        **{f"      Handler: {module}.handler\n": _TRIED for module in SCHEDULED.values()},
    }.items():
        assert template.count(found) == 1, f"template.yaml has {found!r} {template.count(found)} times"
        template = template.replace(found, found + added)
    assert _OUTPUTS in template, "template.yaml has no outputs"
    return template.replace(_OUTPUTS, permissions + canary_alarm() + hook() + codedeploy_role() + _OUTPUTS, 1)


def aliases(kind: str) -> str:
    """The name of ApiFailedAlarm is written out: a reference would make a circle of the API, its functions and their alarm."""
    names = [f"!Ref {alarm}" if alarm != "ApiFailedAlarm" else "!Sub '${AWS::StackName}-ApiFailed'" for alarm in ALARMS]
    shifted = f"Type: {kind}, Alarms: [{', '.join(names)}], Role: !GetAtt CodeDeployServiceRole.Arn"
    return f"    AutoPublishAlias: live\n    DeploymentPreference: {{{shifted}}}\n"


def functions_of_the_api(template: str) -> dict[str, str]:
    """Return the names of the functions, each with its line `Condition`, if it has one."""
    blocks = re.findall(r"^  (\w+):.*\n    <<: [&*]function\b.*\n(    Condition: .*\n)?((?:    .*\n)+)", template, re.MULTILINE)
    return {name: condition for name, condition, block in blocks if "Type: HttpApi" in block}


def permit(functions: Mapping[str, str]) -> tuple[str, str]:
    """Return what the API waits for, and permissions to invoke its functions while they get or lose an alias.

    SAM's own permissions name the API, so CloudFormation makes them only after the API's new routes are live: until then each
    request would be answered 500. These name any API of the account. Those of the aliases are made before the routes change;
    those of the functions are there, from the last gradual deployment, when a usual one takes the aliases away.

    CloudFormation leaves out what depends on a resource that the stack's conditions leave out:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-condition.html
    So the API does not wait for the permission of a route that only some stacks have: for seconds, it may be answered 500.
    """
    of_aliases = {f"{function}PermissionOfAlias": f"{function}.Alias" for function in functions}
    of_functions = {f"{function}PermissionOfFunction": function for function in functions}
    permissions = [
        _PERMISSION.format(name=name, invoked=invoked, condition=functions[invoked.removesuffix(".Alias")])
        for name, invoked in (of_aliases | of_functions).items()
    ]
    first = [name for name, alias in of_aliases.items() if not functions[alias.removesuffix(".Alias")]]
    return f"    DependsOn: [{', '.join(first)}]\n", "".join(permissions)


def canary_alarm() -> str:
    """Return an alarm on the errors of the functions that are UNSEEN, invoked by their aliases, with both versions.

    The dimension is as in https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html, Resource. Lambda's
    metrics come minutes late, so one minute of five decides, and the newest one is not filled.
    """
    sums = " + ".join(function.lower() for function in UNSEEN)
    metrics = [
        f"- Id: {function.lower()}\n          ReturnData: false\n          MetricStat: {{Metric: {{Namespace: AWS/Lambda, "
        f"MetricName: Errors, Dimensions: [{{Name: FunctionName, Value: !Ref {function}}}, "
        f"{{Name: Resource, Value: !Sub '${{{function}}}:live'}}]}}, Stat: Sum, Period: 60}}"
        for function in UNSEEN
    ]
    listed = "\n        ".join([f"- {{Id: errors, Expression: '{sums}'}}", *metrics])
    return f"""
  CanaryFailedAlarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmDescription: While versions shift, a function fails whose errors no caller sees.
      Metrics:
        {listed}
      EvaluationPeriods: 5
      DatapointsToAlarm: 1
      Threshold: 0
      ComparisonOperator: GreaterThanThreshold
      TreatMissingData: notBreaching
"""


def hook() -> str:
    """Return the function that tries the new versions of what is SCHEDULED. Each of their deployments invokes it first.

    As in https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/automating-updates-to-serverless-apps.html
    """
    code = textwrap.indent((Path(__file__).parent / "before_traffic.py").read_text(), " " * 10)
    versions = ", ".join(f"!Ref {function}.Version" for function in SCHEDULED)
    return _HOOK.format(name=_HOOK_NAME, versions=versions, code=code, boundary=_BOUNDARY)


def codedeploy_role() -> str:
    """Return the role with which CodeDeploy shifts the aliases: SAM's own, which has no boundary, with the boundary."""
    return _CODEDEPLOY_ROLE.format(boundary=_BOUNDARY)


def environments() -> dict[str, str]:
    """Return the stack's name in each environment of samconfig.toml that is in AWS."""
    configured = tomllib.loads((ROOT / "samconfig.toml").read_text())
    found = {name: it for name, it in configured.items() if name not in ("version", "local")}
    return {name: it["global"]["parameters"]["stack_name"] for name, it in found.items()}


def deploy(environment: str) -> None:
    """Build and deploy to an environment. Raises CalledProcessError if SAM fails.

    In a pipeline, which says so with the variable CI, SAM shows the changes and asks nobody.
    """
    if environment not in environments():
        raise LocalError(f"samconfig.toml has no environment {environment!r}: ENV is one of {', '.join(environments())}")
    template = ROOT / "template.yaml"
    if kind := GRADUAL.get(environment):
        longest = _LONGEST_NAME - len(_HOOK_NAME)
        if len(environments()[environment]) > longest:
            raise LocalError(f"To deploy gradually, a stack_name of at most {longest} characters is needed in samconfig.toml")
        release = time.strftime("'%Y-%m-%dT%H:%M:%SZ'", time.gmtime())
        COPY.write_text(gradual(template.read_text(), kind, release))
        template = COPY
    try:
        sam("build", "--config-env", environment, "--template-file", str(template))
        sam("deploy", "--config-env", environment, *(["--no-confirm-changeset"] if os.environ.get("CI") else []))
    finally:
        COPY.unlink(missing_ok=True)


def sam(*arguments: str) -> None:
    path = os.pathsep.join([str(LOCAL / "sam" / "bin"), os.environ.get("PATH", "")])
    command = [program("sam", "python"), "-m", "samcli", *arguments]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "PATH": path}, check=True)


def main() -> int:
    try:
        deploy(os.environ.get("ENV") or "default")
    except LocalError as error:
        print(error, file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as failed:
        return failed.returncode
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
