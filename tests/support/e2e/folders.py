"""Where the end-to-end tests put their files."""

import os
import shutil

from tools.stack import LOCAL

FOLDER = LOCAL / "e2e" / os.environ.get("PYTEST_XDIST_WORKER", "main")
"""The files of this process's stack. With `-n 3` there are three processes, each with a stack."""
BUILDS = LOCAL / "e2e"
"""The builds that all processes use."""
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".local", ".aws-sam", "dist", "node_modules", "__pycache__", ".*_cache")
"""What a copy of the project leaves out, as a clone would."""
