"""Describe an answer by the dataclass whose members it shows (`waitpoints.json_text.Stored`)."""

from collections.abc import Callable
from dataclasses import MISSING
from enum import StrEnum
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Field, create_model
from pydantic.fields import FieldInfo

from waitpoints.json_text import Shown, shown_fields
from waitpoints.token import iso

Instant = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
        examples=["2030-01-31T18:00:00.000Z"],
        json_schema_extra={"format": "date-time"},
    ),
]


def shows[Model: BaseModel](source: type, **places: str) -> Callable[[type[Model]], type[Model]]:
    """Give a model the members that answers show of a dataclass, beside its own.

    A member of both has the model's type, and the dataclass's place and meaning. Any other one follows the model's member
    before it, or the member that `places` names. The first ones are last, and "" is before all.
    """

    def decorate(model: type[Model]) -> type[Model]:
        fields: dict[str, Any] = {it[1]: _field(it, model.model_fields.get(it[1])) for it in shown_fields(source)}
        names = [*fields]
        before = names[-1]
        for name, own in model.model_fields.items():
            if name not in fields:
                before = places.get(name, before)
                names.insert(names.index(before) + 1 if before else 0, name)
                before, fields[name] = name, (own.annotation, own)
        ordered: Any = {name: fields[name] for name in names}
        return create_model(model.__name__, __base__=model.__base__, __doc__=model.__doc__, **ordered)  # type: ignore[return-value]

    return decorate


def _field(shown: Shown, own: FieldInfo | None) -> tuple[Any, FieldInfo]:
    field, _, form, meaning = shown
    said: dict[str, Any] = next((it for it in meaning if isinstance(it, dict)), {})
    said = {**said, "description": " ".join(it for it in meaning if type(it) is str) or None}
    if own is not None:
        return own.annotation, FieldInfo.merge_field_infos(own, **said)
    if field.default is not MISSING and not field.default:
        said["default"] = None
    kind = Instant if form is iso else _type(field.type)
    return Literal[*said.pop("enum")] if "enum" in said else kind, Field(**said)


def _type(declared: Any) -> Any:
    """Return the type that a field has in answers, where one that is None or False is absent."""
    match get_origin(declared), get_args(declared):
        case origin, [it, *_] if origin is Annotated:
            return _type(it)
        case origin, alternatives if origin in (Union, UnionType):
            return Union[*(_type(it) for it in alternatives if it is not type(None))]
        case origin, [it, *_] if origin is tuple:
            return list[_type(it)]  # type: ignore[misc]
    if declared is bool:
        return Literal[True]
    return Literal[*map(str, declared)] if isinstance(declared, type) and issubclass(declared, StrEnum) else declared
