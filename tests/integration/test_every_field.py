"""Every field of every route with every kind of odd value: each has its documented answer, never a 500.

The values are JSON texts, since much of what can go wrong (NaN, half a surrogate pair, a name that comes twice) has no
Python value.
"""

import base64
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.example_requests import FIELDS, WITH_JSON_BODY, named, places, put_example_endpoint, put_what_is_named_in
from tests.support.in_process.api_gateway import TOKENS, Api, HttpAnswer, http_event
from tests.support.in_process.fakes.step_functions import FakeStepFunctions
from tests.support.in_process.fakes.waits import DENIED, THROTTLED
from tests.support.in_process.moto_stack import MotoStack
from tools.openapi.operation import EXAMPLE_ID, Operation
from tools.openapi.operations import ENDPOINTS, KEYS, OPERATIONS, by_id
from waitpoints import ids
from waitpoints.api.providers import own_scheme
from waitpoints.endpoint import is_name

pytestmark = pytest.mark.slow

COMPLETE_BY_KEY = by_id("complete_waitpoint_key_v1").path
ENDPOINT = f"{ENDPOINTS}/github"
PUBLIC_TOKEN = by_id("create_public_token_v1").path
MINT = by_id("mint_public_token_v1").path
UNKNOWN = "waitpoint_" + "0" * 26
ELEMENT = "an element"  # of a list, instead of a field
DEEP = "[" * 1000 + "]" * 1000

VALUES = {
    "null": "null",
    "true": "true",
    "a number": "7",
    "a fraction": "1.5",
    "a number beyond 2^53": "9007199254740993",
    "a number beyond every float": "1e400",
    "a number of 5,000 digits": "9" * 5000,
    "NaN": "NaN",
    "Infinity": "Infinity",
    "-Infinity": "-Infinity",
    "an empty list": "[]",
    "a list of numbers": "[7]",
    "a list of lists": "[[]]",
    "an object": "{}",
    "an object with __proto__": '{"__proto__": {"admin": true}}',
    "an object with constructor": '{"constructor": {"prototype": {}}}',
    "1,000 levels": DEEP,
    "an empty text": '""',
    "a text that is not ASCII": '"Größe 🎈"',
    "half a surrogate pair": r'"\ud800"',
    "a text with U+0000": r'"\u0000"',
    "a text of 5,000 characters": f'"{"x" * 5000}"',
}
NOT_JSON = ("NaN", "Infinity", "-Infinity", "1,000 levels", "a number of 5,000 digits")


def every(status: int, **but: Any) -> dict[str, int]:
    """The status for each value: `status`, but 400 for what is no JSON, and other ones by name."""
    answers = dict.fromkeys(VALUES, status) | dict.fromkeys(NOT_JSON, 400)
    for other, names in but.items():
        answers |= dict.fromkeys(names, int(other.removeprefix("but_")))
    return answers


PLAIN_TEXTS = ("a text that is not ASCII", "a text with U+0000")
ODD_TEXTS = (*PLAIN_TEXTS, "half a surrogate pair")

TEXTS = ("an empty text", "a text of 5,000 characters", *ODD_TEXTS)
OBJECTS = ("an object", "an object with __proto__", "an object with constructor")
NOT_TEXTS = tuple(name for name in VALUES if name not in TEXTS)

UNKNOWN_FIELDS = dict.fromkeys(["fromTheFuture", "__proto__"], every(400))

