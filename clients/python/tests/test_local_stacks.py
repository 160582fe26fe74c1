"""Which file describes the local stack, and where `waitpoints up` may write one."""

import tempfile
from pathlib import Path

import pytest

from waitpoints_client import local_stacks


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Somebody who has no stack."""
    monkeypatch.delenv("WAITPOINTS_LOCAL", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "here" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here" / "below")


def describe(folder: Path, name: str = "stack.json") -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / name).write_text("{}")
    return folder / name


def test_without_one_there_is_none(tmp_path: Path) -> None:
    assert local_stacks.find() is None
    assert str(tmp_path / "here" / "below") in local_stacks.nowhere()


def test_the_environment_comes_first_then_a_clone_around_here_then_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = describe(tmp_path / "state" / "waitpoints")
    assert local_stacks.find() == users
    clones = describe(tmp_path / "here" / ".local")
    assert local_stacks.find() == clones
    named = describe(tmp_path / "named")
    monkeypatch.setenv("WAITPOINTS_LOCAL", str(named.parent))
    assert local_stacks.find() == named


def test_the_environment_can_name_one_of_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    describe(tmp_path / "named")
    one = describe(tmp_path / "named", "stack.9001.json")
    monkeypatch.setenv("WAITPOINTS_LOCAL", str(one))
    assert local_stacks.find() == one
    assert local_stacks.folders() == [one.parent]


def test_if_the_environment_names_nothing_no_other_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    describe(tmp_path / "state" / "waitpoints")
    monkeypatch.setenv("WAITPOINTS_LOCAL", str(tmp_path / "nothing"))
    assert local_stacks.find() is None
    assert "WAITPOINTS_LOCAL=" in local_stacks.nowhere()


def test_a_temporary_folder_is_the_second_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = local_stacks.folders()
    assert (first, second.parent) == (tmp_path / "state" / "waitpoints", tmp_path / "tmp")
    assert local_stacks.find() is None
    assert describe(second) == local_stacks.find()
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert local_stacks.folders()[0] == Path.home() / ".local" / "state" / "waitpoints"


@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_a_file_that_others_could_have_written_is_not_believed(tmp_path: Path, mode: int) -> None:
    _, second = local_stacks.folders()
    file = describe(second)
    second.chmod(mode)
    assert local_stacks.find() is None
    second.chmod(0o755)
    assert local_stacks.find() == file
    (tmp_path / "elsewhere").mkdir()
    file.unlink()
    second.rmdir()
    second.symlink_to(describe(tmp_path / "elsewhere").parent)
    assert local_stacks.find() is None
