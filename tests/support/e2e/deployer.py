"""Somebody who deploys to an emulator with the SAM CLI, and has no other program, configuration or credentials."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.e2e.api import Api
from tests.support.programs import Ended, ended
from tools.stack import LOCAL
from waitpoints_local.stack import DECISIONS, REGION, Emulator, Endpoint, describe

EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
"""The policy of an administrator."""
ENTERS = "\n" * 200


@dataclass(frozen=True)
class Deployer:
    """`home` has their programs. What `path` names comes after them."""

    emulator: Emulator
    home: Path
    credentials: Mapping[str, str]
    path: str = ""

    def sam(self, folder: Path, *arguments: str, answers: str = "") -> Ended:
        """Run the SAM CLI in a folder. Each line of `answers` answers one question."""
        self.home.mkdir(exist_ok=True)
        if not (program := self.home / "sam").exists():
            program.symlink_to(LOCAL / "sam" / "bin" / "sam")
        environment = {
            "PATH": os.pathsep.join(filter(None, (str(self.home), self.path))),
            "HOME": str(self.home),
            "AWS_ENDPOINT_URL": self.emulator.url,
            "AWS_DEFAULT_REGION": REGION,
            "SAM_CLI_TELEMETRY": "0",
            "SAM_CLI_POLL_DELAY": "0.5",
            "NO_PROXY": "127.0.0.1",
            "LC_ALL": "C.UTF-8",
            **self.credentials,
        }
        command = [str(program), *arguments]
        return ended(command, folder, environment, typed=answers)


def deploys_with_enter_and_again(folder: Path, deployer: Deployer, *options: str) -> None:
    """`sam deploy --guided` makes a stack that works, with Enter for each answer, and `sam deploy` finds nothing to change."""
    guided = deployer.sam(folder, "deploy", "--guided", *options, answers=ENTERS)
    assert guided.returncode == 0, guided.stdout + guided.stderr
    assert Api(describe(deployer.emulator)).create()["id"].startswith("waitpoint_")
    again = deployer.sam(folder, "deploy", *options)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "authentication" not in guided.stdout + again.stdout
    assert "No changes to deploy" in again.stdout + again.stderr


def limited_to(name: str, policy: dict[str, Any], emulator: Endpoint) -> dict[str, str]:
    """Return credentials of a new role that may do what a policy says, and no more."""
    iam = emulator.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="deploys", PolicyDocument=json.dumps(policy))
    session = emulator.client("sts").assume_role(RoleArn=arn, RoleSessionName="deploys")["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
        "AWS_SESSION_TOKEN": session["SessionToken"],
    }


def decided(folder: Path, name: str) -> dict[str, str]:
    """What IAM decided about each action of such a role, in an emulator whose files are in this folder."""
    decisions = [json.loads(line) for line in (folder / DECISIONS).read_text().splitlines()]
    return {action: decision for who, action, decision in decisions if f"/{name}/" in who}
