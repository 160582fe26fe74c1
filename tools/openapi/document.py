"""`make openapi`: writes openapi.yaml, and what else follows from the table of operations, the errors and the sync client."""

import re
import tomllib
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from tools.openapi import answer_types, async_client, request_schemas, request_types
from tools.openapi.answers import CODES
from tools.openapi.operation import EVERYWHERE, EXAMPLE_ID, NO_SCOPE, ROOT_ONLY, SHARED, Answer, Json, Operation
from tools.openapi.operations import OPERATIONS
from tools.openapi.requested_page import RequestedPage

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "openapi.yaml"
PAGE = ROOT / "docs" / "api.md"

_WRITTEN = re.compile(r"(<!-- make openapi: (\w+) -->\n).*?\n(?=\n)", re.DOTALL)


def document() -> Json:
    paths: dict[str, Json] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Waitpoints",
            "version": version,
            "description": "Waitpoint tokens with Trigger.dev's HTTP contract, in your own AWS account. "
            "An absent field is left out, never null. Instants are ISO 8601 in UTC with milliseconds and Z.",
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
            "responses": {name: answer.described() for name, answer in SHARED.items()},
            "securitySchemes": {
                "secretKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The root key, which is the stack's API key, or a named key. After a rotation the previous "
                    "root key is accepted too.",
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
    media = "text/html" if operation.is_page else "application/json"
    every = {200: Answer("Done.", operation.result, operation.headers, media), **_refusals(operation)}
    described: Json = {
        "operationId": operation.id,
        "summary": operation.summary,
        "description": operation.description,
        "tags": ["waitpoints"],
        "security": [{name: []} for name in operation.credentials],
    }
    if operation.parameters:
        described["parameters"] = [parameter.described() for parameter in operation.parameters]
    if operation.body:
        described["requestBody"] = operation.body.described()
    described["responses"] = {str(status): _answer(answer) for status, answer in sorted(every.items())}
    return described


def _refusals(operation: Operation) -> dict[int, Answer]:
    """Every answer but success. A route that takes the API key also refuses named keys."""
    named = {403: NO_SCOPE if operation.scope else ROOT_ONLY} if "secretKey" in operation.credentials else {}
    return {**named, **operation.refusals, **EVERYWHERE}


def _answer(answer: Answer) -> Json:
    for name, shared in SHARED.items():
        if answer is shared:
            return {"$ref": f"#/components/responses/{name}"}
    return answer.described()


def _models() -> Iterable[type[BaseModel]]:
    for operation in OPERATIONS:
        if operation.body and operation.body.model:
            yield operation.body.model
        for answer in (Answer("", operation.result), *_refusals(operation).values()):
            yield from [answer.body] if isinstance(answer.body, type) else answer.body.__args__
    yield RequestedPage


def _schemas(models: Iterable[type[BaseModel]]) -> Json:
    _, definitions = models_json_schema(
        [(model, "validation") for model in dict.fromkeys(models)], ref_template="#/components/schemas/{model}"
    )
    described = {name: _tidy(schema) for name, schema in sorted(definitions["$defs"].items())}
    _describe_page(described)
    return described


def _describe_page(schemas: Json) -> None:
    """Say what is in a page and in a list of approvers, which the requests' models do not check."""
    create = schemas["CreateWaitpointTokenRequest"]["properties"]
    texts = {name: create["page"][name] for name in ("description", "examples")}
    create["page"] = {"$ref": "#/components/schemas/RequestedPage", **texts}
    approvers = schemas["MoveDeadlineRequest"]["properties"]["approvers"]["properties"]
    approvers["add"]["items"] = schemas["RequestedPage"]["properties"]["approvers"]["items"]


def _tidy(schema: Json) -> Json:
    """A model's schema without what pydantic adds: titles, and null as the default of a field that may be absent."""
    properties = {name: _without_noise(member) for name, member in schema.get("properties", {}).items()}
    return {**_without_noise(schema), "properties": properties}


def _without_noise(schema: Json) -> Json:
    return {
        name: value
        for name, value in schema.items()
        if name != "title" and (name, value) not in (("default", None), ("default", []))
    }


class _Dumper(yaml.SafeDumper):
    """YAML without aliases: everything is written where it belongs."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


def text() -> str:
    body = yaml.dump(document(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return f"# Made by `make openapi`; edit tools/openapi/operations.py and the models instead.\n{body}"


def routes() -> str:
    """The operations as a Markdown table, without the browser's own preflight."""
    rows = [f"| `{it.route}` | {_credential(it)} | {it.summary} |\n" for it in OPERATIONS if it.method != "OPTIONS"]
    return "| route | scope or credential | what it does |\n| --- | --- | --- |\n" + "".join(rows)


def _credential(operation: Operation) -> str:
    api_key = " and ".join(f"`{scope}`" for scope in operation.scopes) or "root key"
    shown = {"secretKey": api_key, "publicAccessToken": "public access token"}
    return " or ".join(shown[name] for name in operation.credentials) or "the URL"


def codes() -> str:
    """The codes of refusals as a Markdown list, by status."""
    by_status = groupby(CODES, lambda code: CODES[code].status)
    return "".join(f"- {status}: {', '.join(f'`{code}`' for code in found)}\n" for status, found in by_status)


def up_to_date(page: str) -> str:
    """The page with what is written below its markers."""
    written = {"routes": routes(), "codes": codes()}
    return _WRITTEN.sub(lambda match: match[1] + written[match[2]], page)


def written() -> dict[Path, str]:
    """Return the text of each file that is made, or of which a part is."""
    schemas = document()["components"]["schemas"]
    return {
        FILE: text(),
        PAGE: up_to_date(PAGE.read_text()),
        async_client.FILE: async_client.text(),
        answer_types.FILE: answer_types.text(schemas),
        request_types.FILE: request_types.text(schemas),
        **request_schemas.written(),
    }


if __name__ == "__main__":
    for file, content in written().items():
        file.write_text(content)
