"""What moto reads of a call's parameters, made by functions that know their shapes.

botocore checks parameters in one walk over its model and serializes them in another, and moto parses that text. Here one walk
does what all three do to what is right. Whatever else there is, is left to botocore.
"""

from base64 import b64encode
from collections.abc import Callable
from typing import Any, NoReturn

Read = Callable[[Any], Any]
"""Returns what moto reads of a value. Raises KeyError if the value is not an ordinary one of its shape."""

_known: dict[tuple[str, str], Read] = {}


def read(operation: Any, parameters: dict[str, Any]) -> dict[str, Any] | None:
    """Return what moto reads of the parameters of an operation, or None if botocore must look at them."""
    try:
        found: dict[str, Any] = _reader(operation.service_model.service_name, operation.input_shape)(parameters)
    except KeyError:
        return None
    return found


def _reader(service: str, shape: Any) -> Read:
    place = service, shape.name
    if place not in _known:

        def itself(value: Any) -> Any:
            return _known[place](value)

        _known[place] = itself  # a shape may contain itself
        _known[place] = _READERS.get(shape.type_name, _left)(service, shape)
    return _known[place]


def _left(_service: str, _shape: Any) -> Read:
    def read(value: Any) -> NoReturn:
        raise KeyError(value)

    return read


def _structure(service: str, shape: Any) -> Read:
    is_renamed = any(it.serialization.get("name", name) != name for name, it in shape.members.items())
    if shape.is_tagged_union or shape.is_document_type or is_renamed:
        return _left(service, shape)
    members, required = {name: _reader(service, it) for name, it in shape.members.items()}, {*shape.required_members}

    def read(value: Any) -> Any:
        if type(value) is not dict or not required <= value.keys():
            raise KeyError(value)
        return {name: members[name](it) for name, it in value.items()}

    return read


def _map(service: str, shape: Any) -> Read:
    key, member = _reader(service, shape.key), _reader(service, shape.value)

    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise KeyError(value)
        return {key(name): member(it) for name, it in value.items()}

    return read


def _list(service: str, shape: Any) -> Read:
    member, least = _reader(service, shape.member), shape.metadata.get("min", 0)

    def read(value: Any) -> Any:
        if type(value) is not list or len(value) < least:
            raise KeyError(value)
        return [member(it) for it in value]

    return read


def _string(_service: str, shape: Any) -> Read:
    least = shape.metadata.get("min", 0)

    def read(value: Any) -> Any:
        if not isinstance(value, str) or len(value) < least:
            raise KeyError(value)
        return str.__str__(value)  # JSON has no members of enumerations

    return read


def _plain(kind: type) -> Callable[[str, Any], Read]:
    def reader(_: str, shape: Any) -> Read:
        least = shape.metadata.get("min")

        def read(value: Any) -> Any:
            if type(value) is not kind or (least is not None and value < least):
                raise KeyError(value)
            return value

        return read

    return reader


def _blob(service: str, shape: Any) -> Read:
    if service == "sqs":  # of which moto reads bytes
        return _left(service, shape)

    def read(value: Any) -> Any:
        if type(value) is not bytes:
            raise KeyError(value)
        return b64encode(value).decode()

    return read


_READERS: dict[str, Callable[[str, Any], Read]] = {
    "structure": _structure,
    "map": _map,
    "list": _list,
    "string": _string,
    "integer": _plain(int),
    "long": _plain(int),
    "boolean": _plain(bool),
    "blob": _blob,
}
