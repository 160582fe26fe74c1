"""What `sam build` makes of a version of the project: built once for all processes and runs, and deployed to any emulator.

`sam deploy` compresses what was built again for each stack, which takes ten seconds. Here each archive is made once, and the
stack is created or updated by the calls to CloudFormation that `sam deploy` ends with. SAM does in test_first_deployment.py.
As a program, this builds what the tests need: `make test` begins with it.
"""

import hashlib
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support import previous
from tests.support.e2e.folders import BUILDS
from tools.stack import LOCKS, ROOT, sam
from waitpoints_local.deployment import ARTIFACT, deploy
from waitpoints_local.stack import ARCHITECTURE, STACK_NAME, Endpoint, overrides
from waitpoints_local.turns import one_at_a_time

SOURCES = ("functions", "layers", "examples/statemachines", "template.yaml", "samconfig.toml")


class Built:
    """A build in `folder`/build: of this version, unless another project is given and what its build depends on."""

    def __init__(self, folder: Path, project: Path = ROOT, sources: Sequence[Path | str] = SOURCES) -> None:
        """Build the project, unless that was done already with the same sources."""
        self.folder, self.project = folder, project
        self._stamp = folder / "sources"
        with one_at_a_time(LOCKS / f"e2e-{folder.name}"):
            now = digest(project, sources)
            if not self._stamp.exists() or self._stamp.read_text() != now:
                self._build(project)
                assert digest(project, sources) == now, (
                    "a build that changes its sources is built again, under whoever reads it"
                )
                self._stamp.write_text(now)

    def _build(self, project: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._stamp.unlink(missing_ok=True)
        architecture = f"--parameter-overrides=Architecture={ARCHITECTURE}"
        sam(
            "build",
            "--cache-dir",
            str(self.folder / "cache"),
            architecture,
            folder=self.folder,
            project=project,
        )
        for archive in self.folder.glob("*.artifact"):
            archive.unlink()
        for name in set(ARTIFACT.findall(self.template())):
            write_archive(self.folder / "build" / name, self._archive(name))

    def template(self) -> str:
        return (self.folder / "build" / "template.yaml").read_text()

    def _archive(self, name: str) -> Path:
        return self.folder / f"{Path(name).name}.artifact"

    def deploy(self, endpoint: Endpoint, *, template: str = "", name: str = STACK_NAME, parameters: Sequence[str] = ()) -> None:
        """Create the stack, or update it. `template` may be a changed one. A parameter is written as NAME=VALUE."""
        given = dict(assignment.split("=", 1) for assignment in parameters or overrides(endpoint.url))
        deploy(endpoint, template or self.template(), lambda it: self._archive(it).read_bytes(), given, name)


def digest(project: Path, sources: Sequence[Path | str]) -> str:
    """What a build depends on."""
    found = hashlib.sha256(ARCHITECTURE.encode())
    for path in (path for source in sources for path in sorted(files(project / source))):
        found.update(f"{path} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()


def files(path: Path) -> Iterator[Path]:
    """The file, or those in the folder. What Python has compiled is no source."""
    found = path.rglob("*") if path.is_dir() else [path]
    return (one for one in found if one.is_file() and "__pycache__" not in one.parts)


def write_archive(content: Path, archive: Path) -> None:
    """Compress a folder, or copy a file. The same content makes the same bytes."""
    if content.is_file():
        shutil.copy(content, archive)
        return
    with zipfile.ZipFile(archive, "w") as written:
        for path in sorted(path for path in content.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(str(path.relative_to(content)))
            entry.external_attr = path.stat().st_mode << 16
            written.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, 1)


def build_all() -> None:
    Built(BUILDS / "current")
    with suppress(pytest.skip.Exception):  # a checkout without history
        folder = BUILDS / previous.folder_name()
        Built(folder, previous.checkout(folder / "source"))


if __name__ == "__main__":
    build_all()
