"""A package for npm, as `npm pack` would make it: the same content makes the same bytes, with any version of npm."""

import gzip
import io
import tarfile
from collections.abc import Mapping

MODE = 0o644
TIME = 499_162_500
"""npm's own: some programs take an earlier one for an error."""


def packed(content: Mapping[str, bytes]) -> bytes:
    """Return the package with these files, by their paths in it."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(content):
            entry = tarfile.TarInfo(f"package/{path}")
            entry.size, entry.mode, entry.mtime = len(content[path]), MODE, TIME
            archive.addfile(entry, io.BytesIO(content[path]))
    return gzip.compress(written.getvalue(), mtime=0)
