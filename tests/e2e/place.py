"""Where a process of the end-to-end tests builds its stack. With `-n 2` there are two processes, each with a stack."""

import os

from local.stack import LOCAL

FOLDER = LOCAL / "e2e" / os.environ.get("PYTEST_XDIST_WORKER", "")
