"""`make invoke`: run one handler on an event, in this process, with moto for AWS. It does not touch a running stack.

Before the handler runs, a token with a timeout of an hour is created. In the event, WAITPOINT_ID and CALLBACK_HASH are
those of this token, API_KEY is the stack's key, and TASK_TOKEN a task token that no state waits with.
"""

import base64
import json
import os
import secrets
import sys
import traceback
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from in_process.moto_stack import MotoStack, moto_stack
from in_process.template import Function, Template


class CannotInvoke(Exception):
    """What is wrong and what to do about it, in one sentence."""


def invoke(function_name: str, event_path: str) -> Any:
    """What the function answers to the event in a file. Raises CannotInvoke."""
    function = named(function_name)
    text = read(event_path)
    with moto_stack() as stack:
        return function.call(json.loads(filled_in(text, stack)))


def named(name: str) -> Function:
    functions = Template.load().functions()
    if name not in functions:
        said = f'There is no function "{name}"' if name else "Say which function to run"
        raise CannotInvoke(f"{said}: FUNCTION=… is one of {', '.join(sorted(functions))}")
    return functions[name]


def read(path: str) -> str:
    """The text of an event file, which is known to be JSON."""
    if not path:
        raise CannotInvoke("Say which event to run it on, such as EVENT=events/create_token.json")
    try:
        text = Path(path).read_text()
        json.loads(text)
    except OSError as error:
        raise CannotInvoke(f"The event {path} cannot be read: {os.strerror(error.errno or 0)}") from None
    except ValueError as error:
        raise CannotInvoke(f"The event {path} is not JSON: {error}") from None
    return text


def filled_in(text: str, stack: MotoStack) -> str:
    """An event's text with what its placeholders stand for."""
    created = stack.functions()["create_token_in_state"].call({"timeout": "1h"})
    boto3.client("s3").put_object(
        Bucket=stack.resources["OutputBucket"]["Ref"], Key=f"{created['id']}/0123456789abcdef.json", Body=b'"large"'
    )
    task_token = base64.b64encode(secrets.token_bytes(532)).decode()
    places = {
        "WAITPOINT_ID": created["id"],
        "CALLBACK_HASH": created["url"].rsplit("/", 1)[1],
        "API_KEY": stack.secret("ApiKey"),
        "TASK_TOKEN": task_token,
    }
    for name, value in places.items():
        text = text.replace(name, value)
    return text


def main(function_name: str = "", event_path: str = "") -> int:
    try:
        with redirect_stdout(sys.stderr):  # the functions log to standard output
            answer = invoke(function_name, event_path)
    except CannotInvoke as error:
        print(error, file=sys.stderr)
        return 1
    except Exception as error:
        traceback.print_exc()
        print(f"{function_name} raised {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
