"""The one table of operations of the HTTP API.

`make openapi` makes openapi.yaml and the table of routes in docs/api.md from it. The tests for 401, 405, odd input and every
field take their requests from it, and compare it with template.yaml. Names, paths and schemas of the waitpoint operations
are those of Trigger.dev's own specification, so that a client made from either works with both.
"""

from functools import partial

from tools.openapi import answers
from tools.openapi.operation import (
    BAD_REQUEST,
    ENDED,
    EXAMPLE_ID,
    FORBIDDEN,
    KEY_CONFLICT,
    NO_DELIVERY,
    NO_ENDPOINT,
    NO_KEY,
    NOT_FOUND,
    NOT_JOINED,
    UNPROCESSABLE,
    Answer,
    Operation,
    Parameter,
    RequestBody,
    header,
    too_large,
)
from tools.openapi.requests import CompleteWaitpointKeyRequest, CompleteWaitpointTokenRequest, ResendDeliveryRequest
from waitpoints.access.api_keys import NAME_PATTERN
from waitpoints.api.endpoints import deliveries_query
from waitpoints.api.http import CREATE_LIMIT, PAYLOAD_LIMIT
from waitpoints.api.list_query import DEFAULT_SIZE, MAX_SIZE
from waitpoints.api.models.api_key import CreateKeyRequest
from waitpoints.api.models.create_token import CreateWaitpointTokenRequest
from waitpoints.api.models.deadline import MoveDeadlineRequest
from waitpoints.api.models.endpoint import PutEndpointRequest
from waitpoints.api.models.endpoint_change import ChangeEndpointRequest
from waitpoints.api.models.endpoint_trial import TryEndpointRequest
from waitpoints.api.models.public_token import CreatePublicTokenRequest, MintPublicTokenRequest
from waitpoints.approvers import MAX_ANSWER

TOKENS = "/api/v1/waitpoints/tokens"
TOKEN = f"{TOKENS}/{{waitpointId}}"
ENDPOINTS = "/api/v1/endpoints"
ENDPOINT = f"{ENDPOINTS}/{{name}}"
DELIVERIES = f"{ENDPOINT}/deliveries"
DELIVERY = f"{DELIVERIES}/{{deliveryId}}"
KEYS = "/api/v1/keys"
CURSOR = {"pattern": "^((waitpoint_)?[0-7][0-9a-hjkmnp-tv-z]{25})?$"}
DELIVERY_CURSOR = {"pattern": "^((delivery_)?[0-7][0-9a-hjkmnp-tv-z]{25})?$"}
_KIND = f"({'|'.join(deliveries_query.KINDS)})"
KINDS = {"pattern": f"^({_KIND}(,{_KIND})*)?$"}
STATUSES = {"pattern": "^((WAITING|COMPLETED|TIMED_OUT)(,(WAITING|COMPLETED|TIMED_OUT))*)?$"}

query = partial(Parameter, "query")


def page_size(of: str) -> Parameter:
    limits = {"type": "integer", "minimum": 1, "maximum": MAX_SIZE, "default": DEFAULT_SIZE}
    return query("page[size]", f"The number of {of} in an answer, {DEFAULT_SIZE} by default.", 10, limits)


APPROVER = query("approver", "Whose link this is, in one of `links`. The hash covers the name.")
NOT_ASKED = "The link is right, but the person may not answer, or not yet."

ours = partial(Operation, is_ours=True)
of_endpoints, of_deliveries = partial(ours, scope="endpoints"), partial(ours, scope="deliveries")

