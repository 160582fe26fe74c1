"""What a release consists of: archives, bills of materials, checksums and packages, all of the tree's version."""

import hashlib
import json
import re
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import hcl2
import pytest

from tests.support.in_process.template import parse
from tests.support.npm_packages import project_of
from tools.deploy import environments
from tools.release import __main__ as release
from tools.release import (
    archive,
    cdk_package,
    checksums,
    client_package,
    local_package,
    npm_package,
    terraform,
    typescript_package,
)
from tools.release.bill import LAYERS, bill, stable
from tools.stack import LOCAL, PACKAGE, ROOT
from waitpoints_local.stack import LocalError

TEMPLATE = (ROOT / "template.yaml").read_text()
SAMCONFIG = (ROOT / "samconfig.toml").read_text()
BUILT = """\
  DependencyLayer:
      ContentUri: DependencyLayer
  PublicKeyLayer:
      ContentUri: PublicKeyLayer
  TracingLayer:
      ContentUri: TracingLayer
  ShowConsole:
      Handler: show_console.handler
  Smoke:
      DefinitionUri: ../../../tmp/x/examples/statemachines/wait_for_webhook.asl.json
"""
"""As `sam build` writes these lines."""


@pytest.mark.parametrize("architecture", archive.ARCHITECTURES)
def test_a_template_allows_its_own_architecture_only(architecture: str) -> None:
    parameter = parse(archive.buildable(TEMPLATE, architecture))["Parameters"]["Architecture"]
    assert (parameter["Default"], parameter["AllowedValues"]) == (architecture, [architecture])


def test_every_architecture_of_the_template_has_an_archive() -> None:
    assert parse(TEMPLATE)["Parameters"]["Architecture"]["AllowedValues"] == list(archive.ARCHITECTURES)


def test_nothing_else_of_the_template_changes_but_where_the_code_is() -> None:
    before, after = parse(TEMPLATE), parse(archive.buildable(TEMPLATE, "x86_64"))
    assert after["Globals"]["Function"].pop("CodeUri") == "functions.zip"
    del before["Globals"]["Function"]["CodeUri"]
    del before["Parameters"]["Architecture"], after["Parameters"]["Architecture"]
    assert after == before


def test_a_built_template_names_files_of_the_archive() -> None:
    found = re.findall(r"^      (\w+): (.*)$", archive.deployable(BUILT), re.MULTILINE)
    assert found == [
        ("ContentUri", "DependencyLayer.zip"),
        ("ContentUri", "PublicKeyLayer.zip"),
        ("ContentUri", "TracingLayer.zip"),
        ("Handler", "show_console.handler"),
        ("CodeUri", "console.zip"),
        ("DefinitionUri", "examples/statemachines/wait_for_webhook.asl.json"),
    ]


def test_a_template_in_which_something_is_missing_is_not_packed() -> None:
    with pytest.raises(AssertionError, match="TracingLayer"):
        archive.deployable(BUILT.replace("TracingLayer", "OtherLayer"))


def settings(text: str) -> dict[str, dict[str, Any]]:
    return {name: value for name, value in tomllib.loads(text).items() if name != "version"}


def test_its_configuration_has_every_environment_in_aws_with_the_same_settings() -> None:
    ours, theirs = settings(SAMCONFIG), settings(archive.configuration(SAMCONFIG))
    assert theirs["prod"]["deploy"]["parameters"].pop("template_file") == "gradual.yaml"
    assert theirs.keys() == environments().keys()
    for name, commands in theirs.items():
        assert commands == {command: value for command, value in ours[name].items() if command != "build"}
        assert commands["deploy"]["parameters"]["on_failure"] == "DELETE"  # test_first_deployment.py has what that does
    assert "make" not in archive.configuration(SAMCONFIG)


def test_terraform_has_a_variable_for_each_parameter() -> None:
    parameters = parse(TEMPLATE)["Parameters"]
    read = hcl2.loads(terraform.configuration(parameters))
    variables = {json.loads(name): it for found in read["variable"] for name, it in found.items()}
    assert variables.keys() - parameters.keys() == {"template_url"}
    defaults = {name: json.loads(it["default"]) for name, it in variables.items() if name != "template_url"}
    assert defaults == {name: str(it.get("Default", "")) for name, it in parameters.items()}
    [stack] = [it for found in read["resource"] for of_type in found.values() for it in of_type.values()]
    assert {name: value.strip("${}") for name, value in stack["parameters"].items()} == {it: f"var.{it}" for it in parameters}


