"""A package for npm, as `npm pack` would make it: the same content makes the same bytes, with any version of npm."""

import gzip
import io
import json
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path

from waitpoints_local.stack import LocalError

MODE = 0o644
TIME = 499_162_500
"""npm's own: some programs take an earlier one for an error."""
_REPOSITORY = re.compile(r"https://[\w.:-]+/[\w.-]+/[\w.-]+(?<!\.git)", re.ASCII)


def check_repository(url: str) -> None:
    """Raise LocalError unless this is a repository's URL, or nothing."""
    if url and not _REPOSITORY.fullmatch(url):
        raise LocalError(f"REPOSITORY={url} is not a repository's URL: give one such as https://github.com/OWNER/NAME, or none")


def write(content: Mapping[str, bytes], folder: Path, repository: str = "") -> Path:
    """Write the package with these files into a folder, by npm's name. Returns its file.

    npm refuses provenance from another repository than the one that `package.json` names:
    https://docs.npmjs.com/generating-provenance-statements
    """
    project = json.loads(content["package.json"])
    if repository:
        project["repository"] = {"type": "git", "url": f"git+{repository}.git"}
    package = folder / f"{project['name']}-{project['version']}.tgz"
    package.write_bytes(packed({**content, "package.json": json.dumps(project, indent=2).encode() + b"\n"}))
    return package


def packed(content: Mapping[str, bytes]) -> bytes:
    """Return the package with these files, by their paths in it."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(content):
            entry = tarfile.TarInfo(f"package/{path}")
            entry.size, entry.mode, entry.mtime = len(content[path]), MODE, TIME
            archive.addfile(entry, io.BytesIO(content[path]))
    return gzip.compress(written.getvalue(), mtime=0)
