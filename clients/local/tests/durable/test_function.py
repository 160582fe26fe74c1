"""Which function of a file is run, and what runs it."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from waitpoints_client.ops.deployed import Outputs

from waitpoints_local.durable import function
from waitpoints_local.durable.function import deployed, locate


@pytest.mark.parametrize(
    ("code", "handler", "found"),
    [
        ("def handler(): ...", "", "handler"),
        ("def lambda_handler(): ...\ndef other(): ...", "", "lambda_handler"),
        ("def other(): ...\nhandler = other", "", "handler"),
        ("from other import approve as handler", "", "handler"),
        ("def handler(): ...\nasync def approve(): ...", "approve", "approve"),
    ],
)
def test_the_handler_is_found_by_its_usual_name_or_by_the_one_that_is_given(
    tmp_path: Path, code: str, handler: str, found: str
) -> None:
    (tmp_path / "it.py").write_text(code)
    assert locate(tmp_path / "it.py", handler).handler == found


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        ("", "it.py has neither handler nor lambda_handler: name its function, such as it.py:approve"),
        ("aprove", "it.py has no aprove: name its function, such as it.py:approve"),
    ],
)
def test_a_file_without_it_is_refused_with_one_that_it_has(tmp_path: Path, handler: str, said: str) -> None:
    (tmp_path / "it.py").write_text("def approve(): ...")
    with pytest.raises(ValueError, match=said):
        locate(tmp_path / "it.py", handler)


class LocalStack:
    """Stands in for the local stack and its Lambda."""

    outputs = Outputs(CreateFunctionName="create", WaitFunctionName="wait")

    def __init__(self) -> None:
        self.described = {"api_url": "http://127.0.0.1:1", "api_key": "key"}
        self.functions: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        return self

    def create_function(self, **made: Any) -> None:
        self.functions[made["FunctionName"]] = made

    def delete_function(self, *, FunctionName: str) -> None:
        if self.functions.pop(FunctionName, None) is None:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "DeleteFunction")


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> LocalStack:
    monkeypatch.setattr(function, "make_role_of_functions", lambda _: "the-role")
    return LocalStack()


def test_it_is_durable_knows_the_stack_and_is_taken_away(stack: LocalStack, tmp_path: Path) -> None:
    (tmp_path / "it.py").write_text("def handler(): ...")
    with deployed(stack, locate(tmp_path / "it.py"), {"TOPIC": "t", "CREATE_FUNCTION": "mine"}) as name:  # type: ignore[arg-type]
        [made] = stack.functions.values()
        assert name == f"{made['FunctionName']}:$LATEST"
        assert made["DurableConfig"]["ExecutionTimeout"] == 366 * 86_400
        variables = {"WAITPOINTS_URL": "http://127.0.0.1:1", "WAITPOINTS_API_KEY": "key", "WAITPOINTS_WAIT_FUNCTION": "wait"}
        assert made["Environment"]["Variables"] == {**variables, "CREATE_FUNCTION": "mine", "TOPIC": "t"}
    assert stack.functions == {}


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        ("import beside\ndef handler(event, context): return {'Status': beside.NAME + event}", "{'Status': 'ann and bo'}"),
        ("def handler(event, context): return 1", "TypeError: handler is no durable function: decorate it with"),
    ],
)
def test_its_file_runs_where_it_is_and_must_be_durable(stack: LocalStack, tmp_path: Path, code: str, printed: str) -> None:
    (tmp_path / "beside.py").write_text("NAME = 'ann'")
    (tmp_path / "it.py").write_text(code)
    with deployed(stack, locate(tmp_path / "it.py"), {}):  # type: ignore[arg-type]
        [made] = stack.functions.values()
    with zipfile.ZipFile(io.BytesIO(made["Code"]["ZipFile"])) as package:
        package.extractall(tmp_path / "task")
    module = made["Handler"].partition(".")[0]
    command = f"import {module}; print({module}.handler(' and bo', None))"
    done = subprocess.run([sys.executable, "-c", command], cwd=tmp_path / "task", capture_output=True, text=True, check=False)
    assert printed in done.stdout + done.stderr


def test_a_function_that_is_gone_already_is_no_problem(stack: LocalStack, tmp_path: Path) -> None:
    (tmp_path / "it.py").write_text("def handler(): ...")
    with deployed(stack, locate(tmp_path / "it.py"), {}):  # type: ignore[arg-type]
        stack.functions.clear()
