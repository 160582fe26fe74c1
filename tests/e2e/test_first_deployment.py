"""`sam deploy --guided` with nothing but Enter, and `sam deploy`, with the rights that docs/operation.md gives a deployer."""

import shutil
from dataclasses import replace
from pathlib import Path

from local.stack import ROOT, emulating
from tests.e2e.api import Api
from tests.e2e.built import Built
from tests.e2e.deployer import ENTERS, Deployer, decided, limited_to
from tests.support.deployer_policy import deployer_policy, without
from waitpoints_local.deployment import ARTIFACT
from waitpoints_local.stack import client, describe, free_port


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
        account = client(emulator.url, "sts").get_caller_identity()["Account"]
        policy = deployer_policy(account, "waitpoints")
        less = limited_to("less", without(policy, "stack/aws-sam-cli-managed-default"), emulator)
        refused = Deployer(emulator, tmp_path / "home", less).sam(folder, "deploy")
        assert (refused.returncode, "Failed to create managed resources" in refused.stderr) == (1, True), refused.stderr

        deployer = Deployer(emulator, tmp_path / "home", limited_to("deployer", policy, emulator))
        guided = deployer.sam(folder, "deploy", "--guided", answers=ENTERS)
        assert guided.returncode == 0, guided.stdout + guided.stderr
        assert "authentication" not in guided.stdout
        stack = replace(describe(emulator), api_url=emulator.url)  # it would be API Gateway's own, which exists nowhere
        assert Api(stack).create()["id"].startswith("waitpoint_")

        again = deployer.sam(folder, "deploy")
        assert (again.returncode, "authentication" in again.stdout) == (0, False), again.stdout + again.stderr

    made = decided(tmp_path, "deployer")
    assert {"cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet", "s3:PutObject"} <= made.keys()
    assert set(made.values()) == {"Allow"}
