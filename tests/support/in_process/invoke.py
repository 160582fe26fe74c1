"""`make invoke`: run one handler on an event in this process, with moto as AWS. Does not touch a running stack.

First creates a token with a timeout of one hour, the endpoint `github` with a recorded delivery, and the named key
`retired-job`. In the event, WAITPOINT_ID and CALLBACK_HASH are replaced by those of this token, ENDPOINT_HASH and DELIVERY_ID
by the endpoint's, API_KEY by the stack's key, and TASK_TOKEN and CALLBACK_ID by ones that belong to no execution.
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

from tests.support.in_process.moto_stack import MotoStack, client_of, moto_stack
from tests.support.in_process.template import CHANNELS, Function, Template


class CannotInvoke(Exception):
    """The event cannot be run. The message says what is wrong and what to do, in one sentence."""


def invoke(function_name: str, event_path: str) -> Any:
    """Run the function on the event in a file and return its result. Raises CannotInvoke."""
    function = named(function_name)
    text = read(event_path)
    with moto_stack(CHANNELS) as stack:
        return function.call(json.loads(filled_in(text, stack)))


def named(name: str) -> Function:
    functions = Template.load(CHANNELS).functions()
    if name not in functions:
        problem = f'No function is named "{name}"' if name else "Name the function to run"
        raise CannotInvoke(f"{problem}: FUNCTION=… is one of {', '.join(sorted(functions))}")
    return functions[name]


def read(path: str) -> str:
    """Return the text of an event file, checked to be JSON. Raises CannotInvoke."""
    if not path:
        raise CannotInvoke("Name the event to run it on, such as EVENT=events/create_token.json")
    try:
        text = Path(path).read_text()
        json.loads(text)
    except OSError as error:
        raise CannotInvoke(f"Can't read the event {path}: {os.strerror(error.errno or 0)}") from None
    except ValueError as error:
        raise CannotInvoke(f"The event {path} is not JSON: {error}") from None
    return text


def filled_in(text: str, stack: MotoStack) -> str:
    """Return an event's text with its placeholders replaced."""
    created = stack.call("create_token_in_state", {"timeout": "1h"})
    client_of("s3").put_object(
        Bucket=stack.resources["OutputBucket"]["Ref"], Key=f"{created['id']}/0123456789abcdef.json", Body=b'"large"'
    )
    endpoint_url, delivery_id = put_endpoint()
    make_key()
    places = {
        "WAITPOINT_ID": created["id"],
        "CALLBACK_HASH": created["url"].rsplit("/", 1)[1],
        "ENDPOINT_HASH": endpoint_url.rsplit("/", 1)[1],
        "DELIVERY_ID": delivery_id,
        "API_KEY": stack.secret("ApiKey"),
        "TASK_TOKEN": base64.b64encode(secrets.token_bytes(532)).decode(),
        "CALLBACK_ID": base64.b64encode(secrets.token_bytes(149)).decode(),
    }
    for name, value in places.items():
        text = text.replace(name, value)
    return text


def put_endpoint() -> tuple[str, str]:
    """Make the endpoint that the events name, and record a delivery. Returns its URL and the delivery's id."""
    from waitpoints.endpoint import Endpoint, new_secret_id
    from waitpoints.recorded_delivery import Contents, RecordedDelivery, new_delivery_id
    from waitpoints.wiring import services

    key, now = "body.workflow_run.id", services.now()
    new = Endpoint(name="github", secret_id=new_secret_id(), key=key, verify=None, created_at=now, updated_at=now)
    endpoint = services.endpoints.put(new)
    body = b'{"workflow_run": {"id": 123456}}'
    delivery = RecordedDelivery(id=new_delivery_id(now), at=now, size=len(body), expires_at=now // 1000 + 86_400)
    services.deliveries.begin(endpoint.secret_id, endpoint.name, delivery, Contents({}, "", body))
    return services.urls.endpoint_url(endpoint.name, endpoint.secret_id, ""), delivery.id


def make_key() -> None:
    """Make the named key that an event revokes."""
    from waitpoints.access.api_keys import NamedKey, Scope, digest, new_key
    from waitpoints.wiring import services

    now = services.now()
    services.api_key_store.add(NamedKey("retired-job", digest(new_key()), (Scope("read"),), now), now)


def main(function_name: str = "", event_path: str = "") -> int:
    try:
        with redirect_stdout(sys.stderr):  # functions log to standard output
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