def test_its_readme_fits_one_screen() -> None:
    """Of 80 columns and 40 lines, after folding. It says how to deploy, upgrade and check."""
    text = (ROOT / "tools" / "release" / "archive.md").read_text().format(version="0.3.0", architecture="arm64")
    assert sum(-(-max(len(line), 1) // 80) for line in text.splitlines()) <= 40
    attested = "gh attestation verify waitpoints-0.3.0-arm64.zip --repo OWNER/NAME"
    for part in (
        "sam deploy",
        "--config-env prod",
        "Architecture=arm64",
        "waitpoints-client[aws]==0.3.0",
        "SHA256SUMS",
        attested,
    ):
        assert part in text


UV = LOCAL / "uv" / "bin" / "uv"
REQUIREMENTS = {
    "dependencies": "layers/dependencies/requirements.txt",
    "public-keys": "layers/public_keys/requirements.txt",
    "tracing": "layers/dependencies/tracing.txt",
}


@pytest.mark.slow  # it starts processes
@pytest.mark.parametrize("layer", LAYERS)
def test_a_bill_has_every_library_of_its_layer_and_no_other(layer: str) -> None:
    document = json.loads(bill(UV, ROOT, layer))
    required = re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / REQUIREMENTS[layer]).read_text(), re.MULTILINE)
    assert required
    assert {(it["name"], it["version"]) for it in document["components"]} == set(required)
    assert all(it["purl"] == f"pkg:pypi/{it['name']}@{it['version']}" for it in document["components"])
    assert all(reference["hashes"] for it in document["components"] for reference in it["externalReferences"])
    assert (document["bomFormat"], document["metadata"]["component"]["name"]) == ("CycloneDX", f"waitpoints-{layer}")


def exported(serial: str, time: str) -> str:
    component = {"name": "waitpoints", "version": "0.3.0"}
    document: dict[str, Any] = {"serialNumber": serial, "metadata": {"timestamp": time, "component": component}}
    return json.dumps(document | {"components": []})


def test_a_bill_has_no_serial_number_and_no_time() -> None:
    first = stable(exported("urn:uuid:1", "2030-01-31T12:00:00Z"), "tracing")
    assert first == stable(exported("urn:uuid:2", "2031-01-31T12:00:00Z"), "tracing")
    assert not re.search("serial|timestamp|2030", first)


def test_each_file_has_its_checksum_as_sha256sum_reads_it(tmp_path: Path) -> None:
    for name in ("b.zip", "a.whl"):
        (tmp_path / name).write_text(name)
    checksums.write(tmp_path)
    first = (tmp_path / "SHA256SUMS").read_text()
    assert first.splitlines() == [f"{hashlib.sha256(name.encode()).hexdigest()}  {name}" for name in ("a.whl", "b.zip")]

    checksums.write(tmp_path)
    assert (tmp_path / "SHA256SUMS").read_text() == first


def test_every_supported_python_is_looked_for() -> None:
    assert client_package.supported(ROOT) == ["3.10", "3.11", "3.12", "3.13", "3.14"]


