"""Node.js for the tests in JavaScript, with the packages of tests/package-lock.json.

Without Node.js they are skipped, and fail in CI.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tools.stack import LOCKS, ROOT
from waitpoints_local.turns import one_at_a_time

FOLDER = ROOT / "tests"
SDK = FOLDER / "sdk"
_OLDEST = 20
# Where Linux distributions and macOS keep the certificates of the system's store as one file.
_CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def node() -> str:
    """The path of Node.js, with the packages installed."""
    found = shutil.which("node")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout if found else ""
    match = re.match(r"v(\d+)\.", version)
    if not found or not match or int(match[1]) < _OLDEST or not shutil.which("npm"):
        missing(f"Node.js {_OLDEST} or newer with npm")
    with one_at_a_time(LOCKS / "npm"):
        _install()
    return str(found)


def esbuild() -> list[str]:
    """The command of esbuild in WebAssembly."""
    return [node(), str(FOLDER / "node_modules" / "esbuild-wasm" / "bin" / "esbuild")]


def run_suite(subtests: pytest.Subtests, suite: Path, only: str = "", **variables: str) -> None:
    """Run a suite of tests, a `*.test.mjs`, each as a subtest. It finds `variables` in its environment.

    `only`: a regular expression of the names of those to run.
    """
    chosen = [f"--test-name-pattern={only}"] if only else []
    done = subprocess.run(
        [node(), "--test", *chosen, f"--test-reporter={SDK / 'reporter.mjs'}", suite.name],
        cwd=suite.parent,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    for result in results:
        with subtests.test(result["name"]):
            assert result["passed"], result.get("error")
    assert results, done.stdout + done.stderr
    assert done.returncode == 0 or not all(result["passed"] for result in results), done.stdout + done.stderr


def missing(what: str) -> None:
    """Skip the test, which cannot run here. In CI it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing", pytrace=False)
    pytest.skip(f"{what} is missing")


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without the SDK's variables, plus `variables`."""
    steering = ("TRIGGER_", "VERCEL_", "NODE_OPTIONS", "NODE_TEST_CONTEXT")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(steering)}
    return {**clean, "NO_PROXY": "127.0.0.1,localhost", **variables}


def trusting_the_system(variables: Mapping[str, str]) -> dict[str, str]:
    """`variables`, plus what makes npm trust the system's certificates: Node.js 24 by an option, older ones by a file."""
    files = [path for path in _CERTIFICATES if Path(path).exists()]
    extra = {"NODE_EXTRA_CA_CERTS": files[0]} if files else {}
    return {"NODE_USE_SYSTEM_CA": "1", **extra, **variables}


def _install() -> None:
    lock = (FOLDER / "package-lock.json").read_bytes()
    installed = FOLDER / "node_modules" / ".installed"  # a copy of the lock file that was installed
    if installed.exists() and installed.read_bytes() == lock:
        return
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    trusting = trusting_the_system(os.environ)
    done = subprocess.run(command, cwd=FOLDER, env=trusting, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"npm could not install the packages: {done.stderr.strip()[-500:]}")
    installed.write_bytes(lock)
