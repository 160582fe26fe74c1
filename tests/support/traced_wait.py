"""Run as a program: one wait on moto with traces, as functions in Lambda send them to the daemon of X-Ray.

Prints, as JSON, the token's id and what no trace may contain.
"""

import json
import os
import sys
from contextlib import redirect_stdout

ROOTS = {"create": "1-67891233-abcdef012345678912345678", "callback": "1-67891234-abcdef012345678912345678"}
PARENT = "53995c3f42cd8ad8"
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TASK_TOKEN = "AQCEAAAAKgAAAAMAAAAAsecretTaskToken"


def main() -> None:
    from tests.support.in_process.api_gateway import Api
    from tests.support.in_process.moto_stack import moto_stack

    with redirect_stdout(sys.stderr), moto_stack({"Tracing": "Active"}) as stack:
        api = Api(stack.template, stack.secret("ApiKey"))
        os.environ.pop("_X_AMZN_TRACE_ID", None)
        api.create()  # an invocation without a trace
        begin("create")
        token = api.create(taskToken=TASK_TOKEN, traceparent=TRACEPARENT)
        begin("callback")
        body = {"payload": "a secret payload", "filler": "x" * 120_000}  # too large for the item: it goes to the bucket
        assert api.deliver(token, body).status == 200
        secrets = [stack.secret("ApiKey"), stack.secret("SigningKey"), token["url"].rpartition("/")[2]]
    print(json.dumps({"id": token["id"], "secrets": [*secrets, TASK_TOKEN, "a secret payload"]}))


def begin(name: str) -> None:
    """Begin an invocation: Lambda gives each its trace."""
    os.environ["_X_AMZN_TRACE_ID"] = f"Root={ROOTS[name]};Parent={PARENT};Sampled=1"


if __name__ == "__main__":
    main()
