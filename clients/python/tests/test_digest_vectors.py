"""The TypeScript client, which reads the same vectors, finds the requests of this one, and the other way round."""

import json
from pathlib import Path
from typing import Any

import pytest

from waitpoints_client.agents import ApprovalPage
from waitpoints_client.asking import request
from waitpoints_client.canonical_json import digest

VECTORS = json.loads(Path(__file__).with_name("digest_vectors.json").read_text())


def read(value: Any) -> Any:
    """Return a vector's value: `{"integer": "…"}` stands for an integer that JavaScript's numbers may not hold."""
    if isinstance(value, list):
        return [read(item) for item in value]
    if isinstance(value, dict):
        return int(value["integer"]) if [*value] == ["integer"] else {name: read(member) for name, member in value.items()}
    return value


@pytest.mark.parametrize("vector", VECTORS["digests"], ids=lambda it: it["digest"][:8])
def test_a_value_has_its_digest(vector: Any) -> None:
    assert digest(read(vector["value"])) == vector["digest"]


@pytest.mark.parametrize("vector", VECTORS["requests"], ids=lambda it: it["key"][4:12])
def test_a_request_has_its_key_and_metadata(vector: Any) -> None:
    options = {"sign_in" if name == "signIn" else name: value for name, value in vector["options"].items()}
    page = ApprovalPage(vector["tool"], read(vector["arguments"]), vector["page"]) if "tool" in vector else vector["page"]
    made = request(page, **options)
    assert (made["idempotency_key"], made["metadata"]) == (vector["key"], vector["metadata"])
