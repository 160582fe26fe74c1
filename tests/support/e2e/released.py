"""The archive of a release, made of this tree for this machine, and unpacked: what a stack is upgraded to."""

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.e2e.built import Built
from tools import checkout, version
from tools.release import archive
from tools.stack import ROOT
from waitpoints_local.stack import ARCHITECTURE


class Archive(Built):
    """It is deployed as a build is: its template names files that are ready."""

    def __init__(self, folder: Path) -> None:
        """Make it in a folder."""
        self.folder, self.project = folder, ROOT
        with TemporaryDirectory() as scratch:
            built = archive.build(ARCHITECTURE, Path(scratch) / ARCHITECTURE)
            files = archive.content_of(version.read(), ARCHITECTURE, checkout.code(), archive.layers_of(built), built)
        for path, content in files.items():
            file = folder / path.partition("/")[2]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)

    def template(self) -> str:
        return (self.folder / "template.yaml").read_text()

    def _archive(self, name: str) -> Path:
        return self.folder / name
