"""Node.js, and the packages that a folder's package-lock.json names, installed beside it."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tools.stack import LOCKS
from waitpoints_local.stack import LocalError
from waitpoints_local.turns import one_at_a_time

OLDEST = 20
# Where Linux distributions and macOS keep the certificates of the system's store as one file.
_CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


class NoNode(LocalError):
    """Node.js or npm is missing, or too old."""

    def __init__(self) -> None:
        super().__init__(f"Node.js {OLDEST} or newer with npm is missing")


def node() -> str:
    """Return the path of Node.js. Raises NoNode."""
    found = shutil.which("node")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout if found else ""
    match = re.match(r"v(\d+)\.", version)
    if not found or not match or int(match[1]) < OLDEST or not shutil.which("npm"):
        raise NoNode
    return found


def install(folder: Path) -> None:
    """Install what the folder's package-lock.json names, unless it is there. Raises LocalError with npm's reason."""
    lock = (folder / "package-lock.json").read_bytes()
    installed = folder / "node_modules" / ".installed"  # a copy of the lock file that was installed
    with one_at_a_time(LOCKS / f"npm-{folder.name}"):
        if not installed.exists() or installed.read_bytes() != lock:
            npm("ci", folder=folder)
            installed.write_bytes(lock)


def npm(command: str, *arguments: str, folder: Path) -> None:
    """Run a command of npm, without scripts of packages. Raises LocalError with npm's reason."""
    whole = ["npm", command, "--ignore-scripts", "--no-audit", "--no-fund", *arguments]
    environment = trusting_the_system(os.environ)
    done = subprocess.run(whole, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"`npm {command}` failed: {(done.stderr + done.stdout).strip()[-500:]}")


def trusting_the_system(variables: Mapping[str, str]) -> dict[str, str]:
    """`variables`, plus what makes npm trust the system's certificates: Node.js 24 by an option, older ones by a file."""
    files = [path for path in _CERTIFICATES if Path(path).exists()]
    extra = {"NODE_EXTRA_CA_CERTS": files[0]} if files else {}
    return {"NODE_USE_SYSTEM_CA": "1", **extra, **variables}
