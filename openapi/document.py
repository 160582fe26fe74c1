"""`make openapi`: writes openapi.yaml, made of the pydantic models and of what is said about each route here.

Names, paths and schemas of the waitpoint operations are those of Trigger.dev's own specification, so that a client
made from either works with both.
"""

import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

from openapi import answers  # noqa: E402
from waitpoints.api.endpoint import CREATE_LIMIT, PAYLOAD_LIMIT  # noqa: E402
from waitpoints.api.list_query import DEFAULT_SIZE, MAX_SIZE  # noqa: E402
from waitpoints.api.models import CreatePublicTokenRequest, CreateWaitpointTokenRequest  # noqa: E402

FILE = ROOT / "openapi.yaml"
TOKENS = "/api/v1/waitpoints/tokens"
EXAMPLE_ID = "waitpoint_01jd3rj5v0000000000000000a"

Json = dict[str, Any]
Body = type[BaseModel] | UnionType


class CompleteWaitpointTokenRequest(BaseModel):  # the handler reads this one without pydantic, which would cost its start
    """Other fields are refused, since nobody could complete the token again with what was meant."""

    model_config = ConfigDict(extra="forbid")
    data: Any = Field(
        default=None,
        description="The output: any JSON, kept as it is written. Absent, the token is completed with nothing.",
        examples=[{"status": "approved", "comment": "Looks good to me!"}],
    )


@dataclass(frozen=True)
class DocumentedAnswer:
    """What a status means, and the answer's body."""

    what: str
    body: Body = answers.Refusal
    headers: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    id: str
    summary: str
    description: str
    result: type[BaseModel]
    refusals: Mapping[int, DocumentedAnswer]
    body: Json | None = None
    parameters: tuple[Json, ...] = ()
    headers: Mapping[str, Json] = field(default_factory=dict)
    credentials: tuple[str, ...] = ("secretKey",)


def header(description: str, **schema: Any) -> Json:
    return {"description": description, "schema": {"type": "string", **schema}}


def parameter(
    place: Literal["path", "query", "header"], name: str, description: str, example: Any = None, **schema: Any
) -> Json:
    shown = {} if example is None else {"example": example}
    return {
        "in": place,
        "name": name,
        "required": place == "path",
        "description": description,
        "schema": {"type": "string", **schema},
        **shown,
    }


def json_body(model: type[BaseModel]) -> Json:
    return {"required": True, "content": {"application/json": {"schema": reference(model)}}}


def reference(body: Body) -> Json:
    if isinstance(body, UnionType):
        return {"anyOf": [reference(model) for model in body.__args__]}
    return {"$ref": f"#/components/schemas/{body.__name__}"}


WAITPOINT_ID = parameter("path", "waitpointId", "The token's id, with or without `waitpoint_`.", EXAMPLE_ID, minLength=1)
CURSOR = "^((waitpoint_)?[0-7][0-9a-hjkmnp-tv-z]{25})?$"

BAD_REQUEST = DocumentedAnswer("The request is not of this shape; `error` names the place and what it accepts.")
UNAUTHENTICATED = DocumentedAnswer("No credential, or one that is not this stack's.")
FORBIDDEN = DocumentedAnswer(
    "A public access token without the scope for this token, whether or not it exists.", answers.ScopeRefusal
)
NOT_FOUND = DocumentedAnswer("There is no such token, or retention has removed it.")
FULL = DocumentedAnswer("The token has 100 waiters, and can have no more.")
WRONG_METHOD = DocumentedAnswer(
    "The path exists, but not for this method.", headers={"allow": header("The methods that it has.")}
)
TOO_MANY = DocumentedAnswer("API Gateway's own limit. Nothing was done.", answers.GatewayRefusal)
BUSY = DocumentedAnswer(
    "AWS throttled or failed. Nothing was lost; send the same request again.", answers.Refusal | answers.GatewayRefusal
)
UNPROCESSABLE = DocumentedAnswer("A timeout or TTL that names no future instant, or more than 10 tags.")


def too_large(limit: int) -> DocumentedAnswer:
    return DocumentedAnswer(f"The body is over {limit:,} bytes.")


