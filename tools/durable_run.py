"""`make durable`: deploy a durable function to the stack that `make run` serves, start it, and follow it to its end.

It is a project of the SAM CLI, by default examples/durable_approval. Its template finds the stack's names by itself, and must
have the ARN of the function's alias as an output.
"""

import json
import os
import sys
import textwrap
import time
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tools.run import FOLDER, Steps, interruptible
from tools.stack import LOCAL, ROOT, sam
from waitpoints_local.stack import LocalError, Stack, is_serving

EXAMPLE = ROOT / "examples" / "durable_approval"


def deploy(stack: Stack, project: Path, folder: Path, step: Any = str) -> dict[str, str]:
    """`sam build` and `sam deploy` of a project, with its build in `folder`. Returns the outputs of its stack."""
    folder.mkdir(parents=True, exist_ok=True)
    name = project.name.replace("_", "-")
    of_it = partial(sam, endpoint=stack.endpoint, folder=folder, project=project)
    step("sam build")
    of_it("build", "--cache-dir", str(folder / "cache"))
    step("sam deploy")
    of_it("deploy", "--stack-name", name)
    [described] = stack.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


class Mail:
    """What is published to the topics among a stack's outputs."""

    def __init__(self, stack: Stack, outputs: dict[str, str]) -> None:
        self._sqs, sns = stack.client("sqs"), stack.client("sns")
        statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._url = self._sqs.create_queue(QueueName=f"mail-{uuid.uuid4().hex}", Attributes={"Policy": policy})["QueueUrl"]
        queue = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        topics = [value for value in outputs.values() if value.startswith("arn:aws:sns:")]
        self._subscriptions = [
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)["SubscriptionArn"] for topic in topics
        ]
        self._sns = sns

    def messages(self, seconds: int = 1) -> Iterator[str]:
        """Wait for a message for some seconds, and yield what has arrived."""
        for message in self._sqs.receive_message(QueueUrl=self._url, WaitTimeSeconds=seconds).get("Messages", []):
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
            yield str(json.loads(message["Body"])["Message"])

    def close(self) -> None:
        for subscription in self._subscriptions:
            self._sns.unsubscribe(SubscriptionArn=subscription)
        self._sqs.delete_queue(QueueUrl=self._url)


def served() -> Stack:
    """The stack that `make run` serves."""
    file = FOLDER / "stack.json"
    if not file.exists() or not is_serving((stack := Stack.read(file)).endpoint_url):
        raise LocalError("No stack is served: start one with `make run` in another terminal")
    return stack


def function_of(outputs: dict[str, str]) -> str:
    for value in outputs.values():
        if value.startswith("arn:aws:lambda:"):
            return value
    raise LocalError("The template has no output that is the ARN of a function: add the one of its alias")


def follow(stack: Stack, execution: str, mail: Mail) -> tuple[str, str]:
    """Print what is published until the execution has ended. Returns its status, and its result or error as JSON."""
    functions = stack.client("lambda")
    while (found := functions.get_durable_execution(DurableExecutionArn=execution))["Status"] == "RUNNING":
        for message in mail.messages():
            print(f"\n  Published:\n\n{textwrap.indent(message, '    ')}\n", flush=True)
    return found["Status"], found.get("Result") or json.dumps(found.get("Error"))


def run(step: Steps, project: Path, given: str) -> int:
    if not (project / "template.yaml").exists():
        raise LocalError(f"FOLDER={project} has no template.yaml")
    try:
        json.loads(given)
    except ValueError:
        raise LocalError(f"INPUT={given} is not JSON") from None
    stack = served()
    outputs = deploy(stack, project, LOCAL / "durable" / project.name, step)
    functions, mail = stack.client("lambda"), Mail(stack, outputs)
    step("Start an execution")
    started = functions.invoke(FunctionName=function_of(outputs), InvocationType="Event", Payload=given)
    execution = str(started["DurableExecutionArn"])
    step.end(execution.rpartition("/")[2])
    print("\n  It runs until it ends, or until you press Ctrl-C.", flush=True)
    began = time.monotonic()
    try:
        status, result = follow(stack, execution, mail)
    except KeyboardInterrupt:
        functions.stop_durable_execution(DurableExecutionArn=execution)
        print("\n  Stopped.")
        raise
    finally:
        mail.close()
    print(f"  {status} after {time.monotonic() - began:.1f} s: {result}", flush=True)
    return 0 if status == "SUCCEEDED" else 1


def main() -> int:
    step = Steps()
    project = Path(os.environ.get("FOLDER") or EXAMPLE).resolve()
    try:
        with interruptible():
            return run(step, project, os.environ.get("INPUT") or '{"order": "4711"}')
    except KeyboardInterrupt:
        return 130
    except LocalError as error:
        step.end()
        print(f"\n{error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