CREATE = {
    "idempotencyKey": every(400, but_200=PLAIN_TEXTS),
    "timeout": every(422, but_200=["null"]),
    "tags": every(400, but_200=[*PLAIN_TEXTS, "an empty text", "an empty list", "null"]),
    "taskToken": every(400),
    "callbackId": every(400),
    "execution": every(400),
    "unwrap": every(400),
    "context": every(400),
    "verify": every(400, but_422=OBJECTS),
    "completeWhen": every(422, but_400=NOT_TEXTS),
    "payloadSchema": every(400, but_200=OBJECTS),
    "page": every(400, but_422=OBJECTS),
    "notify": every(400, but_422=OBJECTS),
    "traceparent": every(400, but_200=TEXTS),
    "metadata": every(400, but_200=OBJECTS),
    **UNKNOWN_FIELDS,
    "constructor": every(400),
}
CREATE_WITH_KEY = {"idempotencyKeyTTL": every(422, but_200=["null"])}
CREATE_PUBLIC_TOKEN = {
    "claims": every(400, but_200=["an object"]),
    "expirationTime": every(
        400,
        but_422=["a number", "a number beyond 2^53", "an empty text", *ODD_TEXTS, "a text of 5,000 characters"],
    ),
    "fromTheFuture": every(400),
}
MINT_PUBLIC_TOKEN = {
    "scopes": every(400),
    "expirationTime": CREATE_PUBLIC_TOKEN["expirationTime"],
    "fromTheFuture": every(400),
}
IN_CLAIMS = {
    "scopes": every(400, but_200=["an empty list"]),
    "realtime": every(400),
}
ANY_JSON = {name: 400 if name in NOT_JSON and "digits" not in name else 200 for name in VALUES}
COMPLETE = {"data": ANY_JSON}
MOVE_DEADLINE = {
    "timeout": every(422, but_200=["null"]),
    "approvers": every(400, but_422=OBJECTS),
    **UNKNOWN_FIELDS,
}
COMPLETE_KEY = {
    "idempotencyKey": every(400, but_200=PLAIN_TEXTS),
    "idempotencyKeyTTL": every(422, but_200=["null"]),
    "data": ANY_JSON,
    **UNKNOWN_FIELDS,
}
PUT_ENDPOINT = {
    "key": every(422, but_400=NOT_TEXTS),
    "verify": every(400, but_422=[*TEXTS, *OBJECTS]),
    "completeWhen": every(422, but_400=NOT_TEXTS),
    "output": every(422, but_400=NOT_TEXTS),
    "keyTTL": every(422, but_400=NOT_TEXTS),
    "tag": every(400, but_200=PLAIN_TEXTS, but_422=["an empty text", "a text of 5,000 characters"]),
    "recordDeliveries": every(422, but_400=NOT_TEXTS),
    **UNKNOWN_FIELDS,
}
CHANGE_ENDPOINT = {"disabled": every(400, but_200=["true"]), **UNKNOWN_FIELDS}
CREATE_KEY = {
    "name": every(422, but_400=NOT_TEXTS),
    "scopes": every(400, but_422=["an empty list"]),
    "expiresIn": every(422, but_400=NOT_TEXTS),
    **UNKNOWN_FIELDS,
}
IN_SCOPES = {ELEMENT: every(422, but_400=NOT_TEXTS)}
IN_TAGS = {ELEMENT: every(400, but_200=[*PLAIN_TEXTS, "an empty text"])}
IN_SCOPE_TAGS = dict.fromkeys(PLAIN_TEXTS, 200) | {
    "an empty text": 422,
    "a text of 5,000 characters": 422,
    "half a surrogate pair": 400,
}
RESEND_DELIVERY = {
    "tokenId": every(404, but_400=NOT_TEXTS),
    "idempotencyKey": every(400, but_200=PLAIN_TEXTS),
    **UNKNOWN_FIELDS,
}
TRY_ENDPOINT = {
    "body": every(200),
    "headers": every(400, but_200=["an object"]),
    "query": every(400, but_200=TEXTS),
    **UNKNOWN_FIELDS,
}
IN_ERROR = {
    "message": every(400, but_200=["a text that is not ASCII", "a text with U+0000"]),
    "name": every(400),
    "code": every(400, but_200=["a text that is not ASCII", "a text with U+0000"]),
    **UNKNOWN_FIELDS,
}
IN_NOTIFY = dict.fromkeys(["email", "slack", "teams", "outcome"], every(422, but_400=NOT_JSON))
IN_VERIFY = dict.fromkeys(["scheme", "secret", *own_scheme.MEMBERS], every(422, but_400=NOT_JSON))
IN_TIMESTAMP = dict.fromkeys(own_scheme.TIMESTAMP_MEMBERS, every(422, but_400=NOT_JSON))
HMAC = '{"verify": {"scheme": "hmac", "secret": "stripe", "header": "X-A", "signed": "{timestamp}.{body}", "timestamp": %s}}'


