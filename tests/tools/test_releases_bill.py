"""The bill of materials of a layer names what is in it, and is the same each time."""

import json
import re
from typing import Any

import pytest

from tools.release.bill import LAYERS, bill, stable
from tools.stack import LOCAL, ROOT

UV = LOCAL / "uv" / "bin" / "uv"
REQUIREMENTS = {
    "dependencies": "layers/dependencies/requirements.txt",
    "public-keys": "layers/public_keys/requirements.txt",
    "tracing": "layers/dependencies/tracing.txt",
}


@pytest.mark.slow  # it starts processes
@pytest.mark.parametrize("layer", LAYERS)
def test_a_bill_has_every_library_of_its_layer_and_no_other(layer: str) -> None:
    document = json.loads(bill(UV, ROOT, layer))
    required = re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / REQUIREMENTS[layer]).read_text(), re.MULTILINE)
    assert required
    assert {(it["name"], it["version"]) for it in document["components"]} == set(required)
    assert all(it["purl"] == f"pkg:pypi/{it['name']}@{it['version']}" for it in document["components"])
    assert all(reference["hashes"] for it in document["components"] for reference in it["externalReferences"])
    assert (document["bomFormat"], document["metadata"]["component"]["name"]) == ("CycloneDX", f"waitpoints-{layer}")


def exported(serial: str, time: str) -> str:
    component = {"name": "waitpoints", "version": "0.3.0"}
    document: dict[str, Any] = {"serialNumber": serial, "metadata": {"timestamp": time, "component": component}}
    return json.dumps(document | {"components": []})


def test_a_bill_has_no_serial_number_and_no_time() -> None:
    first = stable(exported("urn:uuid:1", "2030-01-31T12:00:00Z"), "tracing")
    assert first == stable(exported("urn:uuid:2", "2031-01-31T12:00:00Z"), "tracing")
    assert not re.search("serial|timestamp|2030", first)
