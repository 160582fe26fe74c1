"""A process that starts a stack with the emulator of the clone, prints what describes it, and ends, as `waitpoints up` does.

Usage: python -m tests.support.e2e.serving_driver CONTENT PORT FOLDER [STEP]. If STEP is named, it is killed there.
"""

import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path

from tools.stack import on_path, program
from waitpoints_local import content, serving
from waitpoints_local.stack import Program


def main(folder_of_content: str, port: str, folder: str, killed_at: str = "") -> None:
    def step(what: str) -> None:
        if what == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    content.FOLDER = Path(folder_of_content)
    emulator = Program(program("emulator", "python"), on_path())
    stack, is_new = serving.up(int(port), Path(folder), {}, step, emulator)
    print(json.dumps({"is_new": is_new, **asdict(stack)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
