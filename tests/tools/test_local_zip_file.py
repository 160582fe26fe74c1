"""A zip file of a release says nothing about when, where and by whom it was made."""

import io
import os
import zipfile
from pathlib import Path

from tools.zip_file import files_of, packed


def written(folder: Path, names: list[str], mode: int, time: int) -> dict[str, bytes]:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"what is in {name}\n" * 50)
        file.chmod(mode)
        os.utime(file, (time, time))
    return files_of(folder)


def test_the_order_the_times_and_the_modes_of_the_disk_change_no_byte(tmp_path: Path) -> None:
    names = ["handler.py", "waitpoints/token.py", "waitpoints/__pycache__/token.pyc"]
    one = written(tmp_path / "one", names, 0o600, 1_700_000_000)
    other = written(tmp_path / "another-folder", names[::-1], 0o755, 1_800_000_001)
    assert one.keys() == set(names)
    assert packed(one) == packed(dict(reversed(other.items())))


def test_every_file_can_be_read_on_lambda_and_has_the_earliest_time() -> None:
    with zipfile.ZipFile(io.BytesIO(packed({"b.py": b"b", "a.zip": b"a"}))) as archive:
        entries = archive.infolist()
        assert archive.read("b.py") == b"b"
    assert [entry.filename for entry in entries] == ["a.zip", "b.py"]
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}


def test_a_zip_file_in_a_zip_file_is_not_compressed_again() -> None:
    with zipfile.ZipFile(io.BytesIO(packed({"code.zip": b"0" * 1000, "text": b"0" * 1000}))) as archive:
        sizes = {entry.filename: entry.compress_size for entry in archive.infolist()}
    assert sizes["code.zip"] == 1000
    assert sizes["text"] < 100
