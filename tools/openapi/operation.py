"""The parts that an operation of the HTTP API is described with, and the answers that several operations share."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import Any, Literal

from pydantic import BaseModel

from tools.openapi import answers
from waitpoints.access.caller import Action
from waitpoints.api.http import SMALL_LIMIT

Json = dict[str, Any]
Credential = Literal["secretKey", "publicAccessToken"]

EXAMPLE_ID = "waitpoint_01jd3rj5v0000000000000000a"
EXAMPLE_DELIVERY_ID = "delivery_01jd3rj5v0000000000000000a"


@dataclass(frozen=True)
class Parameter:
    """A parameter in the path, the query or the headers. `schema` adds to `{"type": "string"}`."""

    place: Literal["path", "query", "header"]
    name: str
    description: str
    example: str | int | None = None
    schema: Json = field(default_factory=dict)

    def described(self) -> Json:
        shown = {} if self.example is None else {"example": self.example}
        return {
            "in": self.place,
            "name": self.name,
            "required": self.place == "path",
            "description": self.description,
            "schema": {"type": "string", **self.schema},
            **shown,
        }


_NOT_EMPTY: Json = {"minLength": 1}
OF_PATHS = {
    "name": Parameter("path", "name", "The endpoint's name.", "github", {"pattern": "^[a-z0-9-]{1,64}$"}),
    "endpointHash": Parameter("path", "endpointHash", "The last part of the endpoint's `url`.", "0" * 88, _NOT_EMPTY),
    "deliveryId": Parameter(
        "path", "deliveryId", "The delivery's id, with or without `delivery_`.", EXAMPLE_DELIVERY_ID, _NOT_EMPTY
    ),
    "waitpointId": Parameter("path", "waitpointId", "The token's id, with or without `waitpoint_`.", EXAMPLE_ID, _NOT_EMPTY),
    "callbackHash": Parameter("path", "callbackHash", "The last part of the token's `url`.", "0" * 64, _NOT_EMPTY),
    "path": Parameter("path", "path", "The token's `output`.", f"{EXAMPLE_ID}/0123456789abcdef.json", _NOT_EMPTY),
}


@dataclass(frozen=True)
class RequestBody:
    """A body with an example that is accepted. Without a model, any body is."""

    example: Any
    model: type[BaseModel] | None = None
    required: bool = False
    limit: int = SMALL_LIMIT
    """Bytes."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the body's fields, as they are sent."""
        if self.model is None:
            return ()
        return tuple(declared.alias or name for name, declared in self.model.model_fields.items())

    def described(self) -> Json:
        if self.model is not None:
            content: Json = {"application/json": {"schema": reference(self.model), "example": self.example}}
        else:
            content = {
                "application/json": {"schema": {"description": "Any JSON."}, "example": self.example},
                "text/plain": {"schema": {"type": "string"}},
                "application/octet-stream": {"schema": {}},
            }
        return {"required": self.required, "content": content}


@dataclass(frozen=True)
class Answer:
    """What a status means, and the answer's body."""

    description: str
    body: type[BaseModel] | UnionType = answers.Refusal
    headers: Mapping[str, Json] = field(default_factory=dict)
    media: str = "application/json"

    def described(self) -> Json:
        headers = {"headers": dict(self.headers)} if self.headers else {}
        content = {self.media: {"schema": reference(self.body)}}
        return {"description": self.description, **headers, "content": content}


@dataclass(frozen=True)
class Operation:
    """One method of one path. No credentials means that the operation asks for none."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    path: str
    id: str
    summary: str
    description: str
    result: type[BaseModel]
    own_refusals: Mapping[int, Answer] = field(default_factory=dict)
    body: RequestBody | None = None
    own_parameters: tuple[Parameter, ...] = ()
    headers: Mapping[str, Json] = field(default_factory=dict)
    credentials: tuple[Credential, ...] = ("secretKey",)
    scope: Action | None = None
    """What a named key needs, if the API key is a credential. Without one, only the root key is accepted."""
    also: Action | None = None
    """What a named key needs beside its `scope`."""
    is_ours: bool = False
    """Trigger.dev has no such operation. An unknown field is refused even from its SDK."""
    is_page: bool = False
    """The answer is HTML, for requests that accept it. Any other is 405, and `Allow` does not name the method."""
    tested_by: tuple[str, ...] = ()
    """Other methods that callers test the path with. They are answered 200 with no body, and do nothing."""

    @property
    def route(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of the path, which are the same for each operation unless it has its own, and the others."""
        own = {it.name for it in self.own_parameters}
        of_path = (OF_PATHS[name] for name in re.findall(r"\{(\w+)\}", self.path) if name not in own)
        return (*of_path, *self.own_parameters)

    @property
    def scopes(self) -> tuple[Action, ...]:
        """Every scope that a named key needs."""
        return tuple(scope for scope in (self.scope, self.also) if scope is not None)

    @property
    def refusals(self) -> dict[int, Answer]:
        """With those of every operation that takes the API key, or a body that a model describes."""
        of_key = {401: UNAUTHENTICATED} if "secretKey" in self.credentials else {}
        of_body = {400: BAD_REQUEST, 413: too_large(self.body.limit)} if self.body and self.body.model else {}
        return {**of_key, **of_body, **self.own_refusals}

    def names(self, place: Literal["path", "query", "header"]) -> tuple[str, ...]:
        """The names of the parameters in one place."""
        return tuple(parameter.name for parameter in self.parameters if parameter.place == place)

    def examples(self, place: Literal["path", "query", "header"]) -> dict[str, str]:
        """An accepted value for each parameter in one place that has an example."""
        return {it.name: str(it.example) for it in self.parameters if it.place == place and it.example is not None}

    def example_path(self, **values: str) -> str:
        """The path with `values`, or examples, for its parameters."""
        return self.path.format(**self.examples("path") | values)