@dataclass(frozen=True)
class Body:
    """A request of whose body each field gets each value. `beside` are the members that it also needs.

    `around` is the JSON text around the fields.
    """

    fields: dict[str, dict[str, int]]
    method: str
    path: str
    beside: dict[str, str] = field(default_factory=dict)
    around: str = "%s"

    def text(self, name: str, value: str) -> str:
        members = ", ".join(f'"{member}": {text}' for member, text in {**self.beside, name: value}.items())
        return self.around % (value if name == ELEMENT else f"{{{members}}}")


TOKEN, COMPLETE_ONE = f"{TOKENS}/{{id}}", f"{TOKENS}/{{id}}/complete"
BODIES = {
    "create": Body(CREATE, "POST", TOKENS),
    "create with a key": Body(CREATE_WITH_KEY, "POST", TOKENS, {"idempotencyKey": '"k"'}),
    "a tag": Body(IN_TAGS, "POST", TOKENS, around='{"tags": ["fine", %s]}'),
    "verify": Body(IN_VERIFY, "POST", TOKENS, {"scheme": '"stripe"', "secret": '"stripe"'}, '{"verify": %s}'),
    "verify.timestamp": Body(IN_TIMESTAMP, "POST", TOKENS, {"header": '"X-B"'}, HMAC),
    "notify": Body(IN_NOTIFY, "POST", TOKENS, around='{"page": {"title": "Go?"}, "notify": %s}'),
    "move": Body(MOVE_DEADLINE, "PATCH", TOKEN),
    "fail": Body({"error": every(400)}, "POST", COMPLETE_ONE),
    "error": Body(IN_ERROR, "POST", COMPLETE_ONE, {"message": '"no"'}, '{"error": %s}'),
    "complete by key": Body(COMPLETE_KEY, "POST", COMPLETE_BY_KEY, {"idempotencyKey": '"NEW"'}),
    "public token": Body(CREATE_PUBLIC_TOKEN, "POST", PUBLIC_TOKEN),
    "claims": Body(IN_CLAIMS, "POST", PUBLIC_TOKEN, around='{"claims": %s}'),
    "mint": Body(MINT_PUBLIC_TOKEN, "POST", MINT, {"scopes": '["read:runs"]'}),
    "endpoint": Body(PUT_ENDPOINT, "PUT", ENDPOINT, {"key": '"body.id"', "verify": '"none"'}),
    "disabled": Body(CHANGE_ENDPOINT, "PATCH", ENDPOINT),
    "resend": Body(RESEND_DELIVERY, "POST", by_id("resend_delivery_v1").example_path()),
    "trial": Body(TRY_ENDPOINT, "POST", f"{ENDPOINT}/test"),
    "named key": Body(CREATE_KEY, "POST", KEYS, {"name": '"job"', "scopes": '["read"]'}),
    "scope": Body(IN_SCOPES, "POST", KEYS, around='{"name": "job", "scopes": ["create", %s]}'),
}


def cases(fields: dict[str, dict[str, int]]) -> list[Any]:
    return [
        pytest.param(field, value, status, id=f"{field}: {value}")
        for field, answers in fields.items()
        for value, status in answers.items()
    ]


def is_documented(answer: HttpAnswer, status: int) -> None:
    assert answer.status == status, answer.text[:500]
    if status != 200:
        assert answer.error
        assert len(answer.error) < 500
        assert "Traceback" not in answer.text
    answer.text.encode()


@pytest.mark.parametrize(
    ("body", "name", "value", "status"),
    [
        pytest.param(body, name, value, status, id=f"{request}: {name}: {value}")
        for request, body in BODIES.items()
        for name, answers in body.fields.items()
        for value, status in answers.items()
    ],
)
def test_every_value_of_every_field_has_its_documented_answer(
    api: Api, stack: MotoStack, body: Body, name: str, value: str, status: int
) -> None:
    """A refusal writes nothing."""
    token_id = api.create(timeout="1h")["id"] if "{id}" in body.path else ""
    if body.method != "PUT":
        put_what_is_named_in(body.path)
    before = stack.writes()
    text = body.text(name, VALUES[value]).replace('"NEW"', f'"{ids.new_id(0)}"')
    is_documented(api.request(body.method, body.path.replace("{id}", token_id), text), status)
    if status != 200:
        assert stack.writes() == before
    elif body.path == TOKENS:
        assert stack.writes() > before


