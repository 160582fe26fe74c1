"""The package waitpoints-cdk: a construct over the translated template, with all that a stack of each architecture uploads."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.checkout import CODE
from tools.node import install, node, npm
from tools.release import npm_package
from tools.release.cdk_types import in_properties, types
from tools.release.translation import translated
from tools.stack import ROOT
from tools.zip_file import files_of

FOLDER = ROOT / "clients" / "cdk"
BESIDE = ("LICENSE", "NOTICE", "README.md", "package.json")
MACHINE = "wait_for_webhook.asl.json"
_APP = """
const { App, Stack } = require("aws-cdk-lib");
const { Waitpoints } = require("waitpoints-cdk");
const app = new App({ outdir: "out" });
new Waitpoints(new Stack(app, "waitpoints"), "Waitpoints");
console.log(Object.keys(app.synth().getStackByName("waitpoints").template.Resources).length);
"""


def build(code: Mapping[str, bytes], layers: Mapping[str, bytes], folder: Path, repository: str = "") -> Path:
    """Write the package into a folder. Returns its file.

    `layers`: zip files by paths such as arm64/TracingLayer.zip. `repository`: the URL that the package names.
    """
    return npm_package.write(content_of(template(), code, layers), folder, repository)


def template() -> dict[str, Any]:
    """Return the translated template, whose files are in the package's folder `release`."""
    functions, console = CODE
    found = translated((ROOT / "template.yaml").read_text(), functions, {CODE[console]: console})
    for assertion in (it for rule in found["Rules"].values() for it in rule["Assertions"]):
        assertion["AssertDescription"] = in_properties(assertion["AssertDescription"], found["Parameters"])
    return found


def content_of(template: Mapping[str, Any], code: Mapping[str, bytes], layers: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the package's files. Raises LocalError, or CalledProcessError with what the compiler says."""
    machine = (ROOT / "examples" / "statemachines" / MACHINE).read_bytes()
    release = {**code, **layers, MACHINE: machine, "template.json": json.dumps(template, separators=(",", ":")).encode()}
    found = {f"lib/{path}": content for path, content in compiled(types(template)).items()}
    found |= {f"release/{path}": content for path, content in release.items()}
    return found | {name: (FOLDER / name).read_bytes() for name in BESIDE}


def compiled(types: str) -> dict[str, bytes]:
    """Return the modules as JavaScript, and their declarations."""
    program = node()
    install(FOLDER)
    with tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch)
        shutil.copytree(FOLDER / "src", project / "src")
        shutil.copy(FOLDER / "tsconfig.json", project)
        (project / "package.json").write_bytes((FOLDER / "package.json").read_bytes())
        (project / "node_modules").symlink_to(FOLDER / "node_modules")
        (project / "src" / "release.ts").write_text(types)
        subprocess.run([program, FOLDER / "node_modules" / "typescript" / "bin" / "tsc", "-p", project], check=True)
        return files_of(project / "lib")


def try_alone(package: Path) -> int:
    """Install the package and what it needs into an empty folder. Returns how many resources a stack there has."""
    with tempfile.TemporaryDirectory() as scratch:
        npm("install", str(package.resolve()), folder=Path(scratch))
        done = subprocess.run([node(), "-e", _APP], cwd=scratch, check=True, capture_output=True, text=True)
    return int(done.stdout)
