"""The fixtures in a user's project, on a run whose script says what happens."""

import json
import os
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from clients.local.tests.machine.scripted_run import MACHINE, ScriptedRun, asks

from waitpoints_local import shared_stack
from waitpoints_local.machine import endpoints, machines
from waitpoints_local.machine import run as machine_run
from waitpoints_local.machine.machines import Workshop, find, script_of
from waitpoints_local.stack import LocalError
from waitpoints_local.testing import Fails, Returns

pytest_plugins = ["pytester"]
PLUGIN = ("-p", "waitpoints_local.pytest_plugin", "-p", "no:cacheprovider")
TESTS = """
from waitpoints_local.testing import Fails, Machine

def test_approved(machine: Machine) -> None:
    run = machine("ask.asl.json", {"order": 1}, stand_ins={"PayFunction": [Fails("Declined"), {"paid": True}]})
    run.waiting("Ask").answer({"approved": True})
    assert run.output == {"approved": True}
"""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[ScriptedRun]:
    """The runs that the tests of the project start."""
    runs: list[ScriptedRun] = []

    def start(*_: Any, stand_ins: Any, **__: Any) -> ScriptedRun:
        runs.append(ScriptedRun(asks, done=[stand_ins]))
        return runs[-1]

    monkeypatch.setattr(shared_stack, "shared", lambda _: nullcontext(SimpleNamespace(api_url="http://127.0.0.1:1")))
    monkeypatch.setattr(Workshop, "of", lambda _: Workshop(None, SimpleNamespace(close=lambda: None)))  # type: ignore[arg-type]
    monkeypatch.setattr(machine_run, "list_placeholders", lambda _: {})
    monkeypatch.setattr(machine_run, "check", lambda *_: None)
    monkeypatch.setattr(machine_run, "stand_in", lambda _, name: f"arn:aws:lambda:us-east-1:000000000000:function:{name}")
    monkeypatch.setattr(machine_run, "MachineRun", start)
    monkeypatch.setattr(machines, "make", lambda *found: f"make {found[2]}")
    return runs


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # the plugins of this project take their time
    pay = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "${PayFunction}"}}
    machine = {**MACHINE, "States": {**MACHINE["States"], "Pay": {**pay, "End": True}}}
    (pytester.path / "ask.asl.json").write_text(json.dumps(machine))
    return pytester


def test_a_machine_runs_with_its_stand_ins_and_is_taken_away(project: pytest.Pytester, started: list[ScriptedRun]) -> None:
    project.makepyfile(TESTS)
    project.runpytest_inprocess(*PLUGIN).assert_outcomes(passed=1)

    [run] = started
    scripts = {"PayFunction": [Fails("Declined"), Returns({"paid": True})]}
    assert run.given == {"order": 1}
    assert run.done == [f"make {scripts}", "start ask", "clean up"]


def test_a_run_that_still_waits_is_stopped(project: pytest.Pytester, started: list[ScriptedRun]) -> None:
    project.makepyfile('def test_it(machine):\n    machine("ask.asl.json").waiting("Ask")')
    project.runpytest_inprocess(*PLUGIN).assert_outcomes(passed=1)
    assert started[0].given == {}
    assert started[0].done[-2:] == ["stop", "clean up"]


def test_a_failed_assertion_comes_with_the_path_of_each_run(project: pytest.Pytester, started: list[ScriptedRun]) -> None:
    project.makepyfile(TESTS.replace('== {"approved": True}', '== {"approved": "later"}'))
    told = project.runpytest_inprocess(*PLUGIN)
    told.assert_outcomes(failed=1)
    steps = ['*1. "Begin"', '     got  {"order": 1}', '     gave {"order": 4711}', '*2. "Ask"', '     gave {"approved": true}']
    told.stdout.fnmatch_lines(["*The run of ask*", *steps, "It succeeded with*"])
    [file] = re.findall(r"^All of it, uncut: (.*/ask-0\.json)$", str(told.stdout), re.MULTILINE)
    written = json.loads(Path(file).read_text())
    assert (written["status"], written["output"]) == ("SUCCEEDED", {"approved": True})
    assert [(it["name"], it["input"], it["output"]) for it in written["states"]] == [
        ("Begin", {"order": 1}, {"order": 4711}),
        ("Ask", {"order": 4711}, {"approved": True}),
    ]


