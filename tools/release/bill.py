"""The bill of materials (CycloneDX) of a layer: each library, with its version, hashes and dependencies, from uv.lock."""

import json
import subprocess
from pathlib import Path
from typing import Any

LAYERS = {"dependencies": ("layer",), "public-keys": ("public-keys",), "tracing": ("tracing", "--prune", "typing-extensions")}
"""The name of each layer, with its group in pyproject.toml, exported as `make layer` does."""


def bill(uv: Path, root: Path, layer: str) -> str:
    """Return the bill of a layer as JSON."""
    command = [str(uv), "export", "-q", "--frozen", "--format", "cyclonedx1.5", "--only-group", *LAYERS[layer]]
    return stable(subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout, layer)


def stable(exported: str, layer: str) -> str:
    """Name the layer in uv's export, and leave out what differs each time: the serial number and the time."""
    document: dict[str, Any] = json.loads(exported)
    del document["serialNumber"], document["metadata"]["timestamp"]
    document["metadata"]["component"]["name"] += f"-{layer}"
    return json.dumps(document, indent=2) + "\n"
