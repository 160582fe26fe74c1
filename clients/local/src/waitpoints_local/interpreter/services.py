"""The clients with which states call services: the emulator answers them, in this process.

A request goes to the emulator's application without a socket, in the context of the state that sends it. So an execution that a
state starts shares the state's clock, and no port is open to whoever has no key.
"""

import asyncio
import io
import os
import uuid
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from waitpoints_local.interpreter.bare import put_in_place_of, state

App = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]
_UNSUPPORTED = b'{"error": "Unsupported service'
"""How the emulator's answer begins if it has no such service."""
REGION = "us-east-1"  # whose models are those of every region
_making = Lock()


class NotEmulated(Exception):
    """Nothing here answers this call."""


class _Body(io.BytesIO):
    """An answer as botocore reads it."""

    def stream(self, amount: int = 65536, **_: Any) -> Iterator[bytes]:
        while chunk := self.read(amount):
            yield chunk


class Services:
    """Clients for the emulator's services."""

    def __init__(self) -> None:
        self._app: App | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client = lru_cache(None)(self._make)

    def through(self, app: App) -> App:
        """Note the application and its loop at the first request, which comes before any state can send one."""

        async def serve(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
            self._app, self._loop = app, asyncio.get_running_loop()
            await app(scope, receive, send)

        return serve

    def client_for(self, region: str, service: str, state_credentials: Any = None) -> Any:  # noqa: ARG002 - moto's
        with _making:
            return self._client(service, region)

    def _make(self, service: str, region: str) -> Any:
        import boto3  # noqa: PLC0415 - takes time that an emulator without executions does not need
        from botocore.config import Config  # noqa: PLC0415 - as above

        session = boto3.session.Session()
        if service not in session.get_available_services():
            raise NotEmulated
        client = session.client(
            service,
            region_name=region,
            endpoint_url=f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}",
            aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
            config=Config(
                parameter_validation=False,
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
                response_checksum_validation="when_required",
            ),
        )
        client.meta.events.register("before-send.*", self._send)
        client.meta.events.register("after-call.*", lambda parsed, **_: _write_dates(parsed))
        return client

    def _send(self, request: Any, **_: Any) -> Any:
        from botocore.awsrequest import AWSResponse  # noqa: PLC0415 - as above

        assert self._loop
        answer = asyncio.run_coroutine_threadsafe(self._call(request), self._loop).result()
        headers: Any = answer[1]
        return AWSResponse(request.url, answer[0], headers, _Body(answer[2]))

    async def _call(self, request: Any) -> tuple[int, dict[str, str], bytes]:
        address, body = urlsplit(request.url), request.body or b""
        content = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else body.read()
        headers = [(name.lower().encode(), str(_text(value)).encode("latin-1")) for name, value in request.headers.items()]
        if not any(name == b"host" for name, _ in headers):
            headers.append((b"host", address.netloc.encode()))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": address.path or "/",
            "raw_path": address.path.encode(),
            "query_string": address.query.encode(),
            "headers": headers,
            "client": ("127.0.0.1", 0),
            "server": ("127.0.0.1", address.port),
        }
        start: dict[str, Any] = {}
        chunks: list[bytes] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                chunks.append(message.get("body", b""))

        assert self._app
        await self._app(scope, receive, send)
        answer = b"".join(chunks)
        if answer.startswith(_UNSUPPORTED):
            raise NotEmulated
        answered = {name.decode().title(): value.decode("latin-1") for name, value in start.get("headers", ())}
        return start["status"], answered, answer


def _write_dates(value: Any) -> None:
    """Put texts in the place of dates, as JSON has them."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in list(members):
        if isinstance(member, datetime):
            value[key] = member.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        else:
            _write_dates(member)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _refuse_missing(model: Any, parameters: dict[str, Any]) -> None:
    """Fail as DynamoDB does before anything else (recorded: error_handling/, test_invalid_param). MiniStack checks it later."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - as above

    missing = [name for name in model.input_shape.required_members if name not in parameters]
    if model.service_model.service_name == "dynamodb" and missing:
        field = f"{missing[0][0].lower()}{missing[0][1:]}"
        about = f"1 validation error detected: Value null at '{field}' failed to satisfy constraint: Member must not be null"
        meta = {"HTTPStatusCode": 400, "RequestId": str(uuid.uuid4())}
        told: Any = {"Error": {"Code": "ValidationException", "Message": about}, "ResponseMetadata": meta}
        raise ClientError(told, model.name)


def call_services(services: Services) -> None:
    """Let moto's interpreter use these clients, and name what it sends and gets as AWS's models do, which moto leaves out."""
    put_in_place_of("boto_client_for", services.client_for)
    task = state("exec.state_task.service.state_task_service").StateTaskService

    def operation(self: Any, service: str | None, action: str | None) -> Any:
        try:
            client = services.client_for(REGION, self._get_boto_service_name(service))
        except NotEmulated:
            return None
        name = client.meta.method_to_api_mapping.get(self._get_boto_service_action(action))
        return client.meta.service_model.operation_model(name) if name else None

    def to_request(
        self: Any, parameters: Any, boto_service_name: str | None = None, service_action_name: str | None = None
    ) -> None:
        model = operation(self, boto_service_name, service_action_name)
        for name in [name for name, value in parameters.items() if value is None]:
            del parameters[name]
        if model and model.input_shape:
            self._to_boto_request(parameters, model.input_shape)
            _refuse_missing(model, parameters)

    def from_response(
        self: Any, response: Any, boto_service_name: str | None = None, service_action_name: str | None = None
    ) -> None:
        model = operation(self, boto_service_name, service_action_name)
        if model and model.output_shape:
            self._from_boto_response(response, model.output_shape)
        for name in [it for it in response if it.startswith("ChecksumCrc")] if isinstance(response, dict) else ():
            response[name.replace("Crc", "CRC")] = response.pop(name)  # as AWS's SDK for Java calls it

    task._normalise_parameters, task._normalise_response = to_request, from_response
