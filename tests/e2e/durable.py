"""Lambda durable functions on the deployed stack: the example as its users deploy it, and one that the tests script."""

import io
import json
import time
import zipfile
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from local.stack import LOCAL, ROOT, Stack, sam
from tests.e2e.api import PATIENCE

EXAMPLE = ROOT / "examples" / "durable_approval"
STACK_NAME = "durable-approval"
WAITER = "durable-waiter"
IN_THE_RUNTIME = ("boto3", "botocore")  # too large to upload twice


class Durable:
    def __init__(self, stack: Stack) -> None:
        self._stack, self._functions = stack, stack.client("lambda")
        self._deploy(LOCAL / "e2e" / "durable")
        described = stack.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"][0]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
        self.approval, self.topic = outputs["Approval"], outputs["RequestsTopic"]
        self._create_waiter(LOCAL / "e2e" / "durable" / "build" / "Approval")

    def start(self, function: str, given: Any) -> str:
        """Start an execution. Returns its ARN."""
        started = self._functions.invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(given))
        return str(started["DurableExecutionArn"])

    def wait(self, *tokens: dict[str, Any], unwrap: bool = False) -> str:
        """Start an execution that waits for each token. Its result is a list of what each wait returned or raised."""
        return self.start(f"{WAITER}:$LATEST", {"tokens": [token["id"] for token in tokens], "unwrap": unwrap})

    def result(self, execution: str) -> tuple[str, Any]:
        """The status of an execution once it has ended, and its result or its error."""
        until = time.monotonic() + PATIENCE
        while (found := self.describe(execution))["Status"] == "RUNNING":
            assert time.monotonic() < until, "the execution hangs"
            time.sleep(0.05)
        return found["Status"], json.loads(found["Result"]) if found["Status"] == "SUCCEEDED" else found.get("Error")

    def describe(self, execution: str) -> Any:
        return self._functions.get_durable_execution(DurableExecutionArn=execution)

    def stop(self, execution: str) -> None:
        self._functions.stop_durable_execution(DurableExecutionArn=execution)

    def _deploy(self, folder: Path) -> None:
        """`sam build` and `sam deploy` as the example's README says."""
        folder.mkdir(parents=True, exist_ok=True)
        of_it = partial(sam, endpoint_url=self._stack.endpoint_url, folder=folder, project=EXAMPLE)
        of_it("build", "--cache-dir", str(folder / "cache"))
        names = {"CreateFunctionName": self._stack.create_function_name, "WaitFunctionName": self._stack.wait_function_name}
        parameters = [f"{name}={value}" for name, value in names.items()]
        of_it("deploy", "--stack-name", STACK_NAME, "--parameter-overrides", *parameters)

    def _create_waiter(self, built: Path) -> None:
        with suppress(self._functions.exceptions.ResourceNotFoundException):
            self._functions.delete_function(FunctionName=WAITER)  # of an earlier run on the same stack
        approval = self._functions.get_function_configuration(FunctionName=self.approval.rpartition(":")[0])
        self._functions.create_function(
            FunctionName=WAITER,
            Runtime="python3.13",
            Handler="durable_waiter.handler",
            Role=approval["Role"],
            Timeout=60,
            Environment={"Variables": {"WAITPOINTS_WAIT_FUNCTION": self._stack.wait_function_name}},
            DurableConfig={"ExecutionTimeout": 3600, "RetentionPeriodInDays": 1},
            Code={"ZipFile": _zipped(built)},
        )


def _zipped(built: Path) -> bytes:
    """The script with the libraries of the example."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w", zipfile.ZIP_STORED) as archive:
        archive.write(Path(__file__).with_name("durable_waiter.py"), "durable_waiter.py")
        for path in built.rglob("*"):
            relative = path.relative_to(built)
            if relative.parts[0] not in IN_THE_RUNTIME and path.suffix != ".pyc":
                archive.write(path, relative)
    return code.getvalue()
