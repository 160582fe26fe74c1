"""The types of a create request's `verify`, `page` and `notify`, for callers in Python: made of openapi.yaml's schemas."""

from collections.abc import Mapping
from typing import Any, Final

from tools.openapi.generated import CLIENT, docstring, module, type_of
from waitpoints.api.providers import own_scheme

FILE: Final = CLIENT / "request_types.py"

_NAMES: Final = {  # a type comes after those that it has
    "RequestedLink": "Link",
    "RequestedCurrency": "Currency",
    "RequestedFact": "Fact",
    "RequestedFacts": "FactGroup",
    "RequestedAction": "Action",
    "Approver": "ApproverOptions",
    "RequestedEscalation": "EscalateOptions",
    "SignInDomains": "DomainsOptions",
    "RequestedChoice": "FormChoice",
    "RequestedItems": "FormChoices",
    "RequestedField": "FormField",
    "RequestedForm": "Form",
    "RequestedPage": "PageOptions",
}
_CHOICES: Final = {  # of members that openapi.yaml describes in words, as types of TypeScript would not take a variable
    "separator": own_scheme.SEPARATORS,
    "algorithm": own_scheme.ALGORITHMS,
    "encoding": own_scheme.ENCODINGS,
    "secretEncoding": own_scheme.SECRET_ENCODINGS,
    "unit": own_scheme.UNITS,
}
_TEXTS: Final = {"scheme"}  # members whose choices are not in their type: programs take them from their settings
_START: Final = '''"""What `create` takes of several members. They have the API's own names, and the API checks their values."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from typing_extensions import NotRequired, TypedDict

Language: TypeAlias = {languages}

PageText: TypeAlias = str | Mapping[Language, str]
"""A text of a page, or with `language` one for each of its languages."""
'''


def text(schemas: Mapping[str, Any]) -> str:
    languages = f"Literal{[*schemas['RequestedTranslations']['properties']]}"
    create = schemas["CreateWaitpointTokenRequest"]["properties"]
    verify = {**create["verify"], "description": "The signature that deliveries must have."}
    described = {"SigningTime": verify["properties"]["timestamp"], "Verify": verify}
    described |= {name: schemas[schema] for schema, name in _NAMES.items()} | {"NotifyOptions": create["notify"]}
    classes = "".join(_class(name, schema) for name, schema in described.items())
    named = classes.replace("str | RequestedTranslations", "PageText").replace(languages, "Language")
    return module(_START.format(languages=languages) + named)


def _class(name: str, schema: Mapping[str, Any]) -> str:
    required, base, before = schema.get("required", ()), "TypedDict", ""
    lines = [docstring(schema.get("description"))]
    for member, its in schema["properties"].items():
        choices = f"Literal{[*_CHOICES[member]]}" if member in _CHOICES else None
        its_type = "str" if member in _TEXTS else choices or type_of(its, _NAMES)
        written = its_type if member in required or not required else f"NotRequired[{its_type}]"
        if member.isidentifier():
            lines += [f"    {member}: {written}\n", docstring(its.get("description"))]
        else:
            base = f"_{name}"
            before = f'{base} = TypedDict("{base}", {{"{member}": {written}}})  # no name for an attribute of a class\n\n'
    return f"\n\n{before}class {name}({base}{'' if required else ', total=False'}):\n{''.join(lines)}"
