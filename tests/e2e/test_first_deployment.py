"""`sam deploy --guided` with nothing but Enter, and `sam deploy`, with the rights that docs/operation.md gives a deployer."""

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.support import figures
from tests.support.deployer_policy import deployer_policy, without
from tests.support.e2e.built import Built
from tests.support.e2e.deployer import EVERYTHING, Deployer, decided, deploys_with_enter_and_again, limited_to
from tests.support.e2e.folders import LEFT_OUT
from tests.support.e2e.tags import tags_of
from tools.stack import LOCAL, ROOT, emulating, program
from waitpoints_local.deployment import ARTIFACT
from waitpoints_local.stack import ARCHITECTURE, STACK_NAME, Endpoint, clean_environment, free_port

NOT_TAGGED_HERE = {"AWS::Lambda::EventSourceMapping", "AWS::S3::Bucket"}
"""CloudFormation gives them the stack's tags, but MiniStack 1.5.33 does not (its `_STACK_TAG_PROPERTY`)."""


def project(build: Built, folder: Path) -> Path:
    """A folder in which to run `sam deploy`. Its code is zipped already, which SAM would take long for."""
    folder.mkdir()
    template = ARTIFACT.sub(lambda name: str(build.folder / f"{Path(name[0]).name}.artifact"), build.template())
    (folder / "template.yaml").write_text(template)
    shutil.copy(ROOT / "samconfig.toml", folder)
    return folder


def test_nothing_but_enter_deploys_with_the_rights_of_the_page(current_build: Built, tmp_path: Path) -> None:
    """Without those on SAM's own stack SAM takes it for missing, and tries to make it."""
    folder = project(current_build, tmp_path / "project")
    with emulating(free_port(), tmp_path) as emulator:
        account = emulator.client("sts").get_caller_identity()["Account"]
        policy = deployer_policy(account, "waitpoints")
        less = limited_to("less", without(policy, "stack/aws-sam-cli-managed-default"), emulator)
        refused = Deployer(emulator, tmp_path / "home", less).sam(folder, "deploy")
        assert (refused.returncode, "Failed to create managed resources" in refused.stderr) == (1, True), refused.stderr

        deployer = Deployer(emulator, tmp_path / "home", limited_to("deployer", policy, emulator))
        fails_and_leaves_nothing(folder, deployer, f"PermissionsBoundary=arn:aws:iam::{account}:policy/none")
        deploys_with_enter_and_again(folder, deployer, "--tags", "team=payments")
        every_resource_is_tagged(emulator)

    made = decided(tmp_path, "deployer")
    assert {"cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet", "s3:PutObject"} <= made.keys()
    assert set(made.values()) == {"Allow"}


def fails_and_leaves_nothing(folder: Path, deployer: Deployer, wrong: str) -> None:
    """SAM would take a stack in ROLLBACK_COMPLETE for one that it can update, which AWS refuses."""
    failed = deployer.sam(folder, "deploy", "--parameter-overrides", wrong)
    assert (failed.returncode, "ROLLBACK_COMPLETE" in failed.stdout) == (1, True), failed.stdout + failed.stderr
    stacks = deployer.emulator.client("cloudformation").list_stacks()["StackSummaries"]
    assert {it["StackStatus"] for it in stacks if it["StackName"] == STACK_NAME} == {"DELETE_COMPLETE"}
    assert deployer.emulator.client("dynamodb").list_tables()["TableNames"] == []
    kept = [it["Name"] for it in deployer.emulator.client("s3").list_buckets()["Buckets"]]
    assert [name for name in kept if not name.startswith("aws-sam-cli")] == []


def every_resource_is_tagged(endpoint: Endpoint) -> None:
    """Every one that CloudFormation can tag: test_stack_tags.py reads that in the schemas of their types."""
    found = [(kind, tags.get("team") == "payments") for kind, tags in tags_of(endpoint, STACK_NAME)]
    assert {kind for kind, is_tagged in found if not is_tagged} == NOT_TAGGED_HERE
    tagged = Counter(kind for kind, is_tagged in found if is_tagged)
    assert not tagged.keys() & NOT_TAGGED_HERE
    assert tagged["AWS::Lambda::Function"] > 30
    figures.show(f"{tagged.total()} of {len(found)} resources have the tag of `sam deploy --tags`")


@pytest.mark.thorough  # it builds, and SAM zips the same code for each function
def test_a_fresh_clone_builds_and_deploys_with_nothing_but_enter(tmp_path: Path) -> None:
    """With this machine's libraries, or its functions could not start here."""
    clone = shutil.copytree(ROOT, tmp_path / "clone", ignore=LEFT_OUT)
    path = os.pathsep.join([str(LOCAL / "sam" / "bin"), os.environ["PATH"]])
    build = [program("sam", "sam"), "build", "--parameter-overrides", f"Architecture={ARCHITECTURE}"]
    subprocess.run(build, cwd=clone, env={**clean_environment(), "PATH": path, "SAM_CLI_TELEMETRY": "0"}, check=True)
    with emulating(free_port(), tmp_path) as emulator:
        deployer = Deployer(emulator, tmp_path / "home", limited_to("administrator", EVERYTHING, emulator))
        deploys_with_enter_and_again(clone, deployer)
