"""Zip files that depend on nothing but their content: not on the time, the folder, the umask or the order of the disk."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

FIRST_TIME = (1980, 1, 1, 0, 0, 0)  # the format knows no earlier one
READABLE = 0o100644
UNIX = 3


def packed(content: Mapping[str, bytes]) -> bytes:
    """Return a zip file of these files. One that is a zip file itself is not compressed again."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name in sorted(content):
            entry = zipfile.ZipInfo(name, FIRST_TIME)
            entry.create_system, entry.external_attr = UNIX, READABLE << 16
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".zip") else zipfile.ZIP_DEFLATED
            archive.writestr(entry, content[name], compresslevel=9)
    return written.getvalue()


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the content of each file in a folder by its path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
