"""Read where a request came from, to store it with the token. Credentials, cookies and bodies are never included."""

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
    names = (name for name in DELIVERY_IDS if request.headers.get(name))
    return CompletedBy(
        source=source,
        ip=cut(request.source_ip),
        user_agent=cut(request.headers.get("user-agent")),
        content_type=cut(request.headers.get("content-type")),
        query=cut(request.raw_query),
        delivery_id=cut(request.headers.get(next(names, ""))),
        key=request.caller.name,
    )
