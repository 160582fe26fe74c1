"""Lambda durable functions on the deployed stack: the example, and others with its libraries."""

import io
import json
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.e2e.built import Built
from tests.support.e2e.folders import BUILDS
from tests.support.e2e.permissions import outputs
from tests.support.e2e.waiting import until
from tools.durable_run import EXAMPLE
from tools.stack import ROOT
from waitpoints_local.stack import Stack

NAME = "durable-approval"
SOURCES = ("template.yaml", "functions", ROOT / "clients" / "python" / "src", ROOT / "clients" / "python" / "pyproject.toml")
WAITER = "durable-waiter"
IN_THE_RUNTIME = ("boto3", "botocore")  # too large to upload twice


class Durable:
    def __init__(self, stack: Stack) -> None:
        self._stack, self._functions = stack, stack.client("lambda")
        self._built = Built(BUILDS / "durable", EXAMPLE, SOURCES)
        names = {"CreateFunctionName": stack.create_function_name, "WaitFunctionName": stack.wait_function_name}
        parameters = [f"{name}={published(stack, name, value)}" for name, value in names.items()]
        self._built.deploy(stack.endpoint, name=NAME, parameters=parameters)
        self.outputs = outputs(stack, NAME)
        self.approval = self.outputs["Approval"]
        self.create(WAITER, code_of("durable_waiter.py"))

    def start(self, function: str, given: Any) -> str:
        """Start an execution of a function, by its name or by an alias' ARN. Returns the execution's ARN."""
        function = function if function.startswith("arn:") else f"{function}:$LATEST"
        started = self._functions.invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(given))
        return str(started["DurableExecutionArn"])

    def wait(self, *tokens: dict[str, Any], unwrap: bool = False) -> str:
        """Start an execution that waits for each token. Its result is a list of what each wait returned or raised."""
        return self.start(WAITER, {"tokens": [token["id"] for token in tokens], "unwrap": unwrap})

    def result(self, execution: str) -> tuple[str, Any]:
        """The status of an execution once it has ended, and its result or its error."""
        until(lambda: self.describe(execution)["Status"] != "RUNNING", "the execution hangs")
        found = self.describe(execution)
        return found["Status"], json.loads(found["Result"]) if found["Status"] == "SUCCEEDED" else found.get("Error")

    def describe(self, execution: str) -> Any:
        return self._functions.get_durable_execution(DurableExecutionArn=execution)

    def stop(self, execution: str) -> None:
        self._functions.stop_durable_execution(DurableExecutionArn=execution)

    def create(self, name: str, code: str) -> None:
        """Create a durable function with this module, the libraries and the role of the example. One of the same name goes."""
        with suppress(self._functions.exceptions.ResourceNotFoundException):
            self._functions.delete_function(FunctionName=name)
        approval = self._functions.get_function_configuration(FunctionName=self.approval.rpartition(":")[0])
        self._functions.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="function.handler",
            Role=approval["Role"],
            Timeout=60,
            Environment={
                "Variables": {
                    "CREATE_FUNCTION": self._stack.create_function_name,
                    "WAITPOINTS_WAIT_FUNCTION": self._stack.wait_function_name,
                }
            },
            DurableConfig={"ExecutionTimeout": 3600, "RetentionPeriodInDays": 1},
            Code={"ZipFile": self._zipped(code)},
        )

    def _zipped(self, code: str) -> bytes:
        package, built = io.BytesIO(), self._built.folder / "build" / "Approval"
        with zipfile.ZipFile(package, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("function.py", code)
            for path in built.rglob("*"):
                relative = path.relative_to(built)
                if relative.parts[0] not in IN_THE_RUNTIME and path.suffix != ".pyc":
                    archive.write(path, relative)
        return package.getvalue()


def published(stack: Stack, name: str, value: str) -> str:
    """The SSM parameter with a name of the stack. One beside it, if the stack is of a version that publishes none."""
    ssm, own, beside = stack.client("ssm"), f"/waitpoints/{stack.stack_name}/{name}", f"/older/{name}"
    try:
        assert ssm.get_parameter(Name=own)["Parameter"]["Value"] == value
    except ssm.exceptions.ParameterNotFound:
        ssm.put_parameter(Name=beside, Value=value, Type="String", Overwrite=True)
        return beside
    return own


def code_of(name: str) -> str:
    """The code of one of the functions beside this module."""
    return Path(__file__).with_name(name).read_text()
