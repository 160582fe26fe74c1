"""AWS for benchmarks of one function: each call gets a right answer that was made before, so it costs next to nothing.

`connect_to_stub` puts the answers in place of a process's sockets, below botocore, urllib3 and Python's HTTP client.
"""

import base64
import json
import re
import socket
import sys
import zlib
from io import BytesIO
from typing import Any

from urllib3.connection import HTTPConnection

WAITPOINT_ID = "waitpoint_01kazhg3c8w3sd8f4t5gdqm2v7"  # the token of every answer
KEY = "one-value-for-the-api-key-and-the-signing-key"  # of every secret
TASK_TOKEN = base64.b64encode(bytes(range(256)) * 2 + bytes(20)).decode()  # as long as Step Functions' own
WAITER = "f67ab10ad4e4c531"

_WAITING_TOKEN = {
    "id": {"S": WAITPOINT_ID},
    "item": {"S": "token"},
    "status": {"S": "WAITING"},
    "createdAt": {"N": "1795529546123"},
    "timeoutAt": {"N": "1796134346123"},
    "tags": {"L": [{"S": "order"}, {"S": "approval"}]},
    "waiters": {
        "M": {WAITER: {"M": {"handle": {"B": TASK_TOKEN}, "registeredAt": {"N": "1795529546200"}, "unwrap": {"BOOL": False}}}}
    },
    "waiterCount": {"N": "1"},
    "listShard": {"S": "2"},
}
_SETTLED_TOKEN = {
    **_WAITING_TOKEN,
    "status": {"S": "COMPLETED"},
    "expiresAt": {"N": "1798121546"},
    "completedAt": {"N": "1795529546300"},
    "output": {"S": '{"approved": true}'},
    "completedBy": {"M": {"source": {"S": "callback"}, "ip": {"S": "203.0.113.24"}, "userAgent": {"S": "curl/8.5.0"}}},
}
APPROVER = "ann"
_PAGE = {
    "title": "Deploy 4.2 to production?",
    "text": "All checks passed.",
    "actions": [{"id": "approve", "label": "Approve it"}, {"id": "reject", "label": "Reject it", "style": "danger"}],
    "fields": {"type": "object", "properties": {"amount": {"type": "integer", "title": "Amount"}, "note": {"type": "string"}}},
    "approvers": [APPROVER, "bo"],
}
_WAITING_PAGE: list[dict[str, Any]] = [
    {name: value for name, value in _WAITING_TOKEN.items() if name != "timeoutAt"}
    | {"deliveryRules": {"M": {"page": {"BOOL": True}, "approvers": {"BOOL": True}}}},
    {"id": {"S": WAITPOINT_ID}, "item": {"S": "page"}, "page": {"S": json.dumps(_PAGE)}},
]
_SECRET = {"ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:key", "CreatedDate": 1.7e9, "SecretString": KEY}


def _http(answer: dict[str, Any]) -> bytes:
    body = json.dumps(answer, separators=(",", ":")).encode()
    headers = {
        "Server": "Server",
        "Date": "Tue, 24 Nov 2026 14:12:26 GMT",
        "Content-Type": "application/x-amz-json-1.0",
        "Content-Length": len(body),
        "Connection": "keep-alive",
        "x-amzn-RequestId": "VVIBH3MPIE9KTDG0PK3Q8N9UA3VV4KQNSO5AEMVJF66Q9ASUAAJG",
        "x-amz-crc32": zlib.crc32(body),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode() + body


_TARGET = re.compile(rb"x-amz-target: \w+\.(\w+)", re.IGNORECASE)
_NOTHING = _http({})
_ANSWERS = {
    b"GetItem": _http({"Item": {name: value for name, value in _WAITING_TOKEN.items() if name != "timeoutAt"}}),
    b"GetSecretValue": _http(_SECRET),
    b"PutItem": _NOTHING,
    b"Query": _http({"Items": _WAITING_PAGE, "Count": len(_WAITING_PAGE)}),
    b"SendTaskSuccess": _NOTHING,
    b"UpdateItem": _NOTHING,
}
_SETTLED, _WAITING, _PAGE_WAITING = (_http({"Attributes": item}) for item in (_SETTLED_TOKEN, _WAITING_TOKEN, _WAITING_PAGE[0]))


def answer(request: bytes) -> bytes:
    """Return the HTTP answer to an HTTP request. Only an update that asks for an item gets it, a bare handler the new one."""
    if request.startswith(b"PUT "):  # an object for S3
        return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"
    target = _TARGET.search(request)
    assert target, "a request of another protocol"
    if b'"ALL_NEW"' in request:
        return _SETTLED
    if b'"ReturnValues": "ALL_OLD"' in request:
        return _PAGE_WAITING if b"answerCount" in request else _WAITING
    return _ANSWERS[target[1]]


class _Socket(socket.socket):
    """An open connection whose other end answers at once."""

    _sent: bytes = b""

    def sendall(self, data: Any, flags: int = 0) -> None:  # noqa: ARG002 - the socket's signature
        self._sent += data

    def makefile(self, *_mode: Any, **_options: Any) -> Any:
        request, self._sent = self._sent, b""
        return BytesIO(answer(request))


def forget_tokens() -> None:
    """Have a function, once it is imported, not know that the token has ended: here it waits again each time."""
    if known := sys.modules.get("waitpoints.known_tokens"):
        vars(known)["KNOWN_FOR"] = 0


def connect_to_stub() -> None:
    """From now on, each plain HTTP connection of this process leads to the stub."""
    ends: list[socket.socket] = []  # kept open: urllib3 asks whether a connection was closed

    def connect(_connection: HTTPConnection) -> socket.socket:
        ours, other = socket.socketpair()
        ends.append(other)
        return _Socket(fileno=ours.detach())

    HTTPConnection._new_conn = connect  # type: ignore[assignment, method-assign]  # a socket of our own
