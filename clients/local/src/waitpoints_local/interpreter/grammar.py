"""Write a definition as moto's grammar reads it, which lacks some of AWS's fields, and takes some data for words of its own."""

import json
import re
from typing import Any

_WORDS = ("JSONPath", "JSONata", "ErrorPath", "CausePath")
_MARK = "\ue000"


def readable(definition: str) -> str:
    """Return a definition with the same meaning, or without what is evaluated elsewhere (`batches.py`).

    A text that is one of the grammar's words is written with an escape, by which the grammar takes it for a text.
    """
    machine = json.loads(definition)
    _simplify_maps(machine)
    text = json.dumps(_marked(machine), ensure_ascii=False)
    return re.sub(f"{_MARK}(.)", lambda word: f"\\u{ord(word[1]):04x}", text)


def _simplify_maps(value: Any) -> None:
    """Put a point in a percentage, drop WriterConfig, ItemBatcher and an empty ReaderConfig, and let children be STANDARD."""
    for member in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _simplify_maps(member)
    if not (isinstance(value, dict) and value.get("Type") == "Map"):
        return
    if isinstance(value.get("ToleratedFailurePercentage"), int):
        value["ToleratedFailurePercentage"] = float(value["ToleratedFailurePercentage"])
    if isinstance(value.get("ItemBatcher"), dict):
        del value["ItemBatcher"]
    for field in ("ItemProcessor", "Iterator"):
        processor = value.get(field)
        config = processor.get("ProcessorConfig") if isinstance(processor, dict) else None
        if isinstance(config, dict) and config.get("ExecutionType") == "EXPRESS":
            config["ExecutionType"] = "STANDARD"
    reader, writer = value.get("ItemReader"), value.get("ResultWriter")
    if isinstance(reader, dict) and reader.get("ReaderConfig") == {}:
        del reader["ReaderConfig"]
    if isinstance(writer, dict):
        writer.pop("WriterConfig", None)
        if "Resource" not in writer:
            del value["ResultWriter"]


def _marked(value: Any) -> Any:
    """Mark the grammar's words where they are not the names of a state's or machine's own fields, or the value of one."""
    if isinstance(value, str):
        return f"{_MARK}{value}" if value in _WORDS else value
    if isinstance(value, list):
        return [_marked(member) for member in value]
    if not isinstance(value, dict):
        return value
    is_own = isinstance(value.get("Type"), str) or "States" in value
    return {
        name if is_own else _marked(name): member if is_own and name == "QueryLanguage" else _marked(member)
        for name, member in value.items()
    }