@pytest.mark.network
@pytest.mark.slow  # it makes and installs packages
def test_the_packages_are_valid_the_same_each_time_and_work_alone(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    wheels = []
    for folder in (one, other):
        folder.mkdir()
        wheels.append(client_package.build(UV, ROOT, folder))
    assert {file.name: file.read_bytes() for file in one.iterdir()} == {
        file.name: file.read_bytes() for file in other.iterdir()
    }
    assert len(list(one.iterdir())) == 2
    client_package.check(one)
    found = client_package.try_alone(UV, wheels[0], sys.executable)
    assert wheels[0].name == f"waitpoints_client-{found}-py3-none-any.whl"


@pytest.mark.parametrize(("metadata", "said"), [("Name: no name", "name"), ("Requires-Dist: a b", "requires-dist")])
def test_a_package_that_pypi_would_refuse_is_refused(tmp_path: Path, metadata: str, said: str) -> None:
    with zipfile.ZipFile(tmp_path / "a-1-py3-none-any.whl", "w") as packed:
        packed.writestr("a-1.dist-info/METADATA", f"Metadata-Version: 2.4\nVersion: 1\n{metadata}\n")
    with pytest.raises(ExceptionGroup) as refused:
        client_package.check(tmp_path)
    assert said in str(refused.value.exceptions)


REPOSITORY = "https://github.com/owner/name"


@pytest.mark.parametrize("folder", [cdk_package.FOLDER, typescript_package.FOLDER], ids=["cdk", "typescript"])
def test_a_package_for_npm_names_the_given_repository_and_else_none(folder: Path, tmp_path: Path) -> None:
    """As `npm pkg fix` writes it. Else the package is as the tree has it."""
    content = {"package.json": (folder / "package.json").read_bytes()}
    project = json.loads(content["package.json"])
    for given, named in {"": {}, REPOSITORY: {"repository": {"type": "git", "url": f"git+{REPOSITORY}.git"}}}.items():
        package = npm_package.write(content, tmp_path, given)
        assert package.name == f"{project['name']}-{project['version']}.tgz"
        assert project_of(package) == {**project, **named}


@pytest.mark.parametrize("url", ["owner/name", "git@github.com:owner/name", f"{REPOSITORY}.git", f"{REPOSITORY}/", " "])
def test_what_is_no_repository_s_url_is_refused(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(release, "make", pytest.fail)  # nothing is made
    with pytest.raises(LocalError, match="not a repository's URL: give one such as https://"):
        npm_package.check_repository(url)
    assert release.main([PROJECT["version"], url]) == 2
    assert f"REPOSITORY={url} is not" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["", REPOSITORY, "https://git.example.com:8443/own.org/own_name"])
def test_a_repository_s_url_or_none_is_taken(url: str) -> None:
    npm_package.check_repository(url)


CODE = {"functions.zip": b"code", "console.zip": b"code and files"}
PROJECT = tomllib.loads((ROOT / "clients" / "engine" / "pyproject.toml").read_text())["project"]
TESTING = tomllib.loads((ROOT / "clients" / "local" / "pyproject.toml").read_text())["project"]
GROUPS: dict[str, list[Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
OF_THE_EMULATOR = {"aws-sam-translator"}
"""Its version in the emulator's environment of a clone refuses the pydantic of the functions."""


def pins(requirements: list[Any]) -> dict[str, str]:
    return {found[1]: found[2] for it in requirements if (found := re.fullmatch(r"([\w-]+)==([\w.]+)", str(it)))}


def test_the_package_needs_the_emulator_and_what_the_layers_hold() -> None:
    ours = pins(PROJECT["dependencies"])
    shipped = {name: version for group in ("layer", "public-keys", "tracing") for name, version in pins(GROUPS[group]).items()}
    emulator = {name: version for name, version in pins(GROUPS["emulator"]).items() if name not in OF_THE_EMULATOR}
    assert ours.items() >= (shipped | emulator).items()
    assert ours.keys() >= OF_THE_EMULATOR


def test_it_runs_where_the_functions_do() -> None:
    runtime = parse(TEMPLATE)["Globals"]["Function"]["Runtime"]
    assert PROJECT["requires-python"] == f">={runtime.removeprefix('python')}"


def test_what_a_project_installs_beside_its_own_libraries_has_ranges_and_no_engine() -> None:
    foreign = [it for it in TESTING["dependencies"] if not it.startswith("waitpoints-client")]
    assert foreign
    assert not [it for it in foreign if ">=" not in it]
    assert TESTING["entry-points"]["pytest11"]
    assert not {"ministack", "moto", "hypercorn"} & {re.split(r"[^\w-]", it)[0] for it in TESTING["dependencies"]}


@pytest.mark.slow  # it makes packages
def test_the_wheel_is_pure_the_same_each_time_and_has_the_stack(tmp_path: Path) -> None:
    wheels = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        wheels.append(local_package.build(UV, CODE, tmp_path / name))
    assert wheels[0].name == f"waitpoints_local-{PROJECT['version']}-py3-none-any.whl"
    made, again = ({file.name: file.read_bytes() for file in wheel.parent.iterdir()} for wheel in wheels)
    assert made == again
    assert len(made) == 4
    with zipfile.ZipFile(wheels[0]) as wheel:
        names = set(wheel.namelist())
        assert wheel.read("waitpoints_engine/content/functions.zip") == b"code"
    assert names >= {"waitpoints_engine/__init__.py", "waitpoints_engine/content/template.yaml"}
    with zipfile.ZipFile(next(wheels[0].parent.glob("waitpoints_testing-*.whl"))) as wheel:
        names = set(wheel.namelist())
    modules = {str(path.relative_to(PACKAGE)) for path in (PACKAGE / "waitpoints_local").rglob("*.py")}
    assert names >= {*modules, "waitpoints_local/py.typed"}
    assert not [name for name in names if "/test_" in name or "/tests/" in name or "__pycache__" in name]
