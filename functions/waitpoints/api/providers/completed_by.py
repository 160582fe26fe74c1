"""Read where a request came from, to store it with the token. Credentials, cookies and bodies are never included."""

from collections.abc import Mapping

from waitpoints.api.http import Request
from waitpoints.token import CompletedBy, Source, cut

# The headers with a delivery's id, which stays the same when the provider retries
DELIVERY_IDS = (
    "webhook-id",  # Standard Webhooks
    "svix-id",
    "x-github-delivery",
    "x-gitlab-event-uuid",
    "x-shopify-webhook-id",
    "x-hook-uuid",  # Bitbucket
    "x-request-uuid",
    "linear-delivery",
    "x-pagerduty-webhook-id",
    "request-id",  # Sentry
    "x-twilio-webhook-id",
    "i-twilio-idempotency-token",
    "x-amz-sns-message-id",
    "x-goog-message-number",
    "ce-id",  # CloudEvents
    "idempotency-key",
)


def read_completed_by(request: Request, source: Source) -> CompletedBy:
    return completed_by_of(request.headers, request.raw_query, source, request.source_ip, request.caller.name)


def completed_by_of(headers: Mapping[str, str], raw_query: str, source: Source, ip: str | None, key: str | None) -> CompletedBy:
    """`headers` have names in lower case. `key` is the name of the named key."""
    if raw_query:
        from waitpoints.api.providers.secret_names import query_without_secrets

        raw_query = query_without_secrets(raw_query)
    names = (name for name in DELIVERY_IDS if headers.get(name))
    return CompletedBy(
        source=source,
        ip=cut(ip),
        user_agent=cut(headers.get("user-agent")),
        content_type=cut(headers.get("content-type")),
        query=cut(raw_query),
        delivery_id=cut(headers.get(next(names, ""))),
        key=key,
    )