@pytest.mark.parametrize(("value", "status"), IN_SCOPE_TAGS.items())
def test_a_named_key_answers_every_text_as_the_tag_of_a_scope_as_documented(api: Api, value: str, status: int) -> None:
    scope = f'"read:{VALUES[value].removeprefix(chr(34))}'
    is_documented(api.post(KEYS, f'{{"name": "job", "scopes": [{scope}]}}'), status)
    listed = [it["scopes"] for it in api.get(KEYS).json["data"]]
    assert listed == ([[json.loads(scope)]] if status == 200 else [])


@pytest.mark.parametrize("operation", WITH_JSON_BODY, ids=named)
def test_an_unknown_field_is_ignored_only_from_the_sdk(api: Api, operation: Operation) -> None:
    """A newer SDK may send more than this stack knows."""
    assert operation.body is not None
    put_what_is_named_in(operation.path)
    body = {**operation.body.example, "fromTheFuture": 1}
    url = operation.example_path(**places(api.create()))
    assert api.request(operation.method, url, body).status == 400
    assert api.request(operation.method, url, body, api.from_sdk).status == (400 if operation.is_ours else 200)


def test_an_unknown_claim_is_ignored_only_from_the_sdk(api: Api) -> None:
    body = {"claims": {"realtime": 1}}
    assert api.post(PUBLIC_TOKEN, body).status == 400
    assert api.post(PUBLIC_TOKEN, body, api.from_sdk).status == 200


@pytest.mark.parametrize(("field", "value", "status"), cases(COMPLETE))
def test_complete_keeps_every_json_value_and_refuses_invalid_json(api: Api, field: str, value: str, status: int) -> None:
    token = api.create()
    is_documented(api.post(f"{TOKENS}/{token['id']}/complete", f'{{"data": {VALUES[value]}}}'), status)
    retrieved = api.retrieve(token["id"])
    if status == 200:
        assert (retrieved["status"], retrieved["output"]) == ("COMPLETED", VALUES[value])
    else:
        assert (retrieved["status"], "output" in retrieved) == ("WAITING", False)


@pytest.mark.parametrize("value", VALUES)
def test_a_callback_keeps_every_body_json_or_not(api: Api, value: str) -> None:
    token = api.create()
    is_documented(api.post(token["url"], VALUES[value], {"content-type": "application/json"}), 200)
    output = api.retrieve(token["id"])["output"]
    assert output == (VALUES[value] if ANY_JSON[value] == 200 else json.dumps(VALUES[value]))


@pytest.mark.parametrize("operation", WITH_JSON_BODY, ids=named)
@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b" ",
            b"{",
            b'{"a"}',
            b'{"a":1,}',
            b"{'a':1}",
            b"\xff\xfe{}",
            b"\xff",
            b'{"data":"\xc3"}',
            b"\x00",
            b"undefined",
        ),
        *(b"[]", b"[{}]", b"7", b"true", b"null", b'""', b"NaN", b"// {}", b"{} {}", b"data=1", b"<data/>", DEEP.encode()),
        b'{"data":' * 1000 + b"1" + b"}" * 1000,
    ],
    ids=lambda body: repr(body)[:20],
)
def test_a_body_that_is_not_an_object_is_400(api: Api, operation: Operation, body: bytes) -> None:
    assert operation.body is not None
    token = api.create()
    if operation.id == "resend_delivery_v1":
        put_example_endpoint()
    optional = not operation.body.required and not body.strip()
    answer = api.request(operation.method, operation.example_path(**places(token)), body)
    is_documented(answer, 200 if optional else 400)
    assert api.retrieve(token["id"])["status"] == "WAITING"


RUBBISH = {
    "nothing": "",
    "a space": "%20",
    "a text": "soon",
    "a broken escape": "%zz",
    "a lone percent sign": "%",
    "bytes that are not UTF-8": "%ff%fe",
    "half a surrogate pair": "%ed%a0%80",
    "U+0000": "%00",
    "not ASCII": "gr%C3%B6%C3%9Fe",
    "digits that are not ASCII": "%d9%a3",
    "a negative number": "-1",
    "a fraction": "1.5",
    "an exponent": "1e1",
    "a number beyond 2^53": "9007199254740993",
    "a number of 4,000 digits": "9" * 4000,
    "a list": "%5B1%5D",
    "an object": "%7B%22__proto__%22%3A1%7D",
    "commas": ",,",
    "__proto__": "__proto__",
    "constructor": "constructor",
    "4,000 characters": "x" * 4000,
}


