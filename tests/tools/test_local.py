"""The stack of a checkout: its content, its files, and what `make run` prints."""

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from dataclasses import fields
from pathlib import Path
from unittest.mock import Mock

import pytest

from tests.support.in_process.template import parse
from tools import checkout
from tools.run import PAYLOAD, Steps, chosen_parameters, chosen_port, how_to_go_on, shortened
from tools.stack import ROOT
from tools.zip_file import files_of, packed
from waitpoints_local.content import parameters
from waitpoints_local.deployment import ARTIFACT, upload
from waitpoints_local.stack import LocalError, Stack, emulator_environment, free_port, hand_over

TEMPLATE = (ROOT / "template.yaml").read_text()


def test_only_the_console_has_code_of_its_own() -> None:
    """The rules of functions/Makefile: all functions get the same files, the console also its own."""
    makefile = (ROOT / "functions" / "Makefile").read_text()
    assert re.findall(r"\$\(filter (\w+),", makefile) == ["ShowConsole"]
    assert checkout.CODE["console.zip"] == "ShowConsole"


def test_the_emulator_writes_what_no_locale_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}.items():
        monkeypatch.setenv(name, value)
    write = [sys.executable, "-c", "open('page', 'w').write(chr(8212))"]
    subprocess.run(write, cwd=tmp_path, env=emulator_environment(tmp_path), check=True)
    assert (tmp_path / "page").read_bytes() == chr(8212).encode()


def test_the_template_is_the_same_without_layers_and_with_built_code() -> None:
    made, source = parse(checkout.without_layers(TEMPLATE)), parse(TEMPLATE)
    layers = {name for name, it in source["Resources"].items() if it["Type"].endswith("LayerVersion")}
    assert len(layers) == 3
    assert made["Resources"].keys() == source["Resources"].keys() - layers
    assert made["Globals"]["Function"].pop("CodeUri") == "functions.zip"
    del source["Globals"]["Function"]["CodeUri"], source["Globals"]["Function"]["Layers"]
    assert made["Resources"]["ShowConsole"]["Properties"].pop("CodeUri") == "console.zip"
    for name in layers:
        del source["Resources"][name]
    for resource in source["Resources"].values():
        resource.get("Properties", {}).pop("Layers", None)
    assert made == source
    assert parameters(TEMPLATE) == list(source["Parameters"])


def test_it_brings_all_that_its_template_refers_to() -> None:
    content = checkout.content()
    named = set(ARTIFACT.findall(content["template.yaml"].decode()))
    assert named >= checkout.CODE.keys()
    assert content.keys() == named | {"template.yaml"}


def test_what_its_makefile_misses_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "Makefile").write_text("$(error Python 3.13 is missing: install it)\n")
    monkeypatch.setattr(checkout, "ROOT", tmp_path)
    with pytest.raises(LocalError, match=r"The functions' code could not be copied: .*Python 3\.13 is missing: install it"):
        checkout.code()


VALUES = {
    "api_url": "http://127.0.0.1:8787",
    "endpoint_url": "http://127.0.0.1:8787",
    "api_key": "k" * 48,
    "region": "us-east-1",
}


STACK = Stack(**{field.name: VALUES.get(field.name, "x") for field in fields(Stack)})


@pytest.mark.parametrize("has_aws", [False, True])
@pytest.mark.parametrize("has_mail", [False, True])
def test_how_to_go_on_fits_80_columns(has_aws: bool, has_mail: bool) -> None:
    lines = how_to_go_on(STACK, has_aws=has_aws, has_mail=has_mail, has_chat=has_mail).splitlines()
    assert [line for line in lines if len(line) > 80] == []


@pytest.mark.parametrize("has_mail", [False, True])
def test_the_outbox_is_mentioned_if_the_stack_sends_mails(has_mail: bool) -> None:
    printed = how_to_go_on(STACK, has_aws=False, has_mail=has_mail)
    assert "waitpoints chat" not in printed
    assert ("waitpoints outbox --open" in printed) == ('"notify"' in printed) == has_mail