def test_what_a_run_did_instead_is_reported_once(
    project: pytest.Pytester, started: list[ScriptedRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)  # there, pytest's summary repeats all of it
    project.makepyfile(TESTS.replace("True})\n", "False})\n"))
    told = project.runpytest_inprocess(*PLUGIN)
    told.stdout.fnmatch_lines(['E *The run has no output: it failed in "Rejected" with Rejected: by legal'])
    assert str(told.stdout).count("The path that the run took:") == 1
    assert "live_run.py" not in str(told.stdout)  # the test's own line is shown, not ours


def test_how_long_it_waits_is_an_option_of_the_project(project: pytest.Pytester, started: list[ScriptedRun]) -> None:
    project.makeini("[pytest]\nwaitpoints_patience = 0.2\n")
    project.makepyfile('def test_it(machine):\n    machine("ask.asl.json").status')
    project.runpytest_inprocess(*PLUGIN).stdout.fnmatch_lines(['E *after 0.2 s the run waits in "Ask" for waitpoint_*'])


def test_the_stacks_parameters_are_a_setting_of_the_project(
    project: pytest.Pytester, started: list[ScriptedRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def shared(parameters: Any) -> Any:
        asked.append(parameters)
        return nullcontext()

    monkeypatch.setattr(shared_stack, "shared", shared)
    project.makepyfile("def test_it(waitpoints_stack): pass")
    project.makeini("[pytest]\nwaitpoints_parameters =\n    MailFrom=a@example.com\n    BrandName=A=B\n")
    project.runpytest_inprocess(*PLUGIN).assert_outcomes(passed=1)
    assert asked == [{"MailFrom": "a@example.com", "BrandName": "A=B"}]
    project.makeini("[pytest]\nwaitpoints_parameters = MailFrom\n")
    told = project.runpytest_inprocess(*PLUGIN)
    told.stdout.fnmatch_lines(["*waitpoints_parameters: MailFrom has another form than NAME=VALUE"])


def test_a_path_is_from_the_folder_of_the_test_or_from_the_root(project: pytest.Pytester, started: list[ScriptedRun]) -> None:
    project.makeini("[pytest]")
    folder = project.mkdir("tests")
    (folder / "test_it.py").write_text(TESTS + '\ndef test_none(machine):\n    machine("none.json")')
    told = project.runpytest_inprocess(*PLUGIN)
    told.assert_outcomes(passed=1, failed=1)
    told.stdout.fnmatch_lines([f"E *FileNotFoundError: No file none.json in {folder} or in {project.path}"])


def test_an_endpoint_is_made_of_its_file_or_its_json(
    project: pytest.Pytester, started: list[ScriptedRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    monkeypatch.setattr(endpoints, "put", lambda *asked: made.append(asked[2:]))
    (project.path / "orders.json").write_text('{"key": "body.id"}')
    project.makepyfile(
        'def test_it(machine):\n    machine.endpoint("orders", "orders.json")\n    machine.endpoint("other", {"key": "body.a"})'
    )
    project.runpytest_inprocess(*PLUGIN).assert_outcomes(passed=1)
    assert made == [("orders", {"key": "body.id"}), ("other", {"key": "body.a"})]
    (project.path / "orders.json").write_text('{"key": ')
    told = project.runpytest_inprocess(*PLUGIN)
    told.stdout.fnmatch_lines(["E *Unusable: *orders.json, line 1, column 9: not JSON (Expecting value)"])


def test_a_template_names_its_machine(tmp_path: Any) -> None:
    (tmp_path / "template.yaml").touch()
    assert find("template.yaml#Machine", [tmp_path]) == f"{tmp_path}/template.yaml#Machine"
    assert find(f"{tmp_path}/template.yaml", [tmp_path]) == f"{tmp_path}/template.yaml"


@pytest.mark.parametrize(
    ("value", "script"),
    [
        ({"a": 1}, [Returns({"a": 1})]),
        ([1, 2], [Returns([1, 2])]),
        (None, [Returns(None)]),
        (Fails("Boom"), [Fails("Boom")]),
        ([Fails("Boom"), 1], [Fails("Boom"), Returns(1)]),
        ([Returns([1]), Returns([2])], [Returns([1]), Returns([2])]),
    ],
)
def test_a_stand_in_returns_a_value_or_has_turns(value: Any, script: Any) -> None:
    assert script_of(value, "Pay") == script


def test_a_failure_has_a_name() -> None:
    with pytest.raises(ValueError, match=r'Fails needs the name of an error, such as Fails\("PaymentDeclined"\)'):
        Fails("")


def test_without_an_engine_each_test_says_what_to_do_in_one_line(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shared(_: Any) -> Any:
        raise LocalError(problem)

    problem = "The package waitpoints-local is not installed here: `waitpoints install` …"
    monkeypatch.setattr(shared_stack, "shared", shared)
    project.makepyfile("def test_one(machine): pass\ndef test_other(machine): pass")
    told = project.runpytest_inprocess(*PLUGIN, "-rN")
    told.assert_outcomes(errors=2)
    shown = told.outlines[told.outlines.index(next(line for line in told.outlines if "ERROR at setup" in line)) :]
    assert [line for line in shown[:4] if line[0] != "_"] == [problem] * 2


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ('machine("bad.json")', "*bad.json, line 2, column 1: not JSON (Expecting value)"),
        ('machine("none.json")', "*No file none.json in *"),
        ('machine("ask.asl.json", {1, 2})', "*the input: not what JSON can hold (Object of type set is not JSON serializable)"),
        (
            'machine("ask.asl.json", stand_ins={"PayFunction": [{1}]})',
            '*stand_ins[[]"PayFunction"]: not what JSON can hold (Object of type set is not JSON serializable)',
        ),
        ('machine.endpoint("orders", "bad.json")', "*bad.json, line 2, column 1: not JSON (Expecting value)"),
        ('durable("none.py")', "*No file none.py in *"),
    ],
)
def test_what_cannot_be_used_is_said_at_the_line_of_the_test(
    project: pytest.Pytester, started: list[ScriptedRun], call: str, said: str
) -> None:
    (project.path / "bad.json").write_text('{"StartAt":\n')
    project.makepyfile(f"def test_it(machine, durable):\n    {call}")
    told = project.runpytest_inprocess(*PLUGIN)
    told.stdout.fnmatch_lines([f">   *{call.replace('[', '[[]')}", f"E   {said}"])
    assert sum(line.startswith("E  ") for line in told.outlines) == 1
    assert "waitpoints_local/" not in str(told.stdout)


IMPORTED = """
import sys
import pytest
before = set(sys.modules)
import waitpoints_local.pytest_plugin
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
"""


def test_pytest_starts_without_what_only_these_fixtures_need() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    found = subprocess.run([sys.executable, "-c", IMPORTED], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["waitpoints_local"]