def reference(body: type[BaseModel] | UnionType) -> Json:
    if isinstance(body, UnionType):
        return {"anyOf": [reference(model) for model in body.__args__]}
    return {"$ref": f"#/components/schemas/{body.__name__}"}


def header(description: str, **schema: Any) -> Json:
    return {"description": description, "schema": {"type": "string", **schema}}


def nameless(path: str) -> str:
    """A path without the names of its parameters, as API Gateway compares paths: `/a/{}`."""
    return re.sub(r"\{[^}]*\}", "{}", path)


BAD_REQUEST = Answer("The request does not have the documented shape. `error` names the place and what is accepted.")
UNAUTHENTICATED = Answer("No credential, or one that this stack does not accept.")
FORBIDDEN = Answer(
    "A named key or a public access token without the scope for this token, whether or not the token exists, or a public "
    "access token for a token whose page has `approvers`.",
    answers.ScopeRefusal,
)
NOT_FOUND = Answer("The token does not exist, or retention has removed it.")
NO_SCOPE = Answer(
    "A named key without the scope that the route needs, or limited to a tag that does not cover a name in the body; `error` "
    "names it.",
    answers.ScopeRefusal,
)
ROOT_ONLY = Answer("A named key. Only the root key may do this.", answers.ScopeRefusal)
NO_KEY = Answer("No key has this name.")
NO_ENDPOINT = Answer("No endpoint has this name.")
NO_DELIVERY = Answer("No endpoint has this name, or its delivery was not recorded, was deleted or has expired.")
_NOT_AGAIN = {"x-should-retry": header("So that the SDK does not try again.", const="false")}
ENDED = Answer(
    "The token has been completed, or has timed out. Nothing has changed.",
    headers=_NOT_AGAIN,
)
KEY_CONFLICT = Answer(
    "A key has this name: revoke it first. Or there are 500 keys, which is the limit, and none of them has expired.",
    headers=_NOT_AGAIN,
)
NOT_JOINED = Answer(
    "The token that holds the key has 100 waiters already, which is the limit. Or `page` has `signIn` and is not that token's. "
    "Nothing has changed.",
    headers={"x-should-retry": header("`false` for another page, so that the SDK does not try again.")},
)
UNPROCESSABLE = Answer(
    "A timeout or a TTL that names no future instant, more than 10 tags, or a `verify`, `completeWhen`, `payloadSchema`, "
    "`page` or `notify` that cannot be used, such as a page on which everyone could answer and nothing be decided, or a "
    "channel that the stack does not have; `error` says why."
)
WRONG_METHOD = Answer(
    "The path does not have this method.", headers={"allow": header("The methods of the path, separated by commas.")}
)
TOO_MANY = Answer("Over API Gateway's own rate limit. Nothing was done.", answers.GatewayRefusal)
BUSY = Answer(
    "AWS throttled or failed. Nothing was lost: send the same request again.", answers.Refusal | answers.GatewayRefusal
)


def too_large(limit: int) -> Answer:
    return Answer(f"The body is over {limit:,} bytes.")


EVERYWHERE = {405: WRONG_METHOD, 429: TOO_MANY, 503: BUSY}
SHARED = {
    "BadRequest": BAD_REQUEST,
    "Unauthenticated": UNAUTHENTICATED,
    "Forbidden": FORBIDDEN,
    "NoScope": NO_SCOPE,
    "RootOnly": ROOT_ONLY,
    "NotFound": NOT_FOUND,
    "MethodNotAllowed": WRONG_METHOD,
    "TooManyRequests": TOO_MANY,
    "Busy": BUSY,
}