OPERATIONS = (
    Operation(
        "POST",
        TOKENS,
        "create_waitpoint_token_v1",
        "Create a token",
        "Creates a token that executions can wait for, and a `url` that completes it. If a token already holds the "
        "`idempotencyKey`, returns that token.",
        answers.CreateWaitpointTokenResponse,
        {409: NOT_JOINED, 422: UNPROCESSABLE},
        body=RequestBody({"timeout": "1h", "tags": ["user:1234567"]}, CreateWaitpointTokenRequest, limit=CREATE_LIMIT),
        own_parameters=(
            Parameter(
                "header",
                "x-trigger-request-idempotency-key",
                "The same for every attempt of one call: a retry after a lost answer returns the token of the first attempt.",
            ),
        ),
        headers={
            "x-trigger-jwt": header("A public access token that can complete this token for 24 hours."),
            "x-trigger-jwt-claims": header("The claims, as JSON, with which the SDK signs such tokens itself."),
        },
        scope="create",
    ),
    Operation(
        "GET",
        TOKENS,
        "list_waitpoint_tokens_v1",
        "List tokens, with filters and cursors",
        "Lists tokens, newest first unless `sort` says otherwise. If a parameter is given twice, the last one "
        "counts. Unknown parameters are refused, except from the SDK. A list costs a bounded number of reads: "
        "with a filter the answer can be short and still have a next cursor.",
        answers.ListWaitpointTokensResult,
        {400: BAD_REQUEST},
        own_parameters=(
            page_size("tokens"),
            query("page[after]", "The tokens after this cursor: `pagination.next` of an answer.", None, CURSOR),
            query(
                "page[before]",
                "The tokens before this cursor: `pagination.previous` of an answer. It wins over `page[after]`.",
                None,
                CURSOR,
            ),
            query(
                "sort",
                "The order of creation: `-createdAt`, the newest first, is the default; `createdAt` is the oldest first. With "
                "`filter[status]=WAITING` the latter shows what waits longest.",
                "createdAt",
                {"enum": ["-createdAt", "createdAt", ""]},
            ),
            query("filter[status]", "Tokens with one of these statuses, separated by commas.", "WAITING,COMPLETED", STATUSES),
            query("filter[idempotencyKey]", "Tokens created with this key, even if the key has expired."),
            query("filter[tags]", "Tokens with any of these tags, separated by commas.", "user:1234567,org:9876543"),
            query(
                "filter[createdAt][period]",
                'Tokens created within this duration before now, such as "30m", "24h", "7d" or "1 week".',
                "24h",
            ),
            query(
                "filter[createdAt][from]",
                "Tokens created at this instant or later: ISO 8601 or epoch milliseconds. With a period, the later start wins.",
                "2026-11-01T00:00:00Z",
            ),
            query("filter[createdAt][to]", "Tokens created at this instant or earlier.", "2126-12-01T00:00:00Z"),
            query(
                "filter[completedAt][period]",
                "Tokens that were completed or timed out within this duration before now. The order stays that of creation.",
                "24h",
            ),
            query(
                "filter[completedAt][from]",
                "Tokens that ended at this instant or later. With a period, the later start wins.",
                "2026-11-01T00:00:00Z",
            ),
            query("filter[completedAt][to]", "Tokens that ended at this instant or earlier.", "2126-12-01T00:00:00Z"),
            query(
                "filter[outputIsError]",
                "`true`: tokens that timed out or were failed. `false`: all others, also those that wait.",
                "true",
                {"enum": ["true", "false", ""]},
            ),
            query(
                "filter[undelivered]",
                "`true`: settled tokens with a waiter that could not be resumed, and that needs an operator. Goes with "
                "`page`, `sort` and `filter[createdAt]` alone.",
                schema={"enum": ["true", ""]},
            ),
        ),
        scope="read",
    ),
    Operation(
        "GET",
        TOKEN,
        "retrieve_waitpoint_token_v1",
        "Retrieve a token",
        "Returns one token with its output, if it has one, and with the runs that wait for it, and when each was resumed.",
        answers.WaitpointTokenObject,
        {404: NOT_FOUND},
        scope="read",
    ),
    ours(
        "PATCH",
        TOKEN,
        "move_waitpoint_token_deadline_v1",
        "Move a token's timeout, or change who may answer its page",
        "Gives a waiting token another timeout, earlier or later than before, or none. A limit that a state has of its own, "
        "such as `TimeoutSeconds`, does not move with it. Or it changes the `approvers` of the token's page. The same request "
        "again changes nothing. If the token has `notify`, adding someone also needs the scope `notify`.",
        answers.MoveDeadlineResponse,
        {
            404: NOT_FOUND,
            409: Answer(
                "The token has been completed, or has timed out, or a person to remove has answered. Nothing has changed.",
                headers=ENDED.headers,
            ),
            422: Answer(
                "A timeout that names no future instant, or is over the stack's MaxTimeout. Or approvers that a page cannot "
                "have, who could all answer and nothing be decided, or whom `notify` does not reach; `error` says why."
            ),
        },
        body=RequestBody({"timeout": "7d"}, MoveDeadlineRequest, required=True),
        scope="create",
    ),
    ours(
        "DELETE",
        TOKEN,
        "delete_waitpoint_token_v1",
        "Delete a token",
        "Deletes a token that has settled and whose runs have all been resumed, with its output, its page and answers, its "
        "metadata, its notices, its `idempotencyKey`, and the recorded delivery that settled it with what its resends kept. "
        "`force` first fails a token that waits with the error `WaitpointDeletedError`, which also needs the scope `complete`. "
        "A token that is gone, or never was, is a success.",
        answers.DeleteWaitpointTokenResponse,
        {
            400: BAD_REQUEST,
            404: Answer("This is no token's id."),
            409: Answer(
                "The token waits, or a run that waited for it has not been resumed. Nothing was deleted.",
                headers=ENDED.headers,
            ),
        },
        own_parameters=(query("force", "Whether to fail a token that waits.", "true", {"enum": ["true", "false", ""]}),),
        scope="delete",
    ),
    Operation(
        "POST",
        f"{TOKEN}/complete",
        "complete_waitpoint_token_v1",
        "Complete a waitpoint token",
        "Completes the token with `data`, or fails it with `error`, and resumes its waiters. The first completion counts: a "
        "token that was completed or is past its timeout stays unchanged, and `settled` is false. With the API key it "
        "also completes a token in place of its page's `approvers`; `completedBy.override` then says so. Pages of any origin "
        "can call it (CORS).",
        answers.CompleteWaitpointTokenResponse,
        {
            403: FORBIDDEN,
            404: NOT_FOUND,
            422: Answer("`data` does not match the token's payloadSchema; `error` names the keyword and its place."),
        },
        body=RequestBody({"data": {"status": "approved"}}, CompleteWaitpointTokenRequest, required=True, limit=PAYLOAD_LIMIT),
        credentials=("secretKey", "publicAccessToken"),
        scope="complete",
    ),
    ours(
        "POST",
        "/api/v1/waitpoints/complete",
        "complete_waitpoint_key_v1",
        "Complete the token of an idempotencyKey, now or once it is created",
        "Completes the newest token that was created with the key, with `data` or an `error`, even if the key has "
        "expired. If the token has ended and the key has not expired, nothing changes and `settled` is false. If no token "
        "holds the key, the completion is kept: a create with the key gets a completed token, and its runs go on at once.",
        answers.CompleteWaitpointKeyResponse,
        {422: Answer("A TTL that names no future instant, or `data` that does not match the token's payloadSchema.")},
        body=RequestBody(
            {"idempotencyKey": "order-1234567", "data": {"status": "approved"}},
            CompleteWaitpointKeyRequest,
            required=True,
            limit=PAYLOAD_LIMIT,
        ),
        scope="complete",
    ),
    Operation(
        "OPTIONS",
        f"{TOKEN}/complete",
        "preflight_complete_waitpoint_token_v1",
        "Allow a page of another origin to complete a token (CORS preflight)",
        "The request that a browser sends before a page of another origin completes a token. It allows every requested header.",
        answers.Nothing,
        own_parameters=(
            Parameter("header", "origin", "The origin of the page.", "https://shop.example.com"),
            Parameter("header", "access-control-request-headers", "The headers that the page will send.", "authorization"),
        ),
        headers={
            "access-control-allow-methods": header("POST", const="POST"),
            "access-control-allow-headers": header("The requested headers."),
            "access-control-max-age": header("For how many seconds a browser may cache the answer."),
        },
        credentials=(),
    ),
    Operation(
        "POST",
        f"{TOKEN}/callback/{{callbackHash}}",
        "complete_waitpoint_token_callback_v1",
        "Complete a waitpoint token via its URL",
        "Completes the token with the whole body: JSON is kept as sent, an empty or blank body becomes `{}`, a form an "
        'object of its fields, other text a JSON string, and other bytes `{"base64": …}`. The URL is the credential, '
        "unless the token was created with `verify`. A delivery that does not match the token's `completeWhen` is answered 200 "
        "and only counted. If the token's page has `approvers`, each answers once, by their own link or signed in, and the "
        "first answer stands; the token completes once an action has been chosen by as many people as it `needs`. The tests "
        "with which webhook providers try a URL are answered, also those by GET, HEAD and OPTIONS. Only a POST completes a "
        "token. While the secret of `verify` cannot be used, deliveries are answered 503.",
        answers.CompleteWaitpointTokenResponse,
        {
            401: Answer("This stack did not make the URL (an invalid id gets the same answer), or the signature is wrong."),
            403: Answer(f"{NOT_ASKED} Or the page has `approvers`, and this is the `url`, where only a sign-in answers."),
            404: Answer("The URL is right, but retention has removed its token."),
            413: Answer(f"The body is over {PAYLOAD_LIMIT:,} bytes, or an approver's answer is over {MAX_ANSWER:,}."),
            422: Answer(
                "The body does not match the token's payloadSchema, or is not a choice of its `page`; `error` names the place."
            ),
        },
        body=RequestBody({"status": "approved"}),
        own_parameters=(APPROVER,),
        credentials=(),
        tested_by=("HEAD",),  # Trello
    ),
    Operation(
        "GET",
        f"{TOKEN}/callback/{{callbackHash}}",
        "show_waitpoint_token_callback_v1",
        "Show a person what the URL is for",
        "Shows the token's `page`, or what became of it, to a request whose `Accept` names text/html. It never completes the "
        "token. Any other request is answered 405, unless it is a handshake. A refusal is a page too.",
        answers.Page,
        {
            401: Answer("This stack did not make the URL."),
            403: Answer(NOT_ASKED),
            404: Answer("The URL is right, but retention has removed its token."),
        },
        own_parameters=(APPROVER,),
        credentials=(),
        is_page=True,
    ),
    Operation(
        "GET",
        "/api/v1/packets/{path}",
        "get_packet_v1",
        "Get a link to a large output (`outputType` is `application/store`)",
        "Returns a link, valid for five minutes, to an output whose `outputType` is application/store.",
        answers.PacketLink,
        {404: Answer("No output has this path.", answers.Refusal | answers.GatewayRefusal)},
        scope="read",
    ),
    Operation(
        "POST",
        "/api/v1/auth/jwt/claims",
        "get_public_token_claims_v1",
        "Get the claims with which the SDK signs public access tokens itself",
        "Returns what the SDK's `auth.createPublicToken` needs to sign a public access token itself.",
        answers.PublicTokenClaims,
    ),
    Operation(
        "POST",
        "/api/v1/auth/jwt",
        "create_public_token_v1",
        "Create a public access token",
        "Returns a public access token, for callers that cannot sign one.",
        answers.PublicToken,
        {422: Answer("An `expirationTime` that is not a duration, has passed, or is more than 30 days away.")},
        body=RequestBody(
            {"claims": {"scopes": [f"write:waitpoints:{EXAMPLE_ID}"]}, "expirationTime": "15m"},
            CreatePublicTokenRequest,
            required=True,
        ),
    ),
    Operation(
        "POST",
        "/api/v1/auth/public-tokens",
        "mint_public_token_v1",
        "Create a public access token within the scopes of the caller's key",
        "Returns a public access token that ends with the key that made it, once that key is revoked or expires. The SDK asks "
        "for it if it has a named key, which cannot sign. With `complete:<tag>` a key allows only scopes of single tokens, "
        "which are completed only if they have the tag. Scopes that complete nothing, such as `read:waitpoints`, open nothing.",
        answers.PublicToken,
        {
            403: Answer(
                "A named key that does not allow one of the scopes; `error` says what is missing.", answers.ScopeRefusal
            ),
            422: Answer("An `expirationTime` that is not a duration, has passed, or is more than 30 days away."),
        },
        body=RequestBody(
            {"scopes": [f"write:waitpoints:{EXAMPLE_ID}"], "expirationTime": "15m"}, MintPublicTokenRequest, required=True
        ),
        scope="complete",
    ),
    of_endpoints(
        "PUT",
        ENDPOINT,
        "put_endpoint_v1",
        "Make an endpoint, or change its settings",
        "Makes an endpoint: one URL for all deliveries of a provider's account, each of which completes the token that was "
        "created with its key. An existing endpoint of this name gets all settings anew and keeps its URL. A change takes "
        "effect within a minute. To end a URL that leaked, delete the endpoint and put it again.",
        answers.EndpointObject,
        {422: Answer("A name, an expression, a `verify`, a `keyTTL` or a `tag` that cannot be used; `error` says why.")},
        body=RequestBody({"key": "body.workflow_run.id", "verify": "none"}, PutEndpointRequest, required=True),
    ),
    of_endpoints(
        "PATCH",
        ENDPOINT,
        "change_endpoint_v1",
        "Disable or enable an endpoint",
        "Within a minute, deliveries to a disabled endpoint get 503 with `retry-after`, so that providers send them again "
        "later. They settle nothing, and are counted as `refused`. Its settings and its URL stay, also after a PUT.",
        answers.EndpointObject,
        {404: NO_ENDPOINT},
        body=RequestBody({"disabled": True}, ChangeEndpointRequest, required=True),
    ),
    of_endpoints(
        "GET",
        ENDPOINT,
        "retrieve_endpoint_v1",
        "Retrieve an endpoint, and what became of its deliveries",
        "Returns an endpoint with the number of its deliveries and the last one, by what became of them.",
        answers.EndpointWithDeliveries,
        {404: NO_ENDPOINT},
    ),
    of_endpoints(
        "DELETE",
        ENDPOINT,
        "delete_endpoint_v1",
        "Delete an endpoint",
        "Deletes an endpoint. Its URL is refused within a minute and never becomes valid again. Its tokens stay. What it has "
        "recorded is deleted within two days.",
        answers.DeleteEndpointResponse,
        {404: NO_ENDPOINT},
    ),
    of_endpoints(
        "GET",
        ENDPOINTS,
        "list_endpoints_v1",
        "List endpoints",
        "Lists endpoints, by name, without their deliveries. Unknown parameters are refused.",
        answers.ListEndpointsResult,
        {400: BAD_REQUEST},
        own_parameters=(
            page_size("endpoints"),
            query(
                "page[after]",
                "The endpoints after this name: `pagination.next` of an answer.",
                None,
                {"pattern": "^[a-z0-9-]{0,64}$"},
            ),
        ),
    ),
    of_endpoints(
        "POST",
        f"{ENDPOINT}/test",
        "try_endpoint_v1",
        "Say what would become of a delivery",
        "Takes every step of a delivery, with the same code, and changes nothing: signature, `completeWhen`, key, output, and "
        "the token that has the key.",
        answers.EndpointTrial,
        {404: NO_ENDPOINT},
        body=RequestBody(
            {"body": {"action": "completed", "workflow_run": {"id": 123456}}, "headers": {"x-github-event": "workflow_run"}},
            TryEndpointRequest,
            required=True,
            limit=PAYLOAD_LIMIT,
        ),
    ),
    of_deliveries(
        "GET",
        DELIVERIES,
        "list_deliveries_v1",
        "List recorded deliveries",
        "Lists what an endpoint that records its deliveries received and verified, newest first, until it expires. The newest "
        "may be absent for a second. With a filter the answer can be short and still have a next cursor.",
        answers.ListDeliveriesResult,
        {400: BAD_REQUEST, 404: NO_ENDPOINT},
        own_parameters=(
            page_size("deliveries"),
            query("page[after]", "The deliveries after this cursor: `pagination.next` of an answer.", None, DELIVERY_CURSOR),
            query("filter[kind]", "Deliveries of one of these kinds, separated by commas.", "notMatching,noKey", KINDS),
            query("filter[key]", "Deliveries that named this key of a token. Its first 100 bytes are compared."),
            query("filter[deliveryId]", "Deliveries of the event to which the provider gave this id."),
            query(
                "filter[createdAt][period]",
                'Deliveries that came within this duration before now, such as "24h" or "7d".',
                "24h",
            ),
            query(
                "filter[createdAt][from]",
                "Deliveries that came at this instant or later: ISO 8601 or epoch milliseconds. With a period, the later start "
                "wins.",
                "2026-11-01T00:00:00Z",
            ),
            query("filter[createdAt][to]", "Deliveries that came at this instant or earlier.", "2126-12-01T00:00:00Z"),
        ),
    ),
    of_deliveries(
        "GET",
        DELIVERY,
        "retrieve_delivery_v1",
        "Retrieve a recorded delivery",
        "Returns a recorded delivery with its headers, query and body, without credentials and signatures. They are absent if "
        "the bucket has them no more.",
        answers.RetrievedDelivery,
        {404: NO_DELIVERY},
    ),
    of_deliveries(
        "DELETE",
        DELIVERY,
        "delete_delivery_v1",
        "Delete a recorded delivery",
        "Deletes a recorded delivery, what was sent, and the completion that it left for a create that has not come; "
        "and so its resends.",
        answers.DeleteDeliveryResponse,
        {404: NO_DELIVERY},
    ),
    of_deliveries(
        "DELETE",
        DELIVERIES,
        "delete_deliveries_v1",
        "Delete all recorded deliveries",
        "Deletes recorded deliveries for up to 20 seconds. Repeat the request until `done` is true.",
        answers.DeleteDeliveriesResponse,
        {404: NO_ENDPOINT},
    ),
    of_deliveries(
        "POST",
        f"{DELIVERY}/resend",
        "resend_delivery_v1",
        "Send a recorded delivery again",
        "Sends what an endpoint has recorded again, as a new delivery that is recorded and not counted: by the endpoint's "
        "settings of today to the token that waits for its key, or with `tokenId` to this token, whose `completeWhen` and "
        "`payloadSchema` hold. The runs that wait go on.",
        answers.RecordedDelivery,
        {
            404: Answer("The endpoint has no such delivery, or its body is no longer stored; or no token has this id."),
            422: Answer("The token waits, and has `verify` or a page. Nothing was recorded."),
        },
        body=RequestBody({}, ResendDeliveryRequest, limit=CREATE_LIMIT),
        also="complete",
    ),
    Operation(
        "POST",
        f"{ENDPOINT}/{{endpointHash}}",
        "accept_delivery_v1",
        "Complete the token whose key a delivery names",
        "The URL for the provider. A delivery that matches completes the token that was created with its key, or is kept for "
        "the create that comes later. Every delivery that is understood is answered 200, whether or not it completes a token. "
        "The tests with which webhook providers try a URL are answered, also those by GET, HEAD and OPTIONS. While the secret "
        "of `verify` cannot be used, or the endpoint is disabled, deliveries are answered 503.",
        answers.CompleteWaitpointTokenResponse,
        {
            401: Answer("No endpoint has this URL, or the signature is wrong."),
            413: too_large(PAYLOAD_LIMIT),
        },
        body=RequestBody({"action": "completed", "workflow_run": {"id": 123456}}),
        credentials=(),
        tested_by=("HEAD",),  # Trello
    ),
    ours(
        "POST",
        KEYS,
        "create_key_v1",
        "Make a named key",
        "Makes an API key for one program, which may do what its scopes say. The answer is the only one that has the key: it "
        "is not stored.",
        answers.CreatedKey,
        {
            409: KEY_CONFLICT,
            422: Answer("A name, a scope or an `expiresIn` that no key can have; `error` says what is accepted."),
        },
        body=RequestBody(
            {"name": "nightly-job", "scopes": ["create:team-a", "read:team-a"], "expiresIn": "90d"},
            CreateKeyRequest,
            required=True,
        ),
    ),
    ours(
        "GET",
        KEYS,
        "list_keys_v1",
        "List named keys",
        "Lists named keys, by name, without the keys themselves.",
        answers.ListKeysResult,
    ),
    ours(
        "DELETE",
        f"{KEYS}/{{name}}",
        "revoke_key_v1",
        "Revoke a named key",
        "Revokes a named key. It is refused everywhere within a minute, also if a key of its name is made again.",
        answers.RevokeKeyResponse,
        {404: NO_KEY},
        own_parameters=(Parameter("path", "name", "The key's name.", "retired-job", {"pattern": f"^{NAME_PATTERN}$"}),),
    ),
)


def by_id(operation_id: str) -> Operation:
    """The operation with this id. Raises ValueError for an unknown id."""
    [found] = [it for it in OPERATIONS if it.id == operation_id]
    return found


def methods(path: str) -> list[str]:
    """The methods of a path, sorted, as the `allow` header of its 405 lists them. A preflight or a page is not listed."""
    return sorted(it.method for it in OPERATIONS if it.path == path and it.method != "OPTIONS" and not it.is_page)