@pytest.mark.parametrize("has_chat", [False, True])
def test_the_stand_in_is_mentioned_if_the_stack_has_slack_or_teams(has_chat: bool) -> None:
    assert ("waitpoints chat" in how_to_go_on(STACK, has_aws=False, has_chat=has_chat)) is has_chat


@pytest.mark.parametrize(
    ("written", "sender"),
    [
        ("", ""),
        ("BrandName=Acme", ""),
        ("MailFrom=", ""),
        ("BrandName='a=b' MailFrom=waitpoints@example.com", "waitpoints@example.com"),
    ],
)
def test_the_sender_is_the_parameter_mail_from(monkeypatch: pytest.MonkeyPatch, written: str, sender: str) -> None:
    monkeypatch.setenv("PARAMETERS", written)
    assert chosen_parameters().get("MailFrom", "") == sender


@pytest.mark.parametrize("port", ["http", "80", "99999", "-1", ""])
def test_an_invalid_port_is_refused_with_the_accepted_range(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("PORT", port)
    with pytest.raises(LocalError, match="choose a number from 1024 to 65535"):
        chosen_port()


@pytest.mark.parametrize("parameters", ["EventBusName", "BrandName='Acme", "EventBusName: default"])
def test_an_invalid_parameter_is_refused_with_the_accepted_form(monkeypatch: pytest.MonkeyPatch, parameters: str) -> None:
    monkeypatch.setenv("PARAMETERS", parameters)
    with pytest.raises(LocalError, match="write NAME=VALUE"):
        chosen_parameters()


def test_a_step_with_a_tokens_id_fits_100_columns(capsys: pytest.CaptureFixture[str]) -> None:
    step = Steps()
    step("POST GitHub's webhook to its callback URL")
    step.end("waitpoint_01jd3rj5v0000000000000000a")
    printed = capsys.readouterr().out
    assert printed.endswith(" s  waitpoint_01jd3rj5v0000000000000000a\n")
    assert len(printed) <= 100


def test_the_output_of_the_demonstration_is_five_lines() -> None:
    output = json.dumps(json.loads(PAYLOAD.read_bytes()), indent=2)
    lines = shortened(output)
    assert len(lines) == 5
    assert (lines[0], lines[1], lines[-1]) == ("{", '  "action": "completed",', "}")
    assert lines[3] == f"… {len(output.splitlines()) - 4} more lines …"
    assert shortened("1\n2\n3\n4\n5") == ["1", "2", "3", "4", "5"]


def test_when_one_stops_the_file_describes_the_one_still_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead, alive = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    monkeypatch.setattr("waitpoints_local.stack.is_serving", lambda url: url == alive)
    for name, endpoint_url in (("stack.json", dead), ("stack.1.json", dead), ("stack.2.json", alive)):
        (tmp_path / name).write_text(json.dumps({"endpoint_url": endpoint_url}))

    hand_over(tmp_path)

    assert json.loads((tmp_path / "stack.json").read_text()) == {"endpoint_url": alive}


def test_when_the_last_one_stops_the_file_is_removed(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text("{}")

    hand_over(tmp_path)

    assert list(tmp_path.iterdir()) == []


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


def test_code_that_functions_share_is_uploaded_once() -> None:
    """With the template, which then names it for each of them."""
    s3 = Mock()
    content = {"One": b"shared", "Two": b"shared", "Three": b"its own"}
    upload(Mock(client=lambda _: s3), "".join(f"CodeUri: {name}\n" for name in content), content.__getitem__)
    *code, template = [call.kwargs["Body"] for call in s3.put_object.call_args_list]
    assert sorted(code) == [b"its own", b"shared"]
    one, two, three = template.decode().splitlines()
    assert one == two != three