EVERYWHERE = {
    405: WRONG_METHOD,
    429: TOO_MANY,
    503: BUSY,
}
SHARED = {
    "BadRequest": BAD_REQUEST,
    "Unauthenticated": UNAUTHENTICATED,
    "Forbidden": FORBIDDEN,
    "NotFound": NOT_FOUND,
    "MethodNotAllowed": WRONG_METHOD,
    "TooManyRequests": TOO_MANY,
    "Busy": BUSY,
}

OPERATIONS = (
    Operation(
        "post",
        TOKENS,
        "create_waitpoint_token_v1",
        "Create a waitpoint token",
        "Makes a token for which a run can wait, and a `url` that completes it. With an `idempotencyKey` that a token holds "
        "already, that token is the answer.",
        answers.CreateWaitpointTokenResponse,
        {400: BAD_REQUEST, 401: UNAUTHENTICATED, 409: FULL, 413: too_large(CREATE_LIMIT), 422: UNPROCESSABLE},
        body=json_body(CreateWaitpointTokenRequest),
        parameters=(
            parameter(
                "header",
                "x-trigger-request-idempotency-key",
                "The same for every try of one call: a retry after a lost answer finds the token that the first try made.",
            ),
        ),
        headers={
            "x-trigger-jwt": header("A public access token that may complete this token for 24 hours."),
            "x-trigger-jwt-claims": header("The claims with which the SDK signs such tokens itself, as JSON."),
        },
    ),
    Operation(
        "get",
        TOKENS,
        "list_waitpoint_tokens_v1",
        "List waitpoint tokens",
        "A page of tokens, the newest first. Of a parameter that is given twice the last one counts, and unknown ones do "
        "not. A page costs a bounded number of reads: with a filter it can be short while `pagination` leads on.",
        answers.ListWaitpointTokensResult,
        {400: BAD_REQUEST, 401: UNAUTHENTICATED},
        parameters=(
            parameter(
                "query",
                "page[size]",
                f"How many tokens a page has, {DEFAULT_SIZE} by default.",
                type="integer",
                minimum=1,
                maximum=MAX_SIZE,
                default=DEFAULT_SIZE,
            ),
            parameter("query", "page[after]", "The page after this cursor: `pagination.next` of an answer.", pattern=CURSOR),
            parameter(
                "query",
                "page[before]",
                "The page before this cursor: `pagination.previous` of an answer. It wins over `page[after]`.",
                pattern=CURSOR,
            ),
            parameter(
                "query",
                "filter[status]",
                "Tokens with one of these statuses, separated by commas.",
                "WAITING,COMPLETED",
                pattern="^((WAITING|COMPLETED|TIMED_OUT)(,(WAITING|COMPLETED|TIMED_OUT))*)?$",
            ),
            parameter("query", "filter[idempotencyKey]", "Tokens that were created with this key, also once it has expired."),
            parameter(
                "query", "filter[tags]", "Tokens with any of these tags, separated by commas.", "user:1234567,org:9876543"
            ),
            parameter(
                "query",
                "filter[createdAt][period]",
                'Tokens of this last while, such as "30m", "24h", "7d" or "1 week".',
                "24h",
            ),
            parameter(
                "query",
                "filter[createdAt][from]",
                "Tokens created at this instant or later: ISO 8601 or epoch milliseconds. With a period the later start wins.",
                "2026-11-01T00:00:00Z",
            ),
            parameter("query", "filter[createdAt][to]", "Tokens created at this instant or earlier.", "2026-12-01T00:00:00Z"),
        ),
    ),
    Operation(
        "get",
        f"{TOKENS}/{{waitpointId}}",
        "retrieve_waitpoint_token_v1",
        "Retrieve a waitpoint token",
        "One token, with its output once it has one, and with the executions that wait for it.",
        answers.WaitpointTokenObject,
        {401: UNAUTHENTICATED, 404: NOT_FOUND},
        parameters=(WAITPOINT_ID,),
    ),
    Operation(
        "post",
        f"{TOKENS}/{{waitpointId}}/complete",
        "complete_waitpoint_token_v1",
        "Complete a waitpoint token",
        "Ends the token with `data` and resumes what waits for it. The first completion counts; a token that has ended, or "
        "is past its timeout, stays as it is, and the answer is the same. Open to pages of any origin (CORS).",
        answers.CompleteWaitpointTokenResponse,
        {400: BAD_REQUEST, 401: UNAUTHENTICATED, 403: FORBIDDEN, 404: NOT_FOUND, 413: too_large(PAYLOAD_LIMIT)},
        body=json_body(CompleteWaitpointTokenRequest),
        parameters=(WAITPOINT_ID,),
        credentials=("secretKey", "publicAccessToken"),
    ),
    Operation(
        "options",
        f"{TOKENS}/{{waitpointId}}/complete",
        "preflight_complete_waitpoint_token_v1",
        "Ask whether a page may complete",
        "What a browser asks before it lets a page of another origin complete a token. The headers it asks for are allowed.",
        answers.Nothing,
        {},
        parameters=(
            WAITPOINT_ID,
            parameter("header", "origin", "Where the page comes from.", "https://shop.example.com"),
            parameter("header", "access-control-request-headers", "The headers that the page will send.", "authorization"),
        ),
        headers={
            "access-control-allow-methods": header("POST", const="POST"),
            "access-control-allow-headers": header("What was asked for."),
            "access-control-max-age": header("Seconds for which the answer holds."),
        },
        credentials=(),
    ),
    Operation(
        "post",
        f"{TOKENS}/{{waitpointId}}/callback/{{callbackHash}}",
        "complete_waitpoint_token_callback_v1",
        "Complete a waitpoint token via its URL",
        "Ends the token with the whole body, whatever it is: JSON as it is written, nothing as `{}`, other text as a JSON "
        'string, other bytes as `{"base64": …}`. The URL is the credential. Nothing but a POST completes a token.',
        answers.CompleteWaitpointTokenResponse,
        {
            401: DocumentedAnswer("The URL was not made by this stack. It says no more for an id that cannot be one."),
            404: DocumentedAnswer("The URL is right, but retention has removed its token."),
            413: too_large(PAYLOAD_LIMIT),
        },
        body={
            "required": False,
            "content": {
                "application/json": {"schema": {"description": "Any JSON."}},
                "text/plain": {"schema": {"type": "string"}},
                "application/octet-stream": {"schema": {}},
            },
        },
        parameters=(
            WAITPOINT_ID,
            parameter("path", "callbackHash", "The last part of the token's `url`.", minLength=1),
        ),
        credentials=(),
    ),
    Operation(
        "post",
        "/engine/v1/runs/{run}/waitpoints/tokens/{waitpointId}/wait",
        "wait_for_waitpoint_token_v1",
        "Say that a run waits",
        "What the SDK's `wait.forToken` calls first; it then learns the outcome by retrieving the token. State machines do "
        "not need it.",
        answers.WaitForWaitpointTokenResponse,
        {401: UNAUTHENTICATED, 404: NOT_FOUND},
        parameters=(parameter("path", "run", "The SDK's own run id.", "run_1234", minLength=1), WAITPOINT_ID),
    ),
    Operation(
        "get",
        "/api/v1/packets/{path}",
        "get_packet_v1",
        "Get a link to a large output",
        "A link, good for five minutes, to an output whose `outputType` is application/store.",
        answers.PacketLink,
        {401: UNAUTHENTICATED, 404: DocumentedAnswer("This is no output's path.", answers.Refusal | answers.GatewayRefusal)},
        parameters=(parameter("path", "path", "The token's `output`.", f"{EXAMPLE_ID}/0123456789abcdef.json", minLength=1),),
    ),
    Operation(
        "post",
        "/api/v1/auth/jwt/claims",
        "get_public_token_claims_v1",
        "Get the claims of public access tokens",
        "What the SDK's `auth.createPublicToken` needs to sign a public access token itself.",
        answers.PublicTokenClaims,
        {401: UNAUTHENTICATED},
    ),
    Operation(
        "post",
        "/api/v1/auth/jwt",
        "create_public_token_v1",
        "Create a public access token",
        "A public access token for those who cannot sign one.",
        answers.PublicToken,
        {
            400: BAD_REQUEST,
            401: UNAUTHENTICATED,
            413: too_large(CREATE_LIMIT),
            422: DocumentedAnswer("An `expirationTime` that is no duration, has passed, or is more than 30 days away."),
        },
        body=json_body(CreatePublicTokenRequest),
    ),
)


