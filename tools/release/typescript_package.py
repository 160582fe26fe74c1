"""The TypeScript client's package. Its types are made of `openapi.yaml` as it is built, so they are of the same version."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from tools.node import install, node, npm
from tools.release import npm_package
from tools.stack import ROOT
from tools.zip_file import files_of

FOLDER = ROOT / "clients" / "typescript"
BESIDE = ("LICENSE", "NOTICE", "README.md", "package.json")
SOURCES = ("src", "tests")
_PROGRAM = """
import { VERSION, Waitpoints } from "waitpoints-client";
new Waitpoints({ url: "https://example.com", apiKey: "none" });
console.log(VERSION);
"""


def build(folder: Path, repository: str = "") -> Path:
    """Write the package into a folder. Returns its file. `repository`: the URL that it names."""
    with tempfile.TemporaryDirectory() as scratch:
        content = {f"dist/{path}": its for path, its in files_of(built(Path(scratch)) / "dist").items()}
    content |= {name: (FOLDER / name).read_bytes() for name in BESIDE}
    return npm_package.write(content, folder, repository)


def built(root: Path) -> Path:
    """Build the client in a copy below a folder, and return the copy. Raises LocalError with what the compiler says."""
    install(FOLDER)
    project = root / FOLDER.relative_to(ROOT)
    shutil.rmtree(project, ignore_errors=True)
    for name in SOURCES:
        shutil.copytree(FOLDER / name, project / name, ignore=shutil.ignore_patterns("api.ts"))
    for name in (*BESIDE, "tsconfig.json"):
        shutil.copy(FOLDER / name, project)
    shutil.copy(ROOT / "openapi.yaml", root)
    (project / "node_modules").symlink_to(FOLDER / "node_modules")
    npm("run", "build", folder=project)
    return project


def try_alone(package: Path) -> str:
    """Install the package and what it needs into an empty folder. Returns the version that it says there."""
    with tempfile.TemporaryDirectory() as scratch:
        npm("install", str(package.resolve()), folder=Path(scratch))
        command = [node(), "--input-type=module", "-e", _PROGRAM]
        done = subprocess.run(command, cwd=scratch, check=True, capture_output=True, text=True)
    return done.stdout.strip()
