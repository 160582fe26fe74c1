"""Which file describes the local stack, and where `waitpoints up` may write one."""

import json
import tempfile
from pathlib import Path

import pytest

from waitpoints_client import local_stacks
from waitpoints_client.local_stacks import NotBelieved


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


def test_the_environment_can_name_one_of_the_users_by_its_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described = [describe(tmp_path / "state" / "waitpoints", f"stack{port}.json") for port in ("", ".9000", ".9001")]
    assert local_stacks.find() == described[0]
    monkeypatch.setenv("WAITPOINTS_LOCAL", "9000")
    assert local_stacks.find() == described[1]
    monkeypatch.setenv("WAITPOINTS_LOCAL", "9002")
    assert local_stacks.find() is None
    assert local_stacks.folders()[0] == described[0].parent


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


def test_a_clone_of_somebody_else_is_passed_over_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As git does: CVE-2022-24765."""
    left, own = describe(tmp_path / ".local"), describe(tmp_path / "state" / "waitpoints")
    monkeypatch.setattr(local_stacks, "_user", lambda: own.stat().st_uid + 1)
    assert local_stacks.find() is None
    assert str(left) in local_stacks.nowhere()
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    left.parent.chmod(0o777)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert local_stacks.find() == own


URL = "http://127.0.0.1:8787"


@pytest.mark.parametrize(
    ("of_folder", "of_file", "is_believed"),
    [(0o755, 0o644, True), (0o700, 0o600, True), (0o775, 0o600, False), (0o757, 0o600, False), (0o700, 0o660, False)],
)
def test_a_file_is_believed_if_no_one_else_can_have_written_it(
    tmp_path: Path, of_folder: int, of_file: int, is_believed: bool
) -> None:
    file = describe(tmp_path / "folder")
    file.write_text(json.dumps({"api_url": URL, "endpoint_url": URL}))
    file.parent.chmod(of_folder)
    file.chmod(of_file)
    if is_believed:
        assert local_stacks.read(file)["api_url"] == URL
    else:
        with pytest.raises(NotBelieved, match=r"is not yours, or others can write to it"):
            local_stacks.read(file)


def test_a_file_of_another_user_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = describe(tmp_path / "folder")
    monkeypatch.setattr(local_stacks, "_user", lambda: file.stat().st_uid + 1)
    with pytest.raises(NotBelieved, match="is not yours"):
        local_stacks.read(file)


@pytest.mark.parametrize("name", ["api_url", "endpoint_url"])
@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example:8787",
        "https://secretsmanager.us-east-1.amazonaws.com",
        "http://127.0.0.1.evil.example",
        "http://127.0.0.1@evil.example",
        "http://evil.example\\@127.0.0.1",
        "http://127.0.0.1:8787/elsewhere",
        "http://169.254.169.254",
        "",
    ],
)
def test_a_file_that_leads_elsewhere_is_not_believed(tmp_path: Path, name: str, url: str) -> None:
    file = describe(tmp_path / "folder")
    for own in (URL, "http://localhost:8787", "http://[::1]:8787/"):
        file.write_text(json.dumps({"api_url": own, "endpoint_url": own}))
        assert local_stacks.read(file)
    file.write_text(json.dumps({"api_url": URL, "endpoint_url": URL, name: url}))
    with pytest.raises(NotBelieved, match=f"its {name} leads elsewhere than to this machine"):
        local_stacks.read(file)
