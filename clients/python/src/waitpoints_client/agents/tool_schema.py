"""The JSON Schema of a tool's parameters: whether arguments fit it. Needs the extra `agents`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib.util import find_spec
from typing import Any

from waitpoints_client.agents.shown_text import one_line
from waitpoints_client.errors import ConfigurationError


@dataclass(frozen=True)
class ToolSchema:
    """Raises ConfigurationError without the extra."""

    schema: Mapping[str, Any]

    def __post_init__(self) -> None:
        if find_spec("jsonschema") is None:
            raise ConfigurationError(
                "To edit arguments, install the extra: pip install 'waitpoints-client[agents]'. Or use edit=False"
            )

    def problem(self, arguments: Any) -> str | None:
        """Return why arguments do not fit, or None. Those of a schema that cannot be checked do not. Fetches nothing."""
        from jsonschema import Draft202012Validator, validators  # noqa: PLC0415 - for pages that can be edited
        from jsonschema.exceptions import best_match  # noqa: PLC0415
        from referencing import Registry  # noqa: PLC0415

        try:
            draft = validators.validator_for(self.schema, default=Draft202012Validator)
            exact = validators.extend(draft, {"multipleOf": _check_multiple})
            validator = exact(self.schema, registry=Registry(), format_checker=draft.FORMAT_CHECKER)
            error = best_match(validator.iter_errors(arguments))
        except Exception as unchecked:  # a wrong schema raises whatever its keyword meets
            return one_line(f"the tool's schema cannot be checked ({type(unchecked).__name__}: {unchecked})", 300)
        if error is None:
            return None
        path = ".".join(str(part) for part in error.absolute_path)
        return one_line(f"{path}: {error.message}" if path else error.message, 500)


def _check_multiple(validator: Any, step: Any, number: Any, _: Any) -> Iterator[Any]:
    """Check `multipleOf` by decimal digits: 19.99 is a multiple of 0.01."""
    from jsonschema import ValidationError  # noqa: PLC0415

    if validator.is_type(number, "number") and Decimal(str(number)) % Decimal(str(step)):
        yield ValidationError(f"{number} is not a multiple of {step}")