def document() -> Json:
    paths: dict[str, Json] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Waitpoints",
            "version": version,
            "description": "Waitpoint tokens with Trigger.dev's HTTP contract, in your own AWS account. "
            "An absent field is left out, never null; instants are ISO 8601 in UTC with milliseconds and Z.",
        },
        "servers": [
            {
                "url": "{apiUrl}",
                "variables": {"apiUrl": {"default": "https://hooks.example.com", "description": "The stack's output ApiUrl."}},
            }
        ],
        "tags": [{"name": "waitpoints"}],
        "paths": paths,
        "components": {
            "schemas": _schemas(_models()),
            "responses": {name: _response(answer) for name, answer in SHARED.items()},
            "securitySchemes": {
                "secretKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The stack's API key. For a while after its rotation the previous one is good as well.",
                },
                "publicAccessToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A JWT signed with the API key (HS256), by the stack or by the SDK, with a scope such as "
                    f"`write:waitpoints:{EXAMPLE_ID}`.",
                },
            },
        },
    }


def _operation(operation: Operation) -> Json:
    every = {200: DocumentedAnswer("Done.", operation.result, operation.headers), **operation.refusals, **EVERYWHERE}
    described: Json = {
        "operationId": operation.id,
        "summary": operation.summary,
        "description": operation.description,
        "tags": ["waitpoints"],
        "security": [{name: []} for name in operation.credentials],
    }
    if operation.parameters:
        described["parameters"] = list(operation.parameters)
    if operation.body:
        described["requestBody"] = operation.body
    described["responses"] = {str(status): _shared_response(answer) for status, answer in sorted(every.items())}
    return described


