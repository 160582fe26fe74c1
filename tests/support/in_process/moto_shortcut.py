"""moto's answers without HTTP: what a request means is handed to moto's own handler, and what that returns to botocore.

Parsing requests and serializing answers is most of moto's work, and the tests make 200,000 requests. The services that are not
named here take the ordinary way.
"""

import atexit
import io
import json
import os
import threading
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from functools import cache
from itertools import chain
from typing import Any
from unittest import mock

from botocore.awsrequest import AWSResponse
from botocore.client import BaseClient
from botocore.compat import HTTPHeaders
from botocore.endpoint import Endpoint
from botocore.handlers import generate_idempotent_uuid
from botocore.signers import RequestSigner
from moto.core.exceptions import JsonRESTError, ServiceException
from moto.core.models import botocore_stubber
from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores
from moto.dynamodb.responses import DynamoHandler
from moto.secretsmanager.responses import SecretsManagerResponse
from moto.sqs.responses import SQSResponse

from tests.support.in_process.moto_stack import MotoStack, moto_stack
from tests.support.in_process.quick_expressions import quick_expressions
from tests.support.in_process.quick_parameters import read
from tests.support.in_process.quick_queries import quick_queries
from tests.support.in_process.quick_transactions import quick_transactions
from tests.support.in_process.template import ACCOUNT

Attempt = tuple[Any, Exception | None]
"""What botocore's endpoint returns for one HTTP request: a response and its parsed body, or an exception."""

AWS = ".amazonaws.com"
"""In the URL of every request that moto answers. Another server has tests of its own."""

_HANDLERS: dict[str, Any] = {
    "dynamodb": DynamoHandler,
    "secretsmanager": SecretsManagerResponse,
    "sqs": SQSResponse,
}
_OF_TEXT = ("dynamodb", "secretsmanager")
"""Their requests and answers have all in the body, and moto reads bytes as the text of it."""
_EVENTS = (
    "provide-client-params", "before-parameter-build", "before-call", "request-created", "before-sign", "before-send",
    "response-received", "needs-retry", "after-call", "after-call-error",
)  # fmt: skip
"""Those of a call."""
_THEIR_OWN = (
    "botocore.discovery", "botocore.handlers", "botocore.retries.", "botocore.signers", "botocore.useragent", "moto.",
    "aws_lambda_powertools.",  # names itself in a header
    "waitpoints.aws.services.throttling",  # looks at what is throttled
)  # fmt: skip
_turn = threading.RLock()
_BY_BOTOCORE: Any = BaseClient._make_api_call  # type: ignore[attr-defined]


def by_botocore(client: Any, name: str, parameters: Any) -> Any:
    """Make a call as it is made on AWS."""
    return _BY_BOTOCORE(client, name, parameters)


@cache
def the_stack() -> MotoStack:
    """The stack on moto, of which a process may have only one. With TRACING=Active it traces."""
    until_the_end = ExitStack()
    atexit.register(until_the_end.close)
    stack = until_the_end.enter_context(moto_stack({"Tracing": os.environ.get("TRACING", "Disabled")}))
    until_the_end.enter_context(without_http())
    return stack


@contextmanager
def without_http() -> Iterator[None]:
    """Within this, moto answers directly, and only requests to S3 or to another server are signed: moto asks S3's for it."""
    endpoint: Any = Endpoint  # the type stubs omit private members
    ordinarily, sign = endpoint._do_get_response, RequestSigner.sign

    def answer(self: Any, request: Any, operation: Any, context: Any) -> Attempt:
        if operation.service_model.service_name not in _OF_TEXT or AWS not in request.url or not botocore_stubber.enabled:
            return ordinarily(self, request, operation, context)
        return response(*_answer(self, operation, json.loads(request.body), context["client_region"]))

    def sign_where_asked(self: Any, operation: str, request: Any, *others: Any, **options: Any) -> None:
        if self.signing_name == "s3" or AWS not in request.url or not botocore_stubber.enabled:
            sign(self, operation, request, *others, **options)

    def make(client: Any, name: str, parameters: Any) -> Any:
        return (call if answers_directly(client, name) else by_botocore)(client, name, parameters)

    with (
        quick_expressions(),
        quick_queries(),
        quick_transactions(),
        mock.patch.object(BaseClient, "_make_api_call", make),
        mock.patch.object(endpoint, "_do_get_response", answer),
        mock.patch.object(RequestSigner, "sign", sign_where_asked),
        mock.patch("moto.dynamodb.models.table.dynamo_json_dump", _no_text),
        mock.patch("moto.sqs.models.camelcase_to_underscores", _underscores),
        # Each world reads secrets anew, and Powertools would name itself in every request once for each world so far.
        mock.patch("aws_lambda_powertools.shared.user_agent.register_feature_to_client"),
    ):
        yield


