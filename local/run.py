"""`make run`: start the whole stack on this machine, demonstrate its main job, and serve until Ctrl-C."""

import json
import os
import shutil
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local.stack import LOCAL, ROOT, LocalError, Stack, running

PAYLOAD = ROOT / "events" / "github_workflow_run_completed.json"
FOLDER = Path(os.environ.get("STACK_FOLDER", LOCAL))
RUN_SECONDS = 60


class Steps:
    """Print each step with its duration, and show progress during a long one."""

    def __init__(self) -> None:
        self._started: float | None = None
        self._done = threading.Event()
        self._dots: threading.Thread | None = None

    def __call__(self, what: str) -> None:
        self.end()
        print(f"  {what:<58}", end="", flush=True)
        self._started = time.perf_counter()
        self._done = threading.Event()
        self._dots = threading.Thread(target=self._show_progress, args=(self._done,), daemon=True)
        self._dots.start()

    def end(self, result: str = "") -> None:
        if self._started is None:
            return
        self._done.set()
        if self._dots:
            self._dots.join()
        print(f" {time.perf_counter() - self._started:6.2f} s  {result}".rstrip(), flush=True)
        self._started = None

    @staticmethod
    def _show_progress(done: threading.Event) -> None:
        while not done.wait(2):
            print(".", end="", flush=True)


def main_job(stack: Stack, step: Steps) -> tuple[str, Any]:
    """Create a token, start an execution that waits for it, and post a webhook. Returns its status and output."""
    step_functions = stack.client("stepfunctions")

    step("POST /api/v1/waitpoints/tokens")
    key = f"demo-{time.time_ns()}"
    token = call(f"{stack.api_url}/api/v1/waitpoints/tokens", {"idempotencyKey": key, "timeout": "1h"}, stack.api_key)
    step.end(token["id"])

    step("Start an execution that waits for it")
    execution = step_functions.start_execution(
        stateMachineArn=stack.state_machine_arn, input=json.dumps({"token": {"id": token["id"]}})
    )["executionArn"]
    retrieve = f"{stack.api_url}/api/v1/waitpoints/tokens/{token['id']}"
    for _ in polling():
        if call(retrieve, None, stack.api_key)["waiters"]:
            break
    step.end("the token has 1 waiter")

    payload = PAYLOAD.read_bytes()
    step(f"POST GitHub's webhook, {len(payload):,} bytes, to its callback URL")
    answer = call(token["url"], payload)
    step.end(json.dumps(answer))

    step("The execution goes on")
    for _ in polling():
        described: dict[str, Any] = step_functions.describe_execution(executionArn=execution)
        if described["status"] != "RUNNING":
            step.end(described["status"])
            return described["status"], json.loads(described.get("output", "null"))
    return "RUNNING", None


def polling() -> Iterator[None]:
    """Yield every few milliseconds for a minute, then raise LocalError."""
    until = time.monotonic() + RUN_SECONDS
    while time.monotonic() < until:
        yield
        time.sleep(0.02)
    raise LocalError(f"Nothing happened for {RUN_SECONDS} s: see {FOLDER / 'emulator.log'}")


def call(url: str, body: Any, api_key: str | None = None) -> Any:
    headers = {"content-type": "application/json", **({"authorization": f"Bearer {api_key}"} if api_key else {})}
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=30) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise LocalError(f"{url.split('/callback/', maxsplit=1)[0]} answered {error.code}: {error.read().decode()}") from None


def how_to_go_on(stack: Stack, *, has_aws: bool) -> str:
    """Shell commands that run unedited, in the order in which they are printed."""
    tokens = '"$API/api/v1/waitpoints/tokens'
    key = '-H "authorization: Bearer $KEY"'
    return f"""
  Paste these into another terminal, in this folder.

  Create a token, POST to its callback URL, and look at it:

    export API={stack.api_url} KEY={stack.api_key}
    R=$(curl -s -X POST {tokens}" {key} -d '{{"timeout": "1h", "tags": ["demo"]}}')
    ID=$(printf %s "$R" | sed 's/.*"id": *"\\([^"]*\\)".*/\\1/')
    URL=$(printf %s "$R" | sed 's/.*"url": *"\\([^"]*\\)".*/\\1/')
    curl -sw '\\n' -X POST "$URL" -d '{{"approved": true}}'
    curl -sw '\\n' {tokens}/$ID" {key}
    curl -sgw '\\n' {tokens}?filter[tags]=demo" {key}

  Open {stack.api_url}/console in a browser, and paste the key to see what you did.

  Start a state machine of your own on that token. It ends at once, since the token is completed. After the first
  command, edit .local/mine.asl.json as you like:

    sed 's/${{Partition}}/aws/; s/${{WaitForToken}}/{stack.wait_function_name}/' \\
      statemachines/wait_for_webhook.asl.json > .local/mine.asl.json
{_with_aws(stack) if has_aws else _with_boto3(stack)}

  A state creates its own token with the function {stack.create_function_name},
  and completes one with {stack.complete_function_name}.
  The credentials are test and test, the region is {stack.region}, and the role is that of the example.

  These values are in .local/stack.json while it runs.
  Ctrl-C ends it and forgets everything: tokens, executions, state machines and keys.
"""


