"""Where stacks are described, and what is refused before anything starts. tests/e2e/test_serving.py starts and ends them."""

import os
import tempfile
from dataclasses import fields, replace
from pathlib import Path
from threading import Timer

import pytest
from waitpoints_client import __version__

from waitpoints_local import content, serving
from waitpoints_local.stack import EmulatorFolder, LocalError, Stack, described_in, open_private, write
from waitpoints_local.turns import hold

OUTPUTS = {it.name: "http://127.0.0.1:9001" for it in fields(Stack)}
STACK = serving.Served(**OUTPUTS, version=__version__, parameters={"BrandName": "Acme"}, host="", process=1)


@pytest.fixture(autouse=True)
def somebody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("WAITPOINTS_LOCAL", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "template.yaml").write_text("Parameters:\n  BrandName: {}\n  Slack: {}\n")
    monkeypatch.setattr(content, "FOLDER", tmp_path / "content")


def test_the_users_folder_is_made_for_the_user_alone(tmp_path: Path) -> None:
    folder = serving.choose_folder()
    assert folder == tmp_path / "state" / "waitpoints"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert list(folder.iterdir()) == []


def test_with_a_home_that_cannot_be_written_it_is_a_temporary_folder(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no folder")
    folder = serving.choose_folder()
    assert folder.parent == tmp_path / "tmp"
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_temporary_folder_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no folder")
    serving.choose_folder().chmod(0o777)
    with pytest.raises(LocalError, match=r"others may write to it.*WAITPOINTS_LOCAL"):
        serving.choose_folder()


def test_the_folder_that_the_environment_names_is_the_only_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAITPOINTS_LOCAL", str(tmp_path / "named"))
    assert serving.choose_folder() == tmp_path / "named"
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("WAITPOINTS_LOCAL", str(tmp_path / "file" / "below"))
    with pytest.raises(LocalError, match="No folder for the stack's files"):
        serving.choose_folder()


class Running:
    """A stack of which only what describes it is there, and the lock of an emulator."""

    def __init__(self, folder: Path, stack: serving.Served = STACK) -> None:
        (folder / str(stack.port)).mkdir(parents=True)
        write(stack, folder)
        self.lock = hold(EmulatorFolder(stack.port, folder / str(stack.port)).lock)


def test_a_stack_runs_as_long_as_its_emulator_lives(tmp_path: Path) -> None:
    running = Running(tmp_path)
    assert serving.find(9001, tmp_path) == STACK
    assert serving.find_all(tmp_path) == [STACK]
    assert serving.find(9002, tmp_path) is None
    Timer(0.2, os.close, [running.lock]).start()
    assert EmulatorFolder(9001, tmp_path / "9001").has_died(patience=30)
    assert serving.find(9001, tmp_path) is None
    assert serving.find_all(tmp_path) == []


def test_the_same_stack_is_not_started_again(tmp_path: Path) -> None:
    running = Running(tmp_path)
    assert serving.up(9001, tmp_path, {"BrandName": "Acme"}) == (STACK, False)
    os.close(running.lock)


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (replace(STACK, version="0.1.0"), rf"A stack of version 0\.1\.0, not {__version__}, already runs at http://127"),
        (STACK, "A stack with the parameters BrandName=Acme already runs at http://127.0.0.1:9001: end it with"),
        (replace(STACK, parameters={}), "A stack with no parameters already runs"),
    ],
)
def test_another_stack_on_the_port_is_refused(tmp_path: Path, there: serving.Served, said: str) -> None:
    running = Running(tmp_path, there)
    with pytest.raises(LocalError, match=said):
        serving.up(9001, tmp_path, {"Slack": "on"})
    os.close(running.lock)


def test_what_a_killed_stack_left_is_deleted(tmp_path: Path) -> None:
    os.close(Running(tmp_path).lock)
    assert serving.down(9001, tmp_path) is False
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("content", "locks")] == []


@pytest.mark.parametrize("start", [serving.up, lambda *given: serving.serving(*given).__enter__()])
def test_a_parameter_that_the_template_lacks_is_refused_at_once(tmp_path: Path, start: object) -> None:
    assert callable(start)
    with pytest.raises(LocalError, match="The template has no parameter BrandNam: did you mean BrandName"):
        start(0, tmp_path, {"BrandNam": "Acme"})


def test_a_port_of_another_program_is_refused_with_a_way_out(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalError, match=f"Port {port} is in use: stop the program .* choose another with --port"):
            serving.up(port, tmp_path)
    assert not described_in(tmp_path, port).exists()


def test_port_0_is_any_free_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_start", lambda slot, *_: replace(STACK, endpoint_url=f"http://127.0.0.1:{slot.port}"))
    stack, is_new = serving.up(0, tmp_path)
    assert (is_new, stack.port > 1024) == (True, True)


def test_the_files_with_keys_are_the_users_alone_also_if_they_were_there_before(tmp_path: Path) -> None:
    folder = tmp_path / "stacks"
    folder.mkdir()
    (folder / "stack.json").write_text("{}")
    (folder / "stack.json").chmod(0o644)
    folder.chmod(0o777)
    write(STACK, folder)
    modes = {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}
    assert modes == {"stack.json": 0o600, "stack.9001.json": 0o600}
    assert folder.stat().st_mode & 0o777 == 0o755
    log = folder / "emulator.log"
    log.write_text("old")
    log.chmod(0o644)
    open_private(log).close()
    assert (log.stat().st_mode & 0o777, log.read_text()) == (0o600, "")


@pytest.mark.parametrize("wrong", ["https://abc.example.com", "abc.example.com:443", "abc.example.com/", "a b", ".abc"])
def test_a_host_is_a_name_alone(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(LocalError, match="is not the name of a host: write it without scheme, port and path"):
        serving.up(0, tmp_path, host=wrong)


def test_a_stack_that_runs_with_another_host_is_not_what_was_asked_for(tmp_path: Path) -> None:
    running = Running(tmp_path, replace(STACK, host="abc.example.com"))
    with pytest.raises(LocalError, match=r"A stack with --host abc\.example\.com already runs at"):
        serving.up(9001, tmp_path, {"BrandName": "Acme"})
    os.close(running.lock)
