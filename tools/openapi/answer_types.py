"""What the API's answers consist of, for callers in Python: made of openapi.yaml's schemas.

An enum is a plain text, since a later stack may have another value.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from tools.openapi.generated import CLIENT, docstring, module, type_of

FILE: Final = CLIENT / "answer_types.py"

_SAME: Final = (
    *("SignedIn", "Approver", "ApproverLink", "ApproverAnswer", "HandOver", "Escalation", "Reminders", "Notify", "Notice"),
    *("Waiter", "CompletedBy", "OtherDeliveries", "SignInDomains", "TokenPage", "PublicTokenClaims", "RecordedDelivery"),
    "TrialStep",
)
_NAMED: Final = {
    "TokenMembers": "WaitpointTokenObject",
    "Verification": "EndpointVerification",
    "Deliveries": "EndpointDeliveriesOfAKind",
    "DeletedDeliveries": "DeleteDeliveriesResponse",
    "NamedKey": "ListedKey",
}
_DOCSTRINGS: Final = {
    "TokenMembers": "What a token has and a list of tokens has not.",
    "Deliveries": "How many deliveries of one kind came, and the last one.",
    "DeletedDeliveries": "How many recorded deliveries a request deleted.",
    "NamedKey": "A key of one program, without the key itself, which no answer but the first one has.",
    "PublicTokenClaims": "The claims of every public access token of a stack.",
    "TrialStep": "One step of a trial.",
}
_OF_A_LIST: Final = (
    *("id", "url", "status", "idempotencyKey", "idempotencyKeyExpiresAt", "timeoutAt", "completedAt", "outputIsError", "tags"),
    *("createdAt", "page"),
)
_LEFT_OUT: Final = {  # the client has the output in a form of its own; the others repeat another member
    "TokenMembers": (*_OF_A_LIST, "output", "outputType", "completedAfter", "type", "userProvidedIdempotencyKey")
}
_DEFAULTS: Final = {"Waiter.kind": '"STEP_FUNCTIONS"', "TokenMembers.needs": "{}", "Notice.reminders": "0"}
_HIDDEN: Final = (
    "ApproverLink.url",
    "ApproverAnswer.fields",
    *(f"TokenMembers.{it}" for it in ("links", "metadata", "traceparent")),
)
_START: Final = '''"""What the API's answers consist of. What an answer leaves out is None, empty or false."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from waitpoints_client.answer import Answer
'''


def text(schemas: Mapping[str, Any]) -> str:
    named = {**{name: name for name in _SAME}, **_NAMED}
    return module(_START + "".join(_class(name, schemas[schema]) for name, schema in named.items()))


def _class(name: str, schema: Mapping[str, Any]) -> str:
    lines = [f"\n\nclass {name}(Answer):\n", docstring(_DOCSTRINGS.get(name) or schema["description"])]
    for member, its in schema["properties"].items():
        if member not in _LEFT_OUT.get(name, ()):
            lines.append(_member(f"{name}.{member}", its, is_required=member in schema.get("required", ())))
    return "".join(lines)


def _member(path: str, schema: Mapping[str, Any], *, is_required: bool) -> str:
    found = type_of({name: value for name, value in schema.items() if name != "enum"}, {})
    kind = "bool" if found == "Literal[True]" else re.sub(r"Sequence\[(\w+)\]", r"tuple[\1, ...]", found)
    default = _DEFAULTS.get(path) or (
        "" if is_required else {"bool": "False", "tuple": "()"}.get(kind.partition("[")[0], "None")
    )
    written = f"Field({f'default={default}, ' if default else ''}repr=False)" if path in _HIDDEN else default
    values = f"{', '.join(schema['enum'])}. " if "enum" in schema else ""
    said = re.sub(r",? and not in Trigger\.dev| Trigger\.dev has no such field\.", "", schema.get("description", ""))
    said = said.replace("Absent", {"()": "Empty"}.get(default, default))
    attribute = re.sub(r"([A-Z])", r"_\1", path.partition(".")[2]).lower()
    declared = f"    {attribute}: {kind}{' | None' if default == 'None' else ''}{f' = {written}' if written else ''}\n"
    return declared + docstring(f"{values}{said}".strip())