def _with_aws(stack: Stack) -> str:
    credentials = f"AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION={stack.region}"
    return f"""\
    local_aws() {{ {credentials} aws --endpoint-url {stack.endpoint_url} --output text "$@"; }}
    ROLE=$(local_aws stepfunctions describe-state-machine --query roleArn --state-machine-arn {stack.state_machine_arn})
    MINE=$(local_aws stepfunctions create-state-machine --query stateMachineArn --name "mine-$(date +%s)" --role-arn "$ROLE" \\
      --definition file://.local/mine.asl.json)
    RUN=$(local_aws stepfunctions start-execution --query executionArn --state-machine-arn "$MINE" \\
      --input "{{\\"token\\": {{\\"id\\": \\"$ID\\"}}}}")
    sleep 2; local_aws stepfunctions describe-execution --execution-arn "$RUN" --query '[status, output]'
    GROUP=$(local_aws cloudformation describe-stack-resource --stack-name {stack.stack_name} --logical-resource-id LogGroup \\
      --query StackResourceDetail.PhysicalResourceId)
    local_aws logs filter-log-events --log-group-name "$GROUP" --query 'events[].[message]'"""


def _with_boto3(stack: Stack) -> str:
    """The same for a machine without the AWS CLI, with the Python that the local run has installed."""
    return f"""\
    .local/emulator/bin/python - "$ID" <<'END'
import boto3, json, sys, time
sfn = boto3.client("stepfunctions", endpoint_url="{stack.endpoint_url}", region_name="{stack.region}",
                   aws_access_key_id="test", aws_secret_access_key="test")
role = sfn.describe_state_machine(stateMachineArn="{stack.state_machine_arn}")["roleArn"]
mine = sfn.create_state_machine(name=f"mine-{{time.time():.0f}}", roleArn=role, definition=open(".local/mine.asl.json").read())
token = json.dumps({{"token": {{"id": sys.argv[1]}}}})
run = sfn.start_execution(stateMachineArn=mine["stateMachineArn"], input=token)
time.sleep(2)
found = sfn.describe_execution(executionArn=run["executionArn"])
print(found["status"], found.get("output"))
END"""


@contextmanager
def interruptible() -> Iterator[None]:
    """Shut down on `kill` in the same orderly way as on Ctrl-C."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_number, interrupt)
    yield


def main() -> int:
    step = Steps()
    try:
        with interruptible(), running(chosen_port(), FOLDER, step) as stack:
            status, output = main_job(stack, step)
            succeeded = status == "SUCCEEDED" and output == json.loads(PAYLOAD.read_bytes())
            print(f"\n  {status}, with this output:\n")
            print("\n".join(f"    {line}" for line in shortened(json.dumps(output, indent=2))))
            if not succeeded:
                raise LocalError("The execution did not end with the payload that was posted")
            if os.environ.get("ONCE") == "1":
                return 0
            print(how_to_go_on(stack, has_aws=shutil.which("aws") is not None), flush=True)
            while True:
                signal.pause()
    except LocalError as error:
        step.end("failed")
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        step.end()
        print("\n  Ended.")
        return 130 if os.environ.get("ONCE") == "1" else 0


def chosen_port() -> int:
    written = os.environ.get("PORT", "8787")
    if not written.isascii() or not written.isdigit() or not 1024 <= int(written) <= 65535:
        raise LocalError(f"PORT={written} is not a port: choose a number from 1024 to 65535")
    return int(written)


def shortened(text: str, lines: int = 24) -> list[str]:
    """Return the text, or only its first and last lines if it is longer than a screen."""
    every = text.splitlines()
    if len(every) <= lines:
        return every
    return [*every[: lines - 6], f"… {len(every) - lines + 1} more lines …", *every[-5:]]


if __name__ == "__main__":
    sys.exit(main())
