"""A process that evaluates JSONata. Usage: python -m waitpoints_local.interpreter.jsonata_process, with the number of a socket.

Its kernel ends it when an expression takes too long, whatever Python does then.
"""

import resource
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler

from ministack.services import stepfunctions

from waitpoints_local.interpreter.expressions import Engine
from waitpoints_local.interpreter.jsonata_mends import follow_the_reference
from waitpoints_local.interpreter.jsonata_processes import LARGEST_RESULT, MEMORY, SECONDS


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with its parent
    with suppress(ValueError):  # macOS knows no such limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    follow_the_reference()
    engine, connection = Engine(stepfunctions), Connection(int(sys.argv[1]))
    while True:
        try:
            expression, bindings, millis = connection.recv()
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        answer = ForkingPickler.dumps(engine.evaluate(expression, bindings, millis))
        signal.setitimer(signal.ITIMER_PROF, 0)
        if len(answer) > LARGEST_RESULT:
            about = f"The result of the JSONata expression '{expression}' has more than {LARGEST_RESULT >> 20} MiB."
            answer = ForkingPickler.dumps((None, about))
        connection.send_bytes(answer)


if __name__ == "__main__":
    main()
