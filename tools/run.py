"""`make run`: start the whole stack on this machine, demonstrate its main job, and serve until Ctrl-C."""

import json
import os
import re
import shlex
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

from tools.checkout import running
from tools.stack import LOCAL, ROOT
from waitpoints_local.admission import ONE_MORE_HOST
from waitpoints_local.stack import LocalError, Stack

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
        print(f"  {what:<42}", end="", flush=True)
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
    step("POST GitHub's webhook to its callback URL")
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


def how_to_go_on(stack: Stack, *, has_aws: bool, has_mail: bool = False, has_chat: bool = False) -> str:
    """Shell commands that run unedited, in the order in which they are printed."""
    return f"""
  Paste these into another terminal, in this folder.

  Create a token, POST to its callback URL, and look at it:

    PATH="$PWD/.local/local/bin:$PATH"
    ID=$(waitpoints create --timeout 1h --tag demo --quiet)
    curl -sw '\\n' -d '{{"approved": true}}' "$(waitpoints url "$ID")"
    waitpoints get "$ID"
    waitpoints list --tag demo

  Run a state machine of your own on that token. It ends at once, since the
  token is completed. Without --input it gets a token of its own, and prints
  the line that completes it. Edit .local/mine.asl.json as you like:

    cp examples/statemachines/wait_for_webhook.asl.json .local/mine.asl.json
    waitpoints try .local/mine.asl.json --input "{{\\"token\\":{{\\"id\\":\\"$ID\\"}}}}"
    waitpoints logs "$ID"

  For curl and SDKs, and for {stack.api_url}/console, which takes the key:

    export API={stack.api_url}
    export KEY={stack.api_key}

  For a state machine of your own that stays, as `--role-arn "$ROLE"`:

    export ROLE={stack.machine_role_arn}
{_FOR_MAIL if has_mail else ""}{_FOR_CHAT if has_chat else ""}{_FOR_AWS if has_aws else ""}
  waitpoints --help lists every command. The values of this stack are in
  .local/stack.json while it runs. Ctrl-C ends it and forgets everything:
  tokens, executions, state machines and keys.
"""


_FOR_MAIL = """
  The stack sends mails, and keeps them on this machine. Ask somebody by mail,
  and a few seconds later look at the mail, and open its link:

    curl -sw '\\n' -H "Authorization: Bearer $KEY" -d '{
      "page": {"title": "Deploy?", "approvers": ["ann@example.com"]},
      "notify": {"email": true}}' "$API/api/v1/waitpoints/tokens"
    waitpoints outbox
    waitpoints outbox --open
"""
_FOR_CHAT = """
  Slack and Teams are a stand-in, which says what to type:

    .local/local/bin/waitpoints chat
"""


_FOR_AWS = """
  For the AWS CLI:

    local_aws() { (eval "$(waitpoints env)"; aws --output text "$@"); }
    local_aws stepfunctions list-state-machines --query 'stateMachines[].name'
"""


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
        with interruptible(), running(chosen_port(), FOLDER, step, parameters := chosen_parameters(), chosen_host()) as stack:
            status, output = main_job(stack, step)
            succeeded = status == "SUCCEEDED" and output == json.loads(PAYLOAD.read_bytes())
            print(f"\n  {status}, with this output:\n")
            print("\n".join(f"    {line}" for line in shortened(json.dumps(output, indent=2))))
            if not succeeded:
                raise LocalError("The execution did not end with the payload that was posted")
            if os.environ.get("ONCE") == "1":
                return 0
            has_aws, has_mail = shutil.which("aws") is not None, bool(parameters.get("MailFrom"))
            has_chat = "on" in (parameters.get("Slack"), parameters.get("Teams"))
            print(how_to_go_on(stack, has_aws=has_aws, has_mail=has_mail, has_chat=has_chat), flush=True)
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


def chosen_host() -> str:
    """Return one more name at which the API answers. Conda and some shells set HOST."""
    return os.environ.get(ONE_MORE_HOST, "")


def chosen_parameters() -> dict[str, str]:
    """Return the template's parameters in PARAMETERS. Raises LocalError for another form than that of `sam deploy`."""
    written = os.environ.get("PARAMETERS", "")
    try:
        found = shlex.split(written)
    except ValueError:
        found = [written]
    if wrong := [text for text in found if not re.fullmatch(r"[A-Za-z]+=[^\"']*", text)]:
        raise LocalError(f"PARAMETERS has {wrong[0]!r}: write NAME=VALUE, with quotes around a value that has spaces")
    return dict(text.split("=", 1) for text in found)


def shortened(text: str) -> list[str]:
    """Return the text, or only four of its lines if it is longer: what was printed before it must stay on the screen."""
    every = text.splitlines()
    return every if len(every) <= 5 else [*every[:3], f"… {len(every) - 4} more lines …", every[-1]]


if __name__ == "__main__":
    sys.exit(main())
