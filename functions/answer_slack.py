"""POST /api/v1/slack: take what a person answers by a button of a message in Slack.

Slack's signature is the credential. What it sends for other buttons, and of other kinds, is answered and passed over.
"""

from waitpoints.api.http import SLACK_LIMIT, Request, Response, http_handler
from waitpoints.api.notices import slack_click
from waitpoints.wiring import services

services.build_at_start(lambda s: (s.tokens, s.step_functions_client))


@http_handler("POST", api_key_required=False)
def handler(request: Request) -> Response:
    return slack_click.receive(request, request.read_body(SLACK_LIMIT))