def _shared_response(answer: DocumentedAnswer) -> Json:
    for name, shared in SHARED.items():
        if answer is shared:
            return {"$ref": f"#/components/responses/{name}"}
    return _response(answer)


def _response(answer: DocumentedAnswer) -> Json:
    headers = {"headers": dict(answer.headers)} if answer.headers else {}
    return {"description": answer.what, **headers, "content": {"application/json": {"schema": reference(answer.body)}}}


def _models() -> list[type[BaseModel]]:
    answered = [operation.result for operation in OPERATIONS]
    requested: list[type[BaseModel]] = [CreateWaitpointTokenRequest, CompleteWaitpointTokenRequest, CreatePublicTokenRequest]
    return [*requested, *answered, answers.Refusal, answers.ScopeRefusal, answers.GatewayRefusal]


def _schemas(models: Iterable[type[BaseModel]]) -> Json:
    _, definitions = models_json_schema(
        [(model, "validation") for model in dict.fromkeys(models)], ref_template="#/components/schemas/{model}"
    )
    return {name: _tidy(schema) for name, schema in sorted(definitions["$defs"].items())}


def _tidy(schema: Json) -> Json:
    """A model's schema without what pydantic makes up: titles, and null as the default of a field that may be absent."""
    properties = {name: _without_noise(member) for name, member in schema.get("properties", {}).items()}
    return {**_without_noise(schema), "properties": properties}


def _without_noise(schema: Json) -> Json:
    return {
        name: value
        for name, value in schema.items()
        if name != "title" and (name, value) not in (("default", None), ("default", []))
    }


class _Dumper(yaml.SafeDumper):
    """YAML in which nothing stands for something written elsewhere."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


def text() -> str:
    body = yaml.dump(document(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return f"# Made by `make openapi`; edit openapi/document.py and the models instead.\n{body}"


if __name__ == "__main__":
    FILE.write_text(text())
