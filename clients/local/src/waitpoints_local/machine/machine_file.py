"""The file with a user's state machine: JSON, YAML, or a template of SAM or CloudFormation."""

from collections.abc import Collection
from pathlib import Path

from waitpoints_local.machine.definition import Unusable
from waitpoints_local.machine.documents import MachineFile, read_document


def load(name: str, chosen: Collection[str] = ()) -> MachineFile:
    """Read the state machine in a file, or in a template: `template.yaml#Machine`. Raises Unusable and OSError.

    `chosen` are the names to which the user gives a value or a stand-in.
    """
    file, _, resource = (name, "", "") if Path(name).is_file() else name.partition("#")
    found = read_document(Path(file))
    if not isinstance(found, dict) or "States" in found or not isinstance(found.get("Resources"), dict):
        if resource:
            raise Unusable(f"{file} is no template, so it has no {resource}: leave out #{resource}")
        return MachineFile(found, file)
    from waitpoints_local.machine.sam_template import read_machine  # noqa: PLC0415 - only for templates

    return read_machine(found, Path(file), resource, chosen)
