"""The stack of this checkout on this machine, as `waitpoints up` runs that of a package: its template without layers, its code.

The functions' libraries are what the environment `local` has. So SAM builds nothing, and what is built is the same everywhere.
"""

import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tools import zip_file
from tools.stack import ROOT, emulating
from waitpoints_local.content import TEMPLATE, check_names
from waitpoints_local.deployment import deploy_here
from waitpoints_local.stack import LocalError, Stack, Step, check_host, clean_environment, described

CODE = {"functions.zip": "AcceptCallback", "console.zip": "ShowConsole"}
"""Each zip file of code, with a function for which functions/Makefile makes that code."""

_LAYER = r"(?:  # .*\n)?  \w+Layer:\n(?:    .*\n)+\n"


@contextmanager
def running(
    port: int, folder: Path, step: Step = str, parameters: Mapping[str, str] | None = None, host: str = ""
) -> Iterator[Stack]:
    """Deploy the stack on 127.0.0.1:`port` with its files in `folder`. On exit, ends every process it started.

    Raises LocalError.
    """
    files, given = content(), dict(parameters or {})
    template = files[TEMPLATE].decode()
    check_names(template, given)
    check_host(host)
    with emulating(port, folder, step, "local", host) as emulator:
        step("Deploying the stack")
        deploy_here(emulator, template, files.__getitem__, given)
        with described(emulator, folder) as stack:
            yield stack


def content() -> dict[str, bytes]:
    """Return the files of the stack: its template, and what that refers to."""
    return content_of((ROOT / "template.yaml").read_text(), code())


def code() -> dict[str, bytes]:
    """Return the zip files of the functions' code, as `sam build` lets functions/Makefile make it. Raises LocalError."""
    return {name: _code_of(function) for name, function in CODE.items()}


def _code_of(function: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        environment = {**clean_environment(), "ARTIFACTS_DIR": folder}
        command = ["make", "-s", f"build-{function}"]
        done = subprocess.run(command, cwd=ROOT / "functions", env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LocalError(f"The functions' code could not be copied: {done.stderr.strip()}")
        return zip_file.packed(zip_file.files_of(Path(folder)))


def content_of(template: str, code: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of a stack with this template and this code."""
    made = without_layers(template)
    definitions = re.findall(r"DefinitionUri: (\S+)$", made, re.MULTILINE)
    return {TEMPLATE: made.encode(), **code, **{path: (ROOT / path).read_bytes() for path in definitions}}


def without_layers(template: str) -> str:
    """Return the template with code that is built already, and without layers."""
    for pattern, replacement, times in (
        (_LAYER, "", 3),
        (r"^ +Layers: \[.*\]\n", "", 6),
        (r"^    CodeUri: functions/$", "    CodeUri: functions.zip", 1),
        (r"^      Handler: show_console.handler$", r"\g<0>\n      CodeUri: console.zip", 1),
    ):
        template, found = re.subn(pattern, replacement, template, flags=re.MULTILINE)
        assert found == times, f"template.yaml has {pattern!r} {found} times, not {times}"
    return template
