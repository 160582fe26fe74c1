"""What is in a package for npm."""

import json
import tarfile
from pathlib import Path
from typing import Any


def project_of(package: Path) -> dict[str, Any]:
    """Its `package.json`."""
    with tarfile.open(package) as packed:
        file = packed.extractfile("package/package.json")
        assert file is not None
        return json.load(file)