def rubbish(status: int, **but: Any) -> dict[str, int]:
    return dict.fromkeys(RUBBISH, status) | {
        name: int(key.removeprefix("but_")) for key, names in but.items() for name in names
    }


LIST = {
    "page[size]": rubbish(400),
    **dict.fromkeys(["filter[idempotencyKey]", "filter[tags]"], rubbish(200)),
    **dict.fromkeys(
        [
            *("page[after]", "page[before]", "sort", "filter[status]", "filter[outputIsError]", "filter[undelivered]"),
            *(f"filter[{when}][{bound}]" for when in ("createdAt", "completedAt") for bound in ("period", "from", "to")),
        ],
        rubbish(400, but_200=["nothing"]),
    ),
    **dict.fromkeys(["fromTheFuture", "__proto__"], rubbish(400)),
}


LIST_DELIVERIES = {
    "page[size]": rubbish(400),
    **dict.fromkeys(["filter[key]", "filter[deliveryId]"], rubbish(200)),
    **dict.fromkeys(
        ["page[after]", "filter[kind]", *(f"filter[createdAt][{bound}]" for bound in ("period", "from", "to"))],
        rubbish(400, but_200=["nothing"]),
    ),
    **dict.fromkeys(["page[before]", "sort", "fromTheFuture", "__proto__"], rubbish(400)),
}
LIST_ENDPOINTS = {
    "page[size]": rubbish(400),
    "page[after]": rubbish(
        400, but_200=["nothing", "a text", "a negative number", "an exponent", "a number beyond 2^53", "constructor"]
    ),
    **dict.fromkeys(["page[before]", "fromTheFuture"], rubbish(400)),
}


@pytest.mark.parametrize(
    ("path", "field", "value", "status"),
    [
        pytest.param(path, *case.values, id=f"{path.rpartition('/')[2]}: {case.id}")
        for path, parameters in ((TOKENS, LIST), (ENDPOINTS, LIST_ENDPOINTS), (f"{ENDPOINT}/deliveries", LIST_DELIVERIES))
        for case in cases(parameters)
    ],
)
def test_every_value_of_every_parameter_has_its_documented_answer(
    api: Api, path: str, field: str, value: str, status: int
) -> None:
    if path != TOKENS:
        put_example_endpoint(records=status == 200 and path == f"{ENDPOINT}/deliveries")
    answer = api.get(f"{path}?{field}={RUBBISH[value]}")
    is_documented(answer, status)
    if status == 400:
        assert field in answer.error


FORCE = {"force": rubbish(400, but_200=["nothing"])}


@pytest.mark.parametrize(("field", "value", "status"), cases(FORCE))
def test_a_deletion_is_forced_or_not(api: Api, field: str, value: str, status: int) -> None:
    is_documented(api.request("DELETE", f"{TOKENS}/{EXAMPLE_ID}?{field}={RUBBISH[value]}"), status)


LINK = {"approver": rubbish(401)}


@pytest.mark.parametrize(("field", "value", "status"), cases(LINK))
def test_a_personal_link_with_another_name_is_a_wrong_one(api: Api, field: str, value: str, status: int) -> None:
    token = api.create(page={"title": "Go?", "approvers": ["ann"]})
    url = token["links"][0]["url"].replace("approver=ann", f"{field}={RUBBISH[value]}")
    is_documented(api.post(url, '{"action": "submit"}', {"content-type": "application/json"}), status)
    assert api.get(url, {"accept": "text/html"}).status == status
    assert api.retrieve(token["id"])["answers"] == []


ODD_QUERIES = {
    **dict.fromkeys(["", "&&&", "#", "&" * 3000], 200),
    **dict.fromkeys(["%", "=", "===", "page", "page[size", "%5B%5D=1", "a;b", "?", "+", "%ff=%ff"], 400),
}


