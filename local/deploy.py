"""`make deploy ENV=…`: build the stack, and deploy it to an environment of samconfig.toml; to some of them gradually.

Gradually means that each function has an alias `live`, which the API, the stream, the timers and the schedule invoke.
CodeDeploy sends a tenth of the invocations to the new version for ten minutes, then all. If one of ALARMS goes off meanwhile,
all go back to the old version, and the deployment fails.

This is written into a copy of the template. As a parameter it could not be switched off: SAM takes no condition for
`AutoPublishAlias`. And with an alias, a change of a parameter or a layer alone publishes no version, so it would not go live. A
mark in the functions' environment makes each deployment publish one.
"""

import os
import subprocess
import sys
import time
import tomllib

from local.stack import LOCAL, ROOT, LocalError, program

GRADUAL = {"prod": "Canary10Percent10Minutes"}
ALARMS = ("ApiFailedAlarm", "WaitFailedAlarm", "ResumeLateAlarm", "TimerLateAlarm")
COPY = ROOT / "gradual.yaml"  # beside template.yaml, whose paths are relative

_FUNCTION, _VARIABLES = "Globals:\n  Function:\n", "    Environment:\n      Variables:\n"


def gradual(template: str, kind: str, release: str) -> str:
    """Return the text of the template with an alias for each function, to which CodeDeploy shifts as `kind` says.

    The name of ApiFailedAlarm is written out: a reference would make a circle of the API, its functions and their alarm.
    """
    names = [f"!Ref {alarm}" if alarm != "ApiFailedAlarm" else "!Sub '${AWS::StackName}-ApiFailed'" for alarm in ALARMS]
    alias = f"    AutoPublishAlias: live\n    DeploymentPreference: {{Type: {kind}, Alarms: [{', '.join(names)}]}}\n"
    for found in (_FUNCTION, _VARIABLES):
        assert found in template, f"template.yaml has no {found!r}"
    template = template.replace(_FUNCTION, _FUNCTION + alias, 1)
    return template.replace(_VARIABLES, f"{_VARIABLES}        RELEASE: {release}\n", 1)


def environments() -> list[str]:
    """Return the environments of samconfig.toml that are in AWS."""
    configured = tomllib.loads((ROOT / "samconfig.toml").read_text())
    return [name for name in configured if name not in ("version", "local")]


def deploy(environment: str) -> None:
    """Build and deploy to an environment. Raises CalledProcessError if SAM fails."""
    if environment not in environments():
        raise LocalError(f"samconfig.toml has no environment {environment!r}: ENV is one of {', '.join(environments())}")
    template = ROOT / "template.yaml"
    if kind := GRADUAL.get(environment):
        release = time.strftime("'%Y-%m-%dT%H:%M:%SZ'", time.gmtime())
        COPY.write_text(gradual(template.read_text(), kind, release))
        template = COPY
    try:
        sam("build", "--config-env", environment, "--template-file", str(template))
        sam("deploy", "--config-env", environment)
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
