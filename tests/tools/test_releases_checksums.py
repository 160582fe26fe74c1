"""The checksums of a release are those of its files."""

import hashlib
from pathlib import Path

from tools.release import checksums


def test_each_file_has_its_checksum_as_sha256sum_reads_it(tmp_path: Path) -> None:
    for name in ("b.zip", "a.whl"):
        (tmp_path / name).write_text(name)
    checksums.write(tmp_path)
    first = (tmp_path / "SHA256SUMS").read_text()
    assert first.splitlines() == [f"{hashlib.sha256(name.encode()).hexdigest()}  {name}" for name in ("a.whl", "b.zip")]

    checksums.write(tmp_path)
    assert (tmp_path / "SHA256SUMS").read_text() == first