@pytest.mark.parametrize(("query", "status"), ODD_QUERIES.items(), ids=lambda it: str(it)[:20])
def test_list_ignores_an_empty_query_and_refuses_an_unknown_parameter(api: Api, query: str, status: int) -> None:
    is_documented(api.get(f"{TOKENS}?{query}"), status)
    is_documented(api.get(f"{TOKENS}?{query}", api.from_sdk), 200)


@pytest.mark.parametrize(
    ("query", "nearest"),
    [
        ("tags=x", "filter[tags]"),
        ("status=FOO", "filter[status]"),
        ("filter[status][]=WAITING", "filter[status]"),
        ("filter[tag]=x", "filter[tags]"),
        ("page[Size]=2", "page[size]"),
        ("limit=2", "page[size]"),
        ("page=5", "page[size]"),
    ],
)
def test_list_names_the_nearest_parameter(api: Api, query: str, nearest: str) -> None:
    answer = api.get(f"{TOKENS}?{query}")
    assert answer.status == 400
    assert nearest in answer.error


def test_list_refuses_too_many_tags(api: Api) -> None:
    fifty = ",".join(f"tag-{number}" for number in range(50))
    is_documented(api.get(f"{TOKENS}?filter[tags]={fifty}"), 200)
    is_documented(api.get(f"{TOKENS}?filter[tags]={fifty},one-more"), 400)


FIELDS_OF: dict[str, dict[str, Any]] = {
    "create_waitpoint_token_v1": CREATE | CREATE_WITH_KEY,
    "complete_waitpoint_token_v1": {**COMPLETE, "error": IN_ERROR},
    "move_waitpoint_token_deadline_v1": MOVE_DEADLINE,
    "complete_waitpoint_key_v1": {**COMPLETE_KEY, "error": IN_ERROR},
    "create_public_token_v1": CREATE_PUBLIC_TOKEN,
    "mint_public_token_v1": MINT_PUBLIC_TOKEN,
    "put_endpoint_v1": PUT_ENDPOINT,
    "change_endpoint_v1": CHANGE_ENDPOINT,
    "try_endpoint_v1": TRY_ENDPOINT,
    "resend_delivery_v1": RESEND_DELIVERY,
    "create_key_v1": CREATE_KEY,
}
PARAMETERS_OF = {
    "list_waitpoint_tokens_v1": LIST,
    "list_endpoints_v1": LIST_ENDPOINTS,
    "delete_waitpoint_token_v1": FORCE,
    "list_deliveries_v1": LIST_DELIVERIES,
    "complete_waitpoint_token_callback_v1": LINK,
    "show_waitpoint_token_callback_v1": LINK,
}


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_every_documented_field_and_parameter_is_tried_with_every_value(operation: Operation) -> None:
    fields = operation.body.fields if operation.body else ()
    assert set(fields) <= FIELDS_OF.get(operation.id, {}).keys()
    assert set(operation.names("query")) <= PARAMETERS_OF.get(operation.id, {}).keys()


IN_PATHS = [(operation, name) for operation in OPERATIONS for name in operation.names("path")]


def status_of_a_wrong(name: str, operation: Operation, value: str) -> int:
    """The answer when a path parameter names nothing. A preflight and the name of a run depend on nothing."""
    if name == "run" or not operation.refusals:
        return 200
    if operation.id == "put_endpoint_v1":
        return 200 if is_name(unquote(value)) else 422
    return 404 if operation.credentials else 401


@pytest.mark.parametrize("value", [name for name in RUBBISH if name != "nothing"])
@pytest.mark.parametrize(("operation", "name"), IN_PATHS, ids=named)
def test_a_malformed_path_parameter_is_answered_like_an_unknown_one(
    api: Api, operation: Operation, name: str, value: str
) -> None:
    token = api.create()
    url = operation.example_path(**places(token) | {name: RUBBISH[value]})
    answer = api.request(operation.method, url, operation.body.example if operation.body else None)
    is_documented(answer, status_of_a_wrong(name, operation, RUBBISH[value]))
    assert api.retrieve(token["id"])["status"] == "WAITING"


