"""A release, made twice: equal byte for byte, and deployed from an empty folder with nothing but the SAM CLI."""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.e2e.built import Built
from tests.support.e2e.deployer import EVERYTHING, Deployer, deploys_with_enter_and_again, limited_to
from tests.support.e2e.folders import LEFT_OUT
from tests.support.e2e.ops import Operator
from tests.support.in_process.template import parse
from tests.support.npm_packages import project_of
from tests.support.processed_template import process
from tools import version
from tools.checkout import CODE
from tools.release.archive import ARCHITECTURES, LAYERS, stem
from tools.stack import LOCAL, PACKAGE, ROOT, emulating
from tools.zip_file import files_of
from waitpoints_local.stack import ARCHITECTURE, Emulator, described, free_port

pytestmark = pytest.mark.thorough  # it builds everything twice

FOLDER = LOCAL / "e2e-release"
VERSION = version.read()
REPOSITORY = "https://github.com/owner/name"
UNTRIED = """
import sys
from pathlib import Path
from tools.release import __main__ as release

folder = Path("dist") / sys.argv[1]
folder.mkdir(parents=True)
release.make(sys.argv[1], folder, sys.argv[2])
"""
"""Makes the same as `make release`, without trying it."""
PACKAGES = ("-py3-none-any.whl", ".tar.gz")
OTHER = next(it for it in ARCHITECTURES if it != ARCHITECTURE)


def released(tree: Path, *program: str) -> Path:
    """Copy the tree to another folder, and make the release there. Returns the folder with its files."""
    shutil.copytree(ROOT, tree, ignore=LEFT_OUT)
    (tree / ".local").symlink_to(LOCAL)
    environment = {**os.environ, "PYTHONPATH": str(tree / PACKAGE.relative_to(ROOT))}
    subprocess.run([sys.executable, *program, VERSION, REPOSITORY], cwd=tree, env=environment, check=True)
    return tree / "dist" / VERSION


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return released(tmp_path_factory.mktemp("one") / "tree", "-m", "tools.release")


@pytest.fixture(scope="module")
def unpacked(release: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of each architecture's archive."""
    folder = tmp_path_factory.mktemp("empty")
    for architecture in ARCHITECTURES:
        with zipfile.ZipFile(release / f"{stem(VERSION, architecture)}.zip") as archive:
            archive.extractall(folder)
    return {architecture: folder / stem(VERSION, architecture) for architecture in ARCHITECTURES}


def test_two_builds_in_different_folders_are_equal(release: Path, tmp_path: Path) -> None:
    again = released(tmp_path / "another" / "folder" / "of-the-tree", "-c", UNTRIED)
    expected = {f"{stem(VERSION, architecture)}.zip" for architecture in ARCHITECTURES}
    expected |= {f"waitpoints-{VERSION}-{layer}.cdx.json" for layer in ("dependencies", "public-keys", "tracing")}
    expected |= {f"waitpoints_client-{VERSION}{end}" for end in PACKAGES} | {"SHA256SUMS"}
    expected |= {f"waitpoints_{name}-{VERSION}{end}" for name in ("local", "testing") for end in PACKAGES}
    npm_version = version.form_in("clients/cdk/package.json", VERSION)
    expected |= {f"waitpoints-{name}-{npm_version}.tgz" for name in ("cdk", "client")}
    assert digests(release).keys() == expected
    assert digests(again) == digests(release)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=release, check=True)


def test_both_packages_for_npm_name_the_repository(release: Path) -> None:
    named = [project_of(package)["repository"]["url"] for package in release.glob("*.tgz")]
    assert named == [f"git+{REPOSITORY}.git"] * 2


def digests(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in files_of(folder).items()}


def inside(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive.read_bytes())) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def test_the_code_is_what_sam_builds_for_each_function_and_layer(unpacked: dict[str, Path], current_build: Built) -> None:
    built, archive = current_build.folder / "build", unpacked[ARCHITECTURE]
    code = {function: inside(archive / name) for name, function in CODE.items()}
    functions = [name for name, it in parse(current_build.template())["Resources"].items() if "Function" in it["Type"]]
    assert len(functions) > 20
    for function in functions:
        assert files_of(built / function) == code.get(function, code["AcceptCallback"]), function
    for layer in LAYERS:
        assert files_of(built / layer) == inside(archive / f"{layer}.zip"), layer


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_gradual_template_is_ready(unpacked: dict[str, Path], architecture: str) -> None:
    template = parse((unpacked[architecture] / "gradual.yaml").read_text())
    assert template["Globals"]["Function"]["Environment"]["Variables"]["RELEASE"] == VERSION
    assert template["Parameters"]["Architecture"]["AllowedValues"] == [architecture]
    kinds = [it["Type"] for it in process(template)["Resources"].values()]
    assert kinds.count("AWS::Lambda::Version") == kinds.count("AWS::Lambda::Function") - 1 > 20  # what tries versions has none


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with emulating(free_port(), FOLDER) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def deployer(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Deployer:
    """Somebody who has no other program than SAM, not even Python, pip or make."""
    return Deployer(emulator, tmp_path_factory.mktemp("home"), limited_to("administrator", EVERYTHING, emulator))


def sam_deploy(archive: Path, deployer: Deployer, *parameters: str) -> subprocess.CompletedProcess[str]:
    """Run `sam deploy` in the archive's folder."""
    given = ["--parameter-overrides", f"PublicBaseUrl={deployer.emulator.url}", "ResumableStateMachines=*"]
    return deployer.sam(archive, "deploy", *given, *parameters)


def test_an_archive_deploys_with_nothing_but_enter(unpacked: dict[str, Path], tmp_path: Path) -> None:
    archive = shutil.copytree(unpacked[ARCHITECTURE], tmp_path / "archive")  # whose samconfig.toml is written
    with emulating(free_port(), tmp_path) as emulator:
        deploys_with_enter_and_again(
            archive, Deployer(emulator, tmp_path / "home", limited_to("administrator", EVERYTHING, emulator))
        )


def stacks(emulator: Emulator) -> dict[str, str]:
    found = emulator.client("cloudformation").describe_stacks()["Stacks"]
    return {stack["StackName"]: stack["StackStatus"] for stack in found if stack["StackName"] == "waitpoints"}


def test_an_archive_deploys_with_nothing_but_sam_and_the_wrong_architecture_is_refused(
    unpacked: dict[str, Path], emulator: Emulator, deployer: Deployer
) -> None:
    wrong = sam_deploy(unpacked[ARCHITECTURE], deployer, f"Architecture={OTHER}")
    assert (wrong.returncode, "AllowedValues" in wrong.stderr) == (1, True), wrong.stderr
    assert stacks(emulator) == {}

    done = sam_deploy(unpacked[ARCHITECTURE], deployer)
    assert done.returncode == 0, done.stdout + done.stderr
    with described(emulator, FOLDER) as stack:
        status, output = Operator(stack).run("smoke", QUICK="1")
    assert status == 0, output

    # CloudFormation keeps the parameter's value, so the other archive is refused until it is told
    other = sam_deploy(unpacked[OTHER], deployer)
    assert (other.returncode, "AllowedValues" in other.stderr) == (1, True), other.stdout + other.stderr
    assert stacks(emulator) == {"waitpoints": "CREATE_COMPLETE"}