def answers_directly(client: Any, name: str) -> bool:
    """Whether moto answers a call of a client, and nobody but libraries listens to it."""
    service = client.meta.service_model.service_name
    answers = service in _HANDLERS and AWS in client.meta.endpoint_url and botocore_stubber.enabled
    return answers and not is_listened_to(client, name)


def is_listened_to(client: Any, name: str) -> bool:
    """Whether anybody but libraries listens to a call of a client."""
    emitter, service = client.meta.events._emitter, client.meta.service_model.service_id.hyphenize()
    known = emitter._lookup_cache  # which botocore empties when somebody begins or ends to listen
    if (place := f"is listened to: {name}") not in known:
        handlers = chain.from_iterable(emitter._handlers.prefix_search(f"{event}.{service}.{name}") for event in _EVENTS)
        known[place] = not all(handler.__module__.startswith(_THEIR_OWN) for handler in handlers)
    return bool(known[place])


def call(client: Any, name: str, parameters: Mapping[str, Any]) -> Any:
    """Make a call that moto answers at the first attempt, without what botocore does around each.

    What botocore checks, sends and raises is the same.
    """
    operation = client.meta.service_model.operation_model(name)
    given = {**parameters}
    generate_idempotent_uuid(given, operation)
    if (content := read(operation, given)) is None:
        return by_botocore(client, name, parameters)
    try:
        parsed, status = _answer(client._endpoint, operation, content, client.meta.region_name)
    except ServiceException:  # which SQS says in headers, too
        return by_botocore(client, name, parameters)
    answered = {**parsed, "ResponseMetadata": _metadata(status)}
    if status >= 300:
        raise client.exceptions.from_code(parsed["Error"]["Code"])(answered, name)
    return answered


def _answer(endpoint: Any, operation: Any, content: Any, region: str) -> tuple[dict[str, Any], int]:
    """What botocore makes of moto's answer to a request, and its status."""
    service = operation.service_model.service_name
    handler = _HANDLERS[service]()
    handler.uri = f"{endpoint.host}/"
    with nullcontext() if service == "sqs" else _turn:  # whoever waits for messages lets others act
        try:
            result = _handle(handler, operation, content, region)
        except JsonRESTError as error:
            return _parsed(endpoint, error.description, operation, error.code), error.code
    if isinstance(result, ActionResult):
        return _known(result.result or {}, operation), 200
    return _parsed(endpoint, result, operation), 200


def _handle(handler: Any, operation: Any, content: Any, region: str) -> Any:
    handler.region, handler.current_account = region, ACCOUNT
    handler.querystring, handler.uri_match, handler.headers = {}, {}, {}
    if handler.automated_parameter_parsing:
        handler.body = handler.params = content
    else:
        handler.body = json.dumps(content)
    return getattr(handler, _underscores(operation.name))()


_underscores = cache(camelcase_to_underscores)


def _no_text(_record: Any) -> str:
    """The text of a stream's record, of which moto only takes the length, and no one reads that."""
    return ""


def _parsed(endpoint: Any, text: str, operation: Any, status: int = 200) -> dict[str, Any]:
    """What botocore makes of a text."""
    parser = _parser(endpoint, operation.service_model.resolved_protocol)
    received = {"status_code": status, "headers": {}, "body": text.encode()}
    parsed: dict[str, Any] = parser.parse(received, operation.output_shape)
    if status >= 300:
        endpoint._add_modeled_error_fields(received, parsed, operation, parser)
    return parsed


@cache
def _parser(endpoint: Any, protocol: str) -> Any:
    return endpoint._response_parser_factory.create_parser(protocol)


def _known(content: Any, operation: Any) -> dict[str, Any]:
    """What botocore makes of an answer: the members that it knows."""
    shape = operation.output_shape
    known = {name: content[name] for name in shape.members if content.get(name) is not None} if shape else {}
    if operation.service_model.service_name == "dynamodb":
        _decode(known.get("Attributes", {}))
    return known


def _decode(attributes: Any) -> None:
    """Decode the bytes that moto leaves to the text of its answer."""
    for value in attributes.values():
        if isinstance(value.get("B"), str):
            value["B"] = b64decode(value["B"])
        if "BS" in value:
            value["BS"] = [b64decode(one) if isinstance(one, str) else one for one in value["BS"]]


def response(parsed: Any, status: int) -> Attempt:
    """What botocore's endpoint returns for a response that is parsed already."""
    answered = {**parsed, "ResponseMetadata": _metadata(status)}
    return (AWSResponse("https://example.com", status, HTTPHeaders(), _Body()), answered), None


def _metadata(status: int) -> dict[str, Any]:
    return {"HTTPStatusCode": status, "HTTPHeaders": {}, "RequestId": "test"}


class _Body(io.BytesIO):
    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        return iter(())
