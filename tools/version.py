"""`make version VERSION=0.4.0.dev0`: write the version of the stack and of its packages into each file that names it.

It is the one of clients/python/pyproject.toml. The other files repeat it, because each must be whole without the repository:
`sam build` reads the template alone, and the client asks no package manager as it starts.
"""

import re
import sys
from pathlib import Path

from tools.stack import ROOT
from waitpoints_local.stack import LocalError

SOURCE = "clients/python/pyproject.toml"
NPM = ("cdk", "typescript")
"""The folders of the clients that npm installs."""
PLACES = (
    (SOURCE, r'(?m)^version = "(.*)"$'),
    ("clients/python/src/waitpoints_client/version.py", r'(?m)^__version__ = "(.*)"$'),
    *((f"clients/{folder}/pyproject.toml", r'(?m)^version = "(.*)"$') for folder in ("local", "engine")),
    *((f"clients/{folder}/pyproject.toml", r'(?m)^    "waitpoints-client\[aws\]==(.*)",$') for folder in ("local", "engine")),
    ("clients/engine/pyproject.toml", r'(?m)^    "waitpoints-testing==(.*)",$'),
    ("pyproject.toml", r'(?m)^version = "(.*)"$'),
    ("uv.lock", r'\nname = "waitpoints"\nversion = "(.*)"\n'),
    ("uv.lock", r'\nname = "waitpoints-client"\nversion = "(.*)"\n'),
    ("uv.lock", r'\nname = "waitpoints-local"\nversion = "(.*)"\n'),
    ("uv.lock", r'\nname = "waitpoints-testing"\nversion = "(.*)"\n'),
    ("clients/typescript/src/version.ts", r'(?m)^export const VERSION = "(.*)";$'),
    ("template.yaml", r"(?m)^  Waitpoints: \{Version: &version (\S+)\}"),
    ("openapi.yaml", r"(?m)^info:\n(?:  .*\n)*?  version: (.*)$"),
    *((f"clients/{folder}/package.json", r'(?m)^  "version": "(.*)",$') for folder in NPM),
    *((f"clients/{folder}/package-lock.json", r'(?m)^  "version": "(.*)",$') for folder in NPM),
    *(
        (f"clients/{folder}/package-lock.json", r'\n    "": \{\n      "name": ".*",\n      "version": "(.*)",\n')
        for folder in NPM
    ),
)
"""The files, each with a pattern that is found once, and whose only group is the version."""
_FORM = r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}(\.dev0)?"


def read(root: Path = ROOT) -> str:
    """Return the version of the project in a folder."""
    return _found(root, *PLACES[0])[1]


def differing(root: Path = ROOT) -> dict[str, str]:
    """Return the files that do not name the project's version, with the one that they name."""
    named = ((path, _found(root, path, pattern)[1]) for path, pattern in PLACES)
    return {path: version for path, version in named if version != form_in(path, read(root))}


def form_in(path: str, version: str) -> str:
    """Return a version as a file writes it: npm's form of 0.4.0.dev0 is 0.4.0-dev.0."""
    return version.replace(".dev", "-dev.") if path.startswith(tuple(f"clients/{folder}/" for folder in NPM)) else version


def write(version: str, root: Path = ROOT) -> None:
    """Give the project in a folder another version. Raises LocalError for one of another form."""
    if not re.fullmatch(_FORM, version):
        raise LocalError(f"VERSION={version} is not a version: write 0.3.0, or 0.4.0.dev0 for what comes before 0.4.0")
    for path, pattern in PLACES:
        found = _found(root, path, pattern)
        (root / path).write_text(found.string[: found.start(1)] + form_in(path, version) + found.string[found.end(1) :])


def _found(root: Path, path: str, pattern: str) -> re.Match[str]:
    found = [*re.finditer(pattern, (root / path).read_text())]
    if len(found) != 1:
        raise LocalError(f"{path} names the version {len(found)} times: see PLACES in tools/version.py")
    return found[0]


def main() -> int:
    try:
        write(sys.argv[1])
    except LocalError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