@pytest.mark.parametrize("value", [name for name in RUBBISH if name != "nothing"])
def test_a_malformed_packets_path_is_404(api: Api, value: str) -> None:
    written, token_id = RUBBISH[value], api.create()["id"]
    for path in (f"{token_id}/{written}", f"{written}/0123456789abcdef.json", f"{token_id}/..%2F{written}"):
        is_documented(api.get(by_id("get_packet_v1").example_path(path=path)), 404)


JWT_PARTS = [
    *('{"alg":"HS256"}', '{"alg":"none"}', '{"alg":[]}', '{"alg":"HS256","crit":["x"]}', '{"alg":"HS256","kid":7}', "[]", "7"),
    *('{"pub":true}', '{"pub":true,"exp":1e400}', '{"pub":true,"exp":NaN}', '{"pub":true,"scopes":{}}', "", "\x00", "[" * 3000),
    *(
        '{"pub":true,"exp":' + "9" * 3000 + "}",
        '{"pub":true,"sub":"\\ud800"}',
        '{"pub":true,"aud":[{}]}',
        '{"__proto__":{"pub":true}}',
    ),
]


@pytest.mark.parametrize("examples", [pytest.param(60, marks=pytest.mark.few), pytest.param(200, marks=pytest.mark.thorough)])
def test_a_forged_public_access_token_is_401(api: Api, examples: int) -> None:
    @settings(max_examples=examples)
    @given(parts=st.lists(st.sampled_from(JWT_PARTS) | st.text(max_size=40), min_size=1, max_size=4))
    def is_401(parts: list[str]) -> None:
        forged = ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts)
        is_documented(api.post(f"{TOKENS}/{UNKNOWN}/complete", {"data": 1}, {"authorization": f"Bearer {forged}"}), 401)

    is_401()


@pytest.mark.parametrize("encoded", ["a", "abcde", "e30", "=", "e30=e"])
def test_a_body_with_invalid_base64_is_400(api: Api, stack: MotoStack, encoded: str) -> None:
    token = api.create()
    path = token["url"].removeprefix(token["url"].split("/api/")[0])
    route = stack.template.route("POST", path)
    assert route is not None
    event = http_event("POST", path, "", b"x", {}, route.route_key, route.path_parameters)
    answer = route.function.call({**event, "body": encoded, "isBase64Encoded": True})
    assert answer["statusCode"] == 400
    assert api.retrieve(token["id"])["status"] == "WAITING"


@pytest.mark.parametrize(("fault", "status"), [(DENIED, 400), (THROTTLED, 503)])
def test_a_create_that_cannot_resume_its_task_is_refused_and_can_be_retried(
    api: Api, step_functions: FakeStepFunctions, fault: Any, status: int
) -> None:
    token, task_token = api.create(idempotencyKey=f"settled {status}"), step_functions.start_task()
    api.post(token["url"], b"1")
    step_functions.fail_next(fault)
    wanted = {"idempotencyKey": f"settled {status}", "taskToken": task_token}
    is_documented(api.post(TOKENS, wanted), status)
    assert step_functions.result(task_token) is None
    assert api.create(**wanted) == {**token, "isCached": True}
    assert step_functions.result(task_token) is not None


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.text(st.characters(categories=["Cs"]))
)
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
ALMOST = st.sampled_from(["10m", "2030-01-01", 60, ["a"], {"scopes": ["admin"]}, "", 10**20, "9" * 50 + "d", "key", -1, 2**63])


@pytest.mark.parametrize("examples", [pytest.param(60, marks=pytest.mark.few), pytest.param(200, marks=pytest.mark.thorough)])
def test_no_body_is_answered_500(api: Api, examples: int) -> None:
    @settings(max_examples=examples)
    @given(body=st.dictionaries(st.sampled_from(FIELDS) | st.text(), ANYTHING | ALMOST, max_size=4), escaped=st.booleans())
    def is_documented_everywhere(body: dict[str, Any], escaped: bool) -> None:
        token = api.create()
        text = json.dumps(body, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
        for operation in OPERATIONS:
            if operation.method in ("POST", "PUT"):
                answer = api.request(operation.method, operation.example_path(**places(token)), text)
                assert answer.status in {200, *operation.refusals}, answer.text
                answer.text.encode()

    is_documented_everywhere()
