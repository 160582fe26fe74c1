"""The request to create a token, named as in Trigger.dev's specification. `openapi.yaml` is generated from it."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from waitpoints import execution, handles
from waitpoints.api import request_checks
from waitpoints.api.models.base import ABSENT, VERIFY_SCHEMA, RequestModel
from waitpoints.idempotency_key import MAX_LENGTH as MAX_KEY_LENGTH
from waitpoints.token import MAX_EXPRESSION, MAX_TAG_LENGTH

if TYPE_CHECKING:
    from pydantic.config import JsonDict

_TAG_SCHEMA: "JsonDict" = {"type": "string", "maxLength": MAX_TAG_LENGTH}
IdempotencyKeyText = Annotated[
    str,
    AfterValidator(request_checks.idempotency_key),
    Field(json_schema_extra={"minLength": 1, "maxLength": MAX_KEY_LENGTH}),
]

ExecutionArn = Annotated[str, AfterValidator(request_checks.execution)]
TaskTokenText = Annotated[str, AfterValidator(request_checks.task_token)]
CallbackIdText = Annotated[str, AfterValidator(request_checks.callback_id)]


NOTIFY_SCHEMA: "JsonDict" = {
    "type": "object",
    "minProperties": 1,
    "properties": {
        "email": {
            "anyOf": [
                {"const": True},
                {"type": "array", "items": {"type": "string", "format": "email"}, "minItems": 1, "maxItems": 20},
            ],
            "description": "Needs the parameter `MailFrom`. `true`: each of the page's `approvers`. Without them: addresses; "
            "or with `signIn` and `outcome`, `true`, and only `requestedBy` gets a mail.",
        },
        "slack": {
            "type": "string",
            "description": "Needs the parameter `Slack=on`. A channel's name, such as #deploys, or its id. Those of the page's "
            "`approvers` who have a Slack id are mentioned there, and get a direct message each.",
        },
        "teams": {
            "type": "string",
            "pattern": "^TEAMS[A-Za-z0-9_-]{0,59}$",
            "description": "Needs the parameter `Teams=on`. The secret `waitpoints/<stack name>/channels/NAME` in Secrets "
            "Manager, which holds a workflow's URL. It reaches no approver: each needs `email` or `slack`, too.",
        },
        "outcome": {
            "type": "boolean",
            "description": "Also send how it ended to each person who is notified, and to the page's `requestedBy` if that is "
            "an address or a Slack id: by mail with `email`, as a direct message with `slack`.",
        },
    },
    "additionalProperties": False,
}


class CreateWaitpointTokenRequest(RequestModel):
    """Every field is optional, and so is the body."""

    idempotency_key: IdempotencyKeyText = Field(
        default=ABSENT,
        description="While a token holds this key, a create with the same key returns that token unchanged. A page with "
        "`signIn` must be that token's, else 409.",
        examples=["approval-user-1234567"],
    )
    idempotency_key_ttl: Any = Field(
        default=None,
        alias="idempotencyKeyTTL",
        description="How long the token holds its key: a duration as in `timeout`. Default: as long as the token exists.",
        examples=["24h"],
        json_schema_extra={"type": ["string", "null"]},
    )
    timeout: Any = Field(
        default=None,
        description=(
            'When the token times out: a duration such as "30s", "10m", "1d12h" (w, d, h, m, s), or a future date in ISO '
            "8601. Anything else is rejected with 422. If absent or null, the stack's DefaultTimeout applies; unless it is "
            "set, the token never times out."
        ),
        examples=["1h", "2030-01-31T18:00:00Z"],
        json_schema_extra={"type": ["string", "null"]},
    )
    tags: Annotated[Any, AfterValidator(request_checks.tags)] = Field(
        default=(),
        description=f"One tag, or a list of at most {request_checks.MAX_TAGS}. The list route filters by tag.",
        examples=[["user:1234567", "org:9876543"]],
        json_schema_extra={
            "anyOf": [
                _TAG_SCHEMA,
                {"type": "array", "items": _TAG_SCHEMA, "maxItems": request_checks.MAX_TAGS},
                {"type": "null"},
            ]
        },
    )
    task_token: TaskTokenText = Field(
        default=ABSENT,
        description="A Step Functions task token. Its execution is registered as a waiter in the same write.",
        json_schema_extra={"minLength": handles.SHORTEST, "maxLength": handles.LONGEST_TASK_TOKEN},
    )
    callback_id: CallbackIdText = Field(
        default=ABSENT,
        description="A callback id of a Lambda durable function, which is registered as a waiter. Not with `taskToken`.",
        json_schema_extra={
            "minLength": handles.SHORTEST,
            "maxLength": handles.LONGEST_CALLBACK_ID,
            "pattern": handles.CALLBACK_ID_PATTERN,
        },
    )
    unwrap: bool = Field(
        default=False,
        description='Give what waits the bare output instead of `{"ok": …}`, and fail its wait on a timeout.',
    )
    context: bool = Field(
        default=False,
        description="What waits also gets `completedBy`, who completed the token. Not with `unwrap`.",
    )
    execution: ExecutionArn = Field(
        default=ABSENT,
        description="The ARN of what waits (`$$.Execution.Id`, or a durable execution's), which retrieve then shows.",
        examples=["arn:aws:states:us-east-1:123456789012:execution:orders:4711"],
        json_schema_extra={"maxLength": execution.LONGEST, "pattern": execution.PATTERN},
    )
    verify: dict[str, Any] = Field(
        default=ABSENT,
        description="Only signed deliveries to the callback URL settle the token.",
        examples=[{"scheme": "github", "secret": "github"}],
        json_schema_extra=VERIFY_SCHEMA,
    )
    complete_when: str = Field(
        default=ABSENT,
        description=(
            "A JMESPath expression over `body`, `headers` and `query` of a delivery. Only a delivery that matches settles "
            "the token; any other is answered 200 and counted."
        ),
        examples=["body.status == 'succeeded'"],
        json_schema_extra={"maxLength": MAX_EXPRESSION},
    )
    payload_schema: dict[str, Any] = Field(
        default=ABSENT,
        description=(
            "A JSON Schema (2020-12) of at most 8 KB, without references. A body or `data` that does not match is refused "
            "with 422 and settles nothing."
        ),
        examples=[{"type": "object", "required": ["approved"]}],
    )

    page: dict[str, Any] = Field(
        default=ABSENT,
        description=(
            "What a person is shown who opens the callback URL: `title`, `text`, `facts`, `links`, `actions`, `fields` (a JSON "
            "Schema that is drawn as a form) and `confirm`. Only a POST of one of its actions completes the token, with "
            '`{"action", "fields"}`. Not together with `verify`, `completeWhen` or `payloadSchema`. `approvers` are who may '
            "answer, each once and by a link of their own, and `needs` of an action is how many must choose it; `requestedBy` "
            'is left out of them without `selfApproval`. `escalate`, `{"after", "to"}`, lets others answer, too, after a '
            "time. Approvers see what the others entered, unless `showAnswers` is false. Those who choose the same action must "
            "enter the same into `sameFields`. With `signIn`, they sign in, all at the callback URL (docs/sign-in.md). "
            "docs/pages.md has it all."
        ),
        examples=[
            {"title": "Deploy 4.2 to production?", "actions": [{"id": "approve", "label": "Approve"}]},
            {
                "title": "Deploy 4.2 to production?",
                "approvers": [{"id": "ann", "name": "Ann Lee", "email": "ann@example.com"}, "bo@example.com", "cy"],
                "requestedBy": "dee",
                "selfApproval": False,
                "escalate": {"after": "1d", "to": ["lead@example.com"]},
                "actions": [{"id": "approve", "label": "Approve", "needs": 2}, {"id": "reject", "label": "Reject"}],
            },
        ],
    )

    notify: dict[str, Any] = Field(
        default=ABSENT,
        description=(
            "Who is told of the `page`, and reminded: by mail, in Slack or in Teams, at least one of them. docs/notices.md has "
            "it all."
        ),
        examples=[{"email": True, "slack": "#deploys"}, {"email": ["ann@example.com"]}, {"teams": "TEAMS_DEPLOYS"}],
        json_schema_extra=NOTIFY_SCHEMA,
    )

    metadata: dict[str, Any] = Field(
        default=ABSENT,
        description=(
            "An object of at most 4 KiB of JSON, such as the ids of a run, an agent or an order. Retrieve, events and results "
            "with `context` have it as it was sent; no list has it, and no page."
        ),
        examples=[{"run": "run_4711", "order": 1234567}],
    )

    traceparent: str = Field(
        default=ABSENT,
        description=(
            "The W3C's `traceparent`, version 00, of the span that the token belongs to. By default the header of this name. "
            "Retrieve, events and results with `context` have it. An invalid one is ignored."
        ),
        examples=["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
    )

    _together = model_validator(mode="after")(request_checks.together)
