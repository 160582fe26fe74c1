"""Apps of CDK with the construct: synthesised without an account, and deployed as `cdk deploy` does."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.e2e.built import Built
from tests.support.node import node
from tests.support.programs import printed
from tools.checkout import CODE
from tools.release import cdk_package
from tools.release.archive import ARCHITECTURES, LAYERS
from tools.release.cdk_package import FOLDER
from waitpoints_local.deployment import SOON
from waitpoints_local.stack import REGION, Emulator

STRICT = ("--strict", "--exactOptionalPropertyTypes", "--module", "nodenext", "--target", "es2022", "--skipLibCheck")
DEFAULT, OTHER = ARCHITECTURES
BOOTSTRAPPED = "/cdk-bootstrap/hnb659fds/version"


class Project:
    """A folder in which npm has installed the package, with the code of a build, and what it needs."""

    def __init__(self, folder: Path, build: Built) -> None:
        self.folder = folder
        self._node = node(FOLDER)
        code = {name: self._archive(build, function) for name, function in CODE.items()}
        layers = {f"{OTHER}/{layer}.zip": f"{layer} of {OTHER}".encode() for layer in LAYERS}
        layers |= {f"{DEFAULT}/{layer}.zip": self._archive(build, layer) for layer in LAYERS}
        for path, content in cdk_package.content_of(cdk_package.template(), code, layers).items():
            file = folder / "node_modules" / "waitpoints-cdk" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        for name in ("@types", "aws-cdk-lib", "constructs"):
            (folder / "node_modules" / name).symlink_to(FOLDER / "node_modules" / name)

    @staticmethod
    def _archive(build: Built, name: str) -> bytes:
        return (build.folder / f"{name}.artifact").read_bytes()

    def compile(self, *files: str) -> str:
        """Compile files to JavaScript beside them, as strictly as TypeScript can. Returns what is wrong."""
        compiler = FOLDER / "node_modules" / "typescript" / "bin" / "tsc"
        return self._run(str(compiler), *STRICT, *files)

    def synthesise(self, program: str, *arguments: str) -> str:
        """Run a program that leaves the folder `cdk.out`. Returns what it prints."""
        return self._run(program, *arguments)

    def template(self, stack: str) -> dict[str, Any]:
        return json.loads((self.folder / "cdk.out" / f"{stack}.template.json").read_text())

    def uploaded(self, stack: str) -> dict[str, bytes]:
        """The content of each asset of a stack, by its key."""
        out = self.folder / "cdk.out"
        files = json.loads((out / f"{stack}.assets.json").read_text())["files"].values()
        contents = ((it["destinations"].values(), (out / it["source"]["path"]).read_bytes()) for it in files)
        return {destination["objectKey"]: content for destinations, content in contents for destination in destinations}

    def released(self, path: str) -> bytes:
        """A file of the package's release."""
        return (self.folder / "node_modules" / "waitpoints-cdk" / "release" / path).read_bytes()

    def _run(self, *command: str) -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "CDK_OUTDIR": "cdk.out"}
        return printed([self._node, *command], self.folder, environment)


def deploy(out: Path, emulator: Emulator, name: str) -> None:
    """Upload a stack's assets, and create or update it. The account is bootstrapped."""
    account = emulator.client("sts").get_caller_identity()["Account"]
    emulator.client("ssm").put_parameter(Name=BOOTSTRAPPED, Value="30", Type="String", Overwrite=True)
    assets: Mapping[str, Any] = json.loads((out / f"{name}.assets.json").read_text())["files"]
    s3 = emulator.client("s3")
    for asset in assets.values():
        for destination in asset["destinations"].values():
            bucket = destination["bucketName"].replace("${AWS::AccountId}", account).replace("${AWS::Region}", REGION)
            s3.create_bucket(Bucket=bucket)
            s3.put_object(Bucket=bucket, Key=destination["objectKey"], Body=(out / asset["source"]["path"]).read_bytes())
    cloudformation = emulator.client("cloudformation")
    change = "update" if name in {it["StackName"] for it in cloudformation.describe_stacks()["Stacks"]} else "create"
    template = next(it for it in assets.values() if it["source"]["path"] == f"{name}.template.json")
    key = next(iter(template["destinations"].values()))["objectKey"]
    getattr(cloudformation, f"{change}_stack")(
        StackName=name, TemplateURL=f"{emulator.url}/{bucket}/{key}", Capabilities=["CAPABILITY_IAM"]
    )
    cloudformation.get_waiter(f"stack_{change}_complete").wait(StackName=name, WaiterConfig=SOON)
