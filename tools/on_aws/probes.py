"""`python -m tools.on_aws.probes NAME`: ask AWS one thing about the stack STACK of the run RUN.

Prints what it saw, lines `figure<TAB>name<TAB>value`, and lines `differs<TAB>text` for what the documents say otherwise. The
status is 1 if what must hold does not.
"""

import os
import sys
from collections.abc import Callable, Iterator

from waitpoints_client.ops.aws_errors import sentence
from waitpoints_client.ops.caller import Unexpected
from waitpoints_client.ops.deployed import PROBLEMS, Deployed, NotFound

from tools.on_aws import made, measured, used
from waitpoints_local.stack import LocalError

Probe = Callable[[Deployed], Iterator[str]]
PROBES: dict[str, Probe] = {
    "bucket": made.bucket,
    "events": made.events,
    "template": made.template,
    "routes": made.routes,
    "stage": made.stage,
    "metrics": made.metrics,
    "alarms": made.alarms,
    "logs": made.logs,
    "load": measured.load,
    "timeouts": measured.timeouts,
    "reports": measured.reports,
    "bus": used.bus,
    "durable": used.durable,
    "cdk": used.cdk,
}


def probe(name: str, stack: Deployed) -> int:
    try:
        for line in PROBES[name](stack):
            print(line, flush=True)
    except (Unexpected, NotFound, LocalError) as failed:
        print(f"FAILED  {failed}")
        return 1
    except PROBLEMS as failed:
        print(f"FAILED  {failed}: {sentence(failed)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(probe(sys.argv[1], Deployed.named(os.environ["STACK"])))
